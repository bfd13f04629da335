"""Bounds that are declared: no forecast beyond them, and a word on observations that are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_assets.forecasting.delivery.by_item import by_item
from mlops_assets.forecasting.model.baselines import clipped
from mlops_assets.forecasting.model.panel import ITEM, TARGET, TIME
from mlops_assets.forecasting.model.task import Task


def within(made: pd.DataFrame, task: Task, known: pd.DataFrame, lowest: float = 0.0) -> pd.DataFrame:
    """Return forecasts as the task and the data bound them.

    Means and quantiles lie between `minimum` and `maximum`, and at zero or above where nothing was ever below
    (`baselines.clipped`). Of a `whole` task quantiles are whole numbers within the bounds; means need not be.

    Args:
        made: forecasts, with the task's quantiles.
        task: has the bounds.
        known: canonical frame up to the origin.
        lowest: the lowest target that the model has learnt from.
    """
    made = clipped(made, task, known, lowest)
    if task.minimum is None and task.maximum is None and not task.whole:
        return made
    low, high = (limit[:, None] for limit in _limits(task, known, made[ITEM]))
    quantiles = made[task.quantile_columns].to_numpy(dtype=float)
    mean = made[["mean"]].to_numpy(dtype=float)
    mean = np.fmin(np.fmax(mean, low), high)
    if task.whole:
        quantiles, low, high = np.rint(quantiles), np.ceil(low), np.floor(high)
    quantiles = np.fmin(np.fmax(quantiles, low), high)
    return made.assign(mean=mean[:, 0], **dict(zip(task.quantile_columns, quantiles.T, strict=True)))


def misfits(frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the observations that the declared bounds call impossible.

    Args:
        frame: canonical frame.
        task: has the bounds.

    Returns:
        Columns item_id, timestamp, target and `why`, such as `above the maximum of 40`; by time.
    """
    if task.minimum is None and task.maximum is None and not task.whole:
        return frame.iloc[:0][[ITEM, TIME, TARGET]].assign(why=pd.Series(dtype=object))
    target = frame[TARGET].to_numpy(dtype=float, na_value=np.nan)
    low, high = _limits(task, frame, frame[ITEM])
    why = np.full(len(frame), "", dtype=object)
    if task.whole:
        why[~np.isnan(target) & (target != np.rint(target))] = "no whole number"
    for beyond, words, limit in ((target < low, "below the minimum", low), (target > high, "above the maximum", high)):
        why[beyond] = [f"{words} of {value:g}" for value in limit[beyond]]
    rows = frame.loc[why != "", [ITEM, TIME, TARGET]].assign(why=why[why != ""])
    return rows.sort_values([TIME, ITEM], ignore_index=True)


def _limits(task: Task, known: pd.DataFrame, item: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each row, shape (rows,); NaN where there is no limit."""
    limits = (np.nan if limit is None else limit for limit in (task.minimum, task.maximum))
    low, high = (by_item(limit, known, item) for limit in limits)
    return low, high
