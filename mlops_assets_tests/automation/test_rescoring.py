"""Late and corrected actuals: the right days are scored again, nothing twice, and the old scores are kept."""

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.automation import rescoring
from mlops_assets.automation.rescoring import build_reread_schedule
from mlops_assets.catalog.names import RESCORE, job_name
from mlops_assets.forecasting.evaluation.metrics import score
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.score import read_scores
from mlops_assets_tests.automation import ticks
from mlops_assets_tests.worlds import HISTORY, World, panel

LAST = "2024-05-14"
ROUND = ("observations", "quarantine", "forecast_accuracy")


@pytest.fixture(scope="module")
def scored(tmp_path_factory, empty_mlflow):
    """Forecasts from the 10th of May, scored until the 14th; the 12th's rows of one shop have not come yet."""
    from mlops_assets_tests.worlds import declare, sandbox

    folder = tmp_path_factory.mktemp("late")
    data = panel()
    late = (data["shop"] == "shop 3") & (data["day"] == "2024-05-12")
    made = World(declare(folder / "forecasts", data[~late]), sandbox(folder, empty_mlflow))
    made.run("observations", "quarantine", partition=HISTORY)
    made.train()
    made.run("forecasts", partition="2024-05-10")
    made.run(*ROUND, partition=f"2024-05-11...{LAST}")
    return made


def look(world: World) -> list[dg.RunRequest]:
    """One evaluation of the sensor, its requests carried out by the caller."""
    given = {"clock": world.resources["clock"]}
    with dg.build_sensor_context(instance=world.instance, resources=given) as context:
        found = ticks.tick(world.spec, "demo_rescore", context)
    return found if isinstance(found, list) else []


