"""Tables in a database: one for each asset, with the partition as a column, and a register of what is whole.

The register (`_mlops_partitions`) has a row for each stored partition: who wrote it when, how many rows it
has, and its Arrow schema. Data and register change in one transaction, so what the register says is what
there is.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import dagster as dg
from pydantic import Field, SecretStr

from mlops_assets.catalog.evolution import evolution_of
from mlops_assets.io_managers import arrow as frames
from mlops_assets.io_managers import keys as names
from mlops_assets.io_managers.base import Parts, Tables, refuse_older
from mlops_assets.io_managers.errors import MissingTableError, StorageError
from mlops_assets.io_managers.evolution import as_of_today
from mlops_assets.io_managers.keys import label
from mlops_assets.io_managers.secret_values import keep, reveal
from mlops_assets.io_managers.sql import columns as sql_columns
from mlops_assets.io_managers.sql.columns import PARTITION, ROW, Column

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

    from mlops_assets.io_managers.sql.servers import Server

REGISTER = "_mlops_partitions"


class Entry(NamedTuple):
    """What the register says of a stored partition."""

    partition: str | None
    stored_as: str
    claim: int
    rows: int
    schema: "pa.Schema"
    columns: list[Column]


class SqlTables(Tables):
    """Tables in SQLite, PostgreSQL, DuckDB, MariaDB, MySQL, or another database that SQLAlchemy knows."""

    url: str = Field(repr=False, description="Address of the database, e.g. sqlite:///data/tables.db.")

    def __init__(self, url: "str | SecretStr | dg.EnvVar", **data: Any) -> None:
        values: dict[str, Any] = {"url": keep(url), **data}
        super().__init__(**values)

    @cached_property
    def _server(self) -> "Server":
        from mlops_assets.io_managers.sql.servers import server_of
        from mlops_assets.resources.databases import make_engine

        return server_of(make_engine(reveal(self.url)))

    @cached_property
    def _register(self) -> "sa.Table":
        """The register's table, created if it is not there."""
        import sqlalchemy as sa

        server, text = self._server, sa.Text().with_variant(_mysql_text(), "mysql", "mariadb")
        register = sa.Table(
            REGISTER,
            sa.MetaData(),
            sa.Column("table_name", server.key_text(80), primary_key=True),
            sa.Column("partition_name", server.key_text(200), primary_key=True),
            sa.Column("partition_key", text, comment="the key as JSON text, null for a table without partitions"),
            sa.Column("claim", sa.BigInteger, nullable=False, comment="when its writer began, in ns since 1970"),
            sa.Column("rows", sa.BigInteger, nullable=False),
            sa.Column("written_at", sa.String(40), nullable=False),
            sa.Column("columns", text, nullable=False, comment="name of each of the frame's columns here, as JSON"),
            sa.Column("arrow_schema", text, nullable=False, comment="Arrow schema, base64 of its IPC message"),
        )
        with server.writing(REGISTER) as connection:
            register.create(connection, checkfirst=True)
        return register

    def uri(self, key: Sequence[str], partition: str | None = None) -> str:
        """Return the database's address, without password, and the table's name."""
        from mlops_assets.resources.databases import shown

        where = f"{shown(reveal(self.url))}#{sql_columns.table_name(key)}"
        return where if partition is None else f"{where}/{names.segment(partition)}"

    def delete(self, key: Sequence[str], partition: str | None = None) -> None:
        """Remove a table with all its partitions, or one partition."""
        import sqlalchemy as sa

        table, register = sql_columns.table_name(key), self._register
        with self._server.writing(table) as connection:
            found = self._entries(connection, table)
            gone = [e for e in found if partition is None or e.partition == partition]
            for entry in gone:
                self._server.remove(connection, table, entry.stored_as)
                at = (register.c.table_name == table) & (register.c.partition_name == entry.stored_as)
                connection.execute(sa.delete(register).where(at))
            if gone and len(gone) == len(found):
                self._server.drop(connection, table)

    def _stored(self, key: Sequence[str]) -> list[str | None]:
        import json

        import sqlalchemy as sa

        register = self._register
        statement = sa.select(register.c.partition_key).where(register.c.table_name == sql_columns.table_name(key))
        with self._server.engine.connect().execution_options(reads_only=True) as connection:
            found = [None if text is None else json.loads(text) for (text,) in connection.execute(statement)]
        return sorted(found, key=lambda name: name or "")

    def _schema_of(self, key: Sequence[str], partition: str | None) -> "pa.Schema":
        with self._server.engine.connect().execution_options(reads_only=True) as connection:
            for entry in self._entries(connection, sql_columns.table_name(key)):
                if entry.partition == partition:
                    return entry.schema
        raise MissingTableError(f"{label(key, partition)} is not stored.")

    def _entries(self, connection: "sa.Connection", table: str) -> list[Entry]:
        import json

        import sqlalchemy as sa

        register = self._register
        known: dict[str, Any] = {}
        entries = []
        for row in connection.execute(sa.select(register).where(register.c.table_name == table)):
            schema = known.setdefault(row.arrow_schema, None) or _load_schema(row.arrow_schema)
            known[row.arrow_schema] = schema
            key = None if row.partition_key is None else json.loads(row.partition_key)
            entry = Entry(key, row.partition_name, row.claim, row.rows, schema, sql_columns.load_columns(row.columns))
            entries.append(entry)
        return sorted(entries, key=lambda entry: entry.stored_as)

    def _load(self, key: Sequence[str], partitions: Sequence[str | None], columns: list[str] | None) -> "pa.Table":
        import pyarrow as pa

        table = sql_columns.table_name(key)
        with self._server.reading(table) as connection:
            stored = self._entries(connection, table)
            by_key = {entry.partition: entry for entry in stored}
            wanted = [by_key[name] for name in partitions if name in by_key]
            if not wanted:
                raise MissingTableError(f"{label(key)} was deleted while it was read: materialize it again.")
            evolution = evolution_of(key)
            if not any(evolution.concerns(entry.schema.names) for entry in wanted):
                return self._fetch(connection, key, stored, wanted, columns)
            alike: dict[tuple[str, ...], list[Entry]] = {}
            for entry in wanted:
                alike.setdefault(tuple(entry.schema.names), []).append(entry)
            parts: dict[str | None, pa.Table] = {}
            for stored_names, entries in alike.items():
                fetched = None if columns is None else evolution.stored_as(columns, stored_names)
                found = as_of_today(self._fetch(connection, key, stored, entries, fetched), evolution, columns)
                ends = accumulate(entry.rows for entry in entries)
                parts |= {e.partition: found.slice(end - e.rows, e.rows) for e, end in zip(entries, ends, strict=True)}
        whole = frames.stack({entry.partition or "": parts[entry.partition] for entry in wanted}, label(key))
        return whole if columns is None else whole.select(columns)

    def _fetch(
        self,
        connection: "sa.Connection",
        key: Sequence[str],
        stored: list[Entry],
        wanted: list[Entry],
        columns: list[str] | None,
    ) -> "pa.Table":
        """Read partitions at once, in the order of `wanted`, as they were stored."""
        import pyarrow as pa

        schemas = {entry.partition or "": (entry.schema, entry.rows) for entry in wanted}
        schema = frames.common_schema(schemas, label(key))
        schema = frames.narrow(schema, frames.select_columns(schema, columns, label(key)))
        places = {column.name: column for entry in stored for column in entry.columns}
        fetched = [name for field in schema for name in _physical(places[field.name])]
        by_name = sorted(wanted, key=lambda entry: entry.stored_as)
        found = self._server.select(
            connection,
            sql_columns.table_name(key),
            [*fetched, ROW],
            [(e.stored_as, e.rows) for e in by_name],
            len(wanted) == len(stored),
        )
        _check_rows(found, by_name, label(key))
        arrays = []
        for field in schema:
            place = places[field.name]
            rest = found.column(place.rest) if place.rest else None
            arrays.append(sql_columns.decode(found.column(place.column), field.type, rest))
        whole = pa.Table.from_arrays(arrays, schema=schema)
        if [e.stored_as for e in wanted] == [e.stored_as for e in by_name]:
            return whole
        starts, at = {}, 0
        for entry in by_name:
            starts[entry.partition] = at
            at += entry.rows
        return pa.concat_tables([whole.slice(starts[entry.partition], entry.rows) for entry in wanted])

    def _scan(
        self, key: Sequence[str], partitions: Sequence[str | None], columns: list[str] | None
    ) -> "dict[str | None, pa.Table]":
        return {name: self._load(key, [name], columns) for name in partitions}

    def _put(self, key: Sequence[str], parts: Parts, options: Mapping[str, Any], claim: int) -> int:
        table, server = sql_columns.table_name(key), self._server
        _ = self._register  # Created before the transaction: creating it may commit.
        primary_key = list(options.get("primary_key") or [])
        encoded: dict[str | None, Any] = {}
        rests: set[str] = set()
        for name, part in parts.items():
            sql_columns.check_names(dict.fromkeys(part.column_names), primary_key, label(key, name))
            encoded[name] = sql_columns.encode(part, server.storage, label(key, name))
            rests |= set(encoded[name][1])
            for column, array in encoded[name][0].items():
                server.check(column, array, label(key, name))
        with server.writing(table) as connection:
            stored = self._entries(connection, table)
            for entry in stored:
                if entry.partition in parts:
                    refuse_older(claim, entry.claim, label(key, entry.partition))
            stay = [entry for entry in stored if entry.partition not in parts]
            schema = frames.common_schema({name or "": (p.schema, p.num_rows) for name, p in parts.items()}, label(key))
            places = self._shape(
                connection,
                table,
                schema=schema,
                rests=rests,
                stored=stored,
                stay=stay,
                primary_key=primary_key,
            )
            for name, (values, left) in encoded.items():
                stored_as = "" if name is None else names.segment(name)
                data = _physical_table(parts[name].num_rows, values, left, places, server.storage)
                prepared = server.prepare(connection, table, stored_as, data)
                server.replace(connection, table, stored_as, prepared)
            self._enter(connection, table, parts=parts, places=places, claim=claim)
            return -1 if stay else server.size(connection, table)

    def _shape(
        self,
        connection: "sa.Connection",
        table: str,
        *,
        schema: "pa.Schema",
        rests: set[str],
        stored: list[Entry],
        stay: list[Entry],
        primary_key: list[str],
    ) -> dict[str, Column]:
        """Make the table have the columns that the new partitions need, and return where each goes."""
        import sqlalchemy as sa

        from mlops_assets.io_managers.sql.servers import arrow_type

        server = self._server
        present = {column.name: column for entry in stored for column in entry.columns}
        kept = {column.name: column for entry in stay for column in entry.columns}
        wanted = sql_columns.plan(schema, server.declared, present.values() if stay else [])
        wanted = sql_columns.with_rests(wanted, rests)
        there = sa.inspect(connection).has_table(table)
        if there and not stored:
            self._make_sure_it_is_ours(connection, table)
        fresh = {column.name: column for column in wanted}
        if not stay:
            same = stored and all(present.get(name) == column for name, column in fresh.items())
            if there and same and len(present) == len(fresh):
                return fresh
            if there and stored and not server.transactional_ddl:
                return self._reshape(connection, table, wanted, present)
            if there:
                server.drop(connection, table)
            server.create(connection, table, wanted, primary_key)
            return fresh
        for name, column in fresh.items():
            before = kept.get(name)
            kind = server.sql_type(arrow_type(column.kind), in_key=False)
            if before is None:
                server.add_column(connection, table, column.column, kind)
            elif before.kind != column.kind:
                self._retype(connection, table, before=before, after=column, kind=kind, stay=stay)
            if column.rest and (before is None or not before.rest):
                server.add_column(connection, table, column.rest, sa.SmallInteger())
        return {**kept, **fresh}

    def _reshape(
        self, connection: "sa.Connection", table: str, wanted: list[Column], present: dict[str, Column]
    ) -> dict[str, Column]:
        """Change a table that cannot be dropped in a transaction: add columns, under names that are free.

        What the register knows stays readable at every step; columns it no longer knows go next time.
        """
        import sqlalchemy as sa

        from mlops_assets.io_managers.sql.servers import arrow_type

        server = self._server
        used = {name for column in present.values() for name in _physical(column)} | {PARTITION, ROW}
        for found in sa.inspect(connection).get_columns(table):
            if found["name"] not in used:
                server.drop_column(connection, table, found["name"])
        places = {}
        for column in wanted:
            before = present.get(column.name)
            if before == column:
                places[column.name] = column
                continue
            fresh = sql_columns.beside(column, used)
            server.add_column(connection, table, fresh.column, server.sql_type(arrow_type(fresh.kind), in_key=False))
            if fresh.rest:
                server.add_column(connection, table, fresh.rest, sa.SmallInteger())
            used |= set(_physical(fresh))
            places[column.name] = fresh
        return places

    def _retype(
        self,
        connection: "sa.Connection",
        table: str,
        *,
        before: Column,
        after: Column,
        kind: Any,
        stay: list[Entry],
    ) -> None:
        """Change the type of a column of which the partitions that stay know nothing but missing values."""
        from pyarrow import types

        for entry in stay:
            field = entry.schema.field(before.name) if before.name in entry.schema.names else None
            if field is not None and entry.rows and not types.is_null(field.type):
                raise StorageError(
                    f"{table}: column {before.name!r} is kept as {before.kind} and would have to be "
                    f"{after.kind}. "
                    "Replace all partitions in one run (a single-run backfill)."
                )
        self._server.drop_column(connection, table, before.column)
        self._server.add_column(connection, table, before.column, kind)

    def _make_sure_it_is_ours(self, connection: "sa.Connection", table: str) -> None:
        import sqlalchemy as sa

        columns = {column["name"] for column in sa.inspect(connection).get_columns(table)}
        if not {PARTITION, ROW} <= columns:
            raise StorageError(
                f"the database has a table {table!r} that was not made here, so it is not replaced. "
                "Rename it, or "
                "give the asset another key."
            )

    def _enter(
        self,
        connection: "sa.Connection",
        table: str,
        *,
        parts: Parts,
        places: dict[str, Column],
        claim: int,
    ) -> None:
        import json

        import sqlalchemy as sa

        register = self._register
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        rows = [
            {
                "table_name": table,
                "partition_name": "" if name is None else names.segment(name),
                "partition_key": None if name is None else json.dumps(name),
                "claim": claim,
                "rows": part.num_rows,
                "written_at": now,
                "columns": sql_columns.dump_columns(places[column] for column in part.column_names),
                "arrow_schema": _dump_schema(part.schema),
            }
            for name, part in parts.items()
        ]
        for start in range(0, len(rows), 500):
            gone = [row["partition_name"] for row in rows[start : start + 500]]
            at = (register.c.table_name == table) & register.c.partition_name.in_(gone)
            connection.execute(sa.delete(register).where(at))
        connection.execute(sa.insert(register), rows)


