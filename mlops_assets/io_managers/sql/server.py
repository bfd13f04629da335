"""Any database, through SQLAlchemy alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import types

from mlops_assets.io_managers.sql.columns import PARTITION, ROW, Column
from mlops_assets.io_managers.sql.values import arrow_type, rows_to_arrow

if TYPE_CHECKING:
    import sqlalchemy as sa

WAIT_SECONDS = 300

Stored = Sequence[tuple[str, int]]
"""Stored partitions by name, with their number of rows."""


class Server:
    """Any database, through SQLAlchemy alone."""

    transactional_ddl = True
    """Whether creating and dropping tables is part of a transaction, or commits it."""

    key_by_row = True
    """Whether a table without a declared key gets one of partition and row number."""

    def __init__(self, engine: "sa.Engine") -> None:
        self.engine = engine

    def quote(self, name: str) -> str:
        """Quote an identifier."""
        preparer = self.engine.dialect.identifier_preparer
        opening, closing = preparer.initial_quote, preparer.final_quote
        return opening + name.replace(closing, closing * 2) + closing

    def run(self, connection: "sa.Connection", statement: str) -> Any:
        """Run a statement as it stands: nothing in it is taken for a parameter."""
        cursor = connection.connection.cursor()
        cursor.execute(statement)
        return cursor

    def storage(self, kind: pa.DataType) -> pa.DataType:
        """Return the Arrow type that the database keeps for a type of values."""
        wider = {
            pa.int8(): pa.int16(), pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(),
            pa.uint64(): pa.decimal128(20, 0), pa.float16(): pa.float32(), pa.null(): pa.string(),
            pa.large_string(): pa.string(), pa.large_binary(): pa.binary(),
        }  # fmt: skip
        if kind in wider:
            return wider[kind]
        if types.is_duration(kind):
            return pa.int64()
        if types.is_time(kind):
            return pa.time64("us")
        if types.is_timestamp(kind):
            return pa.timestamp("us", "UTC" if kind.tz else None)
        return kind

    def declared(self, kind: pa.DataType) -> pa.DataType:
        """Return the Arrow type that a column is declared as: `storage`, or one that holds more."""
        return self.storage(kind)

    def check(self, name: str, array: pa.Array, where: str) -> None:
        """Refuse values that the database would change or reject."""

    def sql_type(self, kind: pa.DataType, in_key: bool) -> Any:
        """Return the column type for an Arrow type that `storage` gave."""
        import sqlalchemy as sa

        if types.is_boolean(kind):
            return sa.Boolean()
        if types.is_integer(kind):
            return {8: sa.SmallInteger(), 16: sa.SmallInteger(), 32: sa.Integer(), 64: sa.BigInteger()}[kind.bit_width]
        if types.is_floating(kind):
            return sa.REAL() if kind.bit_width == 32 else sa.Double()
        if types.is_decimal(kind):
            return sa.Numeric(kind.precision, kind.scale)
        if types.is_date(kind):
            return sa.Date()
        if types.is_time(kind):
            return sa.Time()
        if types.is_timestamp(kind):
            return sa.DateTime(timezone=kind.tz is not None)
        if types.is_binary(kind):
            return sa.LargeBinary()
        return self.key_text(255) if in_key else sa.Text()

    def key_text(self, length: int) -> Any:
        """Return a type for short text that is compared byte by byte."""
        import sqlalchemy as sa

        return sa.String(length)

    def create(
        self, connection: "sa.Connection", table: str, columns: Sequence[Column], primary_key: Sequence[str]
    ) -> None:
        """Create the table of an asset."""
        self.define(table, columns, primary_key).create(connection)

    def define(self, table: str, columns: Sequence[Column], primary_key: Sequence[str]) -> "sa.Table":
        """Describe an asset's table: the frame's columns, then partition and row number; a primary key."""
        import sqlalchemy as sa
        from sqlalchemy.sql import quoted_name

        own = [
            sa.Column(
                quoted_name(column.column, True),
                self._type_of(column, column.name in primary_key),
                nullable=column.name not in primary_key,
            )
            for column in columns
        ]
        rests = [sa.Column(quoted_name(column.rest, True), sa.SmallInteger()) for column in columns if column.rest]
        places = {column.name: column.column for column in columns}
        key = [places[name] for name in primary_key] or [ROW]
        return sa.Table(
            quoted_name(table, True),
            sa.MetaData(),
            *own,
            *rests,
            sa.Column(PARTITION, self.key_text(200), nullable=False),
            sa.Column(ROW, sa.BigInteger(), nullable=False, autoincrement=False),
            *([sa.PrimaryKeyConstraint(PARTITION, *key)] if primary_key or self.key_by_row else []),
            **self.table_options(),
        )

    def table_options(self) -> dict[str, Any]:
        """Return what the dialect wants to know of a table."""
        return {}

    def _type_of(self, column: Column, in_key: bool) -> Any:
        return self.sql_type(arrow_type(column.kind), in_key)

    def add_column(self, connection: "sa.Connection", table: str, name: str, kind: Any) -> None:
        """Add a column, missing in all rows."""
        compiled = kind.compile(dialect=self.engine.dialect)
        self.run(connection, f"ALTER TABLE {self.quote(table)} ADD COLUMN {self.quote(name)} {compiled}")

    def drop_column(self, connection: "sa.Connection", table: str, name: str) -> None:
        """Remove a column."""
        self.run(connection, f"ALTER TABLE {self.quote(table)} DROP COLUMN {self.quote(name)}")

    def drop(self, connection: "sa.Connection", table: str) -> None:
        """Remove a table."""
        self.run(connection, f"DROP TABLE {self.quote(table)}")

    @contextmanager
    def writing(self, table: str) -> "Iterator[sa.Connection]":
        """Open the one transaction of a write; writers of the same table come one after another."""
        with self.engine.begin() as connection:
            self.lock(connection, table)
            yield connection

    def lock(self, connection: "sa.Connection", table: str) -> None:
        """Make other writers of this table wait."""

    @contextmanager
    def reading(self, table: str) -> "Iterator[sa.Connection]":
        """Open a transaction in which everything is seen as of one moment."""
        with self.engine.connect().execution_options(reads_only=True) as connection:
            yield connection

    def prepare(self, connection: "sa.Connection", table: str, partition: str, data: pa.Table) -> Any:
        """Load a partition beside the table, where the database can."""
        return data

    def replace(self, connection: "sa.Connection", table: str, partition: str, prepared: Any) -> None:
        """Put a partition in the place of the old one."""
        self.remove(connection, table, partition)
        if prepared.num_rows:
            self.insert(connection, table, partition, prepared)

    def remove(self, connection: "sa.Connection", table: str, partition: str) -> None:
        """Delete a partition's rows."""
        import sqlalchemy as sa

        where = sa.column(PARTITION) == partition
        connection.execute(sa.delete(sa.table(table, sa.column(PARTITION))).where(where))

    def insert(self, connection: "sa.Connection", table: str, partition: str, data: pa.Table) -> None:
        """Add rows."""
        import sqlalchemy as sa

        target = sa.table(table, *(sa.column(name) for name in [*data.column_names, PARTITION]))
        for batch in data.to_batches(max_chunksize=10_000):
            rows = [{**row, PARTITION: partition} for row in batch.to_pylist()]
            connection.execute(sa.insert(target), rows)

    def select(
        self,
        connection: "sa.Connection",
        table: str,
        names: Sequence[str],
        partitions: Stored,
        every: bool,
    ) -> pa.Table:
        """Read columns of some partitions, ordered by partition (byte by byte) and row."""
        cursor = self.run(connection, self.selection(table, names, partitions, every))
        return rows_to_arrow(names, cursor)

    def selection(self, table: str, names: Sequence[str], partitions: Stored, every: bool) -> str:
        """Return the SELECT statement of `select`; partition names are plain ASCII without quotes."""
        listed = ", ".join(self.quote(name) for name in names)
        where = (
            "" if every else f" WHERE {self.quote(PARTITION)} IN ({', '.join(literal(name) for name, _ in partitions)})"
        )
        order = f"{self.quote(PARTITION)}, {self.quote(ROW)}"
        return f"SELECT {listed} FROM {self.quote(table)}{where} ORDER BY {order}"  # noqa: S608

    def size(self, connection: "sa.Connection", table: str) -> int:
        """Return the bytes a table takes, -1 where the database does not say."""
        return -1


def literal(text: str) -> str:
    """Quote a text that we made ourselves for SQL: no backslashes, quotes doubled."""
    return "'" + text.replace("'", "''") + "'"
