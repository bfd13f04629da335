"""The point that costs least, where a unit too low costs another sum than a unit too high.

Whoever pays `under` for each unit that the forecast is too low, and `over` for each that it is too high, pays least on
the average at the quantile under / (under + over): the newsvendor's, see Arrow, Harris and Marschak (1951), "Optimal
inventory policy", Econometrica 19.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_assets.forecasting.delivery.by_item import by_item
from mlops_assets.forecasting.model.panel import ITEM, TIME
from mlops_assets.forecasting.model.task import OVER, POINT, UNDER, Task, quantile_column

PERCENT = 100
"""Levels of costs by item are rounded to whole percents: so many quantiles are computed at most."""


def quantiles(task: Task, known: pd.DataFrame) -> tuple[float, ...]:
    """Return the levels of the task and, where the costs decide on the point, those that they need; ascending.

    Args:
        task: levels and costs.
        known: canonical frame up to the origin, with the static covariates that the costs name.
    """
    if task.point != "costs":
        return task.quantiles
    items = pd.Series([*known[ITEM].unique(), None], dtype=object)  # None: an item of which nothing is known
    needed = {quantile_column(level): float(level) for level in np.unique(_levels(task, *_costs(task, known, items)))}
    needed |= {quantile_column(level): level for level in task.quantiles}
    return tuple(sorted(needed.values()))


def with_point(made: pd.DataFrame, task: Task, known: pd.DataFrame) -> pd.DataFrame:
    """Return forecasts with `task.cost_columns`, and without the quantiles that only those needed.

    Args:
        made: forecasts with the levels of `quantiles`.
        task: levels and costs.
        known: canonical frame up to the origin.
    """
    if task.costs is None:
        return made
    under, over = _costs(task, known, made[ITEM])
    made = made.assign(**{UNDER: under, OVER: over})
    if task.point == "costs":
        names = np.array([quantile_column(level) for level in _levels(task, under, over)], dtype=object)
        point = np.full(len(made), np.nan)
        for name in np.unique(names):
            point[names == name] = made.loc[names == name, name]
        made[POINT] = point
    others = [quantile_column(level) for level in quantiles(task, known)]
    return made.drop(columns=[name for name in others if name not in task.quantile_columns])


def unknown(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the items whose costs are not known, or not above zero: their point is the median, and they cost nothing.

    Args:
        frame: canonical frame, with the static covariates that the costs name.
        task: has the costs.

    Returns:
        Columns item_id and timestamp, that of an item's latest row; by item.
    """
    latest = pd.DataFrame(frame.groupby(ITEM, as_index=False, sort=True)[TIME].max())
    if not any(isinstance(cost, str) for cost in task.costs or ()):
        return latest.iloc[:0]
    under, _ = _costs(task, frame, latest[ITEM])
    return latest.loc[np.isnan(under), [ITEM, TIME]].reset_index(drop=True)


def _costs(task: Task, known: pd.DataFrame, item: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Costs of a unit too low and of one too high of each row; NaN for both unless both are above zero."""
    assert task.costs is not None
    under, over = (by_item(cost, known, item) for cost in task.costs)
    valid = (under > 0) & (over > 0)
    return np.where(valid, under, np.nan), np.where(valid, over, np.nan)


def _levels(task: Task, under: np.ndarray, over: np.ndarray) -> np.ndarray:
    """Level of the quantile that costs least; the median where the costs are not known."""
    level = under / (under + over)
    if any(isinstance(cost, str) for cost in task.costs or ()):
        level = np.clip(np.rint(PERCENT * level), 1, PERCENT - 1) / PERCENT
    return np.where(np.isnan(level), 0.5, level)
