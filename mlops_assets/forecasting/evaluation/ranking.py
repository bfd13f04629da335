"""Models in order of their error on the same rows: by how much, at what price, and who is best where."""

from __future__ import annotations

import pandas as pd

from mlops_assets.forecasting.evaluation.backtest import NAIVE
from mlops_assets.forecasting.evaluation.compare import compare
from mlops_assets.forecasting.model.task import Task


def ranking(predictions: pd.DataFrame, models: pd.DataFrame, task: Task, metric: str) -> pd.DataFrame:
    """Order models by a metric, the best first.

    Args:
        predictions: rows of several models as `backtest` makes them, seasonal naive's among them.
        models: a row for each of them: model, the metric, fit_seconds and predict_seconds (processor), memory_mb.
        task: names the point forecast and the quantiles.
        metric: one of `metrics.gate_metrics`.

    Returns:
        rank (from 1), model, the metric, to_best and to_naive (times theirs; NaN where that is zero), behind (whether
        it is worse than the best beyond doubt, see `compare.compare`), cpu_seconds and memory_mb. A model without a
        score is last.
    """
    ordered = models.sort_values(metric, kind="stable", ignore_index=True)
    scores = ordered[metric]
    naive = scores[ordered["model"] == NAIVE].max()
    rows = dict(tuple(predictions.groupby("model")))
    best = rows[ordered["model"].iloc[0]]
    return pd.DataFrame(
        {
            "rank": range(1, len(ordered) + 1),
            "model": ordered["model"],
            metric: scores,
            "to_best": scores / (scores.iloc[0] if scores.iloc[0] > 0 else float("nan")),
            "to_naive": scores / (naive if naive > 0 else float("nan")),
            "behind": [compare(rows[model], best, task, metric).low > 0 for model in ordered["model"]],
            "cpu_seconds": ordered["fit_seconds"] + ordered["predict_seconds"],
            "memory_mb": ordered["memory_mb"],
        }
    )


def best_by_segment(by_segment: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Name the best model of each segment.

    Args:
        by_segment: segment, value, model and the metric, a row for each.
        metric: lower is better.

    Returns:
        segment, value, best, the metric, second and to_second (times the second's); segments without a score are left
        out.
    """
    found = []
    for (segment, value), rows in by_segment.groupby(["segment", "value"], sort=False):
        first, *others = rows.dropna(subset=[metric]).sort_values(metric, kind="stable").to_dict("records") or [None]
        if first is None:
            continue
        second = others[0] if others else None
        share = first[metric] / second[metric] if second and second[metric] > 0 else float("nan")
        found.append([segment, value, first["model"], first[metric], second["model"] if second else None, share])
    return pd.DataFrame(found, columns=["segment", "value", "best", metric, "second", "to_second"])
