"""The ledger: written once, changed by who has seen the newest, on SQLite and PostgreSQL."""

import re
from datetime import datetime, timedelta, timezone

import pytest

from mlops_assets.errors import UnknownNameError, UsageError
from mlops_assets.jobs.job import chain, external_name, job_key
from mlops_assets.jobs.ledger import FARTHEST, LONGEST_LEASE, ExclusiveError, Ledger
from mlops_assets.jobs.resource import Jobs
from mlops_assets.settings import Settings
from mlops_assets_tests.jobs.conftest import START, Hands, job


class Named:
    """A step."""

    def __init__(self, name: str, exclusive: str = "", reuse: str = "") -> None:
        self.name, self.exclusive, self.reuse, self.parameters = name, exclusive, reuse, {}


@pytest.mark.parametrize(("minutes", "said"), [(0, ""), (5, "ahead of.* too early"), (-5, "behind.* too late")])
def test_a_clock_that_is_not_the_database_servers_is_told(
    ledger: Ledger, clock: Hands, url: str, minutes: int, said: str
):
    clock.at = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(minutes=minutes)
    asked = Jobs(Settings.read({}))
    asked.ledger = ledger
    words = asked.wrong_clock()
    assert bool(words) == bool(said and not url.startswith("sqlite"))
    assert not words or re.search(f"(299|300|301|302) s {said}", words)


def test_the_same_work_asked_for_twice_is_one_job(ledger: Ledger):
    first, second = ledger.intend(job(1), job(1, created_by="another"))
    assert first == second
    assert (first.state, first.created_by, first.created_at) == ("intended", "test", START)
    assert [event.event for event in ledger.events(first.job_key)] == ["intended"]


def test_a_key_is_of_what_the_work_is():
    key = job_key("demo", "rest", "forecast", "v1", {"a": 1, "b": 2})
    assert re.fullmatch("[0-9a-f]{32}", key)
    assert key == job_key("demo", "rest", "forecast", "v1", {"b": 2, "a": 1})
    assert key != job_key("demo", "rest", "forecast", "v2", {"a": 1, "b": 2})


@pytest.mark.parametrize("forecast", ["demo", "7 days – of Café", "x" * 200, "_"])
def test_an_outside_name_is_what_every_service_takes(forecast: str):
    name = external_name(forecast, job_key(forecast, "", "", "", {}))
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,62}", name)


def test_a_job_is_found_by_the_beginning_of_its_key(ledger: Ledger):
    (stored,) = ledger.intend(job())
    assert ledger.get(stored.job_key[:8]) == stored
    for key in ("nothing", "", "%", stored.job_key[:1]):
        with pytest.raises(UnknownNameError, match="no job"):
            ledger.get(key)


def test_who_has_not_seen_the_newest_changes_nothing(ledger: Ledger):
    (seen,) = ledger.intend(job())
    changed = ledger.change(seen, "submitted", state="submitted", external_id="a")
    assert changed == ledger.get(seen.job_key)
    assert changed.revision == seen.revision + 1
    assert ledger.change(seen, "submitted", state="submitted", external_id="b") is None
    assert ledger.get(seen.job_key).external_id == "a"
    assert [event.event for event in ledger.events(seen.job_key)] == ["intended", "submitted"]


def test_no_job_goes_backwards(ledger: Ledger):
    (stored,) = ledger.intend(job())
    running = ledger.change(stored, "running", state="running")
    with pytest.raises(ValueError, match="is running: it cannot become submitted"):
        ledger.change(running, "?", state="submitted")
    failed = ledger.change(running, "failed", state="failed", error="why")
    for state in ("intended", "failed", "collected"):
        with pytest.raises(ValueError, match="is failed"):
            ledger.change(failed, "?", state=state)


def test_a_lease_keeps_others_away_until_it_ends(ledger: Ledger, clock: Hands):
    (stored,) = ledger.intend(job())
    leased = ledger.lease(stored, "one", START + timedelta(minutes=1))
    assert leased.lease_owner == "one"
    assert ledger.lease(stored, "two", START + timedelta(minutes=1)) is None
    assert ledger.lease(leased, "two", START + timedelta(minutes=1)) is None
    assert ledger.due(clock.at, 10) == []
    clock.pass_by(minutes=1)
    assert ledger.due(clock.at, 10) == [leased]
    assert ledger.lease(leased, "two", clock.at + timedelta(minutes=1)).lease_owner == "two"


