"""Is one model's error really lower than another's? Paired on the same rows, with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.forecasting.evaluation.metrics import Metric, Rows, metrics_of
from mlops_assets.forecasting.model.panel import ITEM, TIME
from mlops_assets.forecasting.model.task import Task

PAIRED_BY = (ITEM, "origin", TIME)
"""Columns that make two rows a pair."""
RESAMPLES = 2000
OUTLYING, FEW, ENOUGH = 50, 0.2, 8
"""A miss so many times the item's median one is no model's, as long as it is this share of the rows at most, of so many
rows at least: of an item that is mostly zero, say, large misses are the rule."""
_MOST_BLOCKS = 2000


@dataclass(frozen=True)
class Comparison:
    """How two models compare on the rows that both have forecast and that have a target.

    Attributes:
        rows: number of paired rows that count.
        blocks: number of blocks (item and origin) that were resampled.
        first: the metric of the first model, NaN without rows.
        second: the metric of the second.
        change: first / second - 1; below zero, the first is better.
        low: lower end of the interval of `change`.
        high: upper end of it.
        chance: probability of so large an excess of the first if the two were equal (one-sided paired t-test over the
            blocks; Student (1908), "The probable error of a mean", Biometrika 6): it holds for few blocks, too.
        losses: sum of all losses of both: zero where neither has made any error.
        outlying: rows that do not count, see `compare`.
    """

    rows: int
    blocks: int
    first: float
    second: float
    change: float
    low: float
    high: float
    chance: float
    losses: float = np.nan
    outlying: int = 0


def compare(
    first: pd.DataFrame,
    second: pd.DataFrame,
    task: Task,
    metric: str,
    *,
    confidence: float = 0.95,
    seed: int = 0,
    robust: bool = False,
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
        metric: name of one of `metrics.metrics_of(task)` that models may be compared by (`Metric.in_gate`).
        confidence: probability that the interval is made for.
        seed: of the draws.
        robust: rows do not count that one of the two misses by more than `OUTLYING` times the median miss of the item:
            a single wrong value in the data, which seasonal naive repeats, would decide for all others.

    Raises:
        ValueError: models cannot be compared by the metric.
    """
    return Blocks.of(first, second, task, metric, robust=robust).compared(confidence=confidence, seed=seed)


