"""A ledger on each database that can hold one, and a clock that a test moves."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mlops_assets.jobs.job import Job, job_key
from mlops_assets.jobs.ledger import Ledger
from mlops_assets.jobs.tables import METADATA
from mlops_assets.jobs.view import prepare
from mlops_assets.resources.databases import make_engine
from mlops_assets_tests.io_managers import servers

START = datetime(2026, 11, 29, 6)
DATABASES = ["sqlite", "postgres", *(["mariadb"] if os.environ.get("MLOPS_TEST_JOBS") == "all" else [])]


class Hands:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at.replace(tzinfo=timezone.utc)

    def pass_by(self, **span: float) -> datetime:
        self.at += timedelta(**span)
        return self.at


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server."""
    with servers.postgres(tmp_path_factory.mktemp("postgres")) as address:
        yield address


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a MariaDB server."""
    with servers.mariadb(tmp_path_factory.mktemp("mariadb")) as address:
        yield address


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without jobs."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    address = request.getfixturevalue("server" if request.param == "postgres" else request.param)
    engine = make_engine(address)
    prepare(engine)  # once: making the tables anew for each test costs more than the test
    with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(sa.delete(table))
    engine.dispose()
    return address


@pytest.fixture
def open_ledger(url: str, clock: Hands) -> Callable[..., Ledger]:
    def open_(who: str = "tester") -> Ledger:
        engine = make_engine(url)
        prepare(engine)
        return Ledger(engine, clock, who)

    return open_


@pytest.fixture
def ledger(open_ledger: Callable[..., Ledger]) -> Ledger:
    return open_ledger()


def job(number: int = 0, **changes: Any) -> Job:
    """A job that nothing has been done for."""
    made = {"forecast": "demo", "partition": "2026-11-29", "service": "rest", "step": "forecast", "data_version": "v1"}
    made |= {"parameters": {"number": number}, "deadline": START + timedelta(hours=10), "created_by": "test"} | changes
    key = job_key(made["forecast"], made["service"], made["step"], made["data_version"], made["parameters"])
    return Job(**{"job_key": key, **made})
