"""Making a table in a database have the columns that new partitions need."""

from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from pyarrow import types

from mlops_assets.io_managers.errors import StorageError
from mlops_assets.io_managers.sql.columns import PARTITION, ROW, Column, beside, places, plan, with_rests
from mlops_assets.io_managers.sql.register import Entry, Register
from mlops_assets.io_managers.sql.servers import Server, arrow_type


def unchanged(server: Server, schema: pa.Schema, rests: set[str], newest: Entry | None) -> dict[str, Column] | None:
    """Return where each column of new partitions goes, if the table has them all as it is; None: see `fit`."""
    if newest is None:
        return None
    present = places([newest])
    wanted = with_rests(plan(schema, server.declared, present.values()), rests)
    return present if all(present.get(column.name) == column for column in wanted) else None


def fit(
    server: Server,
    connection: sa.Connection,
    register: Register,
    table: str,
    *,
    schema: pa.Schema,
    rests: set[str],
    replaced: dict[str, Entry],
    newest: Entry | None,
    key: list[str],
) -> dict[str, Column]:
    """Make the table have the columns that the new partitions need, and return where each goes.

    Args:
        server: of the database.
        connection: to it.
        register: what is stored.
        table: its name in the database.
        schema: of the new partitions.
        rests: columns with left-over nanoseconds.
        replaced: the partitions that are replaced, by their names in the database.
        newest: the last of those that stay. None: none does, and the table is left without rows.
        key: the declared one.
    """
    stored = list(replaced.values()) if newest is None else register.entries(connection, table)
    stay = [entry for entry in stored if entry.stored_as not in replaced]
    present, kept = places(stored), places(stay)
    wanted = plan(schema, server.declared, present.values() if stay else [])
    wanted = with_rests(wanted, rests)
    there = sa.inspect(connection).has_table(table)
    if there and not stored:
        _refuse_foreign(server, connection, table)
    fresh = {column.name: column for column in wanted}
    if not stay:
        same = stored and all(present.get(name) == column for name, column in fresh.items())
        if there and same and len(present) == len(fresh):
            server.empty(connection, table)
            return fresh
        if there and stored and not server.transactional_ddl:
            reshaped = _reshape(server, connection, table, wanted, present)
            server.empty(connection, table)
            return reshaped
        if there:
            server.drop(connection, table)
        server.create(connection, table, wanted, key)
        return fresh
    for name, column in fresh.items():
        # A column that only the partitions to be replaced have is in the table too.
        before = kept.get(name) or present.get(name)
        kind = server.sql_type(arrow_type(column.kind), in_key=False)
        if before is None:
            _forget(server, connection, table, column)
            server.add_column(connection, table, column.column, kind)
        elif before.kind != column.kind:
            _retype(server, connection, table, before=before, after=column, kind=kind, stay=stay)
        if column.rest and (before is None or not before.rest):
            server.add_column(connection, table, column.rest, sa.SmallInteger())
    return {**kept, **fresh}


def _forget(server: Server, connection: sa.Connection, table: str, column: Column) -> None:
    """Remove what deleted partitions have left of a column: the table has it, and nobody's rows do."""
    for name in set(server.columns(connection, table)).intersection(column.physical):
        server.drop_column(connection, table, name)


def _reshape(
    server: Server, connection: sa.Connection, table: str, wanted: list[Column], present: dict[str, Column]
) -> dict[str, Column]:
    """Change a table that cannot be dropped in a transaction: add columns, under names that are free.

    What the register knows stays readable at every step; columns it no longer knows go next time.
    """
    used = {name for column in present.values() for name in column.physical} | {PARTITION, ROW}
    for name in server.columns(connection, table):
        if name not in used:
            server.drop_column(connection, table, name)
    targets = {}
    for column in wanted:
        before = present.get(column.name)
        if before == column:
            targets[column.name] = column
            continue
        fresh = beside(column, used)
        server.add_column(connection, table, fresh.column, server.sql_type(arrow_type(fresh.kind), in_key=False))
        if fresh.rest:
            server.add_column(connection, table, fresh.rest, sa.SmallInteger())
        used |= set(fresh.physical)
        targets[column.name] = fresh
    return targets


def _retype(
    server: Server,
    connection: sa.Connection,
    table: str,
    *,
    before: Column,
    after: Column,
    kind: Any,
    stay: list[Entry],
) -> None:
    """Change the type of a column of which the partitions that stay know nothing but missing values."""
    for entry in stay:
        field = entry.schema.field(before.name) if before.name in entry.schema.names else None
        if field is not None and entry.rows and not types.is_null(field.type):
            raise StorageError(
                f"{table}: column {before.name!r} is kept as {before.kind} and would have to be {after.kind}. "
                "Replace all partitions in one run (a single-run backfill)."
            )
    server.drop_column(connection, table, before.column)
    server.add_column(connection, table, before.column, kind)


def _refuse_foreign(server: Server, connection: sa.Connection, table: str) -> None:
    if not {PARTITION, ROW} <= set(server.columns(connection, table)):
        raise StorageError(
            f"the database has a table {table!r} that was not made here, so it is not replaced. "
            "Rename it, or give the asset another key."
        )
