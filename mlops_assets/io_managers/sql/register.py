"""The register of a database: what is stored whole.

It (`_mlops_partitions`) has a row for each stored partition: when its writer began, how many rows it has, and its
Arrow schema. Data and register change in one transaction, so what the register says is what there is.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from mlops_assets.io_managers.base import Parts
from mlops_assets.io_managers.keys import segment
from mlops_assets.io_managers.sql.columns import Column, dump_columns, load_columns
from mlops_assets.io_managers.sql.servers import Server

REGISTER = "_mlops_partitions"
_AT_ONCE = 500


class Entry(NamedTuple):
    """What the register says of a stored partition.

    Attributes:
        partition: its key, None for a table without partitions.
        stored_as: its name in the database.
        claim: when its writer began, in ns since 1970.
        rows: their number.
        schema: of its frame, in Arrow.
        columns: where each of the frame's columns is in the database.
    """

    partition: str | None
    stored_as: str
    claim: int
    rows: int
    schema: pa.Schema
    columns: list[Column]


class Register:
    """The register of one database, created if it is not there."""

    def __init__(self, server: Server) -> None:
        self._server = server
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
            sa.Column("columns", text, nullable=False, comment="name of each of the frame's columns here, as JSON"),
            sa.Column("arrow_schema", text, nullable=False, comment="Arrow schema, base64 of its IPC message"),
        )
        with server.writing(REGISTER) as connection:
            self._table.create(connection, checkfirst=True)

    def tables(self) -> list[str]:
        """Return the names of the tables that have a partition."""
        statement = sa.select(self._table.c.table_name).distinct()
        with self._server.engine.connect().execution_options(reads_only=True) as connection:
            return list(connection.execute(statement).scalars())

    def partitions(self, table: str) -> list[str | None]:
        """Return the partitions of a table, sorted; [None] for a table without, [] for none."""
        statement = sa.select(self._table.c.partition_key).where(self._table.c.table_name == table)
        with self._server.engine.connect().execution_options(reads_only=True) as connection:
            found = [_load_key(text) for (text,) in connection.execute(statement)]
        return sorted(found, key=lambda name: name or "")

    def entries(self, connection: sa.Connection, table: str) -> list[Entry]:
        """Return what is known of the partitions of a table, sorted by their names in the database."""
        schemas: dict[str, pa.Schema] = {}
        entries = []
        for row in connection.execute(sa.select(self._table).where(self._table.c.table_name == table)):
            if row.arrow_schema not in schemas:
                schemas[row.arrow_schema] = _load_schema(row.arrow_schema)
            key, schema, columns = _load_key(row.partition_key), schemas[row.arrow_schema], load_columns(row.columns)
            entries.append(Entry(key, row.partition_name, row.claim, row.rows, schema, columns))
        return sorted(entries, key=lambda entry: entry.stored_as)

    def enter(
        self, connection: sa.Connection, table: str, parts: Parts, columns: Mapping[str, Column], claim: int
    ) -> None:
        """Say that partitions are stored, in place of what was said of them before."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        rows: list[dict[str, Any]] = [
            {
                "table_name": table,
                "partition_name": "" if name is None else segment(name),
                "partition_key": None if name is None else json.dumps(name),
                "claim": claim,
                "rows": part.num_rows,
                "written_at": now,
                "columns": dump_columns(columns[column] for column in part.column_names),
                "arrow_schema": _dump_schema(part.schema),
            }
            for name, part in parts.items()
        ]
        self.remove(connection, table, [row["partition_name"] for row in rows])
        connection.execute(sa.insert(self._table), rows)

    def remove(self, connection: sa.Connection, table: str, stored_as: Sequence[str]) -> None:
        """Forget partitions, by their names in the database."""
        own = self._table.c.table_name == table
        for start in range(0, len(stored_as), _AT_ONCE):
            names = stored_as[start : start + _AT_ONCE]
            connection.execute(sa.delete(self._table).where(own & self._table.c.partition_name.in_(names)))


def _load_key(text: str | None) -> str | None:
    return None if text is None else json.loads(text)


def _dump_schema(schema: pa.Schema) -> str:
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def _load_schema(text: str) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))
