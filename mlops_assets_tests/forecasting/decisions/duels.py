"""Backtests made up for the gate: one truth, and models that miss it by as much as a test says."""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.forecasting.model.task import Task

TASK = Task("D", 7, (7,))
ITEMS, WINDOWS = 12, 3


@lru_cache
def truth(items: int = ITEMS, windows: int = WINDOWS) -> pd.DataFrame:
    """Items of different size at several origins, with noise of a fifth of their level."""
    rng = np.random.default_rng(0)
    rows = [
        (window, f"item {item}", origin, origin + pd.Timedelta(days=lead), lead, 10.0 * (item + 1))
        for window, origin in enumerate(pd.date_range("2024-03-01", periods=windows, freq="7D"))
        for item in range(items)
        for lead in range(1, TASK.horizon + 1)
    ]
    table = pd.DataFrame(rows, columns=["window", "item_id", "origin", "timestamp", "lead", "level"])
    table["target"] = table["level"] * (1 + 0.2 * rng.standard_normal(len(table)))
    return table.assign(mase_scale=table["level"], rmsse_scale=table["level"])


def model_rows(name: str, seed: int, *, noise: float = 0.1, bias: float = 0.0, width: float = 1.0, **size: Any) -> Any:
    """Forecasts of a model whose centre is off by `noise` (share of the level) and `bias`; `width` of the interval."""
    rows = truth(**size)
    rng = np.random.default_rng(seed)
    centre = rows["level"] * (1 + bias + noise * rng.standard_normal(len(rows)))
    half = 1.2816 * 0.22 * rows["level"] * width
    rows = rows.assign(model=name, mean=centre, q10=centre - half, q50=centre, q90=centre + half, source="model")
    return rows.drop(columns="level")
