"""Stored partitions as one table, or as a stream of them, with the names, columns and types of today. No I/O here."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from mlops_assets.catalog.evolution import evolution_of
from mlops_assets.io_managers import filtering, schemas
from mlops_assets.io_managers.evolution import as_of_today
from mlops_assets.io_managers.keys import label
from mlops_assets.resources.rows import Only


class Head(NamedTuple):
    """What is known of a stored partition without reading its rows.

    Attributes:
        schema: as it was stored.
        rows: their number.
    """

    schema: pa.Schema
    rows: int


class Part(NamedTuple):
    """Rows of a stored partition.

    Attributes:
        table: all of its rows, or at least those of them that are wanted, as they were stored.
        stored: the number of all of them.
    """

    table: pa.Table
    stored: int


class Stream(NamedTuple):
    """A partition that is to be written.

    Attributes:
        tables: its rows in order, in one schema; one table at least.
        rows: their number.
    """

    tables: Iterable[pa.Table]
    rows: int


def as_one(
    key: Sequence[str],
    parts: Mapping[str | None, Part],
    columns: Sequence[str] | None,
    only: Only | None,
    newest: Callable[[], pa.Schema],
) -> pa.Table:
    """Put partitions under one another, with the columns that are wanted of the rows that are.

    The types are those of all rows that are stored, whichever of them are wanted.

    Args:
        key: the table's.
        parts: partition key to its rows, with the columns of `filtering.needed`.
        columns: in this order. None: all.
        only: None: every row.
        newest: gives the schema of the last partition of the table, as of today: asked for columns that all parts lack.

    Raises:
        SchemaDriftError: a column that the table does not have, or types that cannot stand in one column.
    """
    evolution, needed = evolution_of(key), filtering.needed(columns, only)
    today = {name or "": as_of_today(part.table, evolution, needed) for name, part in parts.items()}
    rows = [part.stored for part in parts.values()]
    wanted = {name: filtering.matching(table, only) for name, table in today.items()}
    table = schemas.stack(wanted, label(key), rows)
    asked = [*(columns or ()), *(only.columns if only else ())]
    if lacking := [name for name in asked if name not in table.column_names]:
        last = newest()
        schemas.select_columns(last, lacking, label(key))
        more = schemas.narrow(last, [name for name in lacking if name in (columns or ())]).empty_table()
        table = schemas.stack({"": table, "newest": more}, label(key), [sum(rows), 0])
    return table if columns is None or list(columns) == table.column_names else table.select(list(columns))


def small_together(rows: Mapping[str | None, int], most: int) -> Iterator[list[str | None]]:
    """Yield partitions in their order, as many together as have so many rows, and larger ones alone.

    Args:
        rows: partition key to its number of rows.
        most: rows that are read together.
    """
    together: list[str | None] = []
    held = 0
    for name, count in rows.items():
        if together and held + count > most:
            yield together
            together, held = [], 0
        together, held = [*together, name], held + count
    if together:
        yield together


def regrouped(tables: Iterable[pa.Table], schema: pa.Schema, rows: int) -> Iterator[pa.Table]:
    """Yield the rows of tables in one schema, so many in each table but the last; none without rows.

    Args:
        tables: one after another; one and a half times so many rows are held at most.
        schema: in which all have a place.
        rows: of a table.
    """
    held: list[pa.Table] = []
    for table in tables:
        for start in range(0, table.num_rows, rows):
            held.append(schemas.conform(table.slice(start, rows), schema))
            if sum(map(len, held)) >= rows:
                whole = pa.concat_tables(held)
                yield whole.slice(0, rows)
                held = [whole.slice(rows)] if whole.num_rows > rows else []
    if held:
        yield pa.concat_tables(held)


def nothing_there(key: Sequence[str], asked: Sequence[str] | None, present: Sequence[str | None]) -> str:
    """Say that none of the partitions asked for is stored, or nothing at all."""
    if not present:
        return f"{label(key)} has not been stored yet: materialize it first."
    few = ", ".join(list(asked or [])[:3])
    return (
        f"{label(key)}: none of the {len(asked or [])} partitions asked for ({few}) is stored; "
        f"there are {len(present)}, the last is {present[-1]!r}. Materialize them first, "
        "or give the input the metadata allow_missing_partitions: True."
    )
