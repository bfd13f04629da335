"""The register of a database: what is stored whole.

`_mlops_register` has a row for each stored partition: when its writer began, how many rows it has, and how its table
looked then. `_mlops_schemas` has each such look once. Data and register change in one transaction, so what the
register says is what there is. `_mlops_partitions`, the register of earlier releases, is a view of both.
"""

import base64
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from mlops_assets.io_managers.sql import register_before
from mlops_assets.io_managers.sql.columns import Column, dump_columns, load_columns
from mlops_assets.io_managers.sql.servers import Server

REGISTER, SCHEMAS = "_mlops_register", "_mlops_schemas"
_AT_ONCE = 500
_FEW = 5_000
"""More partitions than this are looked up by reading the register of the whole table."""


class Look(NamedTuple):
    """How partitions of a table are stored.

    Attributes:
        schema: of the frame, in Arrow.
        columns: where each of the frame's columns is in the database.
    """

    schema: pa.Schema
    columns: list[Column]


class Entry(NamedTuple):
    """What the register says of a stored partition.

    Attributes:
        partition: its key, None for a table without partitions.
        stored_as: its name in the database.
        claim: when its writer began, in ns since 1970.
        rows: their number.
        look: how it is stored.
    """

    partition: str | None
    stored_as: str
    claim: int
    rows: int
    look: Look

    @property
    def schema(self) -> pa.Schema:
        """Schema of its frame, in Arrow."""
        return self.look.schema

    @property
    def columns(self) -> list[Column]:
        """Where each of the frame's columns is in the database."""
        return self.look.columns


_LOOKS: dict[str, Look] = {}
"""Looks that were read, by their hash: what has the same hash is the same, in every database."""
_MOST_LOOKS = 2_000


