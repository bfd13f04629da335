"""PostgreSQL."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import types

from mlops_assets.io_managers.errors import StorageError
from mlops_assets.io_managers.sql.columns import PARTITION, ROW, partition_table
from mlops_assets.io_managers.sql.server import WAIT_SECONDS, Server, Stored, literal
from mlops_assets.io_managers.sql.values import refuse_zero_character

if TYPE_CHECKING:
    import sqlalchemy as sa

FEW_ROWS = 20_000


class Postgres(Server):
    """PostgreSQL: COPY in binary, in and out, and a partition of its own table that is swapped in.

    A reader first takes the weakest lock on the table, then looks: a swap needs the strongest, so what the
    reader sees is of one moment, whatever its isolation level.
    """

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
        """Divide by partition."""
        return {"postgresql_partition_by": f"LIST ({self.quote(PARTITION)})"}

    def lock(self, connection: "sa.Connection", table: str) -> None:
        """Take turns by an advisory lock, which lives as long as the transaction."""
        import sqlalchemy as sa

        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'"))
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": table})

    def prepare(self, connection: "sa.Connection", table: str, partition: str, data: pa.Table) -> str:
        """Load the rows into a table that nobody else sees yet."""
        child = f"{partition_table(table, partition)[:50]}+{secrets.token_hex(4)}"
        self.run(
            connection,
            f"CREATE TABLE {self.quote(child)} (LIKE {self.quote(table)}, "
            f"CHECK ({self.quote(PARTITION)} = {literal(partition)} AND {self.quote(PARTITION)} IS "
            "NOT NULL))",
        )
        self.run(
            connection,
            f"ALTER TABLE {self.quote(child)} ALTER {self.quote(PARTITION)} SET DEFAULT {literal(partition)}",
        )
        if data.num_rows:
            self._copy(connection, child, data)
        key = ", ".join(self.quote(name) for name in self._key(connection, table))
        self.run(connection, f"ALTER TABLE {self.quote(child)} ADD PRIMARY KEY ({key})")
        return child

    def _key(self, connection: "sa.Connection", table: str) -> list[str]:
        import sqlalchemy as sa

        return sa.inspect(connection).get_pk_constraint(table)["constrained_columns"]

    def _copy(self, connection: "sa.Connection", table: str, data: pa.Table) -> None:
        import pgpq

        naive = [pa.timestamp("us") if pa.types.is_timestamp(kind) else kind for kind in data.schema.types]
        data = data.cast(pa.schema(list(zip(data.column_names, naive, strict=True))))
        names = ", ".join(self.quote(name) for name in data.column_names)
        encoder = pgpq.ArrowToPostgresBinaryEncoder(data.schema)
        with connection.connection.cursor().copy(  # pyright: ignore[reportAttributeAccessIssue]
            f"COPY {self.quote(table)} ({names}) FROM STDIN WITH (FORMAT BINARY, FREEZE)"
        ) as copy:
            copy.write(encoder.write_header())
            for batch in data.to_batches(max_chunksize=65_536):
                copy.write(encoder.write_batch(batch))
            copy.write(encoder.finish())

    def replace(self, connection: "sa.Connection", table: str, partition: str, prepared: str) -> None:
        """Take the old part out and put the new one in its place."""
        self.remove(connection, table, partition)
        final = partition_table(table, partition)
        parent, child = self.quote(table), self.quote(prepared)
        self.run(connection, f"ALTER TABLE {parent} ATTACH PARTITION {child} FOR VALUES IN ({literal(partition)})")
        for constraint in self._own_checks(connection, prepared):
            self.run(connection, f"ALTER TABLE {child} DROP CONSTRAINT {self.quote(constraint)}")
        self.run(connection, f"ALTER TABLE {child} RENAME TO {self.quote(final)}")

    def _own_checks(self, connection: "sa.Connection", table: str) -> list[str]:
        import sqlalchemy as sa

        found = connection.execute(
            sa.text("SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(:name) AND contype = 'c'"),
            {"name": self.quote(table)},
        )
        return [row[0] for row in found]

    def remove(self, connection: "sa.Connection", table: str, partition: str) -> None:
        """Drop the part of the table."""
        self.run(connection, f"DROP TABLE IF EXISTS {self.quote(partition_table(table, partition))}")

    @contextmanager
    def reading(self, table: str) -> "Iterator[sa.Connection]":
        """Hold off swaps while reading."""
        with self.engine.begin() as connection:
            self.run(connection, "SET LOCAL synchronize_seqscans = off")
            if self.run(connection, f"SELECT to_regclass({literal(self.quote(table))})").fetchone()[0] is not None:
                self.run(connection, f"LOCK TABLE {self.quote(table)} IN ACCESS SHARE MODE")
            yield connection

    def select(
        self,
        connection: "sa.Connection",
        table: str,
        names: Sequence[str],
        partitions: Stored,
        every: bool,
    ) -> pa.Table:
        """Read part after part, as they lie there: many rows through ADBC, whose start takes a while."""
        if sum(rows for _, rows in partitions) < FEW_ROWS:
            return super().select(connection, table, names, partitions, every)

        from mlops_assets.resources.databases import open_adbc

        # A part is written once, by one COPY, and read from its beginning: its rows lie in their order, unless another
        # hand changed one. Its transaction then differs from the others', which is quicker to see than row numbers.
        listed = ", ".join(self.quote(name) for name in names if name != ROW) or self.quote(ROW)
        tables = []
        with open_adbc(self.engine.url) as fast:
            cursor = fast.cursor()
            cursor.execute("SET max_parallel_workers_per_gather = 0")
            cursor.execute("SET synchronize_seqscans = off")
            for start in range(0, len(partitions), 200):
                parts = [self.quote(partition_table(table, name)) for name, _ in partitions[start : start + 200]]
                changed = [f"EXISTS (SELECT FROM {p} WHERE xmin <> (SELECT xmin FROM {p} LIMIT 1))" for p in parts]  # noqa: S608
                cursor.execute(f"SELECT {' OR '.join(changed)}")
                if cursor.fetchone()[0]:
                    raise StorageError(f"{table}: another hand has changed rows of it. Materialize it again.")
                cursor.execute(" UNION ALL ".join(f"SELECT {listed} FROM {part}" for part in parts))  # noqa: S608
                tables.append(cursor.fetch_arrow_table())
        return pa.concat_tables(tables)

    def size(self, connection: "sa.Connection", table: str) -> int:
        """Ask the server."""
        import sqlalchemy as sa

        tree = "pg_partition_tree(to_regclass(:name))"
        statement = f"SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM {tree}"  # noqa: S608
        return int(connection.execute(sa.text(statement), {"name": self.quote(table)}).scalar_one())
