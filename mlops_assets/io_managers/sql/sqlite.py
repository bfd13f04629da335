"""SQLite."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import types

from mlops_assets.io_managers.sql.columns import PARTITION
from mlops_assets.io_managers.sql.server import Server, literal
from mlops_assets.io_managers.sql.values import refuse_nan

if TYPE_CHECKING:
    import sqlalchemy as sa


class Sqlite(Server):
    """SQLite: text for what it has no type for, rows by the driver's own bulk call."""

    text_by_bytes = True
    with_views = True

    def storage(self, kind: pa.DataType) -> pa.DataType:
        """Keep whole numbers in 64 bits, times and decimals as readable text."""
        if types.is_boolean(kind) or types.is_duration(kind) or (types.is_integer(kind) and not types.is_uint64(kind)):
            return pa.int64()
        if types.is_floating(kind):
            return pa.float64()
        if types.is_binary(kind) or types.is_large_binary(kind):
            return pa.binary()
        return pa.string()

    def sql_type(self, kind: pa.DataType, in_key: bool) -> Any:
        """Declare 64-bit numbers, double, text, blob."""
        import sqlalchemy as sa

        if types.is_integer(kind):
            return sa.Integer()
        return sa.REAL() if types.is_floating(kind) else sa.LargeBinary() if types.is_binary(kind) else sa.Text()

    def check(self, name: str, array: pa.Array, where: str) -> None:
        """Refuse not-a-number, which SQLite would turn into a missing value."""
        refuse_nan(name, array, where)

    def table_options(self) -> dict[str, Any]:
        """Keep the rows in the order of the key, without a second index."""
        return {"sqlite_with_rowid": False}

    def insert(self, connection: "sa.Connection", table: str, partition: str, data: pa.Table) -> None:
        """Add rows through the driver, with no layer between."""
        names = ", ".join(self.quote(name) for name in [*data.column_names, PARTITION])
        marks = ", ".join(["?"] * data.num_columns + [literal(partition)])
        statement = f"INSERT INTO {self.quote(table)} ({names}) VALUES ({marks})"  # noqa: S608
        cursor = connection.connection.cursor()
        for batch in data.to_batches(max_chunksize=50_000):
            rows: Any = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            cursor.executemany(statement, rows)

    @contextmanager
    def reading(self, table: str) -> "Iterator[sa.Connection]":
        """Read within one transaction."""
        with self.engine.connect().execution_options(reads_only=True) as connection, connection.begin():
            yield connection
