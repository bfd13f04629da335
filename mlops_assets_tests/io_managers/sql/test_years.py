"""Tables that grow for years: what an earlier release has left goes on, and nothing grows but rows."""

import os
import signal
import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from mlops_assets.analysis import check
from mlops_assets.io_managers import SqlTables
from mlops_assets.io_managers.errors import OldLayoutError, StorageError
from mlops_assets.io_managers.sql import postgres_parts
from mlops_assets.resources.databases import shared_engine
from mlops_assets_tests.io_managers.conftest import Places
from mlops_assets_tests.io_managers.servers import fresh_name
from mlops_assets_tests.io_managers.sql.before import step_back

PLACES = ["sqlite", "duckdb", "postgres", "mariadb"]
DAYS = [f"2024-01-{day:02d}" for day in range(1, 7)]


@pytest.fixture
def url(request: pytest.FixtureRequest, places: Places) -> str:
    """A database that nobody else has."""
    address, name = places.address(request.param), fresh_name()
    if request.param in ("sqlite", "duckdb"):
        return address.replace("tables.", f"{name}.")
    engine = shared_engine(address).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    return engine.url.set(database=name).render_as_string(hide_password=False)


def of_day(day: str, version: int = 0, rows: int = 9) -> pd.DataFrame:
    return pd.DataFrame({"item_id": [f"{day} {row}" for row in range(rows)], "n": np.arange(rows) + version})


def filled(url: str) -> dict[str, pd.DataFrame]:
    """Store a table with partitions, one of them empty, and one without; return what they hold."""
    tables, whole = SqlTables(url), of_day("whole", rows=30)
    days = {day: of_day(day, rows=0 if day == DAYS[1] else 9) for day in DAYS}
    tables.write_all(["demo", "things"], days)
    tables.write(["demo", "scores"], whole)
    return {**days, "whole": whole}


def held(tables: SqlTables) -> dict[str, pd.DataFrame]:
    days = {day: tables.read(["demo", "things"], [day]) for day in tables.partitions(["demo", "things"])}
    return {**days, "whole": tables.read(["demo", "scores"])}


