"""Models that look at each series by itself: fitted to an item's recent history whenever a forecast is asked for.

A child of `SeriesModel` says what a distribution looks like, a child of `CalibratedSeries` no more than a path. All
else stands here: which items are forecast, gaps, short histories, and quantiles that hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from .. import baselines, conformal, features
from ..errors import DataError
from ..extensions import MODELS, ExtensionError, called
from ..features.sampling import uniform
from ..panel import ITEM, TARGET, TIME, Panel, require_columns
from ..quantiles import row_quantiles
from ..scaling import Scaling
from ..task import Task
from .values import Rule

LEAST = 8
"""Observed targets below which an item is left to the fallback: a season and a trend need more than that."""
SEASONS, STEPS, MOST_STEPS = 10, 200, 2000
"""Of an item's history so many of its longest seasons are looked at, at least and at most so many steps."""
FURTHEST = 5.0
"""Path beyond the range of the history, in ranges, that is not believed."""


def observed(
    history: pd.DataFrame, task: Task, until: pd.Timestamp | None = None, steps: int | None = None
) -> pd.DataFrame:
    """Return the observed targets: item_id, timestamp, target, sorted by item and time.

    Args:
        history: canonical long table, rows in any order.
        task: gives the frequency.
        until: rows after it are left out; None: none.
        steps: of the frequency up to the last observed target; None: all of them.

    Raises:
        DataError: there is none.
    """
    require_columns(history, task)
    known = history[TARGET].notna()
    if until is not None:
        known &= history[TIME] <= until
    found = history.loc[known, [ITEM, TIME, TARGET]]
    if found.empty:
        raise DataError(
            f"no target is observed{'' if until is None else f' until {until}'}: there is nothing to learn from"
        )
    if steps is not None:
        found = found[found[TIME] > found[TIME].max() - steps * to_offset(task.frequency)]
    return found.sort_values([ITEM, TIME], ignore_index=True)


def without_gaps(values: np.ndarray, season: int) -> np.ndarray:
    """Fill missing values: by the mean of the same slot one season before and after, else on a straight line.

    Args:
        values: of one item, shape (steps,); the first is there.
        season: length in steps; 1: none.
    """
    filled = values.copy()
    for step in np.flatnonzero(np.isnan(values)) if season > 1 else ():
        around = [filled[place] for place in (step - season, step + season) if 0 <= place < len(filled)]
        around = [value for value in around if not np.isnan(value)]
        filled[step] = np.mean(around) if around else np.nan
    gaps = np.isnan(filled)
    filled[gaps] = np.interp(np.flatnonzero(gaps), np.flatnonzero(~gaps), filled[~gaps])
    return filled