@dataclass(frozen=True)
class Blocks:
    """Losses of two models on the rows that both have, summed up by item and origin; all but `metric` by block.

    Attributes:
        metric: what the losses are of.
        items: ids, in order, shape (blocks,).
        rows: rows that count, shape (blocks,).
        outlying: rows that do not, shape (blocks,).
        size: sum of the absolute targets, shape (blocks,).
        losses: sums, of both models, shape (blocks, 2).
    """

    metric: Metric
    items: np.ndarray
    rows: np.ndarray
    outlying: np.ndarray
    size: np.ndarray
    losses: np.ndarray

    @classmethod
    def of(cls, first: pd.DataFrame, second: pd.DataFrame, task: Task, metric: str, *, robust: bool = False) -> Blocks:
        """Pair the rows of two models; see `compare`."""
        metrics = metrics_of(task)
        if metric not in metrics or not metrics[metric].in_gate:
            able = ", ".join(name for name, one in metrics.items() if one.in_gate)
            raise ValueError(f"models cannot be compared by {metric!r}; by {able} they can")
        sides = [_losses(rows, task, metrics[metric]) for rows in (first, second)]
        pairs = sides[0].merge(sides[1], on=list(PAIRED_BY), suffixes=("_first", "_second"))
        # Sorted, so that sums of the same rows are the same to the last bit.
        pairs = pairs.sort_values(list(PAIRED_BY), ignore_index=True)
        counts = np.logical_not(_outlying(pairs)) if robust else np.ones(len(pairs), dtype=bool)
        block = pairs.groupby([ITEM, "origin"], observed=True, sort=False).ngroup().to_numpy()
        _, start = np.unique(block, return_index=True)

        def added(values: np.ndarray) -> np.ndarray:
            return np.bincount(block, np.where(counts, values, 0.0), len(start))

        losses = [added(pairs[name].to_numpy(dtype=float)) for name in ("loss_first", "loss_second")]
        return cls(
            metrics[metric],
            pairs[ITEM].to_numpy(dtype=object)[start],
            np.bincount(block, counts, len(start)).astype(np.int64),
            np.bincount(block, ~counts, len(start)).astype(np.int64),
            added(pairs["size_first"].to_numpy(dtype=float)),
            np.column_stack(losses),
        )

    @classmethod
    def joined(cls, parts: Sequence[Blocks]) -> Blocks:
        """Join those of some items after those of others."""
        names = ("items", "rows", "outlying", "size", "losses")
        return cls(parts[0].metric, *(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def of_items(self, items: Collection[str]) -> Blocks:
        """Return those of some items."""
        own = np.isin(self.items, list(items))
        return Blocks(
            self.metric, self.items[own], self.rows[own], self.outlying[own], self.size[own], self.losses[own]
        )

    def compared(self, *, confidence: float = 0.95, seed: int = 0) -> Comparison:
        """Compare the two models; see `compare`."""
        there, outlying = self.rows > 0, int(self.outlying.sum())
        if not there.any():
            return Comparison(0, 0, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
        measure, rows, parts = self.metric, int(self.rows.sum()), self.losses[there]
        if measure.average == "series":
            parts, whole = measure.of_series(parts / self.rows[there, None]), float(len(parts))
        else:
            whole = float(self.size[there].sum() if measure.average == "size" else rows)
        count, chance = len(parts), _chance(parts[:, 0] - parts[:, 1])
        one, two = (float(total / whole) if whole > 0 else np.nan for total in parts.sum(axis=0))
        parts = _blocks(parts)
        blocks = len(parts)
        counts = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=RESAMPLES)
        drawn = _change(*(counts @ parts).T)
        tail = (1 - confidence) / 2
        low, high = (float(end) for end in np.quantile(drawn, [tail, 1 - tail], method="nearest"))
        change = float(_change(*parts.sum(axis=0, keepdims=True).T)[0])
        return Comparison(rows, count, one, two, change, low, high, chance, float(parts.sum()), outlying)


def _outlying(pairs: pd.DataFrame) -> np.ndarray:
    """Whether one of the two misses a row beyond all measure; shape (rows,)."""
    both = pairs.melt(ITEM, ["miss_first", "miss_second"], value_name="miss")
    usual = pairs[ITEM].map(both[both["miss"] > 0].groupby(ITEM, observed=True)["miss"].median())
    beyond = pairs[["miss_first", "miss_second"]].max(axis=1) > OUTLYING * usual
    items = beyond.groupby(pairs[ITEM], observed=True)
    return (beyond & (items.transform("mean") <= FEW) & (items.transform("size") >= ENOUGH)).to_numpy()


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


def _losses(rows: pd.DataFrame, task: Task, metric: Metric) -> pd.DataFrame:
    """Return the rows that have all that is compared: what makes a pair, `loss`, `size` (of the target) and `miss`."""
    view = Rows(rows, task)
    loss = metric.losses(view)
    usable = ~np.isnan(loss) & view.known.all(axis=1)
    return rows[list(PAIRED_BY)].assign(loss=loss, size=view.size, miss=np.abs(view.error))[usable]


def _blocks(parts: np.ndarray) -> np.ndarray:
    """Bound the number of blocks: neighbours are summed, which leaves the total as it is."""
    if len(parts) <= _MOST_BLOCKS:
        return parts
    edges = np.linspace(0, len(parts), _MOST_BLOCKS + 1)[:-1].astype(int)
    return np.add.reduceat(parts, edges, axis=0)
