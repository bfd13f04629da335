"""Any database, through SQLAlchemy alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import types

from mlops_assets.io_managers.sql.columns import PARTITION, ROW, Column
from mlops_assets.io_managers.sql.values import arrow_type, row_batches, rows_to_arrow

if TYPE_CHECKING:
    import sqlalchemy as sa

WAIT_SECONDS = 300
_AT_ONCE = 500


@dataclass(frozen=True)
class Wish:
    """What is to be read of a table.

    Attributes:
        table: its name.
        names: columns.
        partitions: by name, sorted.
        every: whether these are all that the table has.
        rows: about so many will come.
        bounds: conditions on rows.
    """

    table: str
    names: Sequence[str]
    partitions: Sequence[str]
    every: bool
    rows: int
    bounds: "Sequence[sa.ColumnElement[bool]]" = ()


class Server:
    """Any database, through SQLAlchemy alone."""

    transactional_ddl = True
    """Whether creating and dropping tables is part of a transaction, or commits it."""

    key_by_row = True
    """Whether a table without a declared key gets one of partition and row number."""

    with_views = False
    """Whether views for readers are made beside the tables; see `views`."""

    with_savepoints = True
    """Whether a part of a transaction can be undone."""

    text_by_bytes = False
    """Whether texts are compared byte by byte; a database that we do not know may pass over the case of letters."""

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

    def columns(self, connection: "sa.Connection", table: str) -> list[str]:
        """Return the names of a table's columns, or a view's."""
        cursor = self.run(connection, f"SELECT * FROM {self.quote(table)} WHERE 1 = 0")  # noqa: S608
        names = [str(found[0]) for found in cursor.description]
        cursor.fetchall()
        return names

    def columns_of(self, connection: "sa.Connection", table: str) -> list[str]:
        """Return the names of a table's columns; none of one that is not there."""
        import sqlalchemy as sa

        return self.columns(connection, table) if sa.inspect(connection).has_table(table) else []

    def create_view(self, connection: "sa.Connection", name: str, query: str) -> None:
        """Make a view, in the place of one of that name."""
        self.drop_view(connection, name)
        self.run(connection, f"CREATE VIEW {self.quote(name)} AS {query}")

    def drop_view(self, connection: "sa.Connection", name: str) -> None:
        """Remove a view if it is there."""
        self.run(connection, f"DROP VIEW IF EXISTS {self.quote(name)}")

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

    def looking(self) -> "sa.Connection":
        """Return a connection to look something up by single statements."""
        return self.engine.connect().execution_options(reads_only=True)

    def ready(self, table: str) -> None:
        """Make sure that a table can be written to; see `postgres_parts` for when it cannot."""

    def outdated(self) -> dict[str, int]:
        """Return the tables that have to be brought into today's form, with the number of their parts."""
        return {}

    def migrate(self, table: str, told: "Callable[[str, int], None]") -> None:
        """Bring a table of these into today's form."""

    def empty(self, connection: "sa.Connection", table: str) -> None:
        """Delete all rows of a table."""
        self.run(connection, f"DELETE FROM {self.quote(table)}")  # noqa: S608

    def clear(self, connection: "sa.Connection", table: str, partitions: Sequence[str]) -> None:
        """Delete the rows of partitions."""
        import sqlalchemy as sa

        for start in range(0, len(partitions), _AT_ONCE):
            where = sa.column(PARTITION).in_(partitions[start : start + _AT_ONCE])
            connection.execute(sa.delete(named(table)).where(where))

    def insert_all(
        self, connection: "sa.Connection", table: str, parts: "Iterable[tuple[str, pa.Table]]", alone: bool
    ) -> None:
        """Add rows of partitions; `alone`: to a table that this transaction has made or emptied."""
        for partition, data in parts:
            if data.num_rows:
                self.insert(connection, table, partition, data)

    def insert(self, connection: "sa.Connection", table: str, partition: str, data: pa.Table) -> None:
        """Add rows of a partition."""
        import sqlalchemy as sa

        target = sa.table(table, *(sa.column(name) for name in [*data.column_names, PARTITION]))
        for batch in data.to_batches(max_chunksize=10_000):
            rows = [{**row, PARTITION: partition} for row in batch.to_pylist()]
            connection.execute(sa.insert(target), rows)

    def select(self, connection: "sa.Connection", wish: Wish) -> pa.Table:
        """Read what is wished for, as `query` says."""
        with closing(connection.execute(self.query(wish))) as result:
            return rows_to_arrow(wish.names, result.cursor)

    def stream(self, connection: "sa.Connection", wish: Wish, rows: int) -> "Iterator[pa.Table]":
        """Read what is wished for, so many rows at a time."""
        options = {"stream_results": True, "max_row_buffer": rows}
        with closing(connection.execute(self.query(wish), execution_options=options)) as result:
            yield from row_batches(wish.names, result, rows)

    def query(self, wish: Wish) -> "sa.Select":
        """Return the statement for what is wished for, ordered by partition (byte by byte) and row."""
        import sqlalchemy as sa

        asked = sa.select(*map(quoted, wish.names)).select_from(named(wish.table)).where(*wish.bounds)
        if not wish.every:
            asked = asked.where(sa.column(PARTITION).in_(list(wish.partitions)))
        return asked.order_by(sa.column(PARTITION), sa.column(ROW))

    def text_of(self, query: "sa.Select") -> str:
        """Return a statement with its values in it, for drivers that know nothing of SQLAlchemy."""
        return str(query.compile(dialect=self._plain, compile_kwargs={"literal_binds": True}))

    @cached_property
    def _plain(self) -> Any:
        """The dialect, in which a percent sign stands for itself."""
        made: Any = type(self.engine.dialect)
        return made(paramstyle="named")

    def item_text(self, column: str) -> "sa.ColumnElement[str]":
        """Return a column of texts as one that is compared byte by byte."""
        return quoted(column)

    def size(self, connection: "sa.Connection", table: str) -> int:
        """Return the bytes a table takes, -1 where the database does not say."""
        return -1


def quoted(name: str) -> "sa.ColumnElement[Any]":
    """Return a column whose name stands in quotes, for each database has words of its own."""
    import sqlalchemy as sa
    from sqlalchemy.sql import quoted_name

    return sa.column(quoted_name(name, True))


def named(table: str) -> "sa.TableClause":
    """Return a table whose name stands in quotes."""
    import sqlalchemy as sa
    from sqlalchemy.sql import quoted_name

    return sa.table(quoted_name(table, True))


def literal(text: str) -> str:
    """Quote a text that we made ourselves for SQL: no backslashes, quotes doubled."""
    return "'" + text.replace("'", "''") + "'"
