"""One item's forecast beside its history."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mlops_assets.forecasting.data.grid import parse_frequency
from mlops_assets.forecasting.evaluation.metrics import outer_pair
from mlops_assets.forecasting.model.task import quantile_column
from mlops_assets.reading.asked import Moment
from mlops_assets.reading.questions import QuestionError, shown
from mlops_assets.reading.reader import Reader

_BEFORE = 28
"""Steps of the history, or as many as are forecast."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """What is forecast of an item.

    Attributes:
        item: its id.
        forecasts: its rows, as `Reader.forecasts` returns them; one at least.
        history: its observations before them.
        point: column of the point forecast.
        interval: columns of the outermost quantiles; None without two around one half.
        share: that lies within them.
    """

    item: str
    forecasts: pd.DataFrame
    history: pd.DataFrame
    point: str
    interval: tuple[str, str] | None
    share: float | None


def outlook(reader: Reader, item: str, origin: Moment | None = None, as_of: Moment | None = None) -> Outlook:
    """Return an item's forecast from an origin, or the latest, beside the history that was known.

    Raises:
        QuestionError: there is no such item or origin, nothing was forecast by then, or not of this item.
    """
    spec = reader.spec
    made = reader.forecasts(item, origin=origin, as_of=as_of)
    if made.empty:
        where = "lately" if origin is None else f"from {origin}"
        raise QuestionError(f"item={shown(item)!r}: nothing was forecast of it {where}", parameter="item")
    last = made["origin"].max()
    steps = max(_BEFORE, spec.horizon)
    first = pd.date_range(end=last, periods=steps, freq=parse_frequency(spec.frequency))[0]
    history = reader.observations(item, start=first, end=last, as_of=as_of)
    pair = outer_pair(spec.quantiles)
    interval = None if pair is None else (quantile_column(pair[0]), quantile_column(pair[1]))
    share = None if pair is None else round(pair[1] - pair[0], 9)
    return Outlook(item, made, history, spec.task.point_column, interval, share)
