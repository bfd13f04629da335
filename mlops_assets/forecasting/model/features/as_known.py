"""Training rows as they were to be made at their origins: features of what was known then, targets of what came."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from ..panel import ITEM, TARGET, TIME, Panel
from ..scaling import Scaling, Seasons, squash
from ..task import Task
from .rows import MINIMUM_HISTORY, forecast_rows

YEARLY = frozenset({"calendar_day_of_year", "calendar_month"})


def as_known(
    rows: pd.DataFrame,
    task: Task,
    other: Mapping[pd.Timestamp, np.ndarray],
    seen: Callable[[pd.Timestamp, np.ndarray], pd.DataFrame],
) -> pd.DataFrame:
    """Make those training rows anew of which something else was known at the origin.

    An item's features depend on its own rows only, so that all others stay as they are.

    Args:
        rows: as `training_rows` gives them, of what is known now.
        task: what is forecast.
        other: by origin, the items in question.
        seen: gives the canonical frame of items as they were known at an origin, and after it their known covariates.

    Returns:
        The rows, without those of which too little was known at the origin to forecast from.
    """
    columns: dict[str, np.ndarray] = {str(name): rows[name].to_numpy(copy=True) for name in rows.columns}
    drawn = pd.Series(np.arange(len(rows)), index=pd.DatetimeIndex(rows["origin"]))
    keep = np.ones(len(rows), dtype=bool)
    for origin, items in other.items():
        if origin not in drawn.index:
            continue
        places = np.atleast_1d(drawn.loc[[origin]].to_numpy())
        places = places[np.isin(columns[ITEM][places].astype(str), items.astype(str))]
        if len(places):
            keep[places] = _renew(columns, places, task, origin, seen(origin, np.unique(columns[ITEM][places])))
    return pd.DataFrame(columns)[keep].reset_index(drop=True)


def _renew(
    columns: dict[str, np.ndarray], places: np.ndarray, task: Task, origin: pd.Timestamp, frame: pd.DataFrame
) -> np.ndarray:
    """Overwrite the rows at some places, all of one origin, and return which of them can be made at all."""
    seasons, scaling = Seasons.of(task), Scaling.from_name(str(columns["scaling"][places[0]]))
    start = origin - (seasons.lookback - 1) * to_offset(task.frequency)
    recent = frame.loc[(frame[TIME] >= start).to_numpy()]
    before = recent.loc[(recent[TIME] <= origin).to_numpy() & recent[TARGET].notna().to_numpy(), ITEM].value_counts()
    enough = before.index[before >= MINIMUM_HISTORY]
    made = np.isin(columns[ITEM][places].astype(str), np.asarray(enough, dtype=str))
    if not made.any():
        return made
    recent = recent.loc[recent[ITEM].isin(enough)]
    panel = Panel.from_frame(recent, task, pad=seasons.lookback, ahead=task.horizon, origin=origin)
    places = places[made]
    item, row = np.unique(pd.Index(panel.items).get_indexer(pd.Index(columns[ITEM][places])), return_inverse=True)
    new = forecast_rows(panel, task, scaling, item, task.horizon, yearly=not YEARLY.isdisjoint(columns))
    chosen = row * task.horizon + columns["lead"][places] - 1
    columns["reference"][places], columns["scale"][places] = new.reference[chosen], new.scale[chosen]
    y = (scaling.forward(columns[TARGET][places]) - new.reference[chosen]) / new.scale[chosen]
    columns["y"][places] = squash(y)
    for name, values in new.features.items():
        columns[name][places] = values[chosen]
    return made
