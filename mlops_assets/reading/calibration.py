"""How often what came lies at or below each quantile: the diagram of calibration."""

from __future__ import annotations

import pandas as pd

from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.model.panel import TARGET
from mlops_assets.forecasting.model.task import Task, quantile_column


def calibration(rows: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the share of actuals at or below each quantile; a quantile that holds has its own level for it.

    Gneiting, Balabdaoui and Raftery (2007), "Probabilistic forecasts, calibration and sharpness", Journal of the Royal
    Statistical Society B 69.

    Args:
        rows: matched forecasts, of every role.
        task: names the quantiles.

    Returns:
        quantile (its level), share, and rows that have it; no share where none has.
    """
    used = ledger.honest(ledger.delivered(rows))
    found = []
    for level in task.quantiles:
        forecast = used[quantile_column(level)]
        below = (used[TARGET] <= forecast)[forecast.notna()]
        found.append((level, below.mean(), len(below)))
    return pd.DataFrame(found, columns=pd.Index(["quantile", "share", "rows"])).astype({"share": "float64"})
