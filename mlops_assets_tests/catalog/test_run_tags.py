"""Tags of runs: whose a run is, of which partition, why."""

import dagster as dg

from mlops_assets.catalog import run_tags


def run(*assets: str, **tags: str) -> dg.DagsterRun:
    selection = frozenset(dg.AssetKey(name.split("/")) for name in assets) or None
    return dg.DagsterRun(job_name="any", tags=tags, asset_selection=selection)


def test_a_run_is_of_a_forecast_by_its_tag_or_its_assets():
    assert run_tags.is_of(run(**{run_tags.FORECAST: "demo"}), "demo")
    assert run_tags.is_of(run("demo/forecasts"), "demo")
    assert not run_tags.is_of(run("demo_big/forecasts"), "demo")
    assert not run_tags.is_of(run(), "demo")


def test_the_partition_of_a_run_is_one_or_a_range():
    assert run_tags.partition_of({"dagster/partition": "2024-05-01"}) == "2024-05-01"
    assert run_tags.partition_of(run_tags.range_tags("2024-05-01", "2024-05-03")) == "2024-05-01...2024-05-03"
    assert run_tags.partition_of(run_tags.range_tags("2024-05-01", "2024-05-01")) == "2024-05-01"
    assert run_tags.partition_of({}) == ""


def test_a_run_without_a_reason_was_materialized_by_hand():
    assert run_tags.reason_of(run()) == "materialized by hand"
    assert run_tags.reason_of(run(**{run_tags.REASON: "drift"})) == "drift"


def test_retries_are_counted():
    assert run_tags.tries_of(run()) == 1
    assert run_tags.tries_of(run(**{"dagster/retry_number": "2"})) == 3
    assert run_tags.will_retry(run(**{"dagster/will_retry": "true"}))
    assert not run_tags.will_retry(run())
