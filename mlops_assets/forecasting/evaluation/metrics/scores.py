"""Tables of scores, one row per group of forecasts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_assets.forecasting.evaluation.metrics.base import METRICS, Rows, outer_pair
from mlops_assets.forecasting.model.panel import ITEM
from mlops_assets.forecasting.model.task import Task

SERIES = ("model", "window", ITEM, "origin")
"""Columns that tell one series of forecasts from another."""


def score(predictions: pd.DataFrame, task: Task, by: Sequence[str] = ()) -> pd.DataFrame:
    """Score forecasts against what came, one row per group.

    Args:
        predictions: target, the task's point and quantile columns, mase_scale, rmsse_scale, and the columns
            of `by`; item_id and origin, where there, tell series apart.
        task: names the point forecast and the quantiles.
        by: columns to group by; none gives one row.

    Returns:
        The columns of `by`, then rows (scored), a column for each of `METRICS` and, when there is an outer pair of
        quantiles, interval (its nominal coverage, else NaN as is coverage). No row where nothing could be scored.
    """
    rows, pair = Rows(predictions, task), outer_pair(task.quantiles)
    losses = {name: metric.losses(rows) for name, metric in METRICS.items()}
    by = list(by) or ["all"]
    keys = predictions.assign(all=0) if by == ["all"] else predictions
    series = list(dict.fromkeys([*by, *(name for name in SERIES if name in keys.columns)]))
    table = pd.DataFrame({**losses, "size": rows.size, "rows": 1}, index=predictions.index)
    table = pd.concat([keys[series], table], axis=1).loc[rows.scorable]
    groups = table.groupby(by, observed=True)
    sums = groups[["rows", "size", *_averaged_by("size")]].sum()
    each = table.groupby(series, observed=True)[_averaged_by("series")].mean()
    means = (
        each.apply(lambda column: METRICS[str(column.name)].of_series(column)).groupby(level=by, observed=True).mean()
    )
    scores = {
        **sums[_averaged_by("size")].div(sums["size"].where(sums["size"] > 0), axis=0),
        **means,
        **groups[_averaged_by("rows")].mean(),
    }
    interval = np.nan if pair is None else round(pair[1] - pair[0], 9)
    found = pd.DataFrame({"rows": sums["rows"], **{name: scores[name] for name in METRICS}, "interval": interval})
    return found.reset_index(drop=by == ["all"])


def _averaged_by(average: str) -> list[str]:
    return [name for name, metric in METRICS.items() if metric.average == average]
