"""Is one model's error really lower than another's? Paired on the same rows, with a bootstrap interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.forecasting.model.errors import UsageError
from mlops_assets.forecasting.model.panel import ITEM, TARGET, TIME
from mlops_assets.forecasting.model.task import Task, quantile_column

ROW = (ITEM, "origin", TIME)
"""Columns that make two rows a pair."""
RESAMPLES = 2000
_MOST_BLOCKS = 2000


@dataclass(frozen=True)
class Comparison:
    """How two models compare on the rows that both have forecast and that have a target.

    Attributes:
        rows: number of paired rows.
        blocks: number of blocks (item and origin) that were resampled.
        first: the metric of the first model, NaN without rows.
        second: the metric of the second.
        change: first / second - 1; below zero, the first is better.
        low: lower end of the interval of `change`.
        high: upper end of it.
        chance: probability of so large an excess of the first if the two were equal (one-sided paired t-test over the
            blocks; Student (1908), "The probable error of a mean", Biometrika 6): it holds for few blocks, too.
    """

    rows: int
    blocks: int
    first: float
    second: float
    change: float
    low: float
    high: float
    chance: float


def compare(
    first: pd.DataFrame, second: pd.DataFrame, task: Task, metric: str, *, confidence: float = 0.95, seed: int = 0
) -> Comparison:
    """Compare two models by a metric.

    Rows are paired by item, origin and timestamp, and those that only one model has are left out. All rows of an item
    at an origin are a block, because their errors go together; blocks are drawn with replacement and `change` is taken
    of each draw. Efron (1979), "Bootstrap methods: another look at the jackknife", Annals of Statistics 7, in blocks
    after Künsch (1989), "The jackknife and the bootstrap for general stationary observations", same journal 17.

    Args:
        first: item_id, origin, timestamp, target, the task's point and quantile columns, mase_scale, rmsse_scale.
        second: the same for the other model.
        task: names the point forecast and the quantiles.
        metric: wql, wape, mase, rmsse or smape.
        confidence: probability that the interval is made for.
        seed: of the draws.
    """
    sides = [_losses(rows, task, metric) for rows in (first, second)]
    # Sorted, so that sums of the same rows are the same to the last bit.
    pairs = sides[0].merge(sides[1], on=list(ROW), suffixes=("_first", "_second")).sort_values(list(ROW))
    if pairs.empty:
        return Comparison(0, 0, *[np.nan] * 6)
    losses = ["loss_first", "loss_second"]
    cells = pairs.groupby([ITEM, "origin"], observed=True, sort=False)
    if metric in _BY_SERIES:
        parts, whole = cells[losses].mean().to_numpy(), float(cells.ngroups)
        parts = np.sqrt(parts) if metric == "rmsse" else parts
    else:
        parts, whole = cells[losses].sum().to_numpy(), float(pairs["size_first"].sum())
    count, chance = len(parts), _chance(parts[:, 0] - parts[:, 1])
    one, two = (float(total / whole) if whole > 0 else np.nan for total in parts.sum(axis=0))
    parts = _blocks(parts)
    blocks = len(parts)
    counts = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=RESAMPLES)
    drawn = _change(*(counts @ parts).T)
    tail = (1 - confidence) / 2
    low, high = (float(end) for end in np.quantile(drawn, [tail, 1 - tail], method="nearest"))
    change = float(_change(*parts.sum(axis=0, keepdims=True).T)[0])
    return Comparison(len(pairs), count, one, two, change, low, high, chance)


def _change(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Relative difference; zero when both are zero, infinite when only the second is."""
    same = np.where(first == second, 0.0, np.inf)
    return np.divide(first, second, out=same + 1, where=second > 0) - 1


def _chance(excess: np.ndarray) -> float:
    from scipy.stats import ttest_1samp

    if len(excess) < 2 or np.ptp(excess) == 0:
        return 0.0 if len(excess) > 1 and excess[0] > 0 else 1.0
    found: Any = ttest_1samp(excess, 0, alternative="greater")
    return float(found.pvalue)


_BY_SERIES = ("mase", "rmsse", "smape")
"""Metrics that are means over series of means over rows; the others are ratios of sums over all rows."""


def _losses(rows: pd.DataFrame, task: Task, metric: str) -> pd.DataFrame:
    """Return the rows that can be scored: what makes them a pair, `loss`, and `size`, the target's absolute value."""
    target = rows[TARGET].to_numpy(dtype=float)
    error = target - rows[task.point_column].to_numpy(dtype=float)
    if metric == "wql":
        away = [(level, target - rows[quantile_column(level)].to_numpy(dtype=float)) for level in task.quantiles]
        loss = 2 * np.mean([np.maximum(level * miss, (level - 1) * miss) for level, miss in away], axis=0)
    elif metric == "wape":
        loss = np.abs(error)
    elif metric == "mase":
        loss = np.abs(error) / rows["mase_scale"].to_numpy(dtype=float)
    elif metric == "rmsse":
        loss = (error / rows["rmsse_scale"].to_numpy(dtype=float)) ** 2
    elif metric == "smape":
        size = np.abs(target) + np.abs(target - error)
        loss = np.divide(np.abs(error), size, out=np.where(np.isnan(size), np.nan, 0.0), where=size > 0)
    else:
        raise UsageError(f"models cannot be compared by {metric!r}; by wql, wape, mase, rmsse or smape they can")
    table = rows[list(ROW)].assign(loss=loss, size=np.abs(target))
    return table[~np.isnan(loss)]


def _blocks(parts: np.ndarray) -> np.ndarray:
    """Bound the number of blocks: neighbours are summed, which leaves the total as it is."""
    if len(parts) <= _MOST_BLOCKS:
        return parts
    edges = np.linspace(0, len(parts), _MOST_BLOCKS + 1)[:-1].astype(int)
    return np.add.reduceat(parts, edges, axis=0)
