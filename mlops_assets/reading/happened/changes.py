"""By how much forecasts have changed from the origin before, and why."""

from __future__ import annotations

import pandas as pd

from mlops_assets.catalog.column import without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.names import FORECAST_CHANGE
from mlops_assets.reading.asked import Asked
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec


def changes(
    tables: Tables, spec: ForecastSpec, asked: Asked, partition: str | None = None, limit: int | None = 50
) -> pd.DataFrame:
    """Return the changes of an origin's forecasts, the largest in either direction first.

    Args:
        tables: where they are.
        spec: the forecast.
        asked: of which items.
        partition: of the origin; None: the latest.
        limit: so many at most; None: all.

    Returns:
        The columns of the table `forecast_change`.
    """
    key = [spec.name, FORECAST_CHANGE]
    keys = tables.partitions(key)[-1:] if partition is None else tables.stored(key, [partition])
    if not keys:
        return without_rows(TABLES[FORECAST_CHANGE])
    rows = tables.read(key, keys, None, asked.only)
    rows = rows.sort_values("change", key=abs, ascending=False, kind="stable", ignore_index=True)
    return rows if limit is None else rows.head(limit)
