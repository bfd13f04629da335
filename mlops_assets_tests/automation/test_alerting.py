"""Alerts of failed runs and of late partitions: real runs, a real sensor, a real web hook and mail server."""

from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pandas as pd
import pytest
from pydantic import SecretStr

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.assets import build_assets
from mlops_assets.automation.alerting import Alerting
from mlops_assets.automation.sensors import build_sensors
from mlops_assets.automation.turns import Seen, write_cursor
from mlops_assets.catalog.asset_graph import freshness_of
from mlops_assets.catalog.partitions import expected
from mlops_assets.errors import DataError
from mlops_assets.lifecycle.decisions import Decisions, Entry
from mlops_assets.resources.clock import Clock
from mlops_assets.rounds.round import run_round
from mlops_assets.rounds.runner import RunFailedError
from mlops_assets_tests.automation import ticks
from mlops_assets_tests.channels import SECRET
from mlops_assets_tests.worlds import World, declare, panel, sandbox

UI = "https://dagster.example.com"


@pytest.fixture
def watched(world, hook) -> World:
    """A forecast whose alerts go to the web hook."""
    made = world(quarantine={"max_share": 0.1})
    made.resources["notifications"] = Notifications(channel=hook.url, dagster_ui=UI)
    return made


def tick(world: World, cursor: str | None = None) -> str:
    """One evaluation of the sensor; returns the cursor for the next."""
    needed = {name: world.resources[name] for name in Alerting.needs}
    with dg.build_sensor_context(instance=world.instance, resources=needed, cursor=cursor) as context:
        ticks.tick(world.spec, "demo_alerts", context)
        assert context.cursor is not None
        return context.cursor


def fail(world: World, error: Exception, name: str = "demo", tags: dict[str, str] | None = None) -> str:
    """Run an asset of a forecast that raises an error; returns the run's id."""

    @dg.asset(key=[name, "forecasts"])
    def forecasts() -> None:
        raise error

    result = dg.materialize([forecasts], instance=world.instance, raise_on_error=False, tags=tags)
    return result.run_id


def events(hook: Any) -> list[str]:
    return [body["title"].removeprefix("demo: ") for body in hook.bodies]


# Failed runs


def test_a_failed_run_is_told_once_with_asset_reason_link_and_what_to_do(watched, hook):
    data = panel().drop(columns="sales")
    data.to_csv(watched.spec.folder / "sales.csv", index=False)
    failed = watched.run("observations", "quarantine", partition="2024-03-05", raise_on_error=False)
    cursor = tick(watched)
    tick(watched, cursor)
    tick(watched)
    (body,) = hook.bodies
    assert body["title"] == "demo: run failure"
    what, see, to_do = body["message"].splitlines()
    assert what.startswith("observations of 2024-03-05 failed: ")
    assert "'sales'" in what
    assert see == f"See: {UI}/runs/{failed.run_id}"
    assert "mlops-assets run demo --partition 2024-03-05" in to_do
    assert len(watched.table("alerts")) == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DataError("no such column"), "no such column\n"),
        (
            PermissionError(13, "Permission denied", "/data/a"),
            "/data/a cannot be written or read: Permission denied; see",
        ),
    ],
)
def test_an_expected_error_is_told_in_its_own_words(watched, hook, error, words):
    fail(watched, error)
    tick(watched)
    assert hook.bodies[0]["message"].startswith(f"forecasts failed: {words}")


def test_of_an_endless_error_only_the_beginning_is_told(watched, hook):
    fail(watched, ValueError("x" * 5000))
    tick(watched)
    (body,) = hook.bodies
    assert body["message"].splitlines()[0].endswith("x" * 500 + " …")
    assert len(body["message"]) < 1200


def test_a_mail_says_the_same(watched, inbox):
    watched.resources["notifications"] = Notifications(channel=inbox.url, dagster_ui=UI)
    run = fail(watched, dg.Failure("the forest is on fire"))
    tick(watched)
    tick(watched)
    ((_, subject, text),) = inbox.texts()
    assert subject == "demo: run failure"
    assert "forecasts failed: the forest is on fire" in text
    assert f"{UI}/runs/{run}" in text
    assert "re-execute" in text