def carry_out(world: World, request: dg.RunRequest) -> None:
    first, last = (request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
    assert [key.path[-1] for key in request.asset_selection or []] == ["forecast_accuracy", "anomalies"]
    world.run("forecast_accuracy", partition=f"{first}...{last}")


def test_late_and_corrected_actuals_are_scored_again_once_and_the_old_scores_are_kept(scored):
    assert look(scored) == []
    before = read_scores(scored.tables, scored.spec)
    data = panel()
    corrected = (data["shop"] == "shop 0") & (data["day"] == "2024-05-13")
    data.loc[corrected, "sales"] *= 3
    data.to_csv(scored.spec.folder / "sales.csv", index=False)
    scored.run("observations", "quarantine", partition="2024-05-12...2024-05-14")

    (request,) = look(scored)
    assert request.tags["dagster/asset_partition_range_end"] == "2024-05-13", "nothing has changed on the 14th"
    carry_out(scored, request)
    assert look(scored) == []

    rows = scored.table("forecast_accuracy")
    assert not rows.duplicated(["item_id", "origin", "timestamp"]).any()
    assert len(rows) == 4 * 4
    wrong = rows[(rows["item_id"] == "shop 0") & (rows["timestamp"] == "2024-05-13")]["target"].item()
    assert wrong == data.loc[corrected, "sales"].item()

    history = read_scores(scored.tables, scored.spec, latest=False)
    assert history.groupby("partition")["revision"].max().to_dict() == {
        "2024-05-11": 1,
        "2024-05-12": 2,
        "2024-05-13": 2,
        "2024-05-14": 1,
    }
    kept = history[history["revision"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before.reset_index(drop=True))
    whole = history[history["scope"] == "all"].set_index(["partition", "revision"])
    assert whole["rows"].xs("2024-05-12").tolist() == [3, 4]
    own = rows[rows["timestamp"] == "2024-05-13"]
    assert whole["wql"]["2024-05-13", 2] == score(own, scored.spec.task)["wql"].item()
    assert whole["wql"]["2024-05-13", 2] > 2 * whole["wql"]["2024-05-13", 1]


def test_without_news_a_tick_only_asks_what_was_stored_last(scored, monkeypatch):
    def tick(cursor: str | None, spec: ForecastSpec = scored.spec) -> str | None:
        given = {"clock": scored.resources["clock"]}
        with dg.build_sensor_context(instance=scored.instance, cursor=cursor, resources=given) as context:
            found = ticks.tick(spec, "demo_rescore", context)
        assert isinstance(found, dg.SkipReason)
        return context.cursor

    cursor = tick(None)
    monkeypatch.setattr(rescoring, "old_scores", lambda *_: pytest.fail("looks at every partition"))
    assert tick(cursor) == cursor
    monkeypatch.undo()
    earlier = scored.spec.partitions.model_copy(update={"start": "2024-02-01"})
    for changed in ({"horizon": scored.spec.horizon + 1}, {"partitions": earlier}):
        assert tick(cursor, scored.spec.model_copy(update=changed)) != cursor, "other partitions are looked at"
    scored.run("forecast_accuracy", partition=LAST)
    assert tick(cursor) not in (None, cursor)


def test_what_is_read_again_is_scored_again_only_where_a_row_has_changed_or_gone(scored):
    before, source = read_scores(scored.tables, scored.spec, latest=False), scored.spec.folder / "sales.csv"
    for _ in range(2):
        scored.run("observations", "quarantine", partition=LAST)
    assert look(scored) == []
    scored.run("forecast_accuracy", partition=LAST)
    pd.testing.assert_frame_equal(before, read_scores(scored.tables, scored.spec, latest=False))

    text = source.read_text()
    data = pd.read_csv(source, parse_dates=["day"])
    gone = (data["shop"] == "shop 2") & (data["day"] == LAST)
    shrink = {"ops": {"demo__ingest": {"config": {"allow_shrink": True}}}}
    for rows, expected in ((data[~gone], 3), (data, 4)):
        rows.to_csv(source, index=False)
        for _ in range(2):  # the second time hides nothing
            scored.run("observations", "quarantine", partition=LAST, config=shrink)
        (request,) = look(scored)
        carry_out(scored, request)
        assert (scored.table("forecast_accuracy")["timestamp"] == LAST).sum() == expected
        assert look(scored) == []
    source.write_text(text)


def test_rows_that_a_killed_run_stored_without_a_word_are_scored_when_they_are_read_again(scored):
    source, key = scored.spec.folder / "sales.csv", ["demo", "observations"]
    text, data = source.read_text(), pd.read_csv(source, parse_dates=["day"])
    stored = scored.tables.read(key, [LAST])
    scored.tables.write(key, stored.assign(target=stored["target"] + 1), LAST)
    data.loc[data["day"] == LAST, "sales"] += 1
    data.to_csv(source, index=False)
    scored.run("observations", "quarantine", partition=LAST)
    (request,) = look(scored)
    carry_out(scored, request)
    source.write_text(text)
    scored.run("observations", "quarantine", partition=LAST)
    carry_out(scored, look(scored)[0])


def test_forecasts_made_again_are_scored_again_as_far_as_they_reach(scored):
    scored.run("forecasts", partition="2024-05-12")
    (request,) = look(scored)
    assert request.tags["dagster/asset_partition_range_start"] <= "2024-05-13"
    assert request.tags["dagster/asset_partition_range_end"] == LAST
    carry_out(scored, request)
    assert look(scored) == []
    assert scored.table("forecast_accuracy").groupby("origin").size().tolist() == [16, 8]


def test_the_metadata_say_what_is_awaited_and_show_each_vintage(scored):
    result = scored.run("forecast_accuracy", partition=LAST)
    facts = scored.metadata(result, "forecast_accuracy")
    assert facts["awaited"] == 4 * 3 + 4 * 5
    assert facts["missing"] == 0
    assert "| 2024-05-10 00:00:00 | 16 | 0 | 12 |" in facts["by_vintage"]
    assert facts["by_lead_so_far"].count("\n") == 1 + 7
    assert "data:image/svg+xml" in facts["trend"]


def test_the_schedule_reads_the_partitions_before_the_latest_again_and_never_forecasts_them(world):
    made = world(partitions={"kind": "daily", "start": "2024-03-01", "end": "2024-06-01", "reread": 3})
    tick = pd.Timestamp("2024-05-15 06:00", tz="UTC").to_pydatetime()
    context = dg.build_schedule_context(instance=made.instance, scheduled_execution_time=tick)
    request = build_reread_schedule(made.spec)(context)
    assert isinstance(request, dg.RunRequest)
    assert request.tags["dagster/asset_partition_range_start"] == "2024-05-11"
    assert request.tags["dagster/asset_partition_range_end"] == "2024-05-13"
    from mlops_assets.definitions import Environment, assemble

    environment = Environment({**made.resources}, dg.in_process_executor)
    job = assemble([made.spec], environment).resolve_job_def(job_name(made.spec, RESCORE))
    result = job.execute_in_process(instance=made.instance, tags=request.tags)
    assert result.success
    written = {event.asset_key.path[-1] for event in result.get_asset_materialization_events()}
    assert written == {*ROUND, "anomalies"}
    assert made.tables.partitions(["demo", "observations"]) == ["2024-05-11", "2024-05-12", "2024-05-13"]
