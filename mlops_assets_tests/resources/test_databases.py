"""Databases are opened rightly, by many at once."""

import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import sqlalchemy as sa

from mlops_assets.errors import TransientError
from mlops_assets.io_managers import SqlTables
from mlops_assets.resources import databases
from mlops_assets.resources.databases import DatabaseError, close_shared, make_engine, shared_engine
from mlops_assets_tests.io_managers import servers


def test_a_duckdb_file_that_another_thread_is_closing_is_waited_for(tmp_path: Path):
    path = tmp_path / "tables.duckdb"
    engine = make_engine(f"duckdb:///{path}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t AS SELECT 1 a"))
    holder = duckdb.connect()
    holder.execute(f"ATTACH '{path}' AS tables")  # the file's one handle in this process, until it is let go
    closing = threading.Timer(0.2, holder.close)
    closing.start()
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT a FROM t")).scalar() == 1
    closing.join()


def test_a_damaged_file_is_not_waited_for(tmp_path: Path):
    """A round tried it again for five minutes, as if it were a server that is away."""
    (tmp_path / "jobs.db").write_text("this is no database, and will not be one in five minutes")
    with pytest.raises(DatabaseError, match=r"jobs\.db cannot be used: file is not a database; see MLOPS_DATA") as told:
        make_engine(f"sqlite:///{tmp_path / 'jobs.db'}", variable="MLOPS_DATA").connect()
    assert not isinstance(told.value, TransientError)


def test_a_process_has_one_engine_for_an_address(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'tables.db'}"
    with ThreadPoolExecutor(8) as pool:
        assert len({id(engine) for engine in pool.map(shared_engine, [url] * 50)}) == 1
    assert shared_engine("sqlite://") is not shared_engine("sqlite://"), "memory is nobody else's"
    for number in range(20):
        shared_engine(f"sqlite:///{tmp_path / str(number)}.db").connect().close()
    assert len(databases._SHARED) <= 8, "engines of addresses that nobody uses any more pile up"


def test_a_file_that_was_removed_while_it_was_open_is_made_anew(tmp_path: Path):
    file, frame = tmp_path / "tables.db", pd.DataFrame({"n": [1]})
    for _ in range(2):
        tables = SqlTables(f"sqlite:///{file}")
        assert not tables.exists(["t"])
        tables.write(["t"], frame)
        for left in tmp_path.iterdir():
            left.unlink()
    assert not file.exists()


@pytest.mark.process
def test_resources_made_anew_for_every_tick_hold_five_connections(tmp_path: Path):
    """The code server had up to 38 with three forecasts: the garbage collector came by so seldom."""
    with servers.postgres(tmp_path / "pg") as url:
        SqlTables(url).write(["t"], pd.DataFrame({"n": [1]}), "x")

        def tick(number: int) -> int:
            return len(SqlTables(url).read(["t"])) + len(SqlTables(url).partitions(["other", str(number)]))

        gc.disable()
        try:
            with ThreadPoolExecutor(4) as pool:
                assert sum(pool.map(tick, range(100))) == 100
        finally:
            gc.enable()
        with shared_engine(url).connect() as connection:
            asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            assert connection.execute(sa.text(asked)).scalar_one() <= 5
            child = os.fork()
            if not child:  # a forked process leaves the parent's connections alone
                os._exit(0 if len(SqlTables(url).read(["t"])) == 1 else 1)
            assert os.waitpid(child, 0)[1] == 0
            assert connection.execute(sa.text("SELECT 7")).scalar_one() == 7
        close_shared()


@pytest.mark.process
def test_connections_that_were_lost_in_the_pool_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with servers.postgres(tmp_path / "pg") as url:
        SqlTables(url).write(["t"], pd.DataFrame({"n": [1]}))
        with make_engine(url).connect() as other:
            others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
            ended = other.execute(sa.text(f"SELECT pg_terminate_backend(pid) {others}")).scalars().all()
            assert ended == [True]
        monkeypatch.setattr(databases, "_IDLE_SECONDS", 0.0)
        assert len(SqlTables(url).read(["t"])) == 1
        close_shared()
