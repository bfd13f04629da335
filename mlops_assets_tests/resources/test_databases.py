"""Databases are opened rightly, by many at once."""

import threading
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from mlops_assets.errors import TransientError
from mlops_assets.resources.databases import DatabaseError, make_engine


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
