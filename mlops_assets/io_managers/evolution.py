"""Stored tables of earlier releases as today's: columns renamed and filled in, before anything else looks at them."""

import json
from collections.abc import Sequence
from functools import lru_cache

import pandas as pd
import pyarrow as pa

from mlops_assets.catalog.column import Column, typed
from mlops_assets.catalog.evolution import Evolution
from mlops_assets.io_managers.arrow import RECORD, columns_record, to_arrow


def as_of_today(table: pa.Table, evolution: Evolution, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a stored table, or some columns of it, with the names and columns of today.

    Args:
        table: as it was stored.
        evolution: what has changed since.
        columns: only these of the columns that have come since; None: all of them.
    """
    if not evolution:
        return table
    names = evolution.renamed(table.column_names)
    come = [one for one in evolution.lacking(names) if columns is None or one.name in columns]
    if names == table.column_names and not come:
        return table
    record = columns_record(table.schema)
    record = {new: record[old] for old, new in zip(table.column_names, names, strict=True) if old in record}
    table = table.rename_columns(names)
    for column in come:
        field, array, known = _filled(column, table.num_rows)
        table = table.append_column(field, array)
        record[column.name] = known
    return table.replace_schema_metadata({**(table.schema.metadata or {}), RECORD: json.dumps(record)})


def schema_of_today(schema: pa.Schema, evolution: Evolution) -> pa.Schema:
    """Return the schema of a stored table with the names and columns of today."""
    return as_of_today(schema.empty_table(), evolution).schema if evolution else schema


def with_texts(table: pa.Table, evolution: Evolution) -> pa.Table:
    """Return a table in which columns of texts are such without any text too: pandas cannot tell their type."""
    for column in evolution.columns:
        place = table.schema.get_field_index(column.name) if column.dtype == "str" else -1
        if place >= 0 and pa.types.is_null(table.schema.field(place).type):
            field = table.schema.field(place).with_type(pa.string())
            table = table.set_column(place, field, pa.nulls(table.num_rows, pa.string()))
    return table


def _filled(column: Column, rows: int) -> "tuple[pa.Field, pa.ChunkedArray | pa.Array, dict]":
    """Return a column of default values as it would have been stored."""
    field, values, known = _default(column, min(rows, 1))
    return field, pa.repeat(values[0], rows) if rows else values, known


@lru_cache
def _default(column: Column, rows: int) -> "tuple[pa.Field, pa.ChunkedArray, dict]":
    """Return the same of one row or none, once: thousands of partitions may lack a column."""
    missing = pd.NaT if column.dtype.startswith("datetime") else pd.NA if column.dtype == "Int64" else None
    value = missing if column.default is None else column.default
    frame = pd.DataFrame({column.name: pd.Series([value] * rows, dtype="object")})
    made = with_texts(to_arrow(typed(frame, (column,))), Evolution((column,)))
    return made.schema.field(0), made.column(0), columns_record(made.schema)[column.name]
