"""Statistical forecasters behind the same interface as the other peers: one model a series, fitted at every origin.

statsforecast as its documentation sets it up, with the longest season that each method takes in its stride, and FLAIR.
"""

# The peers come with the extra `benchmarks` only.
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset
from peers import Prepared, named

from mlops_assets.forecasting.model.task import Task

LONG = 60
"""Steps above which AutoETS and theta, which estimate a term for each step of a season, look at no season."""
LATEST = 2000
"""Steps of a series that are looked at, or four of its longest seasons if those are more."""


class StatsForecast:
    """A model of statsforecast, with its own intervals where it has any."""

    def __init__(self, task: Task, kind: str) -> None:
        self.task, self.kind = task, kind
        self.seconds: dict[str, float] = {"fit": 0.0}

    def fit(self, frame: pd.DataFrame, origin: pd.Timestamp) -> None:
        """Learn nothing yet: each forecast fits anew."""
        self.prepared = Prepared(frame.loc[frame["timestamp"] <= origin], self.task)

    def predict(self, frame: pd.DataFrame, origin: pd.Timestamp, items: list[str]) -> pd.DataFrame:
        """Fit each series and forecast it."""
        from statsforecast import StatsForecast as Library
        from statsforecast.models import SeasonalNaive

        rows = latest(self.prepared.history(frame, origin), items, self.task)
        first = min(self.task.season_lengths)
        fallback: Any = SeasonalNaive(first)
        library = Library([self._model()], self.task.frequency, fallback_model=fallback)
        has_intervals = self.kind not in ("tsb", "croston")
        level: Any = [80] if has_intervals else None
        table: Any = library.forecast(h=self.task.horizon, df=rows, level=level)
        name = next(column for column in map(str, table) if column not in ("unique_id", "ds"))
        names = (name, f"{name}-lo-80", f"{name}-hi-80") if has_intervals else (name, name, name)
        return named(table, self.task, "unique_id", "ds", names)

    def _model(self) -> Any:
        from statsforecast import models

        seasons = sorted(self.task.season_lengths)
        season = max((length for length in seasons if length <= LONG), default=1)
        return {
            "ets": lambda: models.AutoETS(season_length=season),
            "theta": lambda: models.DynamicOptimizedTheta(season_length=season),
            "mstl": lambda: models.MSTL(season_length=[*seasons], trend_forecaster=models.AutoETS(model="ZZN")),
            "tsb": lambda: models.TSB(alpha_d=0.2, alpha_p=0.2),
            "croston": models.CrostonSBA,
        }[self.kind]()


class Flair:
    """FLAIR (`flaircast`): ridge regression of levels times shapes, quantiles of its sampled paths."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.seconds: dict[str, float] = {"fit": 0.0}

    def fit(self, frame: pd.DataFrame, origin: pd.Timestamp) -> None:
        """Learn nothing yet: each forecast fits anew."""
        self.prepared = Prepared(frame.loc[frame["timestamp"] <= origin], self.task)

    def predict(self, frame: pd.DataFrame, origin: pd.Timestamp, items: list[str]) -> pd.DataFrame:
        """Fit each series and forecast it."""
        from flaircast import forecast

        rows = latest(self.prepared.history(frame, origin), items, self.task)
        times = pd.date_range(origin, periods=self.task.horizon + 1, freq=to_offset(self.task.frequency))[1:]
        tables = []
        for item, part in rows.groupby("unique_id", sort=False):
            paths = np.asarray(
                forecast(part["y"].to_numpy(), horizon=self.task.horizon, freq=self.task.frequency, seed=0)
            )
            low, middle, high = np.quantile(np.asarray(paths), [0.1, 0.5, 0.9], axis=0)
            made = {"unique_id": item, "ds": times, "middle": middle, "low": low, "high": high}
            tables.append(pd.DataFrame(made))
        return named(pd.concat(tables), self.task, "unique_id", "ds", ("middle", "low", "high"))


def latest(rows: pd.DataFrame, items: list[str], task: Task) -> pd.DataFrame:
    """Last steps of some series: unique_id, ds, y."""
    rows = rows.loc[rows["unique_id"].isin(items), ["unique_id", "ds", "y"]]
    return rows.groupby("unique_id").tail(max(LATEST, 4 * max(task.season_lengths))).reset_index(drop=True)


STATISTICAL: dict[str, Any] = {
    "AutoETS": lambda task: StatsForecast(task, "ets"),
    "theta": lambda task: StatsForecast(task, "theta"),
    "MSTL": lambda task: StatsForecast(task, "mstl"),
    "TSB": lambda task: StatsForecast(task, "tsb"),
    "Croston-SBA": lambda task: StatsForecast(task, "croston"),
    "FLAIR": Flair,
}
