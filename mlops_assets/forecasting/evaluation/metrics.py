"""Accuracy by its published names: points, quantiles, intervals; alone and as a table.

The functions take flat arrays and skip rows in which any of them is NaN; what nothing is left for is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_assets.forecasting.model.panel import ITEM, TARGET, Panel
from mlops_assets.forecasting.model.task import Task, quantile_column

SERIES = ("model", "window", ITEM, "origin")
"""Columns that tell one series of forecasts from another."""
METRICS = ["mase", "rmsse", "smape", "wape", "wql", "coverage", "bias"]


def mase(target: np.ndarray, forecast: np.ndarray, scale: np.ndarray | float) -> float:
    """Mean absolute scaled error: mean(|target - forecast| / scale).

    `scale` is the mean absolute seasonal difference of the item's history (`seasonal_scale`), so that
    seasonal naive scores about 1. Hyndman and Koehler (2006), "Another look at measures of forecast
    accuracy", International Journal of Forecasting 22.
    """
    target, forecast, scale = _complete(target, forecast, scale)
    return _mean(np.abs(target - forecast) / scale)


def rmsse(target: np.ndarray, forecast: np.ndarray, scale: np.ndarray | float) -> float:
    """Root mean squared scaled error: sqrt(mean(((target - forecast) / scale)^2)).

    `scale` is the root mean squared seasonal difference of the item's history. Makridakis, Spiliotis and
    Assimakopoulos (2022), "M5 accuracy competition", International Journal of Forecasting 38.
    """
    target, forecast, scale = _complete(target, forecast, scale)
    return float(np.sqrt(_mean(((target - forecast) / scale) ** 2)))


def smape(target: np.ndarray, forecast: np.ndarray) -> float:
    """Symmetric mean absolute percentage error, between 0 and 1: mean(|error| / (|target| + |forecast|)).

    A row in which both are zero counts as 0. Makridakis (1993), "Accuracy measures: theoretical and practical
    concerns", International Journal of Forecasting 9; the M4 competition prints 200 times this number.
    """
    target, forecast = _complete(target, forecast)
    size = np.abs(target) + np.abs(forecast)
    return _mean(np.divide(np.abs(target - forecast), size, out=np.zeros(len(size)), where=size > 0))


def wape(target: np.ndarray, forecast: np.ndarray) -> float:
    """Weighted absolute percentage error: sum |error| / sum |target|.

    Kolassa and Schuetz (2007), "Advantages of the MAD/mean ratio over the MAPE", Foresight 6; also called ND.
    """
    target, forecast = _complete(target, forecast)
    return _ratio(np.abs(target - forecast).sum(), np.abs(target).sum())


def wql(target: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> float:
    """Weighted quantile loss: the mean over levels of 2 * sum(pinball loss) / sum |target|.

    Args:
        target: shape (rows,).
        quantiles: shape (rows, levels).
        levels: in (0, 1).

    An estimate of the continuous ranked probability score. Park et al. (2022), "Learning quantile functions
    without quantile crossing for distribution-free time series forecasting", AISTATS; Rangapuram et al.
    (2021), "End-to-end learning of coherent probabilistic forecasts for hierarchical time series", ICML.
    """
    target, *columns = _complete(target, *np.asarray(quantiles, dtype=float).T)
    losses = [
        np.maximum(level * (target - column), (level - 1) * (target - column)).sum()
        for level, column in zip(levels, columns, strict=True)
    ]
    return _ratio(2 * float(np.mean(losses)), np.abs(target).sum())


def coverage(target: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of targets within [low, high]. Christoffersen (1998), "Evaluating interval forecasts"."""
    target, low, high = _complete(target, low, high)
    return _mean((target >= low) & (target <= high))


def bias(target: np.ndarray, forecast: np.ndarray) -> float:
    """Relative bias: sum(forecast - target) / sum |target|; above zero is too high."""
    target, forecast = _complete(target, forecast)
    return _ratio((forecast - target).sum(), np.abs(target).sum())


