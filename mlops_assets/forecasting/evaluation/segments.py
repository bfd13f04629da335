"""Parts of the items that are judged and reported apart: thirds by volume, and values of static covariates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_assets.forecasting.model.panel import ITEM, TARGET, TIME, latest_known

LEAST_ITEMS = 9
"""With fewer there are no thirds by volume."""
VOLUMES = ("low", "middle", "high")
_COLUMNS = [ITEM, "segment", "by", "value"]


def by_volume(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the thirds of the items by the size of their targets; none for under `LEAST_ITEMS` items.

    Args:
        rows: item_id, target.

    Returns:
        item_id, segment (`low volume`, `middle volume`, `high volume`), by (`volume`) and value (`low`, ...).
    """
    return thirds(volumes(rows))


def volumes(rows: pd.DataFrame) -> pd.Series:
    """Return the size of the targets of each item, by item_id."""
    return rows.groupby(ITEM)[TARGET].sum()


def thirds(volume: pd.Series) -> pd.DataFrame:
    """Return the thirds of items by their `volumes`; see `by_volume`."""
    size = volume.rank(method="first", pct=True)
    if len(size) < LEAST_ITEMS:
        return pd.DataFrame({name: [] for name in _COLUMNS}, dtype=object)
    value = np.array(VOLUMES, dtype=object)[np.minimum((size.to_numpy() * 3).astype(int), 2)]
    return pd.DataFrame({ITEM: size.index, "segment": value + " volume", "by": "volume", "value": value})


def by_static(history: pd.DataFrame, static: Sequence[str]) -> pd.DataFrame | None:
    """Return a row for each item and static covariate, by what is known of it last; None without any.

    Args:
        history: item_id, timestamp and the covariates.
        static: names of the covariates.

    Returns:
        item_id, segment (`city=east`), by (`city`) and value (`east`).
    """
    if not static:
        return None
    latest = latest_known(history, static)
    parts = [
        pd.DataFrame(
            {
                ITEM: latest.index,
                "segment": f"{name}=" + latest[name].astype(str),
                "by": name,
                "value": latest[name].astype(object),
            }
        )
        for name in static
    ]
    return pd.concat(parts, ignore_index=True)


def segments(rows: pd.DataFrame, static: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the thirds by volume, and the values of each covariate in `static` (beside item_id and timestamp)."""
    parts = [by_volume(rows)]
    names = [] if static is None else [str(name) for name in static if name not in (ITEM, TIME)]
    if static is not None and (found := by_static(static, names)) is not None:
        parts.append(found)
    return pd.concat(parts, ignore_index=True)
