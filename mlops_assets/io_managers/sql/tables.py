"""Tables in a database: one for each asset, with the partition as a column, and a register of what is stored whole."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pydantic import Field, SecretStr

from mlops_assets.catalog.evolution import evolution_of
from mlops_assets.io_managers import filtering, keys, schemas
from mlops_assets.io_managers.base import Parts, Tables
from mlops_assets.io_managers.claims import refuse_older
from mlops_assets.io_managers.errors import MissingTableError, StorageError
from mlops_assets.io_managers.evolution import as_of_today
from mlops_assets.io_managers.keys import label
from mlops_assets.io_managers.parts import Head
from mlops_assets.io_managers.sql import columns as sql_columns
from mlops_assets.io_managers.sql.columns import ROW, Column
from mlops_assets.resources.rows import Only
from mlops_assets.resources.secrets import keep, reveal, variable_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from mlops_assets.io_managers.sql.register import Entry, Register
    from mlops_assets.io_managers.sql.servers import Server


class SqlTables(Tables):
    """Tables in SQLite, PostgreSQL, DuckDB, MariaDB, MySQL, or another database that SQLAlchemy knows."""

    url: str = Field(repr=False, description="Address of the database, e.g. sqlite:///data/tables.db.")

    def __init__(self, url: str | SecretStr, **data: Any) -> None:
        values: dict[str, Any] = {"url": keep(url), **data}
        super().__init__(**values)

    @cached_property
    def _server(self) -> "Server":
        from mlops_assets.io_managers.sql.servers import server_of
        from mlops_assets.resources.databases import shared_engine

        return server_of(shared_engine(reveal(self.url), variable=variable_of(self.url)))

    @cached_property
    def _register(self) -> "Register":
        from mlops_assets.io_managers.sql.register import Register

        return Register(self._server)

    def uri(self, key: Sequence[str], partition: str | None = None) -> str:
        """Return the database's address, without password, and the table's name."""
        from mlops_assets.resources.databases import shown

        where = f"{shown(reveal(self.url))}#{sql_columns.table_name(key)}"
        return where if partition is None else f"{where}/{keys.segment(partition)}"

    def delete(self, key: Sequence[str], partition: str | None = None) -> None:
        """Remove a table with all its partitions, or one partition."""
        table, register = sql_columns.table_name(key), self._register
        with self._server.writing(table) as connection:
            found = register.entries(connection, table)
            gone = [entry for entry in found if partition is None or entry.partition == partition]
            for entry in gone:
                self._server.remove(connection, table, entry.stored_as)
            register.remove(connection, table, [entry.stored_as for entry in gone])
            if gone and len(gone) == len(found):
                self._server.drop(connection, table)

    def children(self, key: Sequence[str]) -> list[str]:
        """Return the parts of the names of the tables in the register directly below a key."""
        start = f"{sql_columns.table_name(key)}__" if key else ""
        below = (table.removeprefix(start) for table in self._register.tables() if table.startswith(start))
        return sorted({table.partition("__")[0] for table in below})

    def _stored(self, key: Sequence[str]) -> list[str | None]:
        return self._register.partitions(sql_columns.table_name(key))

    def _schema_of(self, key: Sequence[str], partition: str | None) -> pa.Schema:
        table = sql_columns.table_name(key)
        with self._server.engine.connect().execution_options(reads_only=True) as connection:
            for entry in self._register.entries(connection, table):
                if entry.partition == partition:
                    return entry.schema
        raise MissingTableError(f"{label(key, partition)} is not stored.")

    def _heads(self, key: Sequence[str], partitions: Sequence[str | None]) -> "dict[str | None, Head]":
        with self._server.engine.connect().execution_options(reads_only=True) as connection:
            entries = self._register.entries(connection, sql_columns.table_name(key))
        heads = {entry.partition: Head(entry.schema, entry.rows) for entry in entries}
        return {name: heads[name] for name in partitions if name in heads}

    def _load(
        self, key: Sequence[str], partitions: Sequence[str | None], columns: list[str] | None, only: Only | None = None
    ) -> pa.Table:
        if only is not None:
            found = self._load(key, partitions, filtering.needed(columns, only))
            return filtering.selected(found, columns, only, label(key))
        table = sql_columns.table_name(key)
        with self._server.reading(table) as connection:
            stored = self._register.entries(connection, table)
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
        whole = schemas.stack(
            {e.partition or "": parts[e.partition] for e in wanted}, label(key), [e.rows for e in wanted]
        )
        return whole if columns is None else whole.select(columns)

    def _fetch(
        self,
        connection: "sa.Connection",
        key: Sequence[str],
        stored: "list[Entry]",
        wanted: "list[Entry]",
        columns: list[str] | None,
    ) -> pa.Table:
        """Read partitions at once, in the order of `wanted`, as they were stored."""
        stored_schemas = {entry.partition or "": (entry.schema, entry.rows) for entry in wanted}
        newest = max(stored, key=lambda entry: entry.partition or "").schema
        known = {name for schema, _ in stored_schemas.values() for name in schema.names}
        lacking = [name for name in columns or () if name in newest.names and name not in known]
        if lacking:
            stored_schemas["newest"] = (schemas.narrow(newest, lacking), 0)
        schema = schemas.common_schema(stored_schemas, label(key))
        schema = schemas.narrow(schema, schemas.select_columns(schema, columns, label(key)))
        targets = {column.name: column for entry in stored for column in entry.columns}
        fetched = [name for field in schema for name in targets[field.name].physical]
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
            target = targets[field.name]
            rest = found.column(target.rest) if target.rest else None
            arrays.append(sql_columns.decode(found.column(target.column), field.type, rest))
        whole = pa.Table.from_arrays(arrays, schema=schema)
        if [e.stored_as for e in wanted] == [e.stored_as for e in by_name]:
            return whole
        starts, at = {}, 0
        for entry in by_name:
            starts[entry.partition] = at
            at += entry.rows
        return pa.concat_tables([whole.slice(starts[entry.partition], entry.rows) for entry in wanted])

    def _put(self, key: Sequence[str], parts: Parts, options: Mapping[str, Any], claim: int) -> int:
        from mlops_assets.io_managers.sql.fitting import fit

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
            stored = self._register.entries(connection, table)
            for entry in stored:
                if entry.partition in parts:
                    refuse_older(claim, entry.claim, label(key, entry.partition))
            stay = [entry for entry in stored if entry.partition not in parts]
            schema = schemas.common_schema(
                {name or "": (p.schema, p.num_rows) for name, p in parts.items()}, label(key)
            )
            targets = fit(
                server, connection, table, schema=schema, rests=rests, stored=stored, stay=stay, key=primary_key
            )
            for name, (values, left) in encoded.items():
                stored_as = "" if name is None else keys.segment(name)
                data = _physical_table(parts[name].num_rows, values, left, targets, server.storage)
                prepared = server.prepare(connection, table, stored_as, data)
                server.replace(connection, table, stored_as, prepared)
            self._register.enter(connection, table, parts, targets, claim)
            return -1 if stay else server.size(connection, table)


def _physical_table(
    rows: int,
    values: "dict[str, pa.Array]",
    left: "dict[str, pa.Array]",
    targets: dict[str, Column],
    storage: Any,
) -> pa.Table:

    columns: dict[str, Any] = {}
    for name, array in values.items():
        columns[targets[name].column] = array
        rest = targets[name].rest
        if rest is not None:
            columns[rest] = left[name] if name in left else pa.nulls(rows, pa.int16())
    columns[ROW] = pa.array(np.arange(rows, dtype=np.int64))
    table = pa.table(columns)
    return table.cast(pa.schema([(f.name, storage(f.type) if f.name != ROW else f.type) for f in table.schema]))


def _check_rows(found: pa.Table, entries: "Sequence[Entry]", table: str) -> None:
    """Hold what was read against the register: every row of every partition once, in order where that was asked."""
    right = found.num_rows == sum(entry.rows for entry in entries)
    if right and ROW in found.column_names:
        expected = np.concatenate([np.arange(entry.rows, dtype=np.int64) for entry in entries])
        right = np.array_equal(found.column(ROW).to_numpy(), expected)
    if not right:
        raise StorageError(
            f"{table}: the register says {sum(entry.rows for entry in entries)} rows, {found.num_rows} were found, or "
            "not those that were written. The table was changed by another hand: materialize it again."
        )
