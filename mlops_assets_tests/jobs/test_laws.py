"""Whatever order things happen in: nothing is lost, no state goes backwards, one lease at a time, one holds a key."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy.pool import StaticPool

from mlops_assets.jobs.job import ENDED_BADLY, Job, State, chain
from mlops_assets.jobs.ledger import FARTHEST, LONGEST_LEASE, ExclusiveError, Ledger
from mlops_assets.jobs.view import prepare
from mlops_assets_tests.jobs.conftest import START, Hands
from mlops_assets_tests.jobs.test_ledger import Named

RANK = {"intended": 0, "submitted": 1, "running": 2, "succeeded": 3, "collected": 4, **dict.fromkeys(ENDED_BADLY, 5)}
STEPS = [Named("import"), Named("train", exclusive="gpu", reuse="W1"), Named("forecast", exclusive="gpu")]
NUMBERS = st.integers(0, 8)
STATES: tuple[State, ...] = ("submitted", "running", "succeeded", "collected", "failed", "expired")


class Pollers(RuleBasedStateMachine):
    """Two pollers with views of the jobs that may be old, over one ledger, and a clock that jumps."""

    def __init__(self) -> None:
        super().__init__()
        # One connection in memory: what a file costs, the other tests pay for.
        engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        prepare(engine)
        self.clock = Hands()
        self.ledger = Ledger(engine, self.clock, "law")
        self.seen: dict[str, Job] = {}
        self.known: dict[str, Job] = {}
        self.leases: dict[str, tuple[str, int]] = {}

    def view(self, number: int) -> Job | None:
        keys = sorted(self.seen)
        return self.seen[keys[number % len(keys)]] if keys else None

    @rule(partition=st.sampled_from(["p1", "p2", "p3"]))
    def intend(self, partition: str) -> None:
        deadline = START + timedelta(days=3)
        for job in self.ledger.intend(*chain("demo", partition, "rest", STEPS, partition, deadline)):
            self.seen.setdefault(job.job_key, job)

    @rule(number=NUMBERS)
    def read(self, number: int) -> None:
        if job := self.view(number):
            self.seen[job.job_key] = self.ledger.get(job.job_key)

    @rule(number=NUMBERS, owner=st.sampled_from(["one", "two"]), minutes=st.integers(1, 10_000))
    def lease(self, number: int, owner: str, minutes: int) -> None:
        if job := self.view(number):
            before, now = self.ledger.get(job.job_key), self.clock.at
            leased = self.ledger.lease(job, owner, now + timedelta(minutes=minutes))
            if leased is not None:
                until = before.lease_until
                assert until is None or until <= now or until > now + LONGEST_LEASE
                assert leased.lease_until is not None
                assert leased.lease_until <= now + LONGEST_LEASE
                self.seen[job.job_key] = leased

    @rule(number=NUMBERS, state=st.sampled_from(STATES), holds=st.booleans())
    def change(self, number: int, state: State, holds: bool) -> None:
        if not (job := self.view(number)):
            return
        stored = self.ledger.get(job.job_key)
        wanted = job.exclusive if holds and state in ("submitted", "running") else ""
        try:
            changed = self.ledger.change(job, state, state=state, holds=wanted, lease_owner="", lease_until=None)
        except ExclusiveError:
            assert [one for one in self.ledger.of() if one.holds == wanted and one.job_key != job.job_key]
        except ValueError:
            assert not job.may_become(state)
        else:
            assert (changed is None) == (stored.revision != job.revision)
            if changed is not None:
                self.seen[job.job_key] = changed

    @rule(number=NUMBERS)
    def wake(self, number: int) -> None:
        if job := self.view(number):
            self.ledger.wake(job.job_key)

    @rule(minutes=st.integers(-2000, 2000))
    def jump(self, minutes: int) -> None:
        self.clock.pass_by(minutes=minutes)

    @invariant()
    def laws(self) -> None:
        self.nothing_is_lost_and_nothing_goes_back()
        self.one_holds_what_is_exclusive()
        self.steps_start_after_those_before()
        self.an_open_job_is_due_within_a_day()

    def nothing_is_lost_and_nothing_goes_back(self) -> None:
        stored = {job.job_key: job for job in self.ledger.of()}
        assert stored.keys() == self.seen.keys()
        for key, before in self.known.items():
            now = stored[key]
            assert now.revision >= before.revision
            assert RANK[now.state] >= RANK[before.state]
            assert before.open or now.state == before.state
        self.known = stored

    def one_holds_what_is_exclusive(self) -> None:
        held = [job.holds for job in self.known.values() if job.holds]
        assert len(held) == len(set(held))

    def steps_start_after_those_before(self) -> None:
        for job in self.known.values():
            if job.earlier:
                assert all(self.known[key].state == "collected" for key in job.after.values())
            elif job.after and job.state == "intended":
                assert not all(self.known[key].state == "collected" for key in job.after.values())
                assert all(self.known[key].state not in ENDED_BADLY for key in job.after.values())

    def an_open_job_is_due_within_a_day(self) -> None:
        """Whatever clocks have done, no job is forgotten."""
        moments = [self.clock.at + span for span in (timedelta(), LONGEST_LEASE, FARTHEST + LONGEST_LEASE)]
        due = {job.job_key for moment in moments for job in self.ledger.due(moment, 100)}
        assert {job.job_key for job in self.known.values() if job.open} <= due


TestPollers = Pollers.TestCase
TestPollers.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
