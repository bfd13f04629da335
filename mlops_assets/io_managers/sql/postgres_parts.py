"""PostgreSQL's tables as releases before 0.2.0 laid them out: a LIST partition, a table of its own, for each partition.

They are read as they are, and made one table by `flatten`: at the first write where they are few, else by the command
`migrate-tables`. Every step is a transaction, and what is there says which is next:

1. Rows of some partitions are copied to a table beside, and their tables get a comment that says so.
2. When all are copied, the two tables change their names.
3. The old tables are dropped, some at a time: each takes locks, of which the server has some thousands.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from mlops_assets.io_managers.errors import OldLayoutError, StorageError
from mlops_assets.io_managers.sql.columns import PARTITION, ROW, partition_table
from mlops_assets.io_managers.sql.server import WAIT_SECONDS, Wish, literal

if TYPE_CHECKING:
    import sqlalchemy as sa

    from mlops_assets.io_managers.sql.postgres import Postgres

FEW_PARTS = 500
"""As many are made one table at the first write: within seconds."""
_AT_ONCE = 200
_BESIDE, _OLD = "+one", "+old"
"""Endings of the names of the table that is filled, and of the divided one; no asset's table has a plus."""
_COPIED = "copied"
"""The comment of a table whose rows have been copied."""


class PartTables:
    """What a database has of the old layout."""

    def __init__(self, server: "Postgres") -> None:
        self._server = server
        self._flat: set[str] = set()

    def has(self, connection: "sa.Connection", table: str) -> bool:
        """Whether a table is divided into tables of partitions; one that is not will never be."""
        if table in self._flat:
            return False
        if self._kind(connection, table) == "p":
            return True
        self._flat.add(table)
        return False

    def tables(self) -> dict[str, int]:
        """Return the tables that are divided, or whose old tables are not dropped yet, with the number of those."""
        statement = (
            "SELECT c.relname, (SELECT count(*) FROM pg_inherits i WHERE i.inhparent = c.oid) FROM pg_class c "  # noqa: S608
            "WHERE c.relkind = 'p' AND pg_table_is_visible(c.oid) AND EXISTS "
            f"(SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = {literal(ROW)}) ORDER BY 1"
        )
        with self._server.engine.connect() as connection:
            found = self._server.run(connection, statement).fetchall()
        counts: dict[str, int] = {}
        for name, parts in found:
            table = name.removesuffix(_OLD)
            counts[table] = counts.get(table, 0) + parts
        return counts

    def settle(self, table: str) -> None:
        """Make a table of few parts one table.

        Raises:
            OldLayoutError: it has so many that this is a command's work.
        """
        if table in self._flat:
            return
        if not self._divided(table):
            self._flat.add(table)
            return
        parts = self.tables().get(table, 0)
        if parts > FEW_PARTS:
            raise OldLayoutError(
                f"{table} is stored as release 0.1.0 did it, in {parts:,} tables of PostgreSQL. It can be read; to "
                "write to it, make it one table first (--dry-run shows which are)",
                advice=["mlops-assets migrate-tables"],
            )
        self.flatten(table)

    def flatten(self, table: str, told: Callable[[str, int], None] = lambda what, count: None) -> None:
        """Make one table of a table's parts; goes on where another call was stopped.

        Args:
            table: its name.
            told: is told how many partitions were "copied", or old tables "dropped".
        """
        with self._alone(table):
            if self._divided(table):
                while copied := self._copy_some(table):
                    told("copied", copied)
                self._exchange(table)
            while dropped := self._drop_some(table + _OLD):
                told("dropped", dropped)
        self._flat.add(table)

    def _divided(self, table: str) -> bool:
        with self._server.engine.connect() as connection:
            return self._kind(connection, table) == "p"

    def select(self, connection: "sa.Connection", wish: Wish) -> pa.Table:
        """Read part after part."""
        tables = []
        for start in range(0, len(wish.partitions), _AT_ONCE):
            names = wish.partitions[start : start + _AT_ONCE]
            with self._server.fast(connection) as cursor:
                cursor.execute(" UNION ALL ".join(f"({self._part(wish, name)})" for name in names))
                tables.append(cursor.fetch_arrow_table())
        return pa.concat_tables(tables)

    def stream(self, connection: "sa.Connection", wish: Wish) -> "Iterator[pa.Table]":
        """Read part after part, batch by batch."""
        for name in wish.partitions:
            with self._server.fast(connection) as cursor:
                cursor.execute(self._part(wish, name))
                for batch in cursor.fetch_record_batch():
                    yield pa.Table.from_batches([batch])

    def _part(self, wish: Wish, partition: str) -> str:
        part = replace(wish, table=partition_table(wish.table, partition), every=True)
        return self._server.text_of(self._server.query(part))

    def _kind(self, connection: "sa.Connection", table: str) -> str | None:
        asked = f"to_regclass({literal(self._server.quote(table))})"
        found = self._server.run(connection, f"SELECT relkind::text FROM pg_class WHERE oid = {asked}").fetchone()  # noqa: S608
        return None if found is None else found[0]

    @contextmanager
    def _alone(self, table: str) -> "Iterator[None]":
        """Hold a lock that lives as long as its connection, whatever the transactions in between do."""
        import sqlalchemy as sa

        name = {"name": f"{table}{_BESIDE}"}
        with self._server.engine.connect() as connection:
            self._server.run(connection, f"SET lock_timeout = '{WAIT_SECONDS}s'")
            connection.execute(sa.text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), name)
            connection.commit()
            try:
                yield
            finally:
                connection.execute(sa.text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), name)
                self._server.run(connection, "RESET lock_timeout")
                connection.commit()

    def _copy_some(self, table: str) -> int:
        """Copy the next partitions to the table beside, and return how many."""
        run, quote = self._server.run, self._server.quote
        with self._server.writing(table) as connection:
            beside = quote(table + _BESIDE)
            if self._kind(connection, table + _BESIDE) is None:
                options = ", ".join(f"{k} = {v}" for k, v in self._server.storage_parameters.items())
                run(connection, f"CREATE TABLE {beside} (LIKE {quote(table)}) WITH ({options})")
            parts = self._parts(connection, table, "obj_description(c.oid, 'pg_class') IS NULL")
            listed = ", ".join(map(quote, self._server.columns(connection, table + _BESIDE)))
            for part in parts:
                rows = f"SELECT {listed} FROM ONLY {quote(part)} ORDER BY {quote(ROW)}"  # noqa: S608
                run(connection, f"INSERT INTO {beside} ({listed}) {rows}")
                run(connection, f"COMMENT ON TABLE {quote(part)} IS {literal(_COPIED)}")
        return len(parts)

    def _exchange(self, table: str) -> None:
        """Put the filled table in the place of the divided one."""
        import sqlalchemy as sa

        run, quote = self._server.run, self._server.quote
        with self._server.writing(table) as connection:
            key = sa.inspect(connection).get_pk_constraint(table)["constrained_columns"]
            self._server.index(connection, table + _BESIDE, [name for name in key if name not in (PARTITION, ROW)])
            run(connection, f"ALTER TABLE {quote(table)} RENAME TO {quote(table + _OLD)}")
            run(connection, f"ALTER TABLE {quote(table + _BESIDE)} RENAME TO {quote(table)}")

    def _drop_some(self, table: str) -> int:
        """Drop some parts of a divided table whose rows are elsewhere, and return how many; then the table itself."""
        import psycopg

        run, quote = self._server.run, self._server.quote
        with self._server.writing(table) as connection:
            if self._kind(connection, table) != "p":
                return 0
            parts = self._parts(connection, table, "true")
            try:
                run(connection, f"DROP TABLE {', '.join(quote(part) for part in parts or [table])}")
            except psycopg.errors.DependentObjectsStillExist as error:
                raise StorageError(
                    f"{table}, whose rows are in {table.removesuffix(_OLD)} now, cannot be dropped: "
                    f"{error.diag.message_detail}. Make that anew on the table of now, and run the same again"
                ) from None
        return len(parts)

    def _parts(self, connection: "sa.Connection", table: str, condition: str) -> list[str]:
        """Return the names of some parts of a divided table."""
        statement = (
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "  # noqa: S608
            f"WHERE i.inhparent = to_regclass({literal(self._server.quote(table))}) AND {condition} "
            f"ORDER BY c.relname LIMIT {_AT_ONCE}"
        )
        return [row[0] for row in self._server.run(connection, statement).fetchall()]
