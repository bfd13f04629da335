"""Other people's forecasters behind one interface, each as its own documentation sets it up.

Both libraries are recursive: one model forecasts the next step, and its forecasts are fed back. They get what
they cannot make themselves: gaps filled by straight lines, categories as numbers, holidays as columns.
"""

# The peers come with the extra `benchmarks` only.
# pyright: reportMissingImports=false

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset
from panels import future_rows

from mlops_assets.forecasting.model import baselines, features, fitting, kinds
from mlops_assets.forecasting.model.features.calendar import calendar
from mlops_assets.forecasting.model.panel import Panel
from mlops_assets.forecasting.model.task import Task

MANY = 400
"""Steps after which a series is long enough for ten calibration windows."""
MOST = 0.8
"""Share of the series that must be long enough for a difference to be tried."""


class Ours:
    """The engine with its defaults."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.seconds: dict[str, float] = {}

    def fit(self, frame: pd.DataFrame, origin: pd.Timestamp) -> None:
        """Learn from the rows up to the origin."""
        started = time.process_time()
        self.model = fitting.fit(features.training_rows(frame, self.task, origin), self.task)
        self.seconds["fit"] = time.process_time() - started

    def predict(self, frame: pd.DataFrame, origin: pd.Timestamp, items: list[str]) -> pd.DataFrame:
        """Forecast the items after the origin: item_id, timestamp, mean, q10, q50, q90."""
        future = future_rows(frame, self.task, origin)
        return self.model.predict(frame, origin, items=items, future=future)


class Auto(Ours):
    """The engine's `kind: auto`: what is best of its kinds, or their average, by what they forecast of the past."""

    def __init__(self, task: Task) -> None:
        super().__init__(replace(task, model=replace(task.model, kind="auto")))

    def fit(self, frame: pd.DataFrame, origin: pd.Timestamp) -> None:
        """Learn from the rows up to the origin."""
        started = time.process_time()
        self.model = kinds.fit(kinds.rows(frame.loc[frame["timestamp"] <= origin], self.task), self.task)
        self.seconds["fit"] = time.process_time() - started


class SeasonalNaive(Ours):
    """The last season again."""

    def fit(self, frame: pd.DataFrame, origin: pd.Timestamp) -> None:
        """Learn nothing."""
        self.seconds["fit"] = 0.0

    def predict(self, frame: pd.DataFrame, origin: pd.Timestamp, items: list[str]) -> pd.DataFrame:
        """Forecast the items after the origin."""
        return baselines.seasonal_naive(frame, self.task, origin, items)


