"""What of a filter of rows a database can decide itself. All wanted rows pass, and others may."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from mlops_assets.io_managers.sql.columns import Column
from mlops_assets.io_managers.sql.server import quoted
from mlops_assets.resources.rows import ITEM, TIME, Only, Span

if TYPE_CHECKING:
    import sqlalchemy as sa

    from mlops_assets.io_managers.sql.server import Server

_MOST_ITEMS = 1_000
"""More single items than this are told apart here: a statement has room for so many values only."""


def bounds(
    server: "Server", only: Only | None, schema: pa.Schema, places: Mapping[str, Column]
) -> "list[sa.ColumnElement[bool]]":
    """Return conditions on the columns of a stored table.

    Args:
        server: knows how the database compares texts.
        only: None: every row.
        schema: the frame's, as it was stored.
        places: where its columns are in the database.
    """
    if only is None:
        return []
    found = []
    if only.items is not None and ITEM in places and server.text_by_bytes and places[ITEM].kind == "string":
        found += _items(server.item_text(places[ITEM].column), only.items)
    if TIME in places and TIME in schema.names and pa.types.is_timestamp(schema.field(TIME).type):
        found += _times(places[TIME], schema.field(TIME).type, only)
    return found


def _items(column: Any, items: "Span | Any") -> "list[sa.ColumnElement[bool]]":
    if isinstance(items, Span):
        return [column >= items.first, column <= items.last] if _is_text(items.first, items.last) else []
    return [column.in_(list(items))] if len(items) <= _MOST_ITEMS and _is_text(*items) else []


def _is_text(*items: Any) -> bool:
    """Whether a database takes these for texts: there are characters that it does not."""
    return all(isinstance(item, str) and item.isprintable() for item in items)


def _times(place: Column, kind: pa.TimestampType, only: Only) -> "list[sa.ColumnElement[bool]]":
    """Bound a time without zone; what a column keeps is cut to microseconds, and so are its bounds."""
    import sqlalchemy as sa

    moments = [moment for moment in (only.since, only.until) if moment is not None]
    if kind.tz is not None or any(moment.tzinfo is not None for moment in moments):
        return []
    column = quoted(place.column)

    def cut(moment: pd.Timestamp) -> Any:
        value = moment.floor("us").as_unit("us").to_pydatetime()
        if place.kind == "string":
            return sa.literal(pa.scalar(value, pa.timestamp("us")).cast(pa.string()).as_py(), sa.Text())
        return sa.literal(value, sa.DateTime())

    since = [column >= cut(only.since)] if only.since is not None else []
    return since + ([column <= cut(only.until)] if only.until is not None else [])
