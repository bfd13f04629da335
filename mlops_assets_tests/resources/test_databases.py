"""Databases are opened rightly, by many at once."""

import threading
from pathlib import Path

import duckdb
import sqlalchemy as sa

from mlops_assets.resources.databases import make_engine


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
