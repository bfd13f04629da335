"""The poller: each thing is made once, and what goes wrong is told and kept."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from mlops_assets.jobs.job import Job
from mlops_assets.jobs.ledger import Ledger
from mlops_assets.jobs.poller import SETTLE, WRONG_ANSWERS, Looked, Poller, one_too_many, run_due
from mlops_assets.jobs.providers.service_errors import UnsureError, WrongAnswerError
from mlops_assets.spec import SpecError
from mlops_assets_tests.jobs.conftest import START, Hands, job
from mlops_assets_tests.jobs.service import Service, Shop


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.stop()


class Desk:
    """A ledger, a service, and looks at what is due."""

    def __init__(self, ledger: Ledger, service: Service, clock: Hands) -> None:
        self.ledger, self.service, self.clock = ledger, service, clock
        self.provider: Any = Shop(service.address)
        self.rows: dict[str, int] = {}

    def collect(self, job: Job) -> None:
        self.rows[job.job_key] = len(self.provider.collect(job))
        self.ledger.change(job, "collected", state="collected")

    def look(self, **options: Any) -> list[str]:
        return [found.event for found in self.looked(**options)]

    def looked(self, **options: Any) -> list[Looked]:
        return run_due(self.ledger, lambda _: self.provider, lambda _: None, **options)

    def events(self, job: Job) -> list[str]:
        return [event.event for event in self.ledger.events(job.job_key)]

    def now(self, stored: Job) -> Job:
        return self.ledger.get(stored.job_key)


@pytest.fixture
def desk(ledger: Ledger, service: Service, clock: Hands) -> Desk:
    return Desk(ledger, service, clock)


def test_a_job_is_called_looked_at_and_collected(desk: Desk):
    (one,) = desk.ledger.intend(job())
    assert desk.look() == ["submitted"]
    assert desk.look() == []
    desk.clock.pass_by(seconds=30)
    assert desk.look() == ["running"]
    desk.clock.pass_by(seconds=30)
    assert desk.look(collect=desk.collect) == ["collected"]
    assert desk.service.made == [one.external_name]
    assert desk.rows == {one.job_key: 2}
    assert desk.events(one) == ["intended", "calling", "submitted", "running", "succeeded", "collected"]
    assert desk.now(one).finished_at == desk.clock.at


def test_a_result_is_handed_over_until_somebody_collects_it(desk: Desk):
    desk.service.looks = 0
    (one,) = desk.ledger.intend(job())
    desk.look()
    desk.clock.pass_by(seconds=30)
    assert desk.look() == ["collect"]
    desk.clock.pass_by(hours=30)  # its deadline is over, but it was in time
    assert desk.look() == ["collect"]
    assert desk.now(one).state == "succeeded"


def test_waits_grow_and_end_at_the_deadline(desk: Desk):
    desk.service.looks = 10**6
    (one,) = desk.ledger.intend(job(deadline=START + timedelta(hours=2)))
    looks = []
    while desk.now(one).open:
        desk.clock.at = desk.now(one).next_look_at
        looks.append(desk.clock.at)
        desk.look()
    waits = [(after - before).total_seconds() for before, after in pairwise(looks)]
    assert waits[:-1] == sorted(waits[:-1])
    assert (waits[0], max(waits)) == (30, 600)
    assert looks[-1] == START + timedelta(hours=2)
    ended = desk.now(one)
    assert (ended.state, desk.service.cancelled) == ("expired", [ended.external_id])
    assert ended.error == "not done by its deadline; the service was told to cancel it"
    assert desk.events(one)[-1] == "expired"


def test_the_first_look_is_when_such_jobs_usually_end(desk: Desk):
    before, one = desk.ledger.intend(job(1), job(2))
    took = {"submitted_at": START, "finished_at": START + timedelta(hours=1)}
    desk.ledger.change(before, "", state="collected", **took)
    desk.look()
    assert desk.now(one).next_look_at == START + timedelta(hours=1)


def test_a_busy_service_uses_no_attempt_up(desk: Desk):
    desk.service.throttled = 1.0
    (one,) = desk.ledger.intend(job(exclusive="gpu"))
    assert desk.look() == ["busy"]
    busy = desk.now(one)
    assert (busy.state, busy.attempt, busy.holds, busy.error) == ("intended", 0, "", "the service says 429")
    desk.service.throttled = 0.0
    desk.clock.pass_by(minutes=1)
    assert desk.look() == ["submitted"]
    assert desk.now(one).attempt == 1


def test_an_answer_that_was_lost_is_asked_for_by_name(desk: Desk):
    desk.service.lose_answers = True
    (one,) = desk.ledger.intend(job())
    assert desk.look() == ["unsure"]
    desk.service.lose_answers = False
    desk.clock.pass_by(minutes=1)
    assert desk.look() == ["running"]
    assert desk.service.made == [one.external_name]
    assert desk.now(one).external_id == f"id-{one.external_name}"


def test_what_never_arrived_is_called_again_after_it_was_missed_twice(desk: Desk):
    class Cut(Shop):
        def submit(self, job: Job, inputs: Any) -> str:
            raise UnsureError("no answer came")

    whole, desk.provider = desk.provider, Cut(desk.service.address)
    (one,) = desk.ledger.intend(job())
    assert desk.look() == ["unsure"]
    desk.provider = whole
    desk.clock.pass_by(minutes=1)
    assert desk.look() == ["not there"]
    desk.clock.pass_by(minutes=1)
    assert desk.look() == []
    desk.clock.pass_by(minutes=1)
    assert desk.look() == ["submitted"]
    assert (desk.service.made, desk.now(one).attempt) == ([one.external_name], 2)


def test_a_call_that_is_still_on_its_way_is_not_doubled_by_a_clock_that_jumps(
    desk: Desk, open_ledger: Callable[..., Ledger]
):
    """A poller whose clock is ahead sees no lease; the call arrives after it has asked, and is found the next time."""
    other = Desk(open_ledger("other"), desk.service, desk.clock)

    class Slow(Shop):
        def submit(self, job: Job, inputs: Any) -> str:
            desk.clock.pass_by(hours=1)  # of the other's clock, so to speak
            assert other.look() == ["not there"]
            return super().submit(job, inputs)

    desk.provider = Slow(desk.service.address)
    (one,) = desk.ledger.intend(job())
    assert desk.look() == ["submitted"]
    desk.clock.pass_by(seconds=SETTLE.total_seconds())
    assert other.look() == ["running"]
    assert desk.service.made == [one.external_name]


def test_a_clock_that_goes_back_keeps_the_job(desk: Desk):
    (one,) = desk.ledger.intend(job())
    desk.look()
    desk.clock.pass_by(days=-400)
    assert desk.look() == ["running"]
    assert desk.now(one).next_look_at == desk.clock.at + timedelta(seconds=30)
    assert desk.service.made == [one.external_name]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("<html>token expired</html>", "no JSON: <html>token"),
        ('{"state": "PONDERING", "id": "x"}', "an unknown state: .*PONDERING"),
        ('{"state": "succeeded", "id": "id-another"}', "it was asked for id-demo_.* and tells of id-another"),
    ],
)
def test_answers_without_sense_are_kept_and_then_refused(desk: Desk, answer: str, said: str):
    import re

    desk.service.answer = answer
    (one,) = desk.ledger.intend(job())
    desk.look()
    for number in range(WRONG_ANSWERS):
        assert desk.now(one).open
        desk.clock.pass_by(minutes=11)
        assert desk.look() == ["refused" if number == WRONG_ANSWERS - 1 else "wrong answer"]
        assert re.search(said, desk.now(one).error)
    assert desk.now(one).error.startswith(f"{WRONG_ANSWERS} answers made no sense; the last: ")
    assert desk.service.made == [one.external_name]


def test_an_answer_with_sense_between_them_starts_the_count_anew(desk: Desk):
    desk.service.looks = 100
    (one,) = desk.ledger.intend(job())
    desk.look()
    for _ in range(WRONG_ANSWERS):
        for answer in ("?", None):
            desk.service.answer = answer
            desk.clock.pass_by(minutes=11)
            desk.look()
    assert desk.now(one).state == "running"


def test_a_result_without_sense_is_told_as_an_answer_without_sense(desk: Desk):
    def collect(job: Job) -> None:
        raise WrongAnswerError("there is no file")

    desk.service.looks = 0
    (one,) = desk.ledger.intend(job())
    desk.look()
    for _ in range(WRONG_ANSWERS - 1):
        assert not one_too_many(desk.ledger, one)
        desk.clock.pass_by(minutes=11)
        assert desk.look(collect=collect) == ["wrong answer"]
        desk.ledger.wake(one.job_key)
    assert one_too_many(desk.ledger, one)
    assert desk.now(one).error == "there is no file"


def test_a_service_that_is_away_is_waited_for_until_the_deadline(desk: Desk):
    desk.service.stop()
    (one,) = desk.ledger.intend(job())
    assert desk.look() == ["busy"]
    assert "cannot be reached" in desk.now(one).error
    desk.clock.pass_by(hours=10)
    assert desk.look() == ["expired"]
    assert desk.now(one).attempt == 0


def test_a_forecast_that_cannot_be_read_keeps_its_jobs(desk: Desk):
    def no_provider(job: Job) -> Any:
        raise SpecError("demo.yaml: external: no such service")

    (one,) = desk.ledger.intend(job())
    (found,) = run_due(desk.ledger, no_provider, lambda _: None)
    assert (found.event, desk.now(one).error) == ("no provider", "demo.yaml: external: no such service")


def test_a_job_of_a_service_that_the_forecast_has_no_more_is_not_asked_of_another(desk: Desk):
    (one,) = desk.ledger.intend(job(service="databricks"))
    assert desk.look() == ["no provider"]
    assert desk.now(one).error == "demo has rest as its service now"
    assert desk.service.calls == 0


def test_a_bug_in_a_provider_stops_nobody_else(desk: Desk):
    class Broken(Shop):
        def submit(self, job: Job, inputs: Any) -> str:
            return {}["id"]

    one, two = desk.ledger.intend(job(1), job(2))
    good, bad = desk.provider, Broken(desk.service.address)
    run_due(desk.ledger, lambda job: bad if job.job_key == one.job_key else good, lambda _: None)
    assert "a bug: KeyError: 'id'" in desk.now(one).error
    assert desk.now(two).state == "submitted"


def test_of_what_is_exclusive_one_is_with_the_service_at_a_time(desk: Desk):
    desk.service.looks = 0
    jobs = desk.ledger.intend(*(job(number, exclusive="gpu") for number in range(3)))
    for made in (1, 2, 3):
        desk.look(collect=desk.collect)
        assert len(desk.service.made) == made
        desk.clock.pass_by(seconds=30)
        desk.look(collect=desk.collect)
    desk.clock.pass_by(seconds=30)
    desk.look(collect=desk.collect)
    assert {desk.now(one).state for one in jobs} == {"collected"}


def test_a_person_cancels_a_job_here_and_there(desk: Desk):
    (one,) = desk.ledger.intend(job())
    desk.look()
    poller = Poller(desk.ledger, lambda _: desk.provider, lambda _: None)
    ended = poller.cancel(one.job_key, "cancelled by ann")
    assert (ended.state, ended.error) == ("cancelled", "cancelled by ann; the service was told to cancel it")
    assert desk.service.cancelled == [ended.external_id]
    assert poller.cancel(one.job_key, "again") == ended
