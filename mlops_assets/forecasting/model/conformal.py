"""Wider or narrower intervals where a backtest has shown them to be off: split conformal prediction, side by side.

After Romano, Patterson and Candès (2019), "Conformalized quantile regression", NeurIPS 32, with factors in place of
their shifts, so that an error of large items does not widen the intervals of small ones.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .panel import TARGET
from .task import Task, quantile_column

LEAST = 100
"""Rows of a backtest below which nothing is corrected."""
MOST = 3.0
"""Factor beyond which no interval is widened, nor narrowed by its inverse: a few windows prove no more."""


def widths(predictions: pd.DataFrame, task: Task, tolerance: float) -> tuple[float, float]:
    """Factors by which the distances of the quantiles below and above the median should grow.

    Args:
        predictions: rows of a backtest by one model: target, source and the quantile columns.
        task: its quantiles hold the median, and levels on both sides of it.
        tolerance: how far the coverage of the outermost interval may be off.

    Returns:
        (1, 1) while the coverage is off by no more, or there are fewer than `LEAST` rows; else for each side the
        factor with which as many targets would have been outside as the outermost level says.
    """
    rows = predictions.loc[(predictions["source"] == "model") & predictions[TARGET].notna()]
    low, high = min(task.quantiles), max(task.quantiles)
    names = (TARGET, *map(quantile_column, (low, 0.5, high)))
    target, bottom, middle, top = (rows[name].to_numpy(dtype=float) for name in names)
    if len(rows) < LEAST:
        return 1.0, 1.0
    covered = float(((target >= bottom) & (target <= top)).mean())
    if abs(covered - (high - low)) <= tolerance:
        return 1.0, 1.0
    return _factor(middle - target, middle - bottom, low), _factor(target - middle, top - middle, 1 - high)


def _factor(away: np.ndarray, width: np.ndarray, outside: float) -> float:
    score = np.sort(away[width > 0] / width[width > 0])
    if len(score) < LEAST:
        return 1.0
    rank = min(int(np.ceil((len(score) + 1) * (1 - outside))), len(score))
    return float(np.clip(score[rank - 1], 1 / MOST, MOST))