def same(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    assert list(found) == list(expected)
    for name, frame in expected.items():
        pd.testing.assert_frame_equal(found[name], frame)


@pytest.mark.parametrize("url", PLACES, indirect=True)
def test_what_an_earlier_release_has_left_is_read_and_written_on(url: str):
    stored = filled(url)
    step_back(url)
    before = SqlTables(url).outdated()
    assert before["_mlops_partitions"] == len(stored)
    same(held(SqlTables(url)), stored)
    pd.testing.assert_frame_equal(
        SqlTables(url).read(["demo", "things"]), pd.concat(stored[day] for day in DAYS).reset_index(drop=True)
    )
    tables = SqlTables(url)
    tables.write(["demo", "things"], of_day(DAYS[2], 5), DAYS[2])
    tables.write(["demo", "scores"], of_day("whole", 5))
    tables.delete(["demo", "things"], DAYS[0])
    same(held(tables), {**{d: stored[d] for d in DAYS[1:]}, DAYS[2]: of_day(DAYS[2], 5), "whole": of_day("whole", 5)})
    assert tables.outdated() == {}


@pytest.mark.parametrize("url", PLACES, indirect=True)
def test_an_earlier_release_reads_on_and_is_refused_when_it_writes(url: str):
    """It would take tables that its register does not know for leftovers, and replace them."""
    filled(url)
    with SqlTables(url)._server.engine.connect() as connection:
        seen = connection.execute(sa.text("SELECT partition_name, columns, arrow_schema FROM _mlops_partitions")).all()
        assert {row.partition_name for row in seen} == {*DAYS, ""}
        assert all(row.columns.startswith("[{") and len(row.arrow_schema) > 100 for row in seen)
        with pytest.raises(sa.exc.DBAPIError):
            connection.execute(sa.text("DELETE FROM _mlops_partitions WHERE table_name = 'demo__scores'"))


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_many_parts_are_read_and_made_one_table_by_the_command(url: str, monkeypatch: pytest.MonkeyPatch):
    stored = filled(url)
    step_back(url)
    monkeypatch.setattr(postgres_parts, "FEW_PARTS", 3)
    tables, key = SqlTables(url), ["demo", "things"]
    with pytest.raises(OldLayoutError, match="in 6 tables of PostgreSQL"):
        tables.write(key, of_day(DAYS[2], 5), DAYS[2])
    with pytest.raises(OldLayoutError):
        tables.delete(key)
    same(held(tables), stored)
    (said,) = check.layout(tables)
    assert not said.passed
    assert "demo__things (6 parts)" in said.message
    batches = list(tables.batches(key, rows=5))
    assert len(pd.concat(batches)) == sum(len(stored[day]) for day in DAYS)
    assert max(map(len, batches)) == 5
    told: list[tuple[str, int]] = []
    tables.migrate("demo__things", lambda what, count: told.append((what, count)))
    assert told == [("copied", 6), ("dropped", 6)]
    assert all(said.passed for said in check.layout(tables))
    same(held(tables), stored)
    tables.write(key, of_day(DAYS[2], 5), DAYS[2])
    same(held(tables), {**stored, DAYS[2]: of_day(DAYS[2], 5)})


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_a_view_on_an_old_table_keeps_it_and_is_named(url: str):
    stored = filled(url)
    step_back(url)
    with shared_engine(url).begin() as connection:
        connection.execute(sa.text("CREATE VIEW of_the_office AS SELECT n FROM demo__things"))
    tables = SqlTables(url)
    with pytest.raises(StorageError, match=r"cannot be dropped: view of_the_office depends on table"):
        tables.migrate("demo__things")
    same(held(tables), stored)
    with shared_engine(url).begin() as connection:
        connection.execute(sa.text("DROP VIEW of_the_office"))
    assert set(tables.outdated()) == {"demo__scores", "demo__things"}
    for name in tables.outdated():
        tables.migrate(name)
    assert tables.outdated() == {}
    same(held(tables), stored)


@pytest.mark.process
@pytest.mark.parametrize("url", PLACES, indirect=True)
def test_a_migration_killed_at_any_statement_goes_on(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgres_parts, "_AT_ONCE", 4)
    stored = filled(url)
    step_back(url)
    SqlTables(url)._server.engine.dispose()
    kills, step, stride = 0, 1, 1 if os.environ.get("MLOPS_TEST_STORAGE") == "all" else 4
    while _migrate_and_die(url, step):
        kills, step = kills + 1, step + stride
        same(held(SqlTables(url)), stored) if "postgres" in url and kills % 3 == 0 and kills > 3 else None
    assert kills >= 2
    same(held(SqlTables(url)), stored)
    assert SqlTables(url).outdated() == {}


def _migrate_and_die(url: str, step: int) -> bool:
    """Migrate in a process that is killed before its so many-th statement; return whether it came to that."""
    pid = os.fork()
    if not pid:
        seen = 0

        def count(*_: Any) -> None:
            nonlocal seen
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

        code = 1
        try:
            tables = SqlTables(url)
            run = tables._server.run
            tables._server.run = lambda connection, statement: (count(), run(connection, statement))[1]  # pyright: ignore
            event.listen(tables._server.engine, "before_cursor_execute", count)
            for name in tables.outdated():
                tables.migrate(name)
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("place", PLACES)
def test_a_reader_never_sees_half_of_a_write_of_some_partitions(places: Places, place: str):
    """Others stay: the rows of these are replaced one by one, and in two partitions at once."""
    tables, key, rounds = places.tables(place), [fresh_name(), "t"], 4 if place == "duckdb" else 12
    tables.write_all(key, {day: of_day(day) for day in DAYS})
    done = threading.Event()

    def write() -> None:
        for version in range(1, rounds + 1):
            places.tables(place).write_all(key, {day: of_day(day, version, 9 + version % 3) for day in DAYS[2:4]})
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    versions = set()
    while not done.is_set():
        found = places.tables(place).read(key, DAYS[1:4])
        version = int(found["n"].iloc[9])
        same_now = [of_day(DAYS[1]), *(of_day(day, version, 9 + version % 3) for day in DAYS[2:4])]
        pd.testing.assert_frame_equal(found, pd.concat(same_now, ignore_index=True))
        versions.add(version)
    writer.join()
    assert int(tables.read(key, [DAYS[3]])["n"].iloc[0]) == rounds
    assert len(versions) > 1


def test_partitions_are_rows_and_empty_ones_cost_a_row_of_the_register(places: Places):
    tables, key = places.tables("postgres"), [fresh_name(), "t"]
    assert isinstance(tables, SqlTables)
    tables.write(key, of_day(DAYS[0]), DAYS[0])

    def relations() -> int:
        with tables._server.engine.connect() as connection:
            return connection.execute(sa.text("SELECT count(*) FROM pg_class")).scalar_one()

    before = relations()
    for number in range(20):
        tables.write(key, of_day("empty", rows=0), f"empty {number}")
    tables.write_all(key, {f"full {number}": of_day("full") for number in range(300)})
    assert relations() == before
    with tables._server.engine.connect() as connection:
        counted = sa.text(f'SELECT count(*) FROM "{key[0]}__t"')
        assert connection.execute(counted).scalar_one() == 9 * 301
        looks = sa.text("SELECT count(*) FROM _mlops_schemas WHERE table_name = :name")
        assert connection.execute(looks, {"name": f"{key[0]}__t"}).scalar_one() == 1


@pytest.mark.parametrize("place", PLACES)
def test_one_partition_of_many_takes_as_many_statements_and_answers_as_one_of_few(places: Places, place: str):
    """What is read and written does not grow with what else is stored."""
    tables = places.tables(place)
    assert isinstance(tables, SqlTables)
    answers: list[int] = []
    for count in (25, 120):
        key, sent = [fresh_name(), "t"], []
        tables.write_all(key, {f"{number:04d}": of_day("day") for number in range(count)})
        tables.read(key, ["0001"])

        def fetched(connection: Any, cursor: Any, *_: Any, sent: list[int] = sent) -> None:
            sent.append(cursor.rowcount if place == "mariadb" else 1)

        event.listen(tables._server.engine, "after_cursor_execute", fetched)
        try:
            tables.read(key, ["0001"])
            tables.write(key, of_day("day", 1), "0002")
        finally:
            event.remove(tables._server.engine, "after_cursor_execute", fetched)
        answers.append(sum(sent))
    assert answers[0] == answers[1]
