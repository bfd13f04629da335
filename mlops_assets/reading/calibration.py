"""How often what came lies at or below each quantile: the diagram of calibration."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.model.panel import TARGET
from mlops_assets.reading.matched import Matched


def calibration(matched: Matched) -> pd.DataFrame:
    """Return the share of actuals at or below each quantile; a quantile that holds has its own level for it.

    Gneiting, Balabdaoui and Raftery (2007), "Probabilistic forecasts, calibration and sharpness", Journal of the Royal
    Statistical Society B 69.

    Returns:
        quantile (its level), share, and rows that have it; no share where none has.
    """
    task = matched.spec.task
    below, there = np.zeros(len(task.quantiles), dtype=np.int64), np.zeros(len(task.quantiles), dtype=np.int64)
    for rows in matched.parts():
        used = ledger.delivered(rows)
        levels = used[task.quantile_columns].to_numpy(dtype=float)
        below += (used[[TARGET]].to_numpy(dtype=float) <= levels).sum(axis=0)
        there += (~np.isnan(levels)).sum(axis=0)
    share = np.divide(below, there, out=np.full(len(there), np.nan), where=there > 0)
    return pd.DataFrame({"quantile": list(task.quantiles), "share": share, "rows": there})
