"""status and report over a small world: what they say, and what the page holds."""

from contextlib import nullcontext
from dataclasses import replace

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.alerts.failures import FIRST_SPAN, tell_failures
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.assets.report import FILE
from mlops_assets.commands.rendering.status import lines, parts, table
from mlops_assets.definitions import Environment, assemble
from mlops_assets.explorer import key_of, questions
from mlops_assets.report.page import Held
from mlops_assets.report.page import page as page_of
from mlops_assets.report.sections import cards, quality_sections
from mlops_assets.report.state import Sources, limit_of, overview
from mlops_assets.resources.clock import Clock
from mlops_assets.tracking.tracking import Tracking
from mlops_assets_tests.explorer.held import held
from mlops_assets_tests.worlds import HISTORY, World, declare, sandbox

SCORED = "2024-05-11...2024-05-15"
ROUND = ("observations", "quarantine", "forecasts", "forecast_accuracy", "data_drift")


@pytest.fixture(scope="module")
def watched(tmp_path_factory, empty_mlflow) -> World:
    """A champion, five rounds after its training, and the report of the last."""
    folder = tmp_path_factory.mktemp("watched")
    made = World(declare(folder / "forecasts", holidays="US"), sandbox(folder, empty_mlflow))
    made.run("observations", "quarantine", partition=HISTORY)
    made.train()
    made.run("forecasts", partition="2024-05-10")
    made.run(*ROUND, partition=SCORED)
    return made


def sources(world: World, moment: str = "2024-05-16T07:00") -> Sources:
    given = {name: world.resources[name] for name in ("tables", "tracking", "notifications")}
    return Sources(world.spec, clock=Clock(fixed=moment), instance=lambda: nullcontext(world.instance), **given)


def test_status_says_what_is_stored_who_is_champion_and_how_good(watched):
    found = overview(sources(watched))
    assert found.champion is not None
    assert (found.champion.version, found.champion.trained_until) == (1, "2024-05-10")
    assert found.champion.age_days == 5
    last = found.last
    assert last["observations"] == last["forecasts"] == last["forecast_accuracy"] == "2024-05-15"
    assert found.accuracy is not None
    rows = watched.table("forecast_accuracy", ["2024-05-15"])
    assert found.accuracy.rows == len(rows) == 4 * 5
    assert found.accuracy.limit is not None
    assert 0 < found.accuracy.limit < 0.2  # 1.25 times its own backtest
    assert found.next_round == "2024-05-17 06:00 UTC"
    assert found.drift is not None
    assert not [words for words in found.problems if "stale" in words]
    assert list(found.to_frame()) == ["name", "partitions", "last"]
    said = found.to_json()
    when = {"since", "decided_by", "trained_until", "age_days"}
    assert set(said["champion"]) == {"version", "model_kind", "choice", "link", *when}
    assert said["champion"]["model_kind"] == "random_forest"
    scores = {"wql", "mase", "naive_mase", "skill", "coverage", "bias", "cost"}
    of_late = {"worse_than_naive", "outside_coverage"}
    assert set(said["accuracy"]) == {"partition", "metric", "value", "limit", "mean", "rows", *of_late, *scores}
    assert set(said["drift"]) == {"partition", "drift", "drifted", "judged"}
    assert said["assets"][0] == {"name": "observations", "partitions": 76, "last": "2024-05-15"}


def test_status_says_what_is_wrong(watched):
    late = overview(sources(watched, "2024-05-20T12:00"))
    assert "observations are stale: 2024-05-19 should be there, 2024-05-15 is the last" in " ".join(late.problems)
    strict = watched.spec.retraining.model_copy(update={"threshold": 0.0001})
    spec = watched.spec.model_copy(update={"retraining": strict})
    bad = overview(replace(sources(watched), spec=spec))
    assert any(words.startswith("wQL of 2024-05-15 is") and "above 0.000" in words for words in bad.problems)


def test_drift_that_could_not_be_judged_is_not_called_none(watched):
    found = overview(sources(watched))
    assert found.drift is not None
    assert found.drift.judged > 0
    assert "nothing has drifted by" in dict(lines(found))["drift"]
    table = watched.table("data_drift", [found.drift.partition])
    watched.tables.write(["demo", "data_drift"], table.assign(p_value=float("nan"), drifted=False), "2024-05-16")
    try:
        late = overview(sources(watched))
        assert dict(lines(late))["drift"] == "nothing could be judged by 2024-05-16"
        (words,) = quality_sections(sources(watched), late)[-1].sentences
        assert words.startswith("Nothing could be judged")
        assert [card.note for card in cards(late) if card.name == "drifted"] == ["of 0 features by 2024-05-16"]
    finally:
        watched.tables.delete(["demo", "data_drift"], "2024-05-16")