def seasonal_scale(history: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Denominators of MASE and RMSSE per item: mean absolute and root mean square seasonal difference.

    Differences are over the first season length of the task, where both values are there. NaN for an item
    without one, or whose differences are all zero: it has no scale to be measured on.

    Returns:
        Columns item_id, mase_scale, rmsse_scale, one row per item of the history.
    """
    plain = Task(task.frequency, task.horizon, task.season_lengths)
    length = min(task.season_lengths)
    panel = Panel.from_frame(history, plain, pad=length)
    change = np.full(len(panel.target), np.nan)
    change[length:] = panel.target[length:] - panel.target[:-length]
    seen = ~np.isnan(change)
    change = np.where(seen, change, 0.0)
    count = np.add.reduceat(seen, panel.edges[:-1], dtype=np.int64)
    return pd.DataFrame(
        {
            ITEM: panel.items,
            "mase_scale": _positive(np.add.reduceat(np.abs(change), panel.edges[:-1]), count),
            "rmsse_scale": np.sqrt(_positive(np.add.reduceat(change**2, panel.edges[:-1]), count)),
        }
    )


def score(predictions: pd.DataFrame, task: Task, by: Sequence[str] = ()) -> pd.DataFrame:
    """Score forecasts against what came, one row per group.

    Args:
        predictions: target, the task's point and quantile columns, mase_scale, rmsse_scale, and the columns
            of `by`; item_id and origin, where there, tell series apart.
        task: names the point forecast and the quantiles.
        by: columns to group by; none gives one row.

    Returns:
        The columns of `by`, then rows (scored), mase, rmsse, smape, wape, wql, coverage, bias and, when there
        is an outer pair of quantiles, interval (its nominal coverage, else NaN as is coverage). MASE, RMSSE
        and sMAPE are taken per item and origin and averaged, as in the M competitions; the others are ratios
        of sums over the group.
    """
    by = list(by)
    point = predictions[task.point_column].to_numpy(dtype=float)
    target = predictions[TARGET].to_numpy(dtype=float)
    error = point - target
    size = np.abs(point) + np.abs(target)
    level_losses = []
    for level in task.quantiles:
        away = target - predictions[quantile_column(level)].to_numpy(dtype=float)
        level_losses.append(np.maximum(level * away, (level - 1) * away))
    pair = outer_pair(task.quantiles)
    inside = np.full(len(target), np.nan)
    if pair is not None:
        low, high = (predictions[quantile_column(level)].to_numpy(dtype=float) for level in pair)
        inside = ((target >= low) & (target <= high)).astype(float)
    rows = pd.DataFrame(
        {
            "mase": np.abs(error) / predictions["mase_scale"].to_numpy(dtype=float),
            "squared": (error / predictions["rmsse_scale"].to_numpy(dtype=float)) ** 2,
            "smape": np.divide(np.abs(error), size, out=np.where(np.isnan(size), np.nan, 0.0), where=size > 0),
            "error": error,
            "absolute": np.abs(error),
            "size": np.abs(target),
            "quantile_loss": 2 * np.mean(level_losses, axis=0),
            "inside": inside,
            "rows": 1,
        },
        index=predictions.index,
    )
    keep = rows["error"].notna() & rows["quantile_loss"].notna()
    by = by or ["all"]
    keys = predictions.assign(all=0) if by == ["all"] else predictions
    series = list(dict.fromkeys([*by, *(name for name in SERIES if name in keys.columns)]))
    table = pd.concat([keys[series], rows], axis=1).loc[keep]
    sums = table.groupby(by, observed=True)[["rows", "error", "absolute", "size", "quantile_loss"]].sum()
    inside = table.groupby(by, observed=True)["inside"].mean()
    each = table.groupby(series, observed=True)[["mase", "squared", "smape"]].mean()
    each["rmsse"] = np.sqrt(each["squared"])
    means = each.groupby(level=by, observed=True)[["mase", "rmsse", "smape"]].mean()
    total = sums["size"].where(sums["size"] > 0)
    scores = pd.DataFrame(
        {
            "rows": sums["rows"],
            **{name: means[name] for name in means},
            "wape": sums["absolute"] / total,
            "wql": sums["quantile_loss"] / total,
            "coverage": inside,
            "bias": sums["error"] / total,
            "interval": np.nan if pair is None else round(pair[1] - pair[0], 9),
        }
    )
    return scores.reset_index(drop=by == ["all"])


def outer_pair(levels: Sequence[float]) -> tuple[float, float] | None:
    """Return the outermost two levels that lie symmetrically around one half, or None."""
    for low in sorted(levels):
        for high in sorted(levels, reverse=True):
            if low < high and abs(low + high - 1) < 1e-9:
                return low, high
    return None


def _complete(*arrays: np.ndarray | float) -> list[np.ndarray]:
    columns = np.broadcast_arrays(*(np.asarray(values, dtype=float) for values in arrays))
    keep = ~np.any([np.isnan(values) for values in columns], axis=0)
    return [values[keep] for values in columns]


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def _positive(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    mean = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return np.where(mean > 0, mean, np.nan)
