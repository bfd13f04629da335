"""The forecasts of the stand-in: seasonal naive, with a spread by its own past errors."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.grid import default_season_lengths, steps_after
from mlops_assets.forecasting.model.task import quantile_column


def seasonal_forecasts(
    rows: pd.DataFrame, frequency: str, horizon: int, quantiles: Sequence[float], origin: pd.Timestamp | None = None
) -> pd.DataFrame:
    """Forecast each item.

    Args:
        rows: `item_id`, `timestamp`, `target`.
        frequency: pandas offset alias.
        horizon: steps.
        quantiles: levels.
        origin: last timestamp that is known. Default: the last one of all rows.

    Returns:
        `item_id`, `timestamp`, `mean` and a column for each quantile; the same for the same rows.
    """
    rows = rows.dropna(subset=["target"]).sort_values(["item_id", "timestamp"])
    steps = steps_after(rows["timestamp"].max() if origin is None else origin, horizon, frequency)
    season = default_season_lengths(frequency)[0]
    found = []
    for item, own in rows.groupby("item_id", sort=True):
        values = own["target"].to_numpy(dtype=float)
        length = min(season, len(values))
        mean = values[-length:][np.arange(horizon) % length]
        errors = values[length:] - values[:-length]
        spread = float(np.sqrt(np.mean(errors**2))) if len(errors) else abs(float(values.mean())) / 4
        wide = spread * np.sqrt(1 + np.arange(horizon) // length)
        columns = {quantile_column(level): mean + NormalDist().inv_cdf(level) * wide for level in quantiles}
        if values.min() >= 0:
            columns = {name: np.maximum(column, 0) for name, column in columns.items()}
        found.append(pd.DataFrame({"item_id": item, "timestamp": steps, "mean": mean, **columns}))
    return pd.concat(found, ignore_index=True)