def test_a_breach_of_any_rule_is_something_to_look_at(watched):
    row = {"number": 1, "partition": "2024-05-15", "action": "keep", "rule": "coverage", "breach": "v1 2024-05-14"}
    key = ["demo", "retraining_decisions"]
    watched.tables.write(key, pd.DataFrame([{**row, "reason": "coverage 0.1 in 2 of 3"}]), "1")
    try:
        found = overview(sources(watched)).problems
        watched.tables.write(key, pd.DataFrame([{**row, "breach": "v0 2024-04-30", "reason": "of the past"}]), "1")
        assert not [words for words in overview(sources(watched)).problems if "breach" in words]
    finally:
        watched.tables.delete(key, "1")
    assert "the retraining policy saw a breach (coverage) at 2024-05-15: keep: coverage 0.1 in 2 of 3" in found


def test_a_failed_run_is_listed_with_its_link(watched):
    (watched.spec.folder / "sales.csv").rename(watched.spec.folder / "away.csv")
    job = assemble([watched.spec], Environment(watched.resources, dg.in_process_executor)).resolve_job_def("demo_daily")
    failed = job.execute_in_process(instance=watched.instance, partition_key="2024-05-20", raise_on_error=False)
    (watched.spec.folder / "away.csv").rename(watched.spec.folder / "sales.csv")
    now = pd.Timestamp.now("UTC")
    tell_failures(watched.spec, watched.tables, Notifications(), watched.instance, now - pd.Timedelta(hours=1))
    found = overview(sources(watched, now.isoformat())).failed_runs
    assert [run.run_id for run in found] == [failed.run_id]
    assert found[0].what.startswith("observations of 2024-05-20 failed: ")
    assert found[0].link == f"http://127.0.0.1:3000/runs/{failed.run_id}"


def test_a_failed_run_of_another_forecast_is_not_listed(world):
    made = world()
    tags = {"mlops/forecast": "demo_big"}
    run = dg.DagsterRun(job_name="demo_big_daily", run_id="a" * 32, status=dg.DagsterRunStatus.FAILURE, tags=tags)
    made.instance.add_run(run)
    tell_failures(made.spec, made.tables, Notifications(), made.instance, pd.Timestamp.now("UTC") - FIRST_SPAN)
    found = overview(sources(made, pd.Timestamp.now("UTC").isoformat())).failed_runs
    assert found == ()


def test_nothing_stored_is_said_and_makes_no_database(world, tmp_path):
    made = world()
    (tmp_path / "data" / "mlflow" / "mlflow.db").unlink()
    found = overview(sources(made))
    assert found.problems == ("nothing is stored yet: mlops-assets run demo",)
    assert not (tmp_path / "data" / "mlflow" / "mlflow.db").exists()
    answers = held(page_of(sources(made), found))
    assert answers["/v1/forecasts/demo/state"]["problems"] == ["nothing is stored yet: mlops-assets run demo"]


def test_the_limit_is_the_lowest_that_is_a_breach(watched):
    assert limit_of(watched.spec, {"wql": 0.1}) == pytest.approx(0.125)
    assert limit_of(watched.spec, {"wql": 0.5}) == pytest.approx(0.2)
    assert limit_of(watched.spec, {}) == pytest.approx(0.2)


def test_a_terminal_shows_it(watched):
    from rich.console import Console

    found = overview(sources(watched))
    found = replace(found, problems=(*found.problems, "drift: come: shop [/b]"))
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(table([found]))
    assert found.champion is not None
    assert found.champion.model_kind in console.export_text(clear=False)
    for part in parts(found):
        console.print(part)
    text = console.export_text()
    assert "version 1" in text
    assert "next round" in text
    assert text.count("shop [/b]") == 2


def test_a_file_answers_all_that_the_page_asks(watched):
    given = sources(watched)
    answers = Held(given).answers(overview(given), "2024-05-15")
    items = watched.table("observations")["item_id"].unique()
    assert set(answers) == {key_of(path, params) for path, params in questions("demo", items)}
    told = answers["/v1/forecasts/demo/overview"]
    assert told["partition"] == "2024-05-15"
    titles = [
        section["title"]
        for name in ("overview", "quality")
        for section in answers[f"/v1/forecasts/demo/{name}"]["sections"]
    ]
    assert titles == [
        "Forecasts", "Accuracy by lead and vintage", "Items and segments", "Model", "What is stored", "What it costs",
        "Data quality", "Data drift",
    ]  # fmt: skip
    state = answers["/v1/forecasts/demo/state"]
    assert (state["champion"]["version"], state["point_column"], state["horizon"]) == (1, "q50", 7)
    assert state["problems"] == told["problems"]
    made = answers[key_of("/v1/forecasts/demo", {"item": str(items[0]), "origin": "all", "role": "shadow"})]
    own = watched.table("forecasts")
    assert made["total"] == (own["item_id"] == items[0]).sum() == 6 * 7


