"""Pollers as processes of their own, which die by SIGKILL at a point that a test chooses."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa

from mlops_assets.jobs.job import Job
from mlops_assets.jobs.ledger import Ledger
from mlops_assets.jobs.poller import Looked, run_due
from mlops_assets.resources.databases import make_engine
from mlops_assets_tests.jobs.conftest import START
from mlops_assets_tests.jobs.service import Shop

ROWS = sa.Table("rows", sa.MetaData(), sa.Column("job_key", sa.String(64)), sa.Column("item_id", sa.String(64)))
"""Where results are delivered; nothing in it keeps a set of rows from being there twice."""


class Shared:
    """A clock that all processes see, in seconds after the start."""

    def __init__(self) -> None:
        self._seconds = multiprocessing.get_context("fork").Value("d", 0.0)

    def now(self) -> datetime:
        return (START + timedelta(seconds=self._seconds.value)).replace(tzinfo=timezone.utc)

    def pass_by(self, seconds: float) -> None:
        with self._seconds.get_lock():
            self._seconds.value += seconds


class Worker:
    """A poller over a database and a service, in the process that makes it.

    Args:
        url: of the database.
        service: address of the service.
        clock: that all see.
        killed_at: number of the point at which the process kills itself; 0: none.
    """

    def __init__(self, url: str, service: str, clock: Shared, killed_at: int = 0) -> None:
        self.points, self._killed_at = 0, killed_at
        self.engine = make_engine(url)
        sa.event.listen(self.engine, "commit", lambda _: self.point("before a commit"))
        sa.event.listen(self.engine, "checkin", lambda *_: self.point("after a transaction"))
        self.clock = clock
        self.ledger = Ledger(self.engine, clock, f"process {os.getpid()}")
        self.provider = Shop(service, self.point)

    def point(self, name: str) -> None:
        self.points += 1
        if self.points == self._killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def look(self, **options: Any) -> list[Looked]:
        return run_due(self.ledger, lambda _: self.provider, lambda _: None, self.collect, **options)

    def collect(self, job: Job) -> None:
        rows = self.provider.collect(job)
        with self.engine.begin() as connection:
            connection.execute(sa.delete(ROWS).where(ROWS.c.job_key == job.job_key))
            connection.execute(sa.insert(ROWS), [{"job_key": job.job_key, "item_id": item} for item in rows["item_id"]])
        self.ledger.change(job, "collected", state="collected", lease_owner="", lease_until=None)

    def finish(self, *jobs: Job) -> None:
        """Intend jobs, and look at what is due until they have ended."""
        self.ledger.intend(*jobs)
        while any(self.ledger.get(job.job_key).open for job in jobs):
            self.look()
            self.clock.pass_by(30)


def in_a_process(work: Callable[[], int]) -> int:
    """Do work in a process of its own and return its pid; `ended` says how it ended."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(work())
        finally:
            os._exit(99)
    return pid


def ended(pid: int) -> int:
    """Return how a process ended: its exit code, or -9 of a killed one."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
