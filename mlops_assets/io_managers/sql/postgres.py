"""PostgreSQL."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
from pyarrow import types

from mlops_assets.io_managers.sql.columns import PARTITION, Column
from mlops_assets.io_managers.sql.postgres_parts import PartTables
from mlops_assets.io_managers.sql.server import WAIT_SECONDS, Server, Wish, literal, quoted
from mlops_assets.io_managers.sql.values import refuse_zero_character

if TYPE_CHECKING:
    import sqlalchemy as sa

FEW_ROWS = 20_000


class Postgres(Server):
    """PostgreSQL: COPY in binary, in and out.

    A partition is rows of the asset's table. A write of which nothing old stays (a table without partitions, a backfill
    of all of them) empties the table and fills it, in one transaction; every other one deletes and adds rows.
    """

    storage_parameters: ClassVar[dict[str, Any]] = {"autovacuum_vacuum_scale_factor": 0.02}
    """Of a table of years two rows of a hundred are replaced at most between two tidyings, not twenty."""
    key_by_row = False  # A unique index of rows takes four times the place, and more time than the rows.
    text_by_bytes = True
    with_views = True

    def __init__(self, engine: "sa.Engine") -> None:
        super().__init__(engine)
        self.parts = PartTables(self)

    def declared(self, kind: pa.DataType) -> pa.DataType:
        """Declare decimals without bounds."""
        return pa.decimal256(76, 38) if pa.types.is_decimal(kind) else super().declared(kind)

    def sql_type(self, kind: pa.DataType, in_key: bool) -> Any:
        """Keep decimals of any size, and text of any length in keys."""
        import sqlalchemy as sa

        if types.is_decimal(kind):
            return sa.Numeric()
        return sa.Text() if types.is_string(kind) else super().sql_type(kind, in_key)

    def key_text(self, length: int) -> Any:
        """Compare bytes, not letters."""
        import sqlalchemy as sa

        return sa.Text(collation="C")

    def check(self, name: str, array: pa.Array, where: str) -> None:
        """Refuse the one character that PostgreSQL's text cannot hold."""
        refuse_zero_character(name, array, where)

    def table_options(self) -> dict[str, Any]:
        """See `storage_parameters`."""
        return {"postgresql_with": self.storage_parameters}

    def lock(self, connection: "sa.Connection", table: str) -> None:
        """Take turns by an advisory lock, which lives as long as the transaction."""
        import sqlalchemy as sa

        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'"))
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": table})

    def ready(self, table: str) -> None:
        """Make one table of an earlier release's table for each partition, or say how."""
        self.parts.settle(table)

    def outdated(self) -> dict[str, int]:
        """Return the tables that are divided into one for each partition."""
        return self.parts.tables()

    def migrate(self, table: str, told: "Callable[[str, int], None]") -> None:
        """Make one table of a divided one."""
        self.parts.flatten(table, told)

    def create(
        self, connection: "sa.Connection", table: str, columns: Sequence[Column], primary_key: Sequence[str]
    ) -> None:
        """Create the table of an asset, and its index."""
        self.define(table, columns, ()).create(connection)
        places = {column.name: column.column for column in columns}
        self.index(connection, table, [places[name] for name in primary_key])

    def index(self, connection: "sa.Connection", table: str, key: Sequence[str]) -> None:
        """Let a partition be found: by the declared key, or by an index that has its name once for many rows."""
        columns = ", ".join(self.quote(name) for name in (PARTITION, *key))
        kind = f"ALTER TABLE {self.quote(table)} ADD PRIMARY KEY" if key else f"CREATE INDEX ON {self.quote(table)}"
        self.run(connection, f"{kind} ({columns})")

    def empty(self, connection: "sa.Connection", table: str) -> None:
        """Leave no dead rows behind: who reads the table now is waited for, who comes next waits."""
        self.run(connection, f"TRUNCATE {self.quote(table)}")

    def insert_all(
        self, connection: "sa.Connection", table: str, parts: "Iterable[tuple[str, pa.Table]]", alone: bool
    ) -> None:
        """Send the rows of all partitions by one COPY, which takes part in the transaction."""
        with_rows = ((partition, data) for partition, data in parts if data.num_rows)
        for schema, alike in groupby(with_rows, key=lambda part: part[1].schema):
            self._copy(connection, table, schema, alike, ", FREEZE" if alone else "")

    def _copy(
        self,
        connection: "sa.Connection",
        table: str,
        schema: pa.Schema,
        parts: "Iterable[tuple[str, pa.Table]]",
        options: str,
    ) -> None:
        import pgpq

        naive = [pa.timestamp("us") if pa.types.is_timestamp(kind) else kind for kind in schema.types]
        schema = pa.schema([*zip(schema.names, naive, strict=True), (PARTITION, pa.string())])
        names = ", ".join(self.quote(name) for name in schema.names)
        encoder = pgpq.ArrowToPostgresBinaryEncoder(schema)
        with connection.connection.cursor().copy(  # pyright: ignore[reportAttributeAccessIssue]
            f"COPY {self.quote(table)} ({names}) FROM STDIN WITH (FORMAT BINARY{options})"
        ) as copy:
            copy.write(encoder.write_header())
            for partition, data in parts:
                whole = data.append_column(PARTITION, pa.repeat(pa.scalar(partition), data.num_rows)).cast(schema)
                for batch in whole.to_batches(max_chunksize=65_536):
                    copy.write(encoder.write_batch(batch))
            copy.write(encoder.finish())

    def looking(self) -> "sa.Connection":
        """Begin and end no transaction for a single statement, unless that is what keeps a reader from writing."""
        if self.engine.get_execution_options().get("postgresql_readonly"):
            return super().looking()
        return self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def reading(self, table: str) -> "Iterator[sa.Connection]":
        """See register and rows as of one moment.

        Replaced rows are told apart by the transaction's snapshot. What empties or changes the whole table is not: so
        it is held off first, when there is no snapshot yet.
        """
        with self.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            self._hold(connection, table)
            yield connection

    def _hold(self, connection: "sa.Connection", table: str) -> None:
        import psycopg

        # However little the server knows of a new table: a partition is found by its index.
        held = f"SET LOCAL enable_seqscan = off; LOCK TABLE ONLY {self.quote(table)} IN ACCESS SHARE MODE"
        try:
            self.run(connection, held)
        except psycopg.errors.UndefinedTable:  # nothing to hold off
            connection.connection.rollback()

    def item_text(self, column: str) -> "sa.ColumnElement[str]":
        """Compare bytes, not letters."""
        import sqlalchemy as sa

        return sa.type_coerce(quoted(column), sa.Text()).collate("C")

    def select(self, connection: "sa.Connection", wish: Wish) -> pa.Table:
        """Read partition after partition: many rows through ADBC, whose start takes a while."""
        if self.parts.has(connection, wish.table):
            return self.parts.select(connection, wish)
        if wish.rows < FEW_ROWS:
            return super().select(connection, wish)
        with self.fast(connection) as cursor:
            cursor.execute(self._partition_by_partition(wish))
            return cursor.fetch_arrow_table()

    def stream(self, connection: "sa.Connection", wish: Wish, rows: int) -> "Iterator[pa.Table]":
        """Read batch after batch through ADBC, few rows as `select` does: each of its connections is a new one."""
        if self.parts.has(connection, wish.table):
            yield from self.parts.stream(connection, wish)
            return
        if wish.rows < FEW_ROWS:
            yield super().select(connection, wish)
            return
        with self.fast(connection) as cursor:
            cursor.execute(self.text_of(self.query(wish)))
            for batch in cursor.fetch_record_batch():
                yield pa.Table.from_batches([batch])

    def _partition_by_partition(self, wish: Wish) -> str:
        """Return a statement that sorts nothing: its rows lie as they were written, or are put in order here."""
        import sqlalchemy as sa

        names = "{" + ",".join(f'"{name}"' for name in wish.partitions) + "}"
        rows = (
            self.query(replace(wish, every=True))
            .order_by(None)
            .where(sa.column(PARTITION) == sa.literal_column("asked.name"))
        )
        listed = ", ".join(f"found.{self.quote(name)}" for name in wish.names)
        return (
            f"SELECT {listed} FROM unnest({literal(names)}::text[]) AS asked(name) "  # noqa: S608
            f"CROSS JOIN LATERAL ({self.text_of(rows)} OFFSET 0) AS found"
        )

    @contextmanager
    def fast(self, connection: "sa.Connection") -> "Iterator[Any]":
        """Open a cursor of ADBC that sees what a connection sees."""
        from mlops_assets.resources.databases import open_adbc

        snapshot = self.run(connection, "SELECT pg_export_snapshot()").fetchone()[0]
        with open_adbc(self.engine.url) as adbc, adbc.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET TRANSACTION SNAPSHOT {literal(snapshot)}")
            cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
            cursor.execute("SET LOCAL enable_seqscan = off")
            yield cursor

    def size(self, connection: "sa.Connection", table: str) -> int:
        """Ask the server."""
        import sqlalchemy as sa

        statement = sa.text("SELECT coalesce(pg_total_relation_size(to_regclass(:name)), 0)")
        return int(connection.execute(statement, {"name": self.quote(table)}).scalar_one())
