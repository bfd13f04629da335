"""Which rows of an Arrow table are wanted, and which row groups of a Parquet file may hold one. No I/O here."""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from typing import Any

import pyarrow as pa
from pyarrow import compute

from mlops_assets.io_managers import schemas
from mlops_assets.io_managers.arrow import plain_type
from mlops_assets.resources.rows import ITEM, TIME, Only, Span


def needed(columns: Sequence[str] | None, only: Only | None) -> list[str] | None:
    """Return the columns that have to be read so that rows can be told and some columns returned; None: all."""
    if columns is None:
        return None
    return list(dict.fromkeys([*columns, *(only.columns if only else ())]))


def selected(table: pa.Table, columns: Sequence[str] | None, only: Only | None, name: str) -> pa.Table:
    """Return the rows that are wanted, and of them the columns that are, in this order.

    Args:
        table: with the columns of `needed`.
        columns: None: all.
        only: None: every row.
        name: of the table, for the message.

    Raises:
        SchemaDriftError: the table lacks a column that is asked for or bounded.
    """
    schemas.select_columns(table.schema, [*(columns or ()), *(only.columns if only else ())], name)
    table = matching(table, only)
    return table if columns is None or list(columns) == table.column_names else table.select(columns)


def matching(table: pa.Table, only: Only | None) -> pa.Table:
    """Return the rows that are wanted; none of a table that lacks a bounded column."""
    if only is None or not only.columns:
        return table
    if any(name not in table.column_names or pa.types.is_null(table.field(name).type) for name in only.columns):
        return table.slice(0, 0)
    pc: Any = compute
    items, times = (_plain(table.column(name)) if name in only.columns else None for name in (ITEM, TIME))
    bounds = []
    if isinstance(only.items, Span):
        bounds += [pc.greater_equal(items, only.items.first), pc.less_equal(items, only.items.last)]
    elif items is not None:
        bounds += [pc.is_in(items, value_set=pa.array(list(only.items or ()), items.type))]
    bounds += [pc.greater_equal(times, pa.scalar(only.since))] if only.since is not None else []
    bounds += [pc.less_equal(times, pa.scalar(only.until))] if only.until is not None else []
    return table.filter(reduce(pc.and_, bounds))


def row_groups(metadata: Any, only: Only | None) -> list[int]:
    """Return the row groups of a Parquet file that may hold a wanted row, by their statistics.

    Args:
        metadata: `pyarrow.parquet.FileMetaData` of a file with flat columns.
        only: None: every row.
    """
    every = list(range(metadata.num_row_groups))
    if only is None or not every:
        return every
    first = metadata.row_group(0)
    places = {first.column(i).path_in_schema: i for i in range(first.num_columns)}
    bounded = [places[name] for name in only.columns if name in places]
    return [group for group in every if all(_may_match(metadata.row_group(group).column(i), only) for i in bounded)]


def _may_match(column: Any, only: Only) -> bool:
    """Return whether a column of a row group may hold a wanted value: unless its least and its largest say no."""
    known = column.statistics
    if known is None or not known.has_min_max:
        return True
    least, most = known.min, known.max
    if isinstance(least, datetime):
        return (only.since is None or most >= only.since) and (only.until is None or least <= only.until)
    if not isinstance(least, str) or only.items is None:
        return True
    if isinstance(only.items, Span):
        return least <= only.items.last and most >= only.items.first
    return any(least <= item <= most for item in only.items)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(plain_type(column.type)) if pa.types.is_dictionary(column.type) else column
