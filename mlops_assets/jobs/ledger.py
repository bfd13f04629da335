"""The ledger of jobs: every change is compared with what its maker has seen, and told in an event.

Whoever loads the code location imports it inside a function, as it imports SQLAlchemy.
"""

import os
import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from mlops_assets.errors import UnknownNameError, UsageError
from mlops_assets.jobs.job import ENDED_BADLY, Job, State, again_key
from mlops_assets.jobs.place import place_of
from mlops_assets.jobs.tables import EVENTS, IS_OPEN, JOBS, Event, job_of, plain, row_of, values_of
from mlops_assets.jobs.view import LOG, Standing, prepare
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.databases import server_time, shared_engine
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from pydantic import SecretStr
    from sqlalchemy import Connection, Engine

FARTHEST = timedelta(days=1)
"""No job is looked at later than this from now: a row that says so was written by a clock that was wrong."""
LONGEST_LEASE = timedelta(minutes=5)
"""A lease that ends later than this from now was taken by a clock that was wrong: it holds nobody up."""


class ExclusiveError(UsageError):
    """Another job has what this one would hold alone; the caller looks again later."""


class Now(Protocol):
    """A clock."""

    def now(self) -> datetime:
        """Return the present moment, aware."""
        ...


class Ledger:
    """The jobs of all forecasts, in a database that many processes use at once.

    Attributes:
        who: makes the changes: it stands in the events.
    """

    def __init__(self, engine: "Engine", clock: Now | None = None, who: str = "") -> None:
        self._engine, self._clock = engine, clock or Clock()
        self.who = who or f"{socket.gethostname()} {os.getpid()}"

    @classmethod
    def open(cls, settings: Settings, who: str = "", only_read: bool = False) -> "Ledger":
        """Open the ledger of an environment, and make its tables if they are not there.

        Args:
            settings: say where it is.
            who: makes the changes. Default: this process.
            only_read: where there is no ledger yet, an empty one in memory stands for it.

        Raises:
            DatabaseError: the database cannot be used for it.
            DatabaseUnavailableError: it lets nobody in.
        """
        ledger = cls(shared_engine(*_address(settings, only_read)), Clock.of(settings), who)
        prepare(ledger._engine)
        return ledger

    def now(self) -> datetime:
        """Return the present moment as the tables keep it."""
        return naive_utc(self._clock.now()).to_pydatetime()

    def ahead(self) -> timedelta:
        """Return by how much the clock is ahead of the database server's; nothing of SQLite, which has none."""
        with self._reading() as connection:
            theirs = server_time(connection)
        return timedelta() if theirs is None else self.now() - theirs

    # ---- asking

    def get(self, key: str) -> Job:
        """Return a job by its key, or by the beginning of it that no other has.

        Raises:
            UnknownNameError: there is none, or several begin so.
        """
        found = self._select(sa.select(JOBS).where(JOBS.c.job_key == key))
        if not found and len(key) >= 4:
            found = self._select(sa.select(JOBS).where(JOBS.c.job_key.startswith(key, autoescape=True)).limit(2))
        if len(found) != 1:
            which = f"several jobs begin with {key}" if found else f"no job {key} in the ledger"
            raise UnknownNameError(which, advice=["mlops-assets jobs list"])
        return found[0]

    def of(
        self,
        forecast: str | None = None,
        partition: str | None = None,
        states: Iterable[State] | None = None,
        limit: int | None = None,
    ) -> list[Job]:
        """Return jobs, those of a forecast, a partition or in some states, in the order in which they were intended.

        Args:
            forecast: only of this one.
            partition: only of this one.
            states: only in one of them.
            limit: only so many, the latest.
        """
        asked = sa.select(JOBS).order_by(JOBS.c.created_at.desc(), JOBS.c.deadline.desc(), JOBS.c.job_key.desc())
        if forecast is not None:
            asked = asked.where(JOBS.c.forecast == forecast)
        if partition is not None:
            asked = asked.where(JOBS.c.partition == partition)
        if states is not None:
            asked = asked.where(JOBS.c.state.in_(list(states)))
        return self._select(asked.limit(limit))[::-1]

    def due(self, now: datetime, limit: int, forecasts: Collection[str] | None = None) -> list[Job]:
        """Return the open jobs that are to be looked at, the longest overdue first; leased ones are left out.

        Args:
            now: the present moment, in UTC without its zone.
            limit: only so many.
            forecasts: only of these.
        """
        overdue, astray = JOBS.c.next_look_at <= now, JOBS.c.next_look_at > now + FARTHEST
        found: list[Job] = []
        for when in (overdue, astray):
            asked = sa.select(JOBS).where(IS_OPEN, when, self._free(now)).order_by(JOBS.c.next_look_at)
            if forecasts is not None:
                asked = asked.where(JOBS.c.forecast.in_(forecasts))
            found += self._select(asked.limit(limit))
        return found[:limit]

    def log(self, forecast: str | None = None, partition: str | None = None) -> list[Standing]:
        """Return the rows of the view `mlops_job_log`, in the order of forecasts and partitions."""
        asked = sa.select(LOG).order_by(LOG.c.forecast, LOG.c.partition)
        if forecast is not None:
            asked = asked.where(LOG.c.forecast == forecast)
        if partition is not None:
            asked = asked.where(LOG.c.partition == partition)
        with self._reading() as connection:
            return [Standing(**row._asdict()) for row in connection.execute(asked).all()]

    def events(self, key: str) -> list[Event]:
        """Return what happened to a job, the first thing first."""
        asked = sa.select(EVENTS).where(EVENTS.c.job_key == key).order_by(EVENTS.c.number)
        with self._reading() as connection:
            rows = connection.execute(asked).all()
        return [Event(row.at, row.event, row.state, row.made_by, row.message) for row in rows]

    def usual(self, service: str, step: str) -> timedelta | None:
        """Return the median time that the service took for the latest jobs of a step; None before the first."""
        asked = sa.select(JOBS.c.submitted_at, JOBS.c.finished_at).where(
            JOBS.c.service == service,
            JOBS.c.step == step,
            JOBS.c.state.in_(["succeeded", "collected"]),
            JOBS.c.submitted_at <= JOBS.c.finished_at,
        )
        with self._reading() as connection:
            rows = connection.execute(asked.order_by(JOBS.c.finished_at.desc()).limit(20)).all()
        return median(finished - submitted for submitted, finished in rows) if rows else None

    # ---- changing

    def intend(self, *jobs: Job) -> list[Job]:
        """Write jobs down before anything is asked of a service; a job that is there already is given back as it is.

        One that an earlier partition has asked for too, and that ended badly, is asked for anew.
        """
        stored: list[Job] = []
        keys: dict[str, str] = {}
        for job in jobs:
            wanted = replace(job, after={step: keys.get(key, key) for step, key in job.after.items()})
            found = self._intend(wanted)
            while found.state in ENDED_BADLY and found.partition != job.partition:
                found = self._intend(wanted.anew(job_key=again_key(found.job_key)))
            keys[job.job_key] = found.job_key
            stored.append(found)
        return stored

    def again(self, key: str, created_by: str) -> list[Job]:
        """Intend anew what ended badly of the chain of a job, with as much time as it had.

        Raises:
            UnknownNameError: there is no such job.
            UsageError: it has not ended badly.
        """
        job = self.get(key)
        if job.state not in ENDED_BADLY:
            raise UsageError(f"job {job.job_key} is {job.state}: only what ended badly is asked for again")
        latest = {one.step: one for one in self.of(job.forecast, job.partition) if one.service == job.service}
        before = [self.get(earlier) for one in latest.values() for earlier in one.after.values()]
        bad = {one.job_key: one for one in (*before, *latest.values()) if one.state in ENDED_BADLY}
        keys, now = {one: again_key(one) for one in bad}, self.now()
        return [
            self._intend(
                one.anew(
                    partition=job.partition,
                    after={step: keys.get(earlier, earlier) for step, earlier in one.after.items()},
                    deadline=now + (one.deadline - one.created_at),
                    created_by=created_by,
                )
            )
            for one in sorted(bad.values(), key=lambda one: len(one.after))
        ]

    def lease(self, job: Job, owner: str, until: datetime) -> Job | None:
        """Take a job for oneself until a moment, at most `LONGEST_LEASE` from now; None if somebody else was faster."""
        now = self.now()
        until = min(until, now + LONGEST_LEASE)
        return self._compare_and_set(job, self._free(now), "", "", lease_owner=owner, lease_until=until)

    def change(self, job: Job, event: str, message: str = "", **changes: Any) -> Job | None:
        """Change a job and tell it in an event, in one transaction; None if somebody has changed it meanwhile.

        Where it succeeds as a step that others follow, those may start; where it ends badly, so do they. What it holds
        alone passes to the next.

        Args:
            job: as its maker has seen it.
            event: what happened, in a word or two.
            message: in a sentence; secrets are taken out of it.
            changes: fields of the job.

        Raises:
            ExclusiveError: another job holds what this one would hold.
            ValueError: the job would go backwards.
        """
        state = changes.get("state", job.state)
        if not job.may_become(state):
            raise ValueError(f"job {job.job_key} is {job.state}: it cannot become {state}")
        now = self.now()
        if state != job.state:
            changes["since"] = now
        if "error" in changes:
            changes["error"] = plain(changes["error"])
        try:
            return self._compare_and_set(job, None, event, message, **changes)
        except IntegrityError:
            raise ExclusiveError(f"another job holds {job.exclusive}") from None

    def wake(self, key: str, now: datetime | None = None, message: str = "") -> Job:
        """Let a job be looked at now: whoever says that something has happened is never believed, the service is asked.

        Raises:
            UnknownNameError: there is no such job.
        """
        job = self.get(key)
        if not job.open:
            return job
        with self._engine.begin() as connection:  # whoever is at the job keeps the revision that they have seen
            self._look_at(connection, job, now or self.now())
            self._tell(connection, job, "woken", message)
        return self.get(job.job_key)

    def tell(self, job: Job, event: str, message: str = "") -> None:
        """Add an event to a job that stays as it is."""
        with self._engine.begin() as connection:
            self._tell(connection, job, event, message)

    def rename(self, old: str, new: str) -> None:
        """Give all jobs of a forecast its new name; whoever is looking at one of them sees that it has changed."""
        own = JOBS.c.forecast == old
        with self._engine.begin() as connection:
            for row in connection.execute(sa.select(JOBS).where(own).with_for_update()).all():
                self._tell(connection, job_of(row), "renamed", f"its forecast was called {old}")
            connection.execute(sa.update(JOBS).where(own).values(forecast=new, revision=JOBS.c.revision + 1))

    # ---- within a transaction

    def _intend(self, job: Job) -> Job:
        if self._select(sa.select(JOBS).where(JOBS.c.job_key == job.job_key)):
            return self.get(job.job_key)
        now = self.now()
        new = replace(job, state="intended", revision=0, created_at=now, since=now, next_look_at=now)
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(JOBS).values(**row_of(new)))
                self._tell(connection, new, "intended", "")
                if new.after:
                    self._follow(connection, new)
        except IntegrityError:
            pass  # somebody else has written it meanwhile
        return self.get(job.job_key)

    def _compare_and_set(self, job: Job, free: Any, event: str, message: str, **changes: Any) -> Job | None:
        changed = replace(job, **changes, revision=job.revision + 1)
        row = sa.update(JOBS).where(JOBS.c.job_key == job.job_key, JOBS.c.revision == job.revision)
        if free is not None:
            row = row.where(free)
        with self._engine.begin() as connection:
            done = connection.execute(row.values(**values_of({**changes, "revision": changed.revision})))
            if done.rowcount != 1:
                return None
            if event:
                self._tell(connection, changed, event, message)
            if changed.state != job.state:
                self._pass_on(connection, changed)
            if job.holds and not changed.holds:
                self._let_next(connection, job.holds)
        return changed

    def _pass_on(self, connection: "Connection", ended: Job) -> None:
        """Let the steps that wait for a job start, or end, with it."""
        if ended.open:
            return
        asked = sa.select(JOBS).where(
            JOBS.c.forecast == ended.forecast, JOBS.c.service == ended.service, JOBS.c.state == "intended"
        )
        # Locked before what they wait for is read: of two steps that succeed at once, the later sees the earlier.
        for row in connection.execute(asked.order_by(JOBS.c.job_key).with_for_update()).all():
            waiting = job_of(row)
            if waiting.waits_for_another and ended.job_key in waiting.after.values():
                self._follow(connection, waiting)

    def _follow(self, connection: "Connection", job: Job) -> None:
        """Let a job start if all it waits for has succeeded, and end if something of it has ended badly."""
        asked = sa.select(JOBS).where(JOBS.c.job_key.in_(job.after.values())).order_by(JOBS.c.job_key)
        before = {row.job_key: job_of(row) for row in connection.execute(asked.with_for_update(read=True)).all()}
        now = self.now()
        bad = next((one for one in before.values() if one.state in ENDED_BADLY), None)
        changes: dict[str, Any]
        if bad is not None:
            error = plain(f"its step {bad.step} ({bad.job_key}) is {bad.state}: {bad.error}")
            changes = {"state": bad.state, "since": now, "finished_at": now, "error": error}
        elif len(before) == len(set(job.after.values())) and all(one.state == "collected" for one in before.values()):
            earlier = {step: before[key].external_id for step, key in job.after.items()}
            changes = {"earlier": earlier, "next_look_at": now}
        else:
            changes = {"next_look_at": min(job.deadline, now + FARTHEST)}
        changed = replace(job, **changes, revision=job.revision + 1)
        row = sa.update(JOBS).where(JOBS.c.job_key == job.job_key, JOBS.c.revision == job.revision)
        done = connection.execute(row.values(**values_of({**changes, "revision": changed.revision})))
        if bad is not None and done.rowcount == 1:
            self._tell(connection, changed, changed.state, changed.error)
            self._pass_on(connection, changed)  # a step that several chains share has others behind it

    def _let_next(self, connection: "Connection", exclusive: str) -> None:
        """Let the job that has waited longest for what is free now be looked at."""
        asked = sa.select(JOBS).where(JOBS.c.exclusive == exclusive, JOBS.c.state == "intended", JOBS.c.holds.is_(None))
        waiting = map(job_of, connection.execute(asked.order_by(JOBS.c.created_at, JOBS.c.job_key).limit(50)).all())
        longest = next((job for job in waiting if not job.waits_for_another), None)
        if longest is not None:
            self._look_at(connection, longest, self.now())

    def _look_at(self, connection: "Connection", job: Job, when: datetime) -> None:
        connection.execute(sa.update(JOBS).where(JOBS.c.job_key == job.job_key).values(next_look_at=when))

    def _tell(self, connection: "Connection", job: Job, event: str, message: str) -> None:
        connection.execute(
            sa.insert(EVENTS).values(
                job_key=job.job_key,
                revision=job.revision,
                at=self.now(),
                event=event,
                state=job.state,
                made_by=plain(self.who)[:255],
                message=plain(message),
            )
        )

    # ---- reading

    @staticmethod
    def _free(now: datetime) -> Any:
        """The condition that nobody is at a job."""
        until = JOBS.c.lease_until
        return until.is_(None) | (until <= now) | (until > now + LONGEST_LEASE)

    def _select(self, asked: Any) -> list[Job]:
        with self._reading() as connection:
            return [job_of(row) for row in connection.execute(asked).all()]

    @contextmanager
    def _reading(self) -> "Iterator[Connection]":
        with self._engine.connect() as connection:
            yield connection.execution_options(reads_only=True)


def _address(settings: Settings, only_read: bool) -> "tuple[str | SecretStr, str]":
    """Return where the ledger is: address, and the variable that says so."""
    place, variable = place_of(settings)
    if not isinstance(place, Path):
        return place, variable
    if only_read and not place.exists():
        return "sqlite://", variable
    place.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{place}", variable