def test_an_exception_is_told_by_its_first_line_and_without_secrets(watched, hook, caplog, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", f"{SECRET}-token")
    monkeypatch.setenv("MLOPS_DATABASE_URL", f"postgresql://mlops:{SECRET}-base@db/tables")
    words = f"no answer from https://u:{SECRET}@shop/v1?api_key={SECRET}, {SECRET}-token, {SECRET}-base\nsecond line"
    with caplog.at_level("DEBUG", logger="dagster.builtin.mlops_assets.notifications"):
        fail(watched, ValueError(words))
        caplog.clear()
        tick(watched)
    (body,) = hook.bodies
    assert body["message"].startswith(
        "forecasts failed: ValueError: no answer from https://***@shop/v1?api_key=***, ***"
    )
    assert "second line" not in body["message"]
    assert SECRET not in str(hook.bodies) + caplog.text + watched.table("alerts").to_csv()


def test_the_secrets_of_a_source_are_hidden_too(watched, hook, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP", f"Bearer {SECRET}")
    source = {"kind": "http", "url": "http://127.0.0.1:1/sales", "headers": {"X-Shop": "${SHOP}"}}
    watched.spec = declare(tmp_path / "http", source=source)
    monkeypatch.delenv("SHOP")
    fail(watched, ValueError(f"the header said Bearer {SECRET}, that is {SECRET}"))
    tick(watched)
    assert "the header said ***, that is ***" in hook.bodies[0]["message"]


def test_runs_of_other_forecasts_and_runs_that_succeed_are_not_told(watched, hook):
    fail(watched, ValueError("not mine"), name="another")
    watched.run("observations", "quarantine", partition="2024-03-05")
    tick(watched)
    assert hook.bodies == []


def test_a_run_that_dagster_tries_again_is_told_at_the_end(watched, hook, tmp_path):
    overrides = {"run_retries": {"enabled": True, "max_retries": 1}}
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home"), overrides=overrides) as watched.instance:
        fail(watched, ValueError("again"))
        tick(watched)
        assert hook.bodies == []
        last = fail(watched, ValueError("and again"), tags={"dagster/retry_number": "1", "dagster/max_retries": "0"})
        tick(watched)
    (body,) = hook.bodies
    assert "forecasts failed after 2 tries: ValueError: and again" in body["message"]
    assert last in body["message"]


def test_a_run_whose_process_was_killed_is_told(watched, hook):
    @dg.job
    def demo_retrain():
        pass

    tags = {"mlops/forecast": "demo"}
    run = watched.instance.create_run_for_job(demo_retrain, status=dg.DagsterRunStatus.STARTED, tags=tags)
    watched.instance.report_run_failed(run, "the process somewhere:7 is gone: it was killed")
    tick(watched)
    assert hook.bodies[0]["message"].startswith("demo_retrain failed: the process somewhere:7 is gone")
    assert "mlops-assets run demo --retrain" in hook.bodies[0]["message"]


def test_a_run_that_only_its_command_makes_again_names_it(watched, hook):
    @dg.job
    def demo_daily():
        pass

    tags = {"mlops/forecast": "demo", "mlops/command": "reingest demo --from 2024-03-01", "dagster/partition": "a"}
    run = watched.instance.create_run_for_job(demo_daily, status=dg.DagsterRunStatus.STARTED, tags=tags)
    watched.instance.report_run_failed(run, "the process is gone: it was killed")
    tick(watched)
    assert "or run mlops-assets reingest demo --from 2024-03-01. The" in hook.bodies[0]["message"]


def test_failures_while_the_sensor_was_off_are_told_when_it_is_on_again(watched, hook):
    nine_days_ago = datetime.now(timezone.utc) - timedelta(days=9)
    cursor = write_cursor({"demo": Seen(int(nine_days_ago.timestamp()))}, [watched.spec])
    fail(watched, ValueError("at night"))
    tick(watched, cursor)
    assert events(hook) == ["run failure"]


def test_a_channel_that_is_down_gets_it_at_a_later_tick(watched, hook, monkeypatch):
    hook.status = 503
    fail(watched, ValueError("unheard"))
    cursor = tick(watched)
    assert hook.bodies == []
    hook.status = 200
    monkeypatch.setattr("mlops_assets.alerts.notifications.FIRST_WAIT", timedelta(0))
    for _ in range(3):
        cursor = tick(watched, cursor)
    assert events(hook) == ["run failure"]


def test_the_command_line_tells_without_a_daemon(tmp_path, hook, empty_mlflow):
    spec = declare(tmp_path / "forecasts", panel().drop(columns="sales"))
    settings = sandbox(tmp_path, empty_mlflow, "local").model_copy(update={"notify": SecretStr(hook.url)})
    with pytest.raises(RunFailedError):
        run_round(spec, ["2024-03-05"], settings, dg.DagsterInstance.ephemeral(), False, lambda _: None)
    assert events(hook) == ["run failure"]
    assert "http://127.0.0.1:3000/runs/" in hook.bodies[0]["message"]


# Decisions


def test_a_decision_whose_process_died_before_it_could_tell_is_told_later(watched, hook):
    def refuse(_: pd.DataFrame) -> Entry:
        return Entry("gate", "refused", 3, 1, 1, "gate", "worse by 9 %")

    Decisions(watched.tables, "demo").append(refuse, datetime(2024, 5, 1, tzinfo=timezone.utc))
    tick(watched)
    tick(watched)
    (body,) = hook.bodies
    assert body["title"] == "demo: refused"
    assert body["message"].startswith(f"version 3: worse by 9 %\nSee: {UI}/assets/demo/champion (table demo/decisions)")


# Data


def spoil(world: World, word: str) -> None:
    data = panel().astype({"sales": "object"})
    data.loc[(data["day"] == "2024-03-05") & (data["shop"] != "shop 0"), "sales"] = word
    data.to_csv(world.spec.folder / "sales.csv", index=False)


def test_too_much_quarantine_is_told_as_such_and_not_as_a_failed_run(watched, hook):
    for word in ("?", "?", "!"):
        spoil(watched, word)
        failed = watched.run("observations", "quarantine", partition="2024-03-05", raise_on_error=False)
        assert not failed.success
    tick(watched)
    assert events(hook) == ["quarantine", "quarantine"], "the same rows are told once, others anew"
    message = hook.bodies[0]["message"]
    assert "75.0% of the rows of 2024-03-05 break the contract, more than the 10.0% that quarantine" in message
    assert f"See: {UI}/runs/" in message
    assert "mlops-assets quarantine demo" in message
    assert failed.run_id in hook.bodies[1]["message"]


def test_a_partition_without_rows_is_told_once(watched, hook):
    data = panel()
    data[data["day"] != "2024-03-05"].to_csv(watched.spec.folder / "sales.csv", index=False)
    for _ in range(2):
        watched.run("observations", "quarantine", partition="2024-03-05")
    assert events(hook) == ["stale data"]
    what, see, _ = hook.bodies[0]["message"].splitlines()
    assert "has no row for 2024-03-05" in what
    link = urlsplit(see.split()[1])
    assert link.path == "/assets/demo/observations"
    assert parse_qs(link.query) == {"view": ["partitions"], "partition": ["2024-03-05"]}


def at(world: World, moment: str) -> None:
    """Let the sensor look at a moment."""
    world.resources["clock"] = Clock(fixed=moment)
    tick(world)


def test_a_late_partition_is_told_once_and_forecasts_once_the_observations_are_there(watched, hook):
    rows = pd.DataFrame({"timestamp": [pd.Timestamp("2024-03-05")], "item_id": "a"})
    at(watched, "2024-03-09T12:00")
    assert hook.bodies == [], "what never began is not late"
    watched.tables.write(["demo", "observations"], rows, "2024-03-05")
    watched.tables.write(["demo", "forecasts"], rows, "2024-03-05")
    at(watched, "2024-03-07T11:59")
    assert hook.bodies == [], "the round of 06:00 has six hours"
    at(watched, "2024-03-07T12:00")
    at(watched, "2024-03-07T18:00")
    assert events(hook) == ["stale data"]
    message = hook.bodies[0]["message"]
    assert "the partition 2024-03-06 of observations was to be there by 2024-03-07 12:00 UTC" in message
    assert "the newest one is 2024-03-05" in message
    assert f"{UI}/assets/demo/observations?view=partitions&partition=2024-03-06" in message
    assert "demo_daily_schedule" in message
    watched.tables.write(["demo", "observations"], rows, "2024-03-06")
    at(watched, "2024-03-07T19:00")
    assert "the partition 2024-03-06 of forecasts" in hook.bodies[1]["message"]
    at(watched, "2024-03-08T12:00")
    assert [body["message"].split(" was")[0] for body in hook.bodies[2:]] == [
        "the partition 2024-03-07 of observations"
    ]


def test_holes_that_the_latest_round_has_not_filled_are_told_once(watched, hook):
    rows = pd.DataFrame({"timestamp": [pd.Timestamp("2024-03-05")], "item_id": "a"})
    stored = {"forecasts": ("03", "06"), "observations": ("02", "03", "05", "06")}
    for name, days in stored.items():
        watched.tables.write_all(["demo", name], {f"2024-03-{day}": rows for day in days})
    at(watched, "2024-03-07T11:59")
    assert hook.bodies == [], "the round of 06:00 may still fill them"
    at(watched, "2024-03-07T12:00")
    at(watched, "2024-03-07T18:00")
    assert [body["message"].splitlines()[0] for body in hook.bodies] == [
        "observations of 2024-03-04 are missing, later ones are stored",
        "forecasts of 2024-03-04, 2024-03-05 are missing, later ones are stored",
    ]
    assert "mlops-assets ingest demo --partition 2024-03-04." in hook.bodies[0]["message"]
    assert "mlops-assets run demo --partition 2024-03-04...2024-03-05." in hook.bodies[1]["message"]


def test_the_sensor_answers_checks_that_no_run_can_and_only_when_the_answer_is_another(watched):
    watched.run("observations", "quarantine", partition="2024-05-14")
    watched.resources["clock"] = Clock(fixed="2024-05-20T12:00")
    needed = {name: watched.resources[name] for name in Alerting.needs}
    (sensor,) = build_sensors([watched.spec], [], [])[-1:]
    told = []
    for _ in range(2):
        with dg.build_sensor_context(instance=watched.instance, resources=needed) as context:
            found = sensor.evaluate_tick(context).asset_events
        for one in found:
            watched.instance.report_runless_asset_event(one)
        told.append({(one.asset_key.path[-1], one.check_name): one.passed for one in found})
    assert not told[0]["observations", "freshness"]
    assert not told[0]["champion", "champion"]
    assert told[0]["observations", "read_back"]
    assert ("observations", "contract") not in told[0], "the step has answered it"
    assert told[1] == {}


def test_a_partition_older_than_what_is_stored_is_not_stale(watched, hook):
    rows = pd.DataFrame({"timestamp": [pd.Timestamp("2024-03-07")], "item_id": "a"})
    for name in ("observations", "forecasts"):
        watched.tables.write(["demo", name], rows, "2024-03-07")
    at(watched, "2024-03-07T18:00")
    assert hook.bodies == [], "the first round came before its tick"


@pytest.mark.parametrize(
    ("changes", "now", "found"),
    [
        ({}, "2024-03-02T11:59", None),
        ({}, "2024-03-02T12:00", "2024-03-01"),
        ({"freshness": {"grace_hours": 0}}, "2024-03-02T06:00", "2024-03-01"),
        ({"freshness": {"grace_hours": 0}, "time_zone": "America/New_York"}, "2024-03-11T09:59", "2024-03-09"),
        ({"freshness": {"grace_hours": 0}, "time_zone": "America/New_York"}, "2024-03-11T10:00", "2024-03-10"),
        ({"schedule": "0 6 * * 1-5"}, "2024-03-11T11:00", "2024-03-07"),
        ({"schedule": "0 6 * * 1-5"}, "2024-03-11T12:00", "2024-03-10"),
        ({}, "2024-06-02T11:59", "2024-05-31"),
        ({}, "2024-06-02T12:00", None),
        ({"schedule": None}, "2024-03-09T12:00", None),
    ],
)
def test_what_is_expected_follows_from_schedule_zone_and_grace(tmp_path, changes, now, found):
    late = expected(declare(tmp_path, **changes), datetime.fromisoformat(now).replace(tzinfo=timezone.utc))
    assert (late and late[0]) == found


@pytest.mark.parametrize(
    ("schedule", "hours"), [("0 6 * * *", 30), ("0 6 * * 1-5", 78), ("0 * * * *", 7), (None, None)]
)
def test_dagster_knows_how_fresh_observations_and_forecasts_are(tmp_path, schedule, hours):
    spec = declare(tmp_path, schedule=schedule, partitions={"kind": "daily", "start": "2024-03-01"})
    policy: Any = freshness_of(spec)
    assert (policy and policy.fail_window.to_timedelta()) == (hours and timedelta(hours=hours))


def test_both_assets_carry_the_policy_as_long_as_partitions_come(tmp_path):
    for partitions, assets in (({}, {"observations", "forecasts"}), ({"end": "2024-06-01"}, set())):
        spec = declare(tmp_path, partitions={"kind": "daily", "start": "2024-03-01", **partitions})
        carrying = [one for own in build_assets(spec) for one in own.specs if one.freshness_policy]
        assert {one.key.path[-1] for one in carrying} == assets