def _mysql_text() -> Any:
    import sqlalchemy.dialects.mysql as own

    return own.LONGTEXT()


def _physical(column: Column) -> list[str]:
    return [column.column, column.rest] if column.rest else [column.column]


def _physical_table(
    rows: int,
    values: "dict[str, pa.Array]",
    left: "dict[str, pa.Array]",
    places: dict[str, Column],
    storage: Any,
) -> "pa.Table":
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for name, array in values.items():
        columns[places[name].column] = array
        rest = places[name].rest
        if rest is not None:
            columns[rest] = left[name] if name in left else pa.nulls(rows, pa.int16())
    columns[ROW] = pa.array(range(rows), pa.int64()) if rows < 1000 else _count(rows)
    table = pa.table(columns)
    return table.cast(pa.schema([(f.name, storage(f.type) if f.name != ROW else f.type) for f in table.schema]))


def _count(rows: int) -> "pa.Array":
    import numpy as np
    import pyarrow as pa

    return pa.array(np.arange(rows, dtype=np.int64))


def _check_rows(found: "pa.Table", entries: Sequence[Entry], table: str) -> None:
    """Hold what was read against the register: every row of every partition once, in order where that was asked."""
    import numpy as np

    right = found.num_rows == sum(entry.rows for entry in entries)
    if right and ROW in found.column_names:
        expected = np.concatenate([np.arange(entry.rows, dtype=np.int64) for entry in entries])
        right = np.array_equal(found.column(ROW).to_numpy(), expected)
    if not right:
        raise StorageError(
            f"{table}: the register says {sum(entry.rows for entry in entries)} rows, {found.num_rows} were found, or "
            "not those that were written. The table was changed by another hand: materialize it again."
        )


def _dump_schema(schema: "pa.Schema") -> str:
    import base64

    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def _load_schema(text: str) -> "pa.Schema":
    import base64

    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))
