"""A deployment of release 0.1.0 goes on under today's code."""

import json

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.catalog.column import expand
from mlops_assets.catalog.columns import TABLES
from mlops_assets.definitions import build
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.release import package_version
from mlops_assets.settings import Settings
from mlops_assets_tests.releases.unpacked import Deployment, unpack

STORED = [
    "alerts", "accuracy_scores", "backtest", "champion", "data_drift", "decisions", "forecast_accuracy",
    "forecast_change", "forecasts", "future_covariates", "model_version", "observations", "quarantine",
    "reconciled_forecasts", "report", "retraining_decisions", "retraining_launches", "training_set",
]  # fmt: skip


@pytest.fixture(scope="module", params=["files", "sqlite"])
def deployment(request, tmp_path_factory) -> Deployment:
    """What 0.1.0 left behind on 20 April; the tests below go on with it, one after the other."""
    return unpack("0.1.0", request.param, tmp_path_factory.mktemp(request.param))


def test_every_table_is_read_under_the_names_of_today(deployment):
    spec = deployment.spec
    with deployment.opened() as stores:
        keys = stores.tables.partitions(["shops", "forecasts"])
        tables = {name: stores.tables.read(["shops", name]) for name in STORED}
        releases = {stores.tables.written_by(["shops", name]) for name in STORED}
    assert releases == {None}, "0.1.0 did not say who wrote a table"
    assert keys == [f"2024-04-{day}" for day in range(10, 21)]
    assert [name for name, rows in tables.items() if rows.empty] == []
    for name in {*STORED} & {*TABLES} - {"training_set"}:  # its features are the spec's
        known = expand(TABLES[name], spec.task.quantile_columns, spec.covariate_columns)
        assert {*tables[name]} <= {*known}, name
    assert tables["data_drift"]["explanation"].str.len().gt(0).any()


def test_status_and_history_say_what_was_decided(deployment):
    (found,) = json.loads(deployment.call("2024-04-21", "status", "--json").stdout)
    assert found["champion"]["version"] == 1
    said = json.loads(deployment.call("2024-04-21", "history", "shops", "--json").stdout)
    assert [row["version"] for row in said["champions"]] == [1, 3, 1]
    assert [(row["kind"], row["outcome"], row["decided_by"]) for row in said["decisions"]] == [
        ("gate", "promoted", "gate"),
        ("gate", "refused", "gate"),
        ("gate", "refused", "gate"),
        ("approval", "promoted", "Ann"),
        ("rollback", "rolled back", "Ben"),
    ]
    assert {rule["name"] for rule in said["decisions"][1]["rules"]["rules"]} >= {"against_champion", "coverage"}
    first = deployment.call("2024-04-21", "history", "shops", "--at", "2024-04-15").output
    assert "better_than_naive: wql" in first, "each rule with its numbers"


def test_the_next_day_is_run_by_the_same_champion_without_a_training(deployment):
    deployment.call("2024-04-22", "run", "shops")
    with deployment.opened() as stores:
        assert [version.number for version in stores.tracking.registry("shops").versions()] == [3, 2, 1]
        day = stores.tables.read(["shops", "forecasts"], partitions=["2024-04-21"])
        accuracy = stores.tables.read(["shops", "forecast_accuracy"], partitions=["2024-04-21"])
        change = stores.tables.read(["shops", "forecast_change"], partitions=["2024-04-21"])
        sums = stores.tables.read(["shops", "reconciled_forecasts"], partitions=["2024-04-21"])
        releases = [stores.tables.written_by(["shops", "forecasts"], f"2024-04-{day}") for day in (20, 21)]
    assert releases == [None, package_version()]
    assert day["model_version"].unique().tolist() == [1]
    assert len(day) == 5 * 5
    assert sorted(accuracy["model_version"].unique()) == [1, 3], "both had forecast this day"
    assert len(change) == 5
    assert len(sums) == 5 * 8


def test_a_rollback_brings_another_old_version_back_which_forecasts_the_day_after(deployment):
    done = deployment.call("2024-04-23", "rollback", "shops", "--to", "3", "--by", "Cid", "--reason", "it was better")
    assert "version 3 is champion, version 1 was (decision 6)" in done.output
    deployment.call("2024-04-23", "run", "shops")
    with deployment.opened() as stores:
        day = stores.tables.read(["shops", "forecasts"], partitions=["2024-04-22"])
        life = Lifecycle(stores.tables, stores.tracking, stores.clock, "shops")
        assert life.champion().number == life.registry.champion().number == 3
    assert day["model_version"].unique().tolist() == [3]
    page = deployment.data / "page.html"
    deployment.call("2024-04-23", "report", "shops", "--output", str(page))
    assert "version 3" in page.read_text()


def test_a_forecast_made_again_is_the_one_that_was_stored(deployment):
    """The champion of 20 April, asked again by today's code, says what it said under 0.1.0."""
    with deployment.opened() as stores:
        before = stores.tables.read(["shops", "forecasts"], partitions=["2024-04-20"])
    deployment.call("2024-04-23", "run", "shops", "--partition", "2024-04-20")
    with deployment.opened() as stores:
        after = stores.tables.read(["shops", "forecasts"], partitions=["2024-04-20"])
    anew = ["run_id", "created_at"]
    pd.testing.assert_frame_equal(after.drop(columns=anew), before.drop(columns=anew), rtol=1e-9, atol=0)


def test_a_backtest_that_was_stored_then_is_judged_today(tmp_path):
    """Only the decision is made again: on the backtest, the version and the champion that 0.1.0 left behind."""
    deployment = unpack("0.1.0", "files", tmp_path)
    with deployment.opened() as stores:
        job = build(Settings.read()).resolve_job_def("shops_decide")
        with dg.DagsterInstance.ephemeral() as instance:
            assert job.execute_in_process(instance=instance).success
        last = Lifecycle(stores.tables, stores.tracking, stores.clock, "shops").log.all().iloc[-1]
    rules = {rule["name"]: rule for rule in json.loads(last["rules"])["rules"]}
    assert (last["number"], last["version"], last["outcome"]) == (6, 3, "refused")
    assert rules["not_rolled_back"]["state"] == "failed"
    assert {rules[name]["state"] for name in ("against_champion", "better_than_naive")} <= {"passed", "failed"}