@dataclass(frozen=True)
class SeriesModel:
    """Base of models that look at each series by itself.

    A child has `distribution`, and where it has more to learn than the base, `learn`.

    Attributes:
        task: what is forecast.
        lowest: lowest target of the training rows.
        whole: whether all targets were whole numbers, so that every quantile is.
        population: what the training rows say of items with hardly any history.
    """

    task: Task
    lowest: float = 0.0
    whole: bool = False
    population: baselines.Population = field(default_factory=baselines.Population)

    PARAMETERS: ClassVar[Mapping[str, Rule] | Sequence[str]] = ()
    """What `model.parameters` may hold."""
    COVARIATES: ClassVar[bool] = False
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    """Distributions that a logged model needs beside those of the engine."""

    def distribution(self, values: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Return means, shape (horizon,), and quantiles, shape (horizon, levels), of what follows a series.

        Args:
            values: of one item, oldest first, NaN where missing, the first and at least `LEAST` of them observed.
            levels: ascending, in (0, 1).

        Returns:
            None where the model has nothing to say: the item gets the fallback.
        """
        raise NotImplementedError

    def learn(self, series: Sequence[np.ndarray]) -> SeriesModel:
        """Return the model with what it learns from all series (values as in `distribution`); here: nothing.

        They come in an order that the seed draws: the first so many are a sample, and an item's place among them
        depends on the item alone.
        """
        return self

    @classmethod
    def lookback(cls, task: Task) -> int:
        """Steps of history, the origin's included, that a forecast rests on."""
        seasons = min(SEASONS * max(task.season_lengths), MOST_STEPS)
        return max(features.lookback(task), seasons, STEPS)

    @classmethod
    def rows(cls, history: pd.DataFrame, task: Task, until: pd.Timestamp | None = None) -> pd.DataFrame:
        """Return the observed targets of the lookback and of two horizons before it; see `Model.rows`."""
        return observed(history, task, until, cls.lookback(task) + 2 * task.horizon)

    @classmethod
    def fit(cls, rows: pd.DataFrame, task: Task) -> SeriesModel:
        """Learn what is common to all series; each series itself is looked at when it is forecast."""
        target = rows[TARGET].to_numpy(dtype=float)
        whole = bool((target == np.rint(target)).all())
        model = cls(task, float(target.min()), whole, baselines.Population.of_items(rows))
        panel = Panel.from_frame(rows.assign(**{TIME: pd.to_datetime(rows[TIME])}), baselines.without_covariates(task))
        keys = pd.util.hash_array(panel.items)
        order = np.argsort(uniform(keys, np.zeros(len(keys), dtype=np.int64), task.model.seed), kind="stable")
        series = (panel.target[panel.edges[item] : panel.edges[item + 1]] for item in order)
        return model.learn([values for values in series if (~np.isnan(values)).sum() >= LEAST])

    def predict(
        self,
        history: pd.DataFrame,
        origin: pd.Timestamp | None = None,
        *,
        future: pd.DataFrame | None = None,
        horizon: int | None = None,
        quantiles: Sequence[float] | None = None,
        items: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Forecast every item at every lead from its own history; covariates are not looked at. See `Model.predict`."""
        task = self.task.asked(horizon, quantiles)
        blind, steps = replace(baselines.without_covariates(task), quantiles=task.quantiles), self.lookback(task)
        recent, now = baselines.recent_rows(history, task, origin, steps)
        known = history.loc[recent & (history[TIME] <= now).to_numpy()]
        panel = Panel.from_frame(known, blind, pad=steps, ahead=task.horizon, origin=now)
        names = baselines.alive(panel, task) if items is None else np.asarray(sorted(set(items)), dtype=object)
        table = baselines.naive_table(panel, blind, names, source="fallback", population=self.population)
        columns, levels = ["mean", *task.quantile_columns], np.asarray(task.quantiles)
        values = table[columns].to_numpy()
        modelled = np.zeros(len(table), dtype=bool)
        for number, item in enumerate(pd.Index(panel.items).get_indexer(pd.Index(names))):
            found = None if item < 0 else self._forecast(panel, int(item), steps, levels)
            if found is not None:
                own = slice(number * task.horizon, (number + 1) * task.horizon)
                values[own], modelled[own] = found, True
        values[:, 1:] = Scaling(whole=self.whole).possible(np.maximum.accumulate(values[:, 1:], axis=1))
        table[columns] = np.maximum(values, 0.0) if task.non_negative else values
        table["source"] = np.where(modelled, "model", "fallback")
        return table[table["lead"] <= (horizon or task.horizon)].reset_index(drop=True)

    def _forecast(self, panel: Panel, item: int, steps: int, levels: np.ndarray) -> np.ndarray | None:
        """Mean and quantiles of one item, shape (horizon, 1 + levels); None where it gets the fallback."""
        end = panel.edges[item + 1] - self.task.horizon
        values = panel.target[end - steps : end]
        there = np.flatnonzero(~np.isnan(values))
        if len(there) < LEAST:
            return None
        values = values[there[0] :]
        kind, horizon = self.task.model.kind, self.task.horizon
        made = called(MODELS, kind, self.distribution, values, levels)
        if made is None:
            return None
        shapes = [np.shape(part) for part in made]
        if shapes != [(horizon,), (horizon, len(levels))]:
            raise ExtensionError(
                f"the model kind {kind!r}: distribution gives shapes {shapes}, not means of {horizon} steps and "
                f"quantiles of {horizon} steps by {len(levels)} levels"
            )
        found = np.column_stack(made)
        low, high = np.nanmin(values), np.nanmax(values)
        room = FURTHEST * max(high - low, abs(high), abs(low))
        return found if np.isfinite(found).all() and (np.abs(found[:, 0]) <= abs(high) + room).all() else None

    def state(self) -> dict[str, Any]:
        """Return what was learnt."""
        learnt = {part.name: getattr(self, part.name) for part in fields(self) if part.name != "task"}
        return {**learnt, "population": asdict(self.population)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SeriesModel:
        """Rebuild the model; what an older release did not learn has its default."""
        learnt = {part.name: state[part.name] for part in fields(cls) if part.name in state}
        general = baselines.Population(**state.get("population", {}))
        return cls(**{**learnt, "population": general})


_known_paths: ContextVar[dict[tuple[Any, ...], tuple[np.ndarray, float] | None] | None] = ContextVar(
    "known_paths", default=None
)


@contextmanager
def shared_paths() -> Iterator[None]:
    """Have each series forecast once from each origin within the block, whichever windows it is an origin of."""
    token = _known_paths.set({})
    try:
        yield
    finally:
        _known_paths.reset(token)


@dataclass(frozen=True)
class CalibratedSeries(SeriesModel):
    """A `SeriesModel` that says a path; its quantiles are those of its errors on rolling origins within training.

    The errors of a sample of items are divided by the size of an error that the model sees within each series, and
    pooled by lead: locally weighted split conformal prediction, after Lei et al. (2018), "Distribution-free
    predictive inference for regression", Journal of the American Statistical Association 113. So an item with few
    observations has the spread of the others at its own size.

    Attributes:
        errors: equally likely errors of each lead, in sizes, ascending, shape (horizon, OUTCOMES).
        widths: factors of the distances of the quantiles below and above the median, see `conformal.widths`.
    """

    errors: np.ndarray | None = None
    widths: tuple[float, float] = (1.0, 1.0)

    OUTCOMES: ClassVar[int] = 200
    SAMPLE: ClassVar[int] = 300
    """Items, drawn by the seed, on which errors are measured."""
    WINDOWS: ClassVar[int] = 3
    """Origins of each, half a horizon apart."""
    ENOUGH: ClassVar[int] = 200
    """Errors of a lead below which those of the neighbouring leads count too."""

    def path(self, values: np.ndarray) -> tuple[np.ndarray, float] | None:
        """Return the mean path after a series, shape (horizon,), and the typical size of an error of one step.

        Args:
            values: of one item, oldest first, without gaps and not all the same, at least `LEAST` of them.

        Returns:
            None where the model has nothing to say: the item gets the fallback.
        """
        raise NotImplementedError

    def distribution(self, values: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Lay the errors of training around the path; of a series that never moved, that value itself."""
        found = self._path(values)
        if found is None or self.errors is None:
            return None
        mean, size = found
        away = row_quantiles(self.errors.astype(float), np.append(levels, 0.5))
        middle = away[:, -1:]
        away = (away[:, :-1] - middle) * np.where(levels < 0.5, *self.widths)
        return mean, mean[:, None] + size * (middle + away)

    def learn(self, series: Sequence[np.ndarray]) -> CalibratedSeries:
        """Measure the errors on rolling origins."""
        found = [error for values in series[: self.SAMPLE] for error in self._errors(values)]
        return replace(self, errors=self._by_lead(np.array(found).reshape(len(found), self.task.horizon)))

    def corrected(self, predictions: pd.DataFrame, tolerance: float) -> CalibratedSeries:
        """Return the same model with the intervals that a backtest of its like asks for (`conformal.widths`)."""
        below, above = conformal.widths(predictions, self.task, tolerance)
        return replace(self, widths=(self.widths[0] * below, self.widths[1] * above))

    def state(self) -> dict[str, Any]:
        """Return what was learnt."""
        return {**super().state(), "widths": np.array(self.widths)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SeriesModel:
        """Rebuild the model."""
        widths = tuple(np.asarray(state.get("widths", cls.widths)).tolist())
        return super().from_state({**state, "widths": widths})

    def _path(self, values: np.ndarray) -> tuple[np.ndarray, float] | None:
        whole = without_gaps(values, min(self.task.season_lengths))
        if np.ptp(whole) == 0:
            return np.full(self.task.horizon, whole[0]), 0.0
        known = _known_paths.get()
        key = (repr(self.task.model), self.task.horizon, self.task.season_lengths, whole.tobytes())
        if known is None:
            return self._asked(whole)
        if key not in known:
            known[key] = self._asked(whole)
        return known[key]

    def _asked(self, values: np.ndarray) -> tuple[np.ndarray, float] | None:
        """Return what `path` gives; ExtensionError if it fails, or gives anything else than it should."""
        kind, steps = self.task.model.kind, self.task.horizon
        found = called(MODELS, kind, self.path, values)
        if found is None:
            return None
        try:
            mean, size = np.asarray(found[0], dtype=float), float(found[1])
        except (TypeError, ValueError, IndexError, KeyError):
            wrong = f"{type(found).__name__}, not a mean path and the size of an error"
        else:
            if mean.shape == (steps,) and not size < 0:
                return mean, size
            wrong = f"a size of error of {size:g}" if size < 0 else f"a mean of shape {mean.shape}, not ({steps},)"
        raise ExtensionError(f"the model kind {kind!r}: path gives {wrong}")

    def _errors(self, values: np.ndarray) -> list[np.ndarray]:
        """Errors in sizes after some origins of one series, each of shape (horizon,), NaN where nothing came."""
        horizon, step, found = self.task.horizon, max(1, self.task.horizon // 2), []
        reach = min(horizon, max(1, (len(values) - LEAST) // 2))
        for window in range(self.WINDOWS):
            origin = len(values) - reach - window * step
            if origin < LEAST or np.isnan(values[:origin]).sum() > origin - LEAST:
                break
            made = self._path(values[:origin])
            if made is None or not made[1] > 0:
                continue
            came = np.full(horizon, np.nan)
            after = values[origin : origin + horizon]
            came[: len(after)] = after
            found.append((came - made[0]) / made[1])
        return found

    def _by_lead(self, errors: np.ndarray) -> np.ndarray:
        """Pool errors of shape (windows, horizon) by lead: ascending quantiles, shape (horizon, OUTCOMES)."""
        horizon = self.task.horizon
        place = (np.arange(self.OUTCOMES) + 0.5) / self.OUTCOMES
        count = (~np.isnan(errors)).sum(axis=0)
        if count.sum() < LEAST:
            # Nothing was seen: errors of a random walk with normal steps.
            from statistics import NormalDist

            normal = np.array([NormalDist().inv_cdf(level) for level in place])
            return (np.sqrt(np.arange(1, horizon + 1))[:, None] * normal).astype(np.float32)
        table = np.empty((horizon, self.OUTCOMES), dtype=np.float32)
        for lead in range(horizon):
            near = next(
                (n for n in range(horizon) if count[max(lead - n, 0) : lead + n + 1].sum() >= self.ENOUGH), horizon
            )
            table[lead] = np.nanquantile(errors[:, max(lead - near, 0) : lead + near + 1], place)
        return table
