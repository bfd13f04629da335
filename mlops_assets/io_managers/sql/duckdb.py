"""DuckDB."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import types

from mlops_assets.io_managers.sql.columns import PARTITION
from mlops_assets.io_managers.sql.server import WAIT_SECONDS, Server, Wish, literal

if TYPE_CHECKING:
    import sqlalchemy as sa


class DuckDb(Server):
    """DuckDB: takes and gives Arrow as it is. One process at a time may write a file, so others wait."""

    text_by_bytes = True
    with_views = True
    with_savepoints = False
    key_by_row = False  # DuckDB keeps the index of a key in memory, and cannot change a table that has one.

    def storage(self, kind: pa.DataType) -> pa.DataType:
        """Keep nearly every type; decimals with room for later partitions."""
        if kind in (pa.int8(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()):
            return kind
        if types.is_decimal(kind):
            roomy = kind.scale <= 10 and kind.precision - kind.scale <= 28
            return pa.decimal128(38, 10) if roomy else pa.decimal128(38, kind.scale)
        return super().storage(kind)

    def sql_type(self, kind: pa.DataType, in_key: bool) -> Any:
        """Use DuckDB's own names."""
        import duckdb_engine.datatypes as own

        if types.is_int8(kind):
            return own.TinyInteger()
        if types.is_unsigned_integer(kind):
            return {8: own.UTinyInteger, 16: own.USmallInteger, 32: own.UInteger, 64: own.UBigInteger}[kind.bit_width]()
        return super().sql_type(kind, in_key)

    @contextmanager
    def writing(self, table: str) -> "Iterator[sa.Connection]":
        """Take turns by a lock file beside the database."""
        from filelock import FileLock

        with (
            FileLock(f"{self.engine.url.database}.lock", timeout=WAIT_SECONDS),
            super().writing(table) as connection,
        ):
            yield connection

    def insert(self, connection: "sa.Connection", table: str, partition: str, data: pa.Table) -> None:
        """Let DuckDB read the Arrow table."""
        raw: Any = connection.connection.driver_connection
        names = ", ".join(self.quote(name) for name in [*data.column_names, PARTITION])
        values = ", ".join([*(self.quote(name) for name in data.column_names), literal(partition)])
        raw.register("incoming", data)
        raw.execute(f"INSERT INTO {self.quote(table)} ({names}) SELECT {values} FROM incoming")  # noqa: S608
        raw.unregister("incoming")

    def select(self, connection: "sa.Connection", wish: Wish) -> pa.Table:
        """Let DuckDB hand out Arrow."""
        return self._found(connection, wish).to_arrow_table()

    def stream(self, connection: "sa.Connection", wish: Wish, rows: int) -> "Iterator[pa.Table]":
        """Let DuckDB hand out Arrow, batch by batch."""
        for batch in self._found(connection, wish).to_arrow_reader(rows):
            yield pa.Table.from_batches([batch])

    def _found(self, connection: "sa.Connection", wish: Wish) -> Any:
        raw: Any = connection.connection.driver_connection
        raw.execute("SET TimeZone = 'UTC'")
        return raw.sql(self.text_of(self.query(wish)))