def test_a_clock_that_was_ahead_leaves_no_lease_and_no_look_for_ever(ledger: Ledger, clock: Hands):
    (stored,) = ledger.intend(job())
    clock.pass_by(days=365)
    leased = ledger.lease(stored, "ahead", clock.at + timedelta(days=1))
    assert leased.lease_until == clock.at + LONGEST_LEASE
    ledger.change(leased, "", next_look_at=clock.at + timedelta(minutes=10))
    clock.pass_by(days=-365)
    (found,) = ledger.due(clock.at, 10)
    assert ledger.lease(found, "right", clock.at + LONGEST_LEASE).lease_owner == "right"


def test_due_is_what_is_open_and_overdue_the_longest_first(ledger: Ledger, clock: Hands):
    one, two, three, four = ledger.intend(*(job(number) for number in range(4)))
    ledger.change(one, "", next_look_at=START + timedelta(seconds=1))
    ledger.change(two, "failed", state="failed")
    ledger.change(three, "", next_look_at=START + FARTHEST)
    assert [found.job_key for found in ledger.due(START + timedelta(seconds=1), 10)] == [four.job_key, one.job_key]
    assert [found.job_key for found in ledger.due(START + timedelta(seconds=1), 1)] == [four.job_key]
    assert ledger.due(START, 10, ["another"]) == []


def test_what_is_exclusive_is_held_by_one_and_passes_to_the_next(ledger: Ledger, clock: Hands):
    first, second = ledger.intend(job(1, exclusive="gpu"), job(2, exclusive="gpu"))
    holder = ledger.change(first, "calling", holds="gpu", attempt=1)
    with pytest.raises(ExclusiveError, match="gpu"):
        ledger.change(second, "calling", holds="gpu", attempt=1)
    assert ledger.get(second.job_key).attempt == 0
    ledger.change(second, "", next_look_at=START + timedelta(hours=1))
    clock.pass_by(minutes=1)
    ledger.change(holder, "succeeded", state="succeeded", holds="")
    second = ledger.get(second.job_key)
    assert second.next_look_at == clock.at
    assert ledger.change(second, "calling", holds="gpu", attempt=1) is not None


def test_a_chain_goes_on_step_by_step(ledger: Ledger, clock: Hands):
    steps = [Named("import"), Named("predictor"), Named("forecast")]
    deadline = START + timedelta(hours=10)
    load, train, last = ledger.intend(*chain("demo", "p", "rest", steps, "v1", deadline))
    assert [one.waits_for_another for one in (load, train, last)] == [False, True, True]
    assert [one.job_key for one in ledger.due(START, 10)] == [load.job_key]
    clock.pass_by(minutes=1)
    ledger.change(load, "succeeded", state="collected", external_id="arn:1")
    train, last = ledger.get(train.job_key), ledger.get(last.job_key)
    assert (train.earlier, train.next_look_at) == ({"import": "arn:1"}, clock.at)
    assert last.waits_for_another
    ledger.change(train, "succeeded", state="collected", external_id="arn:2")
    assert ledger.get(last.job_key).earlier == {"import": "arn:1", "predictor": "arn:2"}
    assert ledger.get(last.job_key).last


def test_a_step_that_ends_badly_ends_what_waits_for_it(ledger: Ledger):
    steps = [Named("import"), Named("predictor"), Named("forecast")]
    load, *others = ledger.intend(*chain("demo", "p", "rest", steps, "v1", START + timedelta(hours=10)))
    ledger.change(load, "failed", state="failed", error="no such role")
    for one in others:
        ended = ledger.get(one.job_key)
        assert ended.state == "failed"
        assert "import" in ended.error
        assert ended.error.endswith("no such role")


def test_a_step_of_the_week_is_shared_by_its_days(ledger: Ledger):
    steps = [Named("import"), Named("predictor", reuse="2026-W48"), Named("forecast")]
    deadline = START + timedelta(hours=10)
    one = ledger.intend(*chain("demo", "p1", "rest", steps, "v1", deadline))
    ledger.change(one[0], "succeeded", state="collected", external_id="import 1")
    ledger.change(ledger.get(one[1].job_key), "succeeded", state="collected", external_id="predictor")
    two = ledger.intend(*chain("demo", "p2", "rest", steps, "v2", deadline))
    assert two[1].job_key == one[1].job_key
    assert two[2].waits_for_another  # for its own import
    ledger.change(two[0], "succeeded", state="collected", external_id="import 2")
    assert ledger.get(two[2].job_key).earlier == {"import": "import 2", "predictor": "predictor"}


