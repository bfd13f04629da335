"""Made-up series for the engine's tests: seeded, small, with the faults that real panels have."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_assets.forecasting.model.task import ModelSettings, Task

SMALL = ModelSettings(parameters={"n_estimators": 8, "n_jobs": 1}, max_training_rows=1500)
DAILY = Task("D", 10, (7,), model=SMALL)


def daily_panel(items: int = 4, days: int = 150, seed: int = 0, **columns: float) -> pd.DataFrame:
    """Weekly seasons of different size; later items start later; rows in random order."""
    random = np.random.default_rng(seed)
    parts = []
    for item in range(items):
        start = item * 11
        day = np.arange(start, days)
        size = 10.0 ** (item % 3)
        target = size * (10 + 3 * np.sin(2 * np.pi * day / 7) + 0.5 * random.normal(size=len(day)))
        parts.append(
            pd.DataFrame(
                {
                    "item_id": f"item {item}",
                    "timestamp": pd.Timestamp("2024-01-01") + pd.to_timedelta(day, unit="D"),
                    "target": target,
                    **{name: value * random.normal(size=len(day)) for name, value in columns.items()},
                }
            )
        )
    frame = pd.concat(parts).sample(frac=1, random_state=seed).reset_index(drop=True)
    frame["timestamp"] = frame["timestamp"].astype("datetime64[us]")
    return frame


def with_gaps(frame: pd.DataFrame, share: float = 0.1, seed: int = 0) -> pd.DataFrame:
    """Take away rows, and the targets of others."""
    random = np.random.default_rng(seed)
    frame = frame[random.random(len(frame)) > share].copy()
    frame.loc[random.random(len(frame)) < share, "target"] = np.nan
    return frame
