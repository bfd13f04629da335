"""Is one model's error really lower than another's? Paired on the same rows, with a bootstrap interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .metrics import score
from .panel import ITEM, TARGET, TIME
from .task import Task, quantile_column

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
    """

    rows: int
    blocks: int
    first: float
    second: float
    change: float
    low: float
    high: float


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
    columns = [*ROW, TARGET, *dict.fromkeys([task.point_column, *task.quantile_columns])]
    usable = [rows.loc[rows[columns].notna().all(axis=1)] for rows in (first, second)]
    # Sorted, so that sums of the same rows are the same to the last bit.
    pairs = usable[0][list(ROW)].merge(usable[1][list(ROW)], on=list(ROW)).sort_values(list(ROW))
    sides = [pairs.merge(rows, on=list(ROW), how="left") for rows in usable]
    cells = [_cells(rows, task, metric) for rows in sides]
    both = cells[0].join(cells[1], lsuffix="_first", rsuffix="_second", how="inner").dropna()
    if both.empty:
        return Comparison(len(pairs), 0, *[np.nan] * 5)
    parts = _blocks(both[["part_first", "part_second"]].to_numpy())
    whole = both["whole_first"].sum()
    one, two = (total / whole if whole > 0 else np.nan for total in parts.sum(axis=0))
    blocks = len(parts)
    counts = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=RESAMPLES)
    drawn = _change(*(counts @ parts).T)
    tail = (1 - confidence) / 2
    low, high = (float(end) for end in np.quantile(drawn, [tail, 1 - tail], method="nearest"))
    change = float(_change(*parts.sum(axis=0, keepdims=True).T)[0])
    return Comparison(len(pairs), len(both), float(one), float(two), change, low, high)


def _change(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Relative difference; zero when both are zero, infinite when only the second is."""
    same = np.where(first == second, 0.0, np.inf)
    return np.divide(first, second, out=same + 1, where=second > 0) - 1


def _cells(rows: pd.DataFrame, task: Task, metric: str) -> pd.DataFrame:
    """Return for each item and origin what the metric is a ratio of: `part` over `whole`, to be summed."""
    keys = [ITEM, "origin"]
    if metric in ("mase", "rmsse", "smape"):
        scores = score(rows, task, by=keys).set_index(keys)[metric]
        return pd.DataFrame({"part": scores, "whole": 1.0})
    target = rows[TARGET].to_numpy(dtype=float)
    if metric == "wape":
        loss = np.abs(target - rows[task.point_column].to_numpy(dtype=float))
    elif metric == "wql":
        away = [(q, target - rows[quantile_column(q)].to_numpy(dtype=float)) for q in task.quantiles]
        loss = 2 * np.mean([np.maximum(q * error, (q - 1) * error) for q, error in away], axis=0)
    else:
        raise ValueError(f"models cannot be compared by {metric!r}; by wql, wape, mase, rmsse or smape they can")
    table = rows[keys].assign(part=loss, whole=np.abs(target))
    return table.groupby(keys, observed=True)[["part", "whole"]].sum()


def _blocks(parts: np.ndarray) -> np.ndarray:
    """Bound the number of blocks: neighbours are summed, which leaves the total as it is."""
    if len(parts) <= _MOST_BLOCKS:
        return parts
    edges = np.linspace(0, len(parts), _MOST_BLOCKS + 1)[:-1].astype(int)
    return np.add.reduceat(parts, edges, axis=0)
