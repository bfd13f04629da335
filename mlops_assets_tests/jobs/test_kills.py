"""Pollers die at every point, and several are at it at once: one outside thing for each job, one set of rows.

`make test-jobs` (MLOPS_TEST_JOBS=all) tries every point and two hundred rounds on both databases.
"""

import os
import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from mlops_assets.jobs.job import Job
from mlops_assets.jobs.view import prepare
from mlops_assets.resources.databases import make_engine
from mlops_assets_tests.jobs.conftest import job
from mlops_assets_tests.jobs.doomed import ROWS, Shared, Worker, ended, in_a_process
from mlops_assets_tests.jobs.service import Service

ALL = os.environ.get("MLOPS_TEST_JOBS") == "all"
LEASE_IS_OVER = 6 * 60
pytestmark = pytest.mark.process


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.stop()


@pytest.fixture
def database(url: str) -> str:
    engine = make_engine(url)
    prepare(engine)
    ROWS.metadata.drop_all(engine)
    ROWS.metadata.create_all(engine)
    engine.dispose()  # a process that is forked off has connections of its own
    return url


def rows_of(worker: Worker, job: Job) -> list[str]:
    with worker.engine.connect() as connection:
        return sorted(connection.scalars(sa.select(ROWS.c.item_id).where(ROWS.c.job_key == job.job_key)))


def test_a_poller_killed_at_any_point_doubles_nothing(database: str, service: Service):
    clock = Shared()

    def die(number: int, killed_at: int) -> int:
        worker = Worker(database, service.address, clock, killed_at)
        worker.finish(job(number))
        return worker.points

    points = ended(in_a_process(lambda: die(0, 0)))
    assert points > 30
    killed = range(1, points + 1, 1 if ALL else 7)
    for number in killed:
        assert ended(in_a_process(lambda: die(number, number))) == -9  # noqa: B023
        clock.pass_by(LEASE_IS_OVER)
        after = Worker(database, service.address, clock)
        after.finish(job(number))
        stored = after.ledger.get(job(number).job_key)
        assert service.made.count(stored.external_name) == 1, f"killed at point {number} of {points}"
        assert (stored.state, rows_of(after, stored)) == ("collected", ["a", "b"])
        after.engine.dispose()
    assert len(service.made) == len(killed) + 1


@pytest.mark.parametrize("jumps", [False, True], ids=["clocks are right", "a clock jumps ahead"])
def test_two_pollers_and_a_kill_after_the_answer_make_one_call(database: str, service: Service, jumps: bool):
    """The call is on its way when two others begin; who made it dies with the answer in its hands."""
    service.seconds = 0.03
    for number in range(200 if ALL else 3):
        clock = Shared()
        service.begun.clear()

        def call(number: int = number, clock: Shared = clock) -> int:
            worker = Worker(database, service.address, clock)
            worker.provider._point = lambda name: os.kill(os.getpid(), 9) if name == "after POST" else None
            worker.finish(job(number))
            return 0

        caller = in_a_process(call)
        assert service.begun.wait(30)
        if jumps:
            clock.pass_by(LEASE_IS_OVER)
        others = [Worker(database, service.address, clock) for _ in range(2)]
        for worker in others:
            worker.look()
        assert ended(caller) == -9
        clock.pass_by(LEASE_IS_OVER)
        threads = [threading.Thread(target=worker.finish, args=[job(number)]) for worker in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stored = others[0].ledger.get(job(number).job_key)
        assert service.made.count(stored.external_name) == 1
        assert (stored.state, rows_of(others[0], stored)) == ("collected", ["a", "b"])
        for worker in others:
            worker.engine.dispose()


def test_eight_pollers_make_each_thing_once_under_throttling(database: str, service: Service):
    service.throttled = 0.5
    clock, count = Shared(), 64 if ALL else 16
    jobs = [job(number) for number in range(count)]
    pollers = [Worker(database, service.address, clock) for _ in range(8)]
    pollers[0].ledger.intend(*jobs)
    over = threading.Event()

    def poll(worker: Worker) -> None:
        while not over.is_set():
            worker.look()
            time.sleep(0.005)

    threads = [threading.Thread(target=poll, args=[worker]) for worker in pollers]
    for thread in threads:
        thread.start()
    watcher = Worker(database, service.address, clock)
    try:
        stored = watcher.ledger.of("demo")
        while any(one.open for one in stored):
            if not any(one.lease_until for one in stored):  # time stands still while somebody is at a job
                clock.pass_by(30)
            time.sleep(0.01)
            stored = watcher.ledger.of("demo")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert {one.state for one in stored} == {"collected"}
    assert sorted(service.made) == sorted(one.external_name for one in stored)
    assert service.overlaps == []
    assert service.calls > 1.5 * 3 * count  # half of them in vain
    assert all(rows_of(watcher, one) == ["a", "b"] for one in stored)
