"""Somebody changes a stored table behind our back: the next read says so instead of giving other rows."""

import pandas as pd
import pytest

from mlops_assets.io_managers import SqlTables, StorageError
from mlops_assets_tests.io_managers.conftest import Places
from mlops_assets_tests.io_managers.servers import fresh_name

CHANGES = ["DELETE FROM {table} WHERE _row = 5", "UPDATE {table} SET _row = -1 WHERE _row = 5"]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("place", "rows"),
    [("sqlite", 100), ("duckdb", 100), ("mariadb", 100), ("postgres", 100), ("postgres", 30_000)],
)
def test_a_lost_or_moved_row_is_noticed(places: Places, place: str, rows: int, change: str):
    tables, name = places.tables(place), fresh_name()
    frame = pd.DataFrame({"n": range(rows)})
    for partition in ("a", "b"):
        tables.write([name, "t"], frame, partition)
    assert len(tables.read([name, "t"])) == 2 * rows
    assert isinstance(tables, SqlTables)
    with tables._server.writing(f"{name}__t") as connection:
        tables._server.run(connection, change.format(table=f"{name}__t"))
    with pytest.raises(StorageError, match=r"another hand.*[Mm]aterialize it again"):
        tables.read([name, "t"])
    for partition in ("a", "b"):
        tables.write([name, "t"], frame, partition)
    assert len(tables.read([name, "t"])) == 2 * rows