def test_a_step_of_the_week_that_cannot_begin_ends_all_its_days(ledger: Ledger):
    steps = [Named("import"), Named("predictor", reuse="2026-W48"), Named("forecast")]
    deadline = START + timedelta(hours=10)
    one = ledger.intend(*chain("demo", "p1", "rest", steps, "v1", deadline))
    two = ledger.intend(*chain("demo", "p2", "rest", steps, "v2", deadline))
    ledger.change(one[0], "failed", state="failed", error="no such role")
    assert [ledger.get(job.job_key).state for job in (*one, *two)] == [*["failed"] * 3, "intended", "failed", "failed"]
    assert [event.event for event in ledger.events(two[2].job_key)] == ["intended", "failed"]


def test_the_next_day_asks_anew_for_the_step_of_the_week_that_ended_badly(ledger: Ledger):
    steps = [Named("predictor", reuse="2026-W48"), Named("forecast")]
    deadline = START + timedelta(hours=10)
    one = ledger.intend(*chain("demo", "p1", "rest", steps, "v1", deadline))
    ledger.change(one[0], "failed", state="failed", error="no such role")
    assert ledger.intend(*chain("demo", "p1", "rest", steps, "v1", deadline))[0].state == "failed"
    two = ledger.intend(*chain("demo", "p2", "rest", steps, "v2", deadline))
    assert [job.state for job in two] == ["intended", "intended"]
    assert two[0].job_key != one[0].job_key
    assert two[1].after == {"predictor": two[0].job_key}
    assert ledger.intend(*chain("demo", "p3", "rest", steps, "v3", deadline))[0] == two[0]


def test_what_ended_badly_is_asked_for_again_by_a_person(ledger: Ledger, clock: Hands):
    steps = [Named("import"), Named("predictor"), Named("forecast")]
    load, train, last = ledger.intend(*chain("demo", "p", "rest", steps, "v1", START + timedelta(hours=10)))
    ledger.change(load, "succeeded", state="collected", external_id="arn:1")
    with pytest.raises(UsageError, match="is collected: only what ended badly"):
        ledger.again(load.job_key, "ann")
    for _ in range(2):
        clock.pass_by(hours=3)
        ledger.change(ledger.get(train.job_key), "failed", state="failed", error="no such role")
        train, last = ledger.again(last.job_key, "ann")
        assert (train.state, train.earlier, train.created_by) == ("intended", {"import": "arn:1"}, "ann")
        assert train.deadline == clock.at + timedelta(hours=10)
        assert (last.state, last.after["predictor"]) == ("intended", train.job_key)
    assert ledger.log("demo")[0].next_action == "start"


def test_a_job_that_is_woken_is_due_and_nobody_who_is_at_it_is_disturbed(ledger: Ledger, clock: Hands):
    (stored,) = ledger.intend(job())
    seen = ledger.change(stored, "", next_look_at=START + timedelta(hours=1))
    assert ledger.due(clock.at, 10) == []
    ledger.wake(stored.job_key[:8])
    assert [found.job_key for found in ledger.due(clock.at, 10)] == [stored.job_key]
    assert ledger.change(seen, "failed", state="failed") is not None
    assert ledger.wake(stored.job_key).state == "failed"
    assert [event.event for event in ledger.events(stored.job_key)] == ["intended", "woken", "failed"]


def test_the_usual_time_is_the_median_of_what_succeeded(ledger: Ledger):
    assert ledger.usual("rest", "forecast") is None
    for number, minutes in enumerate([10, 30, 20, 600]):
        (stored,) = ledger.intend(job(number))
        state = "failed" if minutes == 600 else "collected"
        ledger.change(stored, state, state=state, submitted_at=START, finished_at=START + timedelta(minutes=minutes))
    assert ledger.usual("rest", "forecast") == timedelta(minutes=20)


def test_no_secret_comes_into_rows_and_events(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FORECAST_TOKEN", "canary-8231")
    (stored,) = ledger.intend(job())
    message = "http://ann:canary-8231@host said: token canary-8231 \0 is over"
    ledger.change(stored, "failed", message, state="failed", error=message)
    assert "canary" not in f"{ledger.get(stored.job_key)} {ledger.events(stored.job_key)}"
