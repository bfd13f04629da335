"""Which items there are: an id that is none is told, with those that are most like it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from mlops_assets.catalog.names import FORECASTS, OBSERVATIONS, RECONCILED_FORECASTS
from mlops_assets.errors import nearest
from mlops_assets.reading.asked import Asked
from mlops_assets.reading.questions import UnknownItemError, shown
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.spec import ForecastSpec

LATELY = 28
"""Partitions whose items are told."""


def require(tables: Tables, spec: ForecastSpec, asked: Asked, found: Iterable[str]) -> None:
    """Make sure that there are the items that a question is about.

    Args:
        tables: where they are.
        spec: the forecast.
        asked: the question.
        found: items that there are rows of: they need no look.

    Raises:
        UnknownItemError: neither the latest partitions nor any forecast has one of them.
    """
    unknown = {*(asked.items or ())} - {*found}
    if not unknown:
        return
    where = [OBSERVATIONS, FORECASTS, *([RECONCILED_FORECASTS] if spec.hierarchy is not None else [])]
    lately = [rows for name in where for rows in _lately(tables, [spec.name, name])]
    known = {item for rows in lately for item in rows["item_id"]}
    unknown -= known
    if unknown and tables.exists(key := [spec.name, FORECASTS]):
        unknown -= {*tables.read(key, None, ["item_id"], Only(items=sorted(unknown)))["item_id"]}
    if not unknown:
        return
    item = min(unknown)
    near = nearest(shown(item), known, 3)
    such = near or sorted(known)[:3]
    there = f"there are {len(known)}, such as {', '.join(such)}" if known else "nothing is stored yet"
    raise UnknownItemError(f"item={shown(item)!r}: there is no such item; {there}", parameter="item", nearest=near)


def _lately(tables: Tables, key: list[str]) -> Iterator[pd.DataFrame]:
    keys = tables.partitions(key)[-LATELY:]
    return tables.batches(key, keys, ["item_id"]) if keys else iter(())
