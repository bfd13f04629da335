"""A forecast as a picture: history, intervals, and what came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mlops_assets.forecasting.data.grid import parse_frequency
from mlops_assets.reading.asked import Moment
from mlops_assets.reading.forecasts import LATEST
from mlops_assets.reading.reader import Items, Reader

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HORIZONS = 4
"""So much of the history is shown, in horizons."""
_LEAST = 28
"""And so many steps at least."""


def picture(
    reader: Reader, items: Items = None, origin: Moment | None = None, as_of: Moment | None = None, most: int = 6
) -> Figure:
    """Draw forecasts of one origin beside the history that was known, and what came.

    Args:
        reader: of the forecast.
        items: which; None: the largest.
        origin: from where; None: the latest.
        as_of: the moment; what came after the origin is shown as it is known now.
        most: so many items at most.

    Raises:
        QuestionError: there is no such item or origin, or nothing was forecast by then.
    """
    from mlops_assets.forecasting import charts

    spec = reader.spec
    if items is None:
        listed = reader.items(as_of=as_of)
        items = listed.loc[listed["level"] == "item", "item_id"].head(most).tolist()
    chosen = [items] if isinstance(items, str) else list(items)
    made = reader.forecasts(chosen, origin=LATEST if origin is None else origin, as_of=as_of)
    if made.empty:
        return charts.fan(_nothing(), made)
    first = made["origin"].iloc[0]
    steps = max(_HORIZONS * spec.horizon, _LEAST)
    start = pd.date_range(end=first, periods=steps, freq=parse_frequency(spec.frequency))[0]
    history = reader.observations(chosen, start=start, end=first, as_of=as_of)
    came = reader.observations(chosen, start=first + pd.Timedelta(microseconds=1), end=made["timestamp"].max())
    drawn = [item for item in chosen if item in set(made["item_id"])]
    point = spec.task.point_column
    return charts.fan(history, made, came, drawn, point=point, max_items=most, of=len(chosen))


def _nothing() -> pd.DataFrame:
    return pd.DataFrame({"item_id": [], "timestamp": [], "target": []})
