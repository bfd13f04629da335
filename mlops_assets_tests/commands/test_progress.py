"""What is said while a round goes on: each step before it runs, how many there are, and how long they take, about."""

import io

import dagster as dg
import pytest
from rich.console import Console

from mlops_assets.catalog.names import BACKTEST, DAILY, REPORT, RETRAIN, job_name
from mlops_assets.commands.rendering.countdown import Countdown
from mlops_assets.commands.rendering.progress import DOING, Bar, Lines, about, shown
from mlops_assets.rounds.plan import USUAL, Ahead, announce, steps_of
from mlops_assets.rounds.runner import Runner, Step
from mlops_assets_tests.worlds import declare


def planned(*steps: tuple[str, str, float]) -> Countdown:
    made = Countdown()
    for job, asset, seconds in steps:
        made.hear(Step(job, asset, "planned", seconds), 0.0)
    return made


def test_time_left_follows_the_pace_of_what_is_done():
    countdown = planned(("a", "one", 10.0), ("a", "two", 10.0), ("a", "three", 10.0))
    assert countdown.left(0.0) == pytest.approx(30.0)
    countdown.hear(Step("a", "one", "started"), 0.0)
    assert countdown.left(5.0) == pytest.approx(25.0)
    assert countdown.left(15.0) == pytest.approx(20.0), "a step that takes longer than planned leaves the others"
    countdown.hear(Step("a", "one", "done", 30.0), 30.0)
    assert 20.0 * 2 < countdown.left(30.0) < 20.0 * 3, "it was three times as slow, of which not all is believed"
    assert 0.3 < countdown.share(30.0) < 0.5


def test_what_is_passed_over_is_counted_and_leaves_no_time():
    countdown = planned(("train", "one", 50.0), ("train", "two", 50.0), ("daily", "three", 4.0))
    countdown.hear(Step("daily", "three", "started"), 0.0)
    assert (countdown.begun, countdown.planned, countdown.left(0.0)) == (3, 3, pytest.approx(4.0))
    countdown.hear(Step("daily", "three", "done"), 4.0)
    countdown.hear(Step("rescore", "four", "started"), 4.0)
    assert (countdown.begun, countdown.planned, countdown.left(4.0)) == (4, 4, 0.0)


def test_each_step_is_a_line_that_begins_before_it_runs(capsys):
    lines = Lines()
    for step in (Step("a", "ingest", "planned", 20.0), Step("a", "report", "planned", 20.0)):
        lines(step)
    assert capsys.readouterr().out == ""
    lines(Step("a", "ingest", "started"))
    assert capsys.readouterr().out == "2 steps, about 40 s\n[ 1/2] ingest: reading and checking rows …"
    lines(Step("a", "ingest", "done", 1.26))
    assert capsys.readouterr().out == " 1.3 s\n"
    lines(Step("a", "report", "started"))
    lines(Step("a", "report", "warning", message="look"))
    lines(Step("a", "report", "failed"))
    said = capsys.readouterr().out.splitlines()
    assert [line.split() for line in said[1:]] == [["!", "report", "look"], ["✗", "report"]]


def test_a_step_without_a_plan_is_told_without_numbers(capsys):
    lines = Lines()
    lines(Step("a", "ingest", "started"))
    lines.close()
    assert capsys.readouterr().out == "ingest: reading and checking rows …\n"


@pytest.mark.parametrize(
    ("wide", "words"), [(100, " [ 1/1] report: writing"), (60, "about 20 s left"), (36, "[ 1/1] report:")]
)
def test_the_line_that_moves_is_one_line_however_narrow(wide, words):
    terminal = Console(width=wide, force_terminal=True, color_system=None)
    bar = Bar("getting ready", terminal)
    bar(Step("a", "report", "planned", 20.0))
    bar(Step("a", "report", "started"))
    with terminal.capture() as printed:
        terminal.print(bar.render())
    assert printed.get().count("\n") == 1
    assert words in printed.get()
    assert max(map(len, printed.get().splitlines())) <= wide


@pytest.mark.parametrize("step", DOING)
def test_a_terminal_of_80_columns_shows_the_words_of_each_step_whole(step):
    terminal = Console(width=80, force_terminal=True, color_system=None)
    bar = Bar("getting ready", terminal)
    for _ in range(13):
        bar(Step("a", step, "planned", 0.1))
    bar(Step("a", step, "started"))
    with terminal.capture() as printed:
        terminal.print(bar.render())
    assert printed.get().rstrip().endswith(f"a few seconds left [ 1/13] {step}: {DOING[step]}")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.3, "a few seconds"), (12, "about 10 s"), (88, "about 90 s"), (200, "about 3 min")]
)
def test_times_are_said_as_exactly_as_they_are_known(seconds, words):
    assert about(seconds) == words


def test_a_round_is_planned_by_how_long_the_latest_one_took(tmp_path):
    spec = declare(tmp_path)
    ahead = [Ahead(DAILY, [REPORT]), Ahead(RETRAIN, [BACKTEST])]
    said: list[Step] = []

    @dg.asset(key=[spec.name, REPORT])
    def report() -> None: ...

    made = dg.Definitions([report], jobs=[dg.define_asset_job(job_name(spec, DAILY))])
    with dg.DagsterInstance.ephemeral() as instance:
        announce(spec, ahead, ["2024-03-01"], instance, said.append)
        Runner(made, instance, lambda _: None)(job_name(spec, DAILY), selection=[dg.AssetKey([spec.name, REPORT])])
        announce(spec, ahead, ["2024-03-01"], instance, said.append)
    first, training, again, same = said
    assert {one.state for one in said} == {"planned"}
    assert (first.asset, first.seconds) == (REPORT, ahead[0].usual)
    assert 0 < (again.seconds or 0) < ahead[0].usual
    assert training.seconds == same.seconds == ahead[1].usual


def test_every_step_has_words_and_a_time(tmp_path):
    spec = declare(tmp_path)
    steps = {step for job in (DAILY, RETRAIN) for step in steps_of(spec, job)}
    assert steps <= set(DOING)
    assert steps <= set(USUAL)


def test_steps_are_logged_where_logs_are_json(monkeypatch, caplog):
    monkeypatch.setenv("MLOPS_LOG_FORMAT", "json")
    caplog.set_level("INFO", "mlops_assets.steps")
    with shown(Console(file=io.StringIO(), force_terminal=True), "demo: getting ready") as listen:
        listen(Step("demo_daily", "forecasts", "planned", 1.0))
        listen(Step("demo_daily", "forecasts", "done", 2.5))
        listen(Step("demo_daily", "forecasts", "warning", message="odd"))
    told = [(one.levelname, one.getMessage(), getattr(one, "facts", {})) for one in caplog.records]
    facts = {"job": "demo_daily", "asset": "forecasts"}
    assert told == [
        ("INFO", "demo: getting ready", {}),
        ("INFO", "forecasts: done", {**facts, "state": "done", "seconds": 2.5}),
        ("WARNING", "odd", {**facts, "state": "warning"}),
    ]
