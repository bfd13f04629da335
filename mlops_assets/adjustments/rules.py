"""From the system's forecast and the log to the published one: pure functions over frames.

- A factor multiplies mean and quantiles; a delta, and a value, shift them all by the same, so that an interval keeps
  its width. A value is where the point comes to lie.
- Of a sum of items a factor is each item's; a delta, and what a value adds, are divided by the items' shares in the
  system's means of that timestamp, so that the published means add up to it.
- Nothing lies beyond the declared bounds, nor below zero where the system forecasts nothing there. What a bound takes
  from an item of a sum, the others get.
- The later of two adjustments of a row holds, from the system's forecast on and not from the earlier one's.
- A locked row keeps what the origin before has published.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mlops_assets.adjustments.log import ADJUST, FACTOR, LOCK, VALUE, covered, of_a_sum, standing
from mlops_assets.forecasting.model.task import POINT, Task

KEYS = ["item_id", "origin", "timestamp"]
"""What a forecast is known by."""
NONE = 0
"""Stands for the number of an adjustment where there is none."""
_EXACT = 1e-9
"""Share of a sum up to which it is reached."""


def adjusted(
    system: pd.DataFrame,
    log: pd.DataFrame,
    task: Task,
    held: pd.DataFrame | None = None,
    limits: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the rows of one origin's forecast that are published otherwise than the system made them.

    Args:
        system: the forecast of one origin: `KEYS`, lead, mean, the task's quantiles and, with costs, its point; of an
            item all leads or none.
        log: the log of adjustments.
        task: names the quantiles and the point, and has the bounds.
        held: what the origin before has published, in the same columns, for locks; None: there is none.
        limits: `low` and `high` by item; a bound that is missing is none.

    Returns:
        The columns of `system`, moved, and `adjustment`: the number of what the row comes of; by item and timestamp.
    """
    rows = system.sort_values(["item_id", "timestamp"], ignore_index=True)
    if rows.empty:
        return rows.assign(adjustment=pd.Series(dtype="int64"))
    origin, low, high = rows["origin"].iloc[0], *_bounds(rows, task, limits)
    number = np.full(len(rows), NONE)
    factor, shift, value = np.ones(len(rows)), np.zeros(len(rows)), np.full(len(rows), np.nan)
    mean, point = rows["mean"].to_numpy(float), rows[task.point_column].to_numpy(float)
    for _, row in standing(log, origin, ADJUST).iterrows():
        about = covered(row, rows["item_id"], rows["timestamp"]).to_numpy()
        amount = float(row["amount"])
        number[about], factor[about], shift[about], value[about] = row["number"], 1.0, 0.0, np.nan
        if row["kind"] == FACTOR:
            factor[about] = amount
        elif not of_a_sum(row):
            shift[about] = amount - point[about] if row["kind"] == VALUE else amount
            value[about] = amount if row["kind"] == VALUE else np.nan
        else:
            for at in _steps(rows, about):
                added = amount - mean[at].sum() if row["kind"] == VALUE else amount
                shift[at] = spread(mean[at], added, low[at], high[at])
    moved = _moved(rows, factor, shift, value, task, low, high).assign(adjustment=number)
    moved = _kept(moved, standing(log, origin, LOCK), held, origin)
    return moved[moved["adjustment"] != NONE].reset_index(drop=True)


def spread(mean: np.ndarray, added: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Divide what is added to a sum among its parts by their shares, within their bounds.

    Args:
        mean: the parts, shape (items,).
        added: to their sum.
        low: least value of each part.
        high: largest value of each part.

    Returns:
        What is added to each, shape (items,). It adds up to `added` unless the bounds do not let it; parts of a sum of
        zero get as much as each other.
    """
    size = np.abs(mean)
    share = size / size.sum() if size.sum() > 0 else np.full(len(mean), 1 / max(len(mean), 1))
    target, made = mean.sum() + added, mean.astype(float)
    for _ in range(len(mean) + 1):
        rest = target - made.sum()
        free = (made < high) if rest > 0 else (made > low)
        if abs(rest) <= _EXACT * max(abs(target), _EXACT) or not free.any():
            break
        weight = np.where(free, share, 0.0)
        weight = weight / weight.sum() if weight.sum() > 0 else free / free.sum()
        made = np.clip(made + rest * weight, np.minimum(low, made), np.maximum(high, made))
    return made - mean


def _bounds(rows: pd.DataFrame, task: Task, limits: pd.DataFrame | None) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each row, shape (rows,); infinite where there is no limit."""
    low, high = np.full(len(rows), -np.inf), np.full(len(rows), np.inf)
    if limits is not None:
        own = limits.reindex(rows["item_id"])
        low, high = own["low"].fillna(-np.inf).to_numpy(float), own["high"].fillna(np.inf).to_numpy(float)
    lowest = rows[["mean", *task.quantile_columns]].min(axis=1).groupby(rows["item_id"]).transform("min")
    never_below = ((lowest >= 0) & (not task.may_be_negative)) | task.non_negative
    return np.where(never_below, np.maximum(low, 0.0), low), high


def _steps(rows: pd.DataFrame, about: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the places of some rows, timestamp by timestamp."""
    places = np.flatnonzero(about)
    yield from (places[at] for at in rows.iloc[places].groupby("timestamp").indices.values())


def _moved(
    rows: pd.DataFrame,
    factor: np.ndarray,
    shift: np.ndarray,
    value: np.ndarray,
    task: Task,
    low: np.ndarray,
    high: np.ndarray,
) -> pd.DataFrame:
    """Forecasts multiplied and shifted within their bounds; the point is exactly what a person has said."""
    columns: list[str] = ["mean", *task.quantile_columns, *([POINT] if POINT in rows else [])]
    made = rows[columns].to_numpy(float) * factor[:, None] + shift[:, None]
    told = columns.index(task.point_column)
    made[:, told] = np.where(np.isnan(value), made[:, told], value)
    made = np.clip(made, low[:, None], high[:, None])
    levels = [columns.index(name) for name in task.quantile_columns]
    if task.whole:
        made[:, levels] = np.clip(np.rint(made[:, levels]), np.ceil(low)[:, None], np.floor(high)[:, None])
    made[:, levels] = np.sort(made[:, levels], axis=1)  # a point that was set may lie a rounding beyond its neighbour
    return rows.assign(**dict(zip(columns, made.T, strict=True)))


def _kept(moved: pd.DataFrame, locks: pd.DataFrame, held: pd.DataFrame | None, origin: pd.Timestamp) -> pd.DataFrame:
    """Forecasts with those that are locked as the origin before has published them."""
    locks = locks[locks["origin"] < origin]
    if held is None or held.empty or locks.empty:
        return moved
    by = ["item_id", "timestamp"]
    values = [name for name in moved.columns if name in held.columns and name not in (*KEYS, "lead", "adjustment")]
    before = held.drop_duplicates(by).set_index(by)[values].reindex(pd.MultiIndex.from_frame(moved[by]))
    there = before["mean"].notna().to_numpy()
    for _, lock in locks.iterrows():
        about = covered(lock, moved["item_id"], moved["timestamp"]).to_numpy() & there
        moved.loc[about, values] = before.to_numpy()[about]
        moved.loc[about, "adjustment"] = lock["number"]
    return moved