def test_an_answer_is_that_of_the_reader_in_fewer_digits(watched):
    given = sources(watched)
    answers = Held(given).answers(overview(given))
    scores = pd.DataFrame(answers["/v1/forecasts/demo/accuracy?by=lead"]["columns"])
    whole = given.reader.accuracy("lead")
    pd.testing.assert_frame_equal(scores.astype(whole.dtypes), whole, rtol=1e-4)


def test_items_that_have_no_room_are_left_out_the_foremost_last(watched, monkeypatch):
    monkeypatch.setattr("mlops_assets.report.page.MOST_ROWS", 2 * (6 * 7 + 60))
    given = sources(watched)
    answers = Held(given).answers(overview(given))
    ranked = given.reader.items()
    there = {key.partition("item=")[2] for key in answers if "observations" in key}
    first = {ranked["item_id"].iloc[0], ranked.sort_values("error", ascending=False)["item_id"].iloc[0]}
    assert len(there) == 2
    assert {key_of("", {"item": item}).partition("item=")[2] for item in first} <= there
    assert answers["/v1/forecasts/demo/items"]["total"] == len(ranked) == 4


def test_a_store_that_is_away_leaves_its_answers_out_and_is_a_problem(watched):
    away = replace(sources(watched), tracking=Tracking(uri="http://127.0.0.1:9"))
    answers = Held(away).answers(overview(away))
    assert "/v1/forecasts/demo/models" not in answers
    assert "/v1/forecasts/demo/items" in answers
    (words,) = [one for one in answers["/v1/forecasts/demo/state"]["problems"] if one.startswith("MLflow")]
    assert words.startswith("MLflow cannot be read: ")


def test_a_champion_that_is_kept_is_told_of_without_mlflow_and_what_was_noted_without_dagster(watched):
    whole = replace(sources(watched), models=watched.resources["models"])
    quick = replace(
        whole, tracking=Tracking(uri="http://127.0.0.1:9"), instance=lambda: pytest.fail("Dagster is asked")
    )
    found = overview(quick)
    assert found.unreachable == ()
    assert found.champion is not None
    assert found.champion.model_kind == "random_forest"
    assert {"wql", "naive_wql"} <= set(found.backtest)
    assert found.backtest == overview(replace(whole, models=None)).backtest, "as MLflow has it, for versions of before"
    assert found.ingestion is not None
    assert found.ingestion.counts["accepted"] > 0


def test_what_comes_from_data_cannot_become_markup(watched):
    found = overview(sources(watched))
    planted = replace(found, description="</script><script>alert(1)</script>", problems=("a <b>bold</b> claim",))
    html = page_of(sources(watched), planted)
    assert "alert(1)</script>" not in html
    assert held(html)["/v1/forecasts/demo/overview"]["description"] == planted.description
    assert len(html) < 600_000


def test_every_view_opens_from_a_file_without_a_request_or_a_complaint(watched, page, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(page_of(sources(watched), overview(sources(watched)), "2024-05-15"), encoding="utf-8")
    page.open(file.as_uri())
    assert page.text(".tabs [aria-current]") == "Overview"
    for view in ("overview", "item", "accuracy", "ranking", "change", "timeline", "models", "quality", "all"):
        page.open(f"{file.as_uri()}#/demo/{view}")
        assert "not in this file" not in page.text(), view
        assert page.findings() == [], view
        page.prefer("dark")
        assert page.findings() == [], view
        assert page.run("return performance.getEntriesByType('resource').length") == 0
    titles = page.run("return [...document.querySelectorAll('.each > h2')].map((each) => each.textContent)")
    assert titles[:2] == ["Overview", "Forecast"]
    assert len(page.printed()) > 2


def test_the_asset_keeps_the_page_with_the_champions_run(watched, tmp_path):
    import mlflow.artifacts

    result = watched.run("report", partition="2024-05-14...2024-05-15")
    row = watched.table("report", ["2024-05-15"]).iloc[0]
    version = watched.tracking.registry("demo").champion()
    with dg.build_resources({"tracking": watched.tracking}) as opened:
        opened.tracking.ping()
        path = mlflow.artifacts.download_artifacts(run_id=version.run_id, artifact_path=FILE, dst_path=str(tmp_path))
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        html = file.read()
    assert len(html.encode()) == row["bytes"]
    assert held(html)["/v1/forecasts/demo/overview"]["partition"] == "2024-05-15"
    assert row["link"].endswith(f"/artifacts/{FILE}?workflowType=machine_learning")
    assert watched.metadata(result, "report")["report"] == row["link"]
    assert "sales" in overview(sources(watched)).description.lower()
