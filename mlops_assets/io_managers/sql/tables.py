"""Tables in a database: one for each asset, with the partition as a column, and a register of what is stored whole."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field, SecretStr

from mlops_assets.catalog.evolution import evolution_of
from mlops_assets.io_managers import filtering, keys, schemas
from mlops_assets.io_managers.base import Parts, Tables
from mlops_assets.io_managers.claims import refuse_older
from mlops_assets.io_managers.errors import MissingTableError
from mlops_assets.io_managers.evolution import as_of_today
from mlops_assets.io_managers.keys import label
from mlops_assets.io_managers.parts import Head, Stream
from mlops_assets.io_managers.sql import columns as sql_columns
from mlops_assets.io_managers.sql import views
from mlops_assets.io_managers.sql.columns import ROW, Column
from mlops_assets.resources.rows import Only
from mlops_assets.resources.secrets import keep, reveal, variable_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from mlops_assets.io_managers.sql.register import Entry, Register
    from mlops_assets.io_managers.sql.servers import Server


_LOOKED_AT = 20
"""So many of the last partitions are looked at before all are."""


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
        table, register, server = sql_columns.table_name(key), self._register, self._server
        server.ready(table)
        with server.writing(table) as connection:
            gone = [entry.stored_as for entry in register.entries(connection, table, partition and [_name(partition)])]
            stays = partition is not None and register.staying(connection, table, gone) is not None
            if gone and stays:
                server.clear(connection, table, gone)
            register.remove(connection, table, gone)
            if gone and not stays:
                register.forget_looks(connection, table)
                with views.renewed(server, connection, key):
                    server.drop(connection, table)
        if gone and not stays:
            self._make_views(key)

    def outdated(self) -> dict[str, int]:
        """Return the register, and the tables of PostgreSQL, that releases before 0.2.0 have left, with their parts.

        Looks only, and changes nothing.
        """
        from mlops_assets.io_managers.sql import register_before

        return register_before.outdated(self._server) | self._server.outdated()

    def migrate(self, name: str, told: Callable[[str, int], None] = lambda what, count: None) -> None:
        """Bring one of these into today's form; goes on where another call was stopped.

        Args:
            name: as `outdated` says it.
            told: is told what was done ("copied", "dropped"), and with how many parts.
        """
        _ = self._register  # Opening it is what takes it over.
        self._server.migrate(name, told)

    def children(self, key: Sequence[str]) -> list[str]:
        """Return the parts of the names of the tables in the register directly below a key."""
        start = f"{sql_columns.table_name(key)}__" if key else ""
        below = (table.removeprefix(start) for table in self._register.tables() if table.startswith(start))
        return sorted({table.partition("__")[0] for table in below})

    def _wanted(self, key: Sequence[str], partitions: Sequence[str] | None) -> Sequence[str | None]:
        """Ask nothing of partitions that are named: which of them are there is seen when they are read."""
        return partitions or super()._wanted(key, partitions)

    def _stored(self, key: Sequence[str]) -> list[str | None]:
        return self._register.partitions(sql_columns.table_name(key))

    def versions(self, key: Sequence[str]) -> dict[str | None, str]:
        """Ask the register."""
        return self._register.versions(sql_columns.table_name(key))

    def to_read(self) -> "Tables":
        """Return the same store with a connection that may change nothing."""
        from mlops_assets.io_managers.sql.reading import ReadOnlySqlTables

        return ReadOnlySqlTables(url=self.url)

    def stored(self, key: Sequence[str], partitions: Sequence[str]) -> list[str]:
        """Return those of some partitions that are stored, in this order."""
        there = self._heads(key, partitions)
        return [name for name in partitions if name in there]

    def _latest(self, key: Sequence[str]) -> Iterator[str | None]:
        with self._looking() as connection:
            found = self._register.latest(connection, sql_columns.table_name(key), _LOOKED_AT)
            first = [entry.partition for entry in found]
        yield from first
        if len(first) == _LOOKED_AT:
            yield from (name for name in reversed(self._stored(key)) if name not in first)

    def _schema_of(self, key: Sequence[str], partition: str | None) -> pa.Schema:
        found = self._heads(key, [partition])
        if partition not in found:
            raise MissingTableError(f"{label(key, partition)} is not stored.")
        return found[partition].schema

    def _heads(self, key: Sequence[str], partitions: Sequence[str | None]) -> "dict[str | None, Head]":
        with self._looking() as connection:
            names = [_name(partition) for partition in partitions]
            entries = self._register.entries(connection, sql_columns.table_name(key), names)
        heads = {entry.partition: Head(entry.schema, entry.rows) for entry in entries}
        return {name: heads[name] for name in partitions if name in heads}

    def _looking(self) -> "sa.Connection":
        """Connect to look something up in the register."""
        _ = self._register  # Created before: creating it takes a connection of its own.
        return self._server.looking()

    def _load(
        self, key: Sequence[str], partitions: Sequence[str | None], columns: list[str] | None, only: Only | None = None
    ) -> pa.Table:
        from mlops_assets.io_managers.sql.fetching import Fetching

        register, table = self._register, sql_columns.table_name(key)
        evolution, needed = evolution_of(key), filtering.needed(columns, only)
        with self._server.reading(table) as connection:
            fetching = Fetching(self._server, connection, register, key)
            wanted = fetching.entries(partitions)
            if not any(evolution.concerns(entry.schema.names) for entry in wanted):
                found, _ = fetching.rows(wanted, needed, only)
                return filtering.selected(found, columns, only, label(key))
            alike: dict[tuple[str, ...], list[Entry]] = {}
            for entry in wanted:
                alike.setdefault(tuple(entry.schema.names), []).append(entry)
            parts: dict[str | None, pa.Table] = {}
            for stored_names, entries in alike.items():
                asked = None if needed is None else evolution.stored_as(needed, stored_names)
                found, counts = fetching.rows(entries, asked, only)
                found = as_of_today(found, evolution, needed)
                ends = accumulate(counts)
                parts |= {
                    entry.partition: found.slice(end - count, count)
                    for entry, count, end in zip(entries, counts, ends, strict=True)
                }
        in_order = {entry.partition or "": parts[entry.partition] for entry in wanted}
        whole = schemas.stack(in_order, label(key), [entry.rows for entry in wanted])
        return filtering.selected(whole, columns, only, label(key))

    def _stream(
        self, key: Sequence[str], partition: str | None, columns: list[str] | None, only: Only | None, rows: int
    ) -> Iterator[pa.Table]:
        from mlops_assets.io_managers.sql.fetching import Fetching

        register, table = self._register, sql_columns.table_name(key)
        evolution, needed = evolution_of(key), filtering.needed(columns, only)
        with self._server.reading(table) as connection:
            fetching = Fetching(self._server, connection, register, key)
            (entry,) = fetching.entries([partition])
            asked = needed
            if needed is not None and evolution.concerns(entry.schema.names):
                asked = evolution.stored_as(needed, entry.schema.names)
            for found in fetching.stream(entry, asked, only, rows):
                yield filtering.selected(as_of_today(found, evolution, needed), columns, only, label(key))

    def _put(self, key: Sequence[str], parts: Parts, options: Mapping[str, Any], claim: int) -> int:
        pieces = [self._encoded(key, name, part) for name, part in parts.items()]
        rests = {column for piece in pieces for column in piece.rests}
        told = {name: (part.schema, part.num_rows) for name, part in parts.items()}
        return self._store(key, told, rests, pieces, options, claim)

    def _put_stream(
        self, key: Sequence[str], partition: str | None, stream: Stream, options: Mapping[str, Any], claim: int
    ) -> int:
        tables = iter(stream.tables)
        first = next(tables)
        rests = {field.name for field in first.schema if pa.types.is_timestamp(field.type) and field.type.unit == "ns"}
        pieces = (self._encoded(key, partition, table) for table in chain([first], tables))
        return self._store(key, {partition: (first.schema, stream.rows)}, rests, pieces, options, claim)

    def _encoded(self, key: Sequence[str], partition: str | None, part: pa.Table) -> "_Piece":
        """Cast rows to what the database keeps, and refuse what it would change."""
        where = label(key, partition)
        values, rests = sql_columns.encode(part, self._server.storage, where)
        for column, array in values.items():
            self._server.check(column, array, where)
        return _Piece(partition, part.num_rows, values, rests)

    def _store(
        self,
        key: Sequence[str],
        told: Mapping[str | None, tuple[pa.Schema, int]],
        rests: set[str],
        pieces: "Iterable[_Piece]",
        options: Mapping[str, Any],
        claim: int,
    ) -> int:
        """Replace partitions in one transaction, see `_put`.

        Args:
            key: the table's.
            told: the partitions, how each is to be read, and its number of rows.
            rests: columns of which some piece has left-over nanoseconds.
            pieces: rows of the partitions, one partition after the other.
            options: the asset's metadata.
            claim: when the writer began.
        """
        from mlops_assets.io_managers.sql.fitting import fit, unchanged
        from mlops_assets.io_managers.sql.register import Look, Written

        table, server, register = sql_columns.table_name(key), self._server, self._register
        primary_key = list(options.get("primary_key") or [])
        for partition, (schema, _) in told.items():
            sql_columns.check_names(dict.fromkeys(schema.names), primary_key, label(key, partition))
        schema = schemas.common_schema({partition or "": said for partition, said in told.items()}, label(key))
        names = {partition: _name(partition) for partition in told}
        counts = dict.fromkeys(told, 0)
        server.ready(table)
        with server.writing(table) as connection:
            replaced = {entry.stored_as: entry for entry in register.entries(connection, table, names.values())}
            for entry in replaced.values():
                refuse_older(claim, entry.claim, label(key, entry.partition))
            newest = register.staying(connection, table, set(names.values()))
            as_it_is = unchanged(server, schema, rests, newest)
            places = as_it_is or {}
            if as_it_is is None:
                with views.renewed(server, connection, key):
                    places = fit(
                        server, connection, register, table,
                        schema=schema, rests=rests, replaced=replaced, newest=newest, key=primary_key,
                    )  # fmt: skip
            if newest is None:
                register.forget_looks(connection, table)
            else:
                server.clear(connection, table, list(names.values()))

            def physical() -> Iterator[tuple[str, pa.Table]]:
                for piece in pieces:
                    first = counts[piece.partition]
                    yield names[piece.partition], piece.physical(first, places, server.storage)
                    counts[piece.partition] += piece.rows

            server.insert_all(connection, table, physical(), alone=newest is None)
            written = {
                names[partition]: Written(partition, counts[partition], Look(s, [places[name] for name in s.names]))
                for partition, (s, _) in told.items()
            }
            register.enter(connection, table, claim, written)
            size = server.size(connection, table) if newest is None else -1
        if as_it_is is None:
            self._make_views(key)
        return size

    def _make_views(self, key: Sequence[str]) -> None:
        """Make the views of a table where that could not be part of its own transaction."""
        if not self._server.transactional_ddl and views.views_of(key):
            with self._server.engine.begin() as connection:
                views.make(self._server, connection, key)


def _name(partition: str | None) -> str:
    """Return the name of a partition in the database."""
    return "" if partition is None else keys.segment(partition)


class _Piece(NamedTuple):
    """Rows of a partition as the database keeps them.

    Attributes:
        partition: its key.
        rows: their number.
        values: by the frame's column name.
        rests: left-over nanoseconds of the columns that have any.
    """

    partition: str | None
    rows: int
    values: dict[str, pa.Array]
    rests: dict[str, pa.Array]

    def physical(self, first: int, places: Mapping[str, Column], storage: Any) -> pa.Table:
        """Return the rows under the names of the database's columns, numbered from `first`."""
        columns: dict[str, Any] = {}
        for name, array in self.values.items():
            columns[places[name].column] = array
            rest = places[name].rest
            if rest is not None:
                columns[rest] = self.rests[name] if name in self.rests else pa.nulls(self.rows, pa.int16())
        columns[ROW] = pa.array(np.arange(first, first + self.rows, dtype=np.int64))
        table = pa.table(columns)
        return table.cast(pa.schema([(f.name, storage(f.type) if f.name != ROW else f.type) for f in table.schema]))