class Register:
    """The register of one database; created, or taken over from an earlier release, if it is not there."""

    def __init__(self, server: Server) -> None:
        text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
        self._table = sa.Table(
            REGISTER,
            sa.MetaData(),
            sa.Column("table_name", server.key_text(80), primary_key=True),
            sa.Column("partition_name", server.key_text(200), primary_key=True),
            sa.Column("partition_key", text, comment="the key as JSON text, null for a table without partitions"),
            sa.Column("claim", sa.BigInteger, nullable=False, comment="when its writer began, in ns since 1970"),
            sa.Column("rows", sa.BigInteger, nullable=False),
            sa.Column("written_at", sa.String(40), nullable=False),
            sa.Column("schema_id", sa.String(40), nullable=False, comment="of the table's rows in " + SCHEMAS),
        )
        self._looks = sa.Table(
            SCHEMAS,
            self._table.metadata,
            sa.Column("table_name", server.key_text(80), primary_key=True),
            sa.Column("schema_id", server.key_text(40), primary_key=True),
            sa.Column("columns", text, nullable=False, comment="name of each of the frame's columns here, as JSON"),
            sa.Column("arrow_schema", text, nullable=False, comment="Arrow schema, base64 of its IPC message"),
        )
        self._server = server
        register_before.prepare(server, self._table, self._looks)

    def tables(self) -> list[str]:
        """Return the names of the tables that have a partition."""
        with self._server.looking() as connection:
            return list(connection.execute(sa.select(self._looks.c.table_name).distinct()).scalars())

    def partitions(self, table: str) -> list[str | None]:
        """Return the partitions of a table, sorted; [None] for a table without, [] for none."""
        statement = sa.select(self._table.c.partition_key).where(self._table.c.table_name == table)
        with self._server.looking() as connection:
            found = [_load_key(text) for text in connection.execute(statement).scalars()]
        return sorted(found, key=lambda name: name or "")

    def versions(self, table: str) -> dict[str | None, str]:
        """Return when the writer of each partition of a table began, and when it was done."""
        c = self._table.c
        statement = sa.select(c.partition_key, c.claim, c.written_at).where(c.table_name == table)
        with self._server.looking() as connection:
            found = connection.execute(statement).all()
        return {_load_key(row.partition_key): f"{row.claim} {row.written_at}" for row in found}

    def entries(self, connection: sa.Connection, table: str, stored_as: Collection[str] | None = None) -> list[Entry]:
        """Return what is known of partitions of a table, sorted by their names in the database.

        Args:
            connection: to the database.
            table: its name there.
            stored_as: names of partitions there. None: all.
        """
        own, found = self._asked(table), []
        if stored_as is None or len(stored_as) > _FEW:
            found = list(connection.execute(own))
            if stored_as is not None:
                asked = set(stored_as)
                found = [row for row in found if row.partition_name in asked]
        else:
            for names in _chunks(stored_as):
                found += connection.execute(own.where(self._table.c.partition_name.in_(names)))
        return sorted(self._entries(connection, table, found), key=lambda entry: entry.stored_as)

    def count(self, connection: sa.Connection, table: str) -> int:
        """Return how many partitions of a table there are."""
        own = self._table.c.table_name == table
        return connection.execute(sa.select(sa.func.count()).select_from(self._table).where(own)).scalar_one()

    def latest(self, connection: sa.Connection, table: str, count: int) -> list[Entry]:
        """Return what is known of so many partitions of a table, the last by name first."""
        asked = self._asked(table).order_by(self._table.c.partition_name.desc()).limit(count)
        return self._entries(connection, table, list(connection.execute(asked)))

    def staying(self, connection: sa.Connection, table: str, besides: Collection[str]) -> Entry | None:
        """Return what is known of the last partition that is none of some, by their names in the database."""
        found = self.latest(connection, table, len(besides) + 1)
        return next((entry for entry in found if entry.stored_as not in besides), None)

    def enter(self, connection: sa.Connection, table: str, claim: int, written: Mapping[str, "Written"]) -> None:
        """Say that partitions are stored, in place of what was said of them before.

        Args:
            connection: to the database, in the transaction that stores them.
            table: its name there.
            claim: when the writer began, in ns since 1970.
            written: partitions by their names there.
        """
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        looks: dict[str, dict[str, str]] = {}
        rows: list[dict[str, Any]] = []
        for stored_as, (key, count, look) in written.items():
            said = {"columns": dump_columns(look.columns), "arrow_schema": _dump_schema(look.schema)}
            looks[register_before.look_id(**said)] = said
            rows.append(
                {
                    "table_name": table,
                    "partition_name": stored_as,
                    "partition_key": None if key is None else json.dumps(key),
                    "claim": claim,
                    "rows": count,
                    "written_at": now,
                    "schema_id": register_before.look_id(**said),
                }
            )
        self.remove(connection, table, list(written))
        connection.execute(sa.insert(self._table), rows)
        asked = sa.select(self._looks.c.schema_id).where(self._looks.c.table_name == table)
        known: set[str] = set()
        for ids in _chunks(looks):
            known |= set(connection.execute(asked.where(self._looks.c.schema_id.in_(ids))).scalars())
        if more := [{"table_name": table, "schema_id": key, **looks[key]} for key in looks if key not in known]:
            connection.execute(sa.insert(self._looks), more)

    def remove(self, connection: sa.Connection, table: str, stored_as: Collection[str]) -> None:
        """Forget partitions, by their names in the database."""
        own = self._table.c.table_name == table
        for names in _chunks(stored_as):
            connection.execute(sa.delete(self._table).where(own, self._table.c.partition_name.in_(names)))

    def forget_looks(self, connection: sa.Connection, table: str) -> None:
        """Forget how a table looked that has no partition left in the register."""
        connection.execute(sa.delete(self._looks).where(self._looks.c.table_name == table))

    def _asked(self, table: str) -> Any:
        c = self._table.c
        columns = (c.partition_name, c.partition_key, c.claim, c.rows.label("count"), c.schema_id)
        return sa.select(*columns).where(c.table_name == table)

    def _entries(self, connection: sa.Connection, table: str, found: Sequence[Any]) -> list[Entry]:
        lacking = {row.schema_id for row in found if row.schema_id not in _LOOKS}
        if len(_LOOKS) > _MOST_LOOKS:
            _LOOKS.clear()
            lacking = {row.schema_id for row in found}
        own = sa.select(self._looks).where(self._looks.c.table_name == table)
        for ids in _chunks(lacking):
            for row in connection.execute(own.where(self._looks.c.schema_id.in_(ids))):
                _LOOKS[row.schema_id] = Look(_load_schema(row.arrow_schema), load_columns(row.columns))
        return [
            Entry(_load_key(row.partition_key), row.partition_name, row.claim, row.count, _LOOKS[row.schema_id])
            for row in found
        ]


class Written(NamedTuple):
    """What the register is told of a partition: its key, its number of rows, and how it is stored."""

    partition: str | None
    rows: int
    look: Look


def _dump_schema(schema: pa.Schema) -> str:
    """Turn a schema into text."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def _load_schema(text: str) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def _load_key(text: str | None) -> str | None:
    return None if text is None else text[1:-1] if "\\" not in text else json.loads(text)


def _chunks(names: Collection[str]) -> Iterator[list[str]]:
    listed = list(names)
    for start in range(0, len(listed), _AT_ONCE):
        yield listed[start : start + _AT_ONCE]