class Prepared:
    """Rows as the two libraries want them: no gaps, numbers only, named unique_id, ds and y."""

    def __init__(self, frame: pd.DataFrame, task: Task) -> None:
        self.task = task
        self.static = {name: pd.factorize(frame[name], sort=True)[1] for name in task.static}
        self.dynamic = list(task.known)

    def history(self, frame: pd.DataFrame, origin: pd.Timestamp, *, dead: bool = False) -> pd.DataFrame:
        """Every step of every item from its first row to the origin; dead ones end with their last row unless asked."""
        panel = Panel.from_frame(frame, self.task, origin=origin)
        lengths = np.diff(panel.edges)
        item = np.repeat(np.arange(len(panel.items)), lengths)
        step = np.arange(panel.edges[-1]) - panel.base[item]
        rows = pd.DataFrame({"unique_id": panel.items[item], "ds": panel.grid[step], "y": panel.target})
        for name, values in panel.known.items():
            rows[name] = values
        names = ["y", *panel.known]
        rows[names] = rows.groupby("unique_id")[names].transform(lambda values: values.interpolate().ffill().bfill())
        alive = set(baselines.alive_items(frame, self.task, origin))
        over = ~rows["unique_id"].isin(alive).to_numpy() & (step > panel.last[item]) & (not dead)
        return self._complete(rows.loc[~over].dropna(subset=["y"]), frame)

    def future(self, frame: pd.DataFrame, origin: pd.Timestamp, items: list[str]) -> pd.DataFrame:
        """What is known of the horizon, one row per item and step."""
        times = pd.date_range(origin, periods=self.task.horizon + 1, freq=to_offset(self.task.frequency))[1:]
        rows = pd.MultiIndex.from_product([items, times], names=["unique_id", "ds"]).to_frame(index=False)
        if self.dynamic:
            known = future_rows(frame, self.task, origin).rename(columns={"item_id": "unique_id", "timestamp": "ds"})
            rows = rows.merge(known, on=["unique_id", "ds"], how="left")
            last = frame.loc[frame["timestamp"] <= origin].sort_values("timestamp").groupby("item_id")[self.dynamic]
            rows[self.dynamic] = rows.groupby("unique_id")[self.dynamic].transform(lambda v: v.ffill().bfill())
            rows[self.dynamic] = rows[self.dynamic].fillna(
                last.last().reindex(rows["unique_id"]).reset_index(drop=True)
            )
            rows[self.dynamic] = rows[self.dynamic].astype(float)
        return self._complete(rows, frame)

    def _complete(self, rows: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
        rows = rows.reset_index(drop=True)
        first = frame.drop_duplicates("item_id").set_index("item_id")
        for name, categories in self.static.items():
            own = pd.Index(first[name].reindex(rows["unique_id"]))
            rows[name] = categories.get_indexer(own).astype(float)
        if self.task.holidays:
            grid = pd.date_range(rows["ds"].min(), rows["ds"].max(), freq=to_offset(self.task.frequency), unit="us")
            days = pd.DataFrame(calendar(grid, self.task.frequency, self.task.holidays, yearly=False), index=grid)
            for name in (column for column in map(str, days) if "holiday" in column):
                rows[name] = days[name].reindex(rows["ds"]).to_numpy(dtype=float)
        return rows


def lags(task: Task) -> list[int]:
    """Lags: the last steps, up to a season of 24, and the same slot of earlier seasons."""
    first, last = min(task.season_lengths), max(task.season_lengths)
    recent = range(1, min(first, 24) + 1) if first > 4 else range(1, 9)
    seasonal = [first, 2 * first, *([last] if last > first else [])]
    return sorted({*recent, *(seasonal if first < 52 else [first])})


def date_features(task: Task) -> list[str]:
    """Parts of the timestamp that differ at this frequency."""
    step = pd.Timedelta(np.diff(pd.date_range("2001-01-01", periods=2, freq=to_offset(task.frequency)))[0])
    if step < pd.Timedelta(days=1):
        return ["hour", "dayofweek"]
    if step < pd.Timedelta(days=7):
        return ["dayofweek", "day"]
    if step < pd.Timedelta(days=28):
        return ["month"]
    return ["month"] if step < pd.Timedelta(days=80) else ["quarter"]


def random_forest(*, tuned: bool) -> Any:
    """scikit-learn's defaults, or what suits these panels and costs less."""
    from sklearn.ensemble import RandomForestRegressor

    best = {"min_samples_leaf": 5, "max_features": 1 / 3} if tuned else {}
    return RandomForestRegressor(n_jobs=-1, random_state=0, **best)


def gradient_boosting(*, tuned: bool) -> Any:
    """LightGBM's defaults, or more and slower steps."""
    from lightgbm import LGBMRegressor

    best = {"n_estimators": 400, "learning_rate": 0.05, "num_leaves": 63, "min_child_samples": 10} if tuned else {}
    best |= {"subsample": 0.8, "subsample_freq": 1, "colsample_bytree": 0.6} if tuned else {}
    return LGBMRegressor(n_jobs=-1, random_state=0, verbosity=-1, **best)


class MlForecast:
    """mlforecast: default is lags and dates; tuned adds rolling windows, differences and scaling per series.

    Which differences (none, of steps, of seasons) is chosen by the library's cross-validation with LightGBM,
    before the first origin. Intervals are its conformal ones.
    """

    def __init__(self, task: Task, make: Any, *, tuned: bool) -> None:
        self.task, self.make, self.tuned = task, make, tuned
        self.seconds: dict[str, float] = {}

    def fit(self, frame: pd.DataFrame, origin: pd.Timestamp) -> None:
        """Learn from the rows up to the origin, once plainly and once with the library's calibration."""
        from mlforecast.utils import PredictionIntervals

        self.prepared = Prepared(frame.loc[frame["timestamp"] <= origin], self.task)
        rows = self.prepared.history(frame, origin)
        count = rows.groupby("unique_id").size()
        windows = 10 if count.max() > MANY else 2
        shortest = max(lags(self.task)) + 2 * self.task.horizon + 4
        difference = None
        if self.tuned:
            room = {steps: shortest + (steps or 0) for steps in (None, 1, min(self.task.season_lengths))}
            possible = [steps for steps, least in room.items() if (count >= least).mean() > MOST]
            difference = self._difference(
                rows.loc[rows["unique_id"].map(count) >= max(room[p] for p in possible)], possible
            )
            shortest = room[difference]
        rows = rows.loc[rows["unique_id"].map(count) >= shortest]
        given: dict[str, Any] = {"static_features": list(self.task.static)}
        self.model = self._library(difference, self.make(tuned=self.tuned))
        intervals = PredictionIntervals(n_windows=windows, h=self.task.horizon)
        started = time.process_time()
        self.model.fit(rows, prediction_intervals=intervals, **given)
        self.seconds["calibrate"] = self.model.calibration
        self.seconds["fit"] = time.process_time() - started - self.model.calibration
        self.items, self.until = set(rows["unique_id"]), rows.groupby("unique_id")["ds"].max()

    def _library(self, difference: int | None, model: Any) -> Any:
        from mlforecast import MLForecast
        from mlforecast.lag_transforms import RollingMean, RollingStd
        from mlforecast.target_transforms import Differences, LocalStandardScaler

        season = min(self.task.season_lengths)
        extra: dict[str, Any] = {}
        if self.tuned:
            windows = [RollingMean(season, min_samples=1), RollingStd(season, min_samples=2)]
            extra = {
                "lag_transforms": {1: [*windows, RollingMean(4 * min(season, 13), min_samples=1)]},
                "target_transforms": [*([Differences([difference])] if difference else []), LocalStandardScaler()],
            }

        class Timed(MLForecast):
            """Knows how long its calibration took, which fits the model once more."""

            calibration = 0.0

            def _conformity_scores(self, *args: Any, **options: Any) -> Any:
                started = time.process_time()
                try:
                    return super()._conformity_scores(*args, **options)
                finally:
                    self.calibration = time.process_time() - started

        return Timed(
            models={"model": model},
            freq=self.task.frequency,
            lags=lags(self.task),
            date_features=date_features(self.task),
            **extra,
        )

    def _difference(self, rows: pd.DataFrame, possible: list[int | None]) -> int | None:
        season = min(self.task.season_lengths)
        scale = rows.groupby("unique_id")["y"].transform(lambda y: y.diff(season).abs().mean())
        scale = scale.groupby(rows["unique_id"]).first().clip(lower=1e-9)
        losses: dict[int | None, float] = {}
        for difference in possible:
            table = self._library(difference, gradient_boosting(tuned=False)).cross_validation(
                rows, n_windows=2, h=self.task.horizon, refit=False, static_features=list(self.task.static)
            )
            losses[difference] = float(((table["y"] - table["model"]).abs() / table["unique_id"].map(scale)).mean())
        return min(losses, key=lambda name: losses[name])

    def predict(self, frame: pd.DataFrame, origin: pd.Timestamp, items: list[str]) -> pd.DataFrame:
        """Tell the library what came since the last origin, and forecast."""
        items = [item for item in items if item in self.items]
        rows = self.prepared.history(frame, origin, dead=True)
        new = rows.loc[rows["unique_id"].isin(self.items) & (rows["ds"] > rows["unique_id"].map(self.until))]
        if len(new):
            self.model.update(new)
            self.until[:] = origin
        future = self.prepared.future(frame, origin, items)
        names = [name for name in future if name not in {"unique_id", "ds", *self.task.static}]
        given = {"X_df": future[["unique_id", "ds", *names]]} if names else {}
        table = self.model.predict(self.task.horizon, level=[80], ids=items, **given)
        return named(table, self.task, "unique_id", "ds", ("model", "model-lo-80", "model-hi-80"))


class SkForecast:
    """skforecast's multi-series forecaster: default as it comes; tuned adds windows, scaling and calibration.

    Tuned also takes differences of steps if that is better on the two horizons before the first origin.
    Intervals are its conformal ones: from residuals in the sample by default, from later ones if tuned.
    """

    def __init__(self, task: Task, *, tuned: bool) -> None:
        self.task, self.tuned = task, tuned
        self.seconds: dict[str, float] = {}

    def fit(self, frame: pd.DataFrame, origin: pd.Timestamp) -> None:
        """Learn from the rows up to the origin."""
        self.prepared = Prepared(frame.loc[frame["timestamp"] <= origin], self.task)
        rows = self.prepared.history(frame, origin)
        count = rows.groupby("unique_id").size()
        rows = rows.loc[rows["unique_id"].map(count) >= self._needed() + 2 * self.task.horizon]
        earlier = origin - 2 * self.task.horizon * to_offset(self.task.frequency)
        difference, held = None, None
        started = time.process_time()
        if self.tuned:
            quick = gradient_boosting(tuned=False)
            losses = {choice: self._held_out(rows, earlier, choice, quick)[0] for choice in (None, 1)}
            difference = min(losses, key=lambda choice: losses[choice])
            held = self._held_out(rows, earlier, difference, random_forest(tuned=True))
        self.seconds["calibrate"] = time.process_time() - started
        started = time.process_time()
        self.model = self._fitted(rows, difference, random_forest(tuned=self.tuned), residuals=not self.tuned)
        self.seconds["fit"] = time.process_time() - started
        if held is not None:
            self.model.set_out_sample_residuals(held[1], held[2])
        self.items = set(rows["unique_id"])

    def _needed(self) -> int:
        return max([*lags(self.task), 4 * min(*self.task.season_lengths, 13)]) + 4

    def _fitted(self, rows: pd.DataFrame, difference: int | None, estimator: Any, *, residuals: bool = False) -> Any:
        from skforecast.preprocessing import RollingFeatures
        from skforecast.recursive import ForecasterRecursiveMultiSeries
        from sklearn.preprocessing import StandardScaler

        season = min(self.task.season_lengths)
        extra: dict[str, Any] = {}
        if self.tuned:
            kinds = dict.fromkeys([("mean", season), ("std", season), ("mean", 4 * min(season, 13))])
            windows = RollingFeatures([kind for kind, _ in kinds], window_sizes=[size for _, size in kinds])
            extra = {"transformer_series": StandardScaler(), "window_features": windows, "differentiation": difference}
        model = ForecasterRecursiveMultiSeries(estimator=estimator, lags=lags(self.task), encoding="ordinal", **extra)
        series, exogenous = self._split(rows)
        model.fit(series, exogenous, store_in_sample_residuals=residuals, suppress_warnings=True)
        return model

    def _held_out(
        self, rows: pd.DataFrame, until: pd.Timestamp, difference: int | None, estimator: Any
    ) -> tuple[float, dict, dict]:
        """Loss, targets and forecasts of the two horizons after a moment, by a model that stops there."""
        model = self._fitted(rows.loc[rows["ds"] <= until], difference, estimator)
        horizon = self.task.horizon
        wide = rows.pivot(index="ds", columns="unique_id", values="y").asfreq(self.task.frequency)
        alive = [str(name) for name in wide if wide[name].iloc[-2 * horizon - self._needed() :].notna().all()]
        tables = []
        for start in (until, until + horizon * to_offset(self.task.frequency)):
            past = wide.loc[wide.index <= start, alive]
            coming = rows.loc[rows["ds"] > start].groupby("unique_id").head(horizon)
            tables.append(self._steps(model, past, coming, alive))
        table = pd.concat(tables)
        came = wide.loc[wide.index > until, alive].stack().rename("y")
        both = table.set_index(["ds", "unique_id"]).join(came)
        scale = wide.diff(min(self.task.season_lengths)).abs().mean().clip(lower=1e-9)
        loss = ((both["y"] - both["pred"]).abs() / both.index.get_level_values("unique_id").map(scale)).mean()
        groups = {str(name): part for name, part in both.groupby(level="unique_id")}
        return (
            float(loss),
            {name: part["y"].to_numpy() for name, part in groups.items()},
            {name: part["pred"].to_numpy() for name, part in groups.items()},
        )

    def _steps(self, model: Any, past: pd.DataFrame, coming: pd.DataFrame, items: list[str]) -> pd.DataFrame:
        _, exogenous = self._split(coming.loc[coming["unique_id"].isin(items)])
        table = model.predict(
            self.task.horizon,
            levels=items,
            last_window=past[items].iloc[-model.window_size :],
            exog=exogenous,
            suppress_warnings=True,
        )
        return table.rename_axis("ds").reset_index().rename(columns={"level": "unique_id"})

    def _split(self, rows: pd.DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
        """One series and one frame of covariates and dates per item."""
        rows = rows.copy()
        for name in date_features(self.task):
            rows[name] = getattr(rows["ds"].dt, name).astype(float)
        outside = [name for name in rows if name not in {"unique_id", "ds", "y"}]
        parts = {
            str(name): part.set_index("ds").asfreq(self.task.frequency) for name, part in rows.groupby("unique_id")
        }
        series = {name: part["y"] for name, part in parts.items() if "y" in part}
        return series, {name: part[outside] for name, part in parts.items()}

    def predict(self, frame: pd.DataFrame, origin: pd.Timestamp, items: list[str]) -> pd.DataFrame:
        """Forecast the items after the origin from their last values."""
        rows = self.prepared.history(frame, origin)
        items = [item for item in items if item in self.items]
        wide = rows.loc[rows["unique_id"].isin(items)].pivot(index="ds", columns="unique_id", values="y")
        window = wide.asfreq(self.task.frequency)[items].iloc[-self.model.window_size :].bfill()
        _, exogenous = self._split(self.prepared.future(frame, origin, items))
        table = self.model.predict_interval(
            self.task.horizon,
            levels=items,
            last_window=window,
            exog=exogenous,
            method="conformal",
            interval=[0.1, 0.9],
            use_in_sample_residuals=not self.tuned,
            suppress_warnings=True,
        )
        table = table.rename_axis("ds").reset_index()
        return named(table, self.task, "level", "ds", ("pred", "lower_bound", "upper_bound"))


def named(table: pd.DataFrame, task: Task, item: str, timestamp: str, names: tuple[str, str, str]) -> pd.DataFrame:
    """Name the columns of a library's forecasts (point, q10, q90) as ours are."""
    middle, low, high = (table[name].to_numpy(dtype=float) for name in names)
    if task.non_negative:
        middle, low, high = (np.maximum(values, 0.0) for values in (middle, low, high))
    return pd.DataFrame(
        {
            "item_id": table[item].to_numpy(),
            "timestamp": table[timestamp].to_numpy("datetime64[us]"),
            "mean": middle,
            "q10": low,
            "q50": middle,
            "q90": high,
        }
    )


PEERS: dict[str, Any] = {
    "ours": Ours,
    "ours, auto": Auto,
    "seasonal naive": SeasonalNaive,
    "mlforecast + forest": lambda task: MlForecast(task, random_forest, tuned=False),
    "mlforecast + forest, best": lambda task: MlForecast(task, random_forest, tuned=True),
    "mlforecast + LightGBM": lambda task: MlForecast(task, gradient_boosting, tuned=False),
    "mlforecast + LightGBM, best": lambda task: MlForecast(task, gradient_boosting, tuned=True),
    "skforecast + forest": lambda task: SkForecast(task, tuned=False),
    "skforecast + forest, best": lambda task: SkForecast(task, tuned=True),
}
warnings.simplefilter("ignore")
