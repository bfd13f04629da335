"""Seasonal naive with quantiles from its own past errors: the floor of every comparison, and the fallback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import ClassVar

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from .errors import DataError
from .panel import ITEM, TARGET, TIME, Panel
from .quantiles import GRID, row_quantiles
from .scaling import Seasons, distance
from .task import Task, quantile_column

OWN_ERRORS = 5
"""With fewer, an item's own errors say nothing of its quantiles."""


@dataclass(frozen=True)
class Population:
    """What is known of items in general, for those with hardly any history of their own, or none.

    Attributes:
        spread: standard deviation of a target around the level of its item, as a share of that level.
        targets: the targets' quantiles at the levels of `quantiles.GRID`; empty: not known.
    """

    spread: float = 0.5
    targets: tuple[float, ...] = ()

    @classmethod
    def of(cls, target: np.ndarray, level: np.ndarray) -> Population:
        """Learn it from targets and the levels of their items at the origin, original units, shape (rows,)."""
        targets = tuple(np.quantile(target, GRID).tolist())
        away = np.abs(target / np.where(level == 0, np.nan, level) - 1)
        away = away[~np.isnan(away)]
        # Of a normal distribution, 68.3 % lie within one standard deviation: a few wild items do not count.
        return cls(float(np.quantile(away, 0.683)) if len(away) else cls.spread, targets)

    @classmethod
    def of_items(cls, rows: pd.DataFrame) -> Population:
        """Learn it from observed targets (item_id, target), each item's mean being its level."""
        level = rows.groupby(ITEM)[TARGET].transform("mean")
        return cls.of(rows[TARGET].to_numpy(dtype=float), level.to_numpy(dtype=float))

    @property
    def size(self) -> float:
        """Typical size of a target; 1 where none is known or most are zero."""
        return abs(float(np.median(self.targets))) or 1.0 if self.targets else 1.0


def seasonal_naive(
    history: pd.DataFrame,
    task: Task,
    origin: pd.Timestamp | None = None,
    items: Sequence[str] | None = None,
    population: Population | None = None,
) -> pd.DataFrame:
    """Forecast the value of the same slot of the last season known at the origin.

    The last observation of that slot is taken; where the slot was never seen, the mean of what was. It is the
    `mean` column and the 0.5 quantile alike, whichever other quantiles are asked for. Those lie around it by the
    quantiles of the errors that the same forecast, over as many seasons, made within the lookback: all leads of one
    season share them, so intervals widen season by season. Where all errors were on one side (growth), the
    quantiles of the other side are the point itself. An item with hardly any errors of its own gets wider ones, by
    its level and what it has seen (see `Population`). No item's forecast depends on another's, but for one of which
    nothing was observed: without a population that says more, it gets the distribution of all targets in the lookback.

    Args:
        history: canonical long table; rows after the origin are ignored.
        task: horizon, seasons and quantiles; covariates are not used.
        origin: last timestamp known; None is the last of the history.
        items: items to forecast; None is every item alive at the origin (see `alive_items`).
        population: what a training has shown of items in general; None: only the history is known.

    Returns:
        Columns item_id, origin, timestamp, lead, mean, one per quantile, source (`seasonal_naive`), sorted by
        item and lead.

    Raises:
        ValueError: no rows up to the origin, or timestamps off the grid.
    """
    plain = without_covariates(task)
    panel = recent_panel(history, plain, origin)
    names = alive(panel, task) if items is None else np.asarray(sorted(set(items)), dtype=object)
    table = naive_table(panel, task, names, source="seasonal_naive", population=population)
    return clipped(table, task, history, origin=origin)


@dataclass(frozen=True)
class SeasonalNaive:
    """Seasonal naive, asked as a fitted model is.

    Attributes:
        task: what it forecasts.
        population: what a training has shown of items in general; by default nothing.
    """

    task: Task
    population: Population = field(default_factory=Population)

    SOURCE: ClassVar[str] = "seasonal_naive"
    """What the column `source` says."""

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
        """Forecast every item at every lead up to the horizon; see `seasonal_naive`."""
        task = self.task if quantiles is None else replace(self.task, quantiles=tuple(sorted(set(quantiles))))
        made = seasonal_naive(history, task, origin, items, self.population).assign(source=self.SOURCE)
        return made if horizon is None else made[made["lead"] <= horizon].reset_index(drop=True)


def alive_items(history: pd.DataFrame, task: Task, origin: pd.Timestamp | None = None) -> list[str]:
    """Items with an observed target within the last two of the longest season, or the last horizon if longer.

    The others are dead at the origin: no forecast is expected of them.
    """
    plain = without_covariates(task)
    return list(alive(recent_panel(history, plain, origin), task))


def dead_items(history: pd.DataFrame, task: Task, origin: pd.Timestamp | None = None) -> list[str]:
    """Items of the history until the origin that are not alive any more (see `alive_items`): they get no forecast."""
    known = history[ITEM] if origin is None else history.loc[(history[TIME] <= origin).to_numpy(), ITEM]
    return sorted({*known} - {*alive_items(history, task, origin)})


def clipped(
    table: pd.DataFrame, task: Task, history: pd.DataFrame, lowest: float = 0.0, origin: pd.Timestamp | None = None
) -> pd.DataFrame:
    """Return forecasts with nothing below zero, where the task or the data say that nothing can be.

    Args:
        table: forecasts, in the columns of `seasonal_naive`.
        task: says if it is so in any case (`non_negative`) or in none (`may_be_negative`); else each item's history
            does, where nothing was ever below zero.
        history: canonical frame.
        lowest: the lowest target that is known beside it.
        origin: later rows of the history are ignored; None: it has none.
    """
    if task.may_be_negative or (lowest < 0 and not task.non_negative):
        return table
    columns = ["mean", *task.quantile_columns]
    made = table[columns].to_numpy()
    if made.dtype.kind == "f" and not np.signbit(made).any():
        return table
    bounded = np.maximum(made, 0.0)
    if not task.non_negative:
        known = (history[TARGET] < 0).to_numpy()
        known = known if origin is None else known & (history[TIME] <= origin).to_numpy()
        below = history.loc[known, ITEM].unique()
        bounded = np.where(table[[ITEM]].isin(below), made, bounded)
    return table.assign(**dict(zip(columns, bounded.T, strict=True)))


def without_covariates(task: Task) -> Task:
    """Return the same task, blind to covariates."""
    return Task(
        task.frequency,
        task.horizon,
        task.season_lengths,
        task.quantiles,
        task.point,
        non_negative=task.non_negative,
    )


def recent_panel(
    history: pd.DataFrame,
    task: Task,
    origin: pd.Timestamp | None,
    *,
    future: pd.DataFrame | None = None,
) -> Panel:
    """Lay out the lookback before the origin and the horizon after it: all that a forecast may see."""
    recent, now = recent_rows(history, task, origin)
    return panel_at(history.loc[recent], task, now, future=future)


def panel_at(recent: pd.DataFrame, task: Task, now: pd.Timestamp, *, future: pd.DataFrame | None = None) -> Panel:
    """Lay out rows that `recent_rows` has found."""
    return Panel.from_frame(recent, task, pad=Seasons.of(task).lookback, ahead=task.horizon, origin=now, future=future)


def recent_rows(
    history: pd.DataFrame, task: Task, origin: pd.Timestamp | None, steps: int | None = None
) -> tuple[np.ndarray, pd.Timestamp]:
    """Return which rows lie from the lookback before the origin on, and the origin; DataError where none does.

    Args:
        history: canonical long table.
        task: gives the frequency, and the lookback.
        origin: None is the last of the history.
        steps: another lookback.
    """
    if not len(history):
        raise DataError("the history has no rows: nothing to forecast from")
    times = history[TIME].to_numpy("datetime64[us]")
    now = pd.Timestamp(times.max()) if origin is None else origin
    steps = steps or Seasons.of(task).lookback
    start = (now - (steps - 1) * to_offset(task.frequency)).to_datetime64()
    if not ((times >= start) & (times <= now.to_datetime64())).any():
        raise DataError(
            f"the history has no rows in the {steps} steps up to the origin {now}; its last row is at {times.max()}"
        )
    return times >= start, now


def has_recent(history: pd.DataFrame, task: Task, origin: pd.Timestamp) -> bool:
    """Whether any row lies in the lookback of an origin: without, nothing can be forecast from there."""
    start = origin - (Seasons.of(task).lookback - 1) * to_offset(task.frequency)
    return bool(history[TIME].between(start, origin).any())


def alive(panel: Panel, task: Task) -> np.ndarray:
    """Ids of the items of a recent panel that are alive at its end."""
    silence = max(2 * max(task.season_lengths), task.horizon)
    end = panel.edges[1:] - task.horizon
    seen = np.concatenate([[0], np.cumsum(~np.isnan(panel.target))])
    return panel.items[seen[end] > seen[end - silence]]


def naive_table(
    panel: Panel, task: Task, names: np.ndarray, source: str, population: Population | None = None
) -> pd.DataFrame:
    """Seasonal naive forecasts of a recent panel; names it does not know get the distribution of all targets.

    Args:
        panel: see `panel_at`.
        task: horizon, seasons and quantiles.
        names: ids of the items.
        source: what the column of that name says.
        population: what a training has shown of items in general; None: only the panel is known.
    """
    season = min(task.season_lengths)
    levels = np.asarray(task.quantiles)
    lead = np.arange(1, task.horizon + 1)
    item = pd.Index(panel.items).get_indexer(pd.Index(names))
    known = np.flatnonzero(item >= 0)
    steps = Seasons.of(task).lookback
    windows = panel.target[(panel.edges[1:] - task.horizon)[:, None] + np.arange(-steps, 0)]
    window = windows[item[known]]
    general = population or Population()

    mean = np.full((len(names), task.horizon), np.nan)
    mean[known] = _last_of_slot(window, lead, season)
    table = np.full((len(names), task.horizon, len(levels)), np.nan)
    for back in np.unique(distance(lead, season)):
        columns = np.flatnonzero(distance(lead, season) == back)
        errors = window[:, back:] - window[:, :-back]
        away = _widened(_quantiles_of_present(errors, levels), errors, window, levels, general)
        table[np.ix_(known, columns)] = mean[known][:, columns, None] + away[:, None, :]
    _fill_strangers(mean, table, general.targets or tuple(panel.target[~np.isnan(panel.target)]), levels)
    middle = mean[:, :, None]
    table = np.where(levels < 0.5, np.minimum(table, middle), np.where(levels > 0.5, np.maximum(table, middle), middle))
    return forecast_table(panel, task, names, mean, table, source=source)


def forecast_table(
    panel: Panel, task: Task, names: np.ndarray, mean: np.ndarray, quantiles: np.ndarray, *, source: str
) -> pd.DataFrame:
    """Put forecasts of shape (names, horizon) and (names, horizon, levels) into the columns of the ledger."""
    horizon = mean.shape[1]
    ahead = panel.grid[len(panel.grid) - task.horizon :][:horizon]
    if task.non_negative:
        mean, quantiles = np.maximum(mean, 0.0), np.maximum(quantiles, 0.0)
    return pd.DataFrame(
        {
            ITEM: np.repeat(np.asarray(names, dtype=object), horizon),
            "origin": np.repeat(panel.grid[[-task.horizon - 1]], len(names) * horizon),
            TIME: np.tile(ahead.to_numpy(), len(names)),
            "lead": np.tile(np.arange(1, horizon + 1, dtype=np.int32), len(names)),
            "mean": mean.ravel(),
            **{quantile_column(level): quantiles[:, :, number].ravel() for number, level in enumerate(task.quantiles)},
            "source": np.full(mean.size, source, dtype=object),
        }
    )


def _last_of_slot(window: np.ndarray, lead: np.ndarray, season: int) -> np.ndarray:
    steps = window.shape[1]
    found = np.full((len(window), len(lead)), np.nan)
    place = steps - 1 + lead - distance(lead, season)
    while (place >= 0).any():
        missing = np.isnan(found) & (place >= 0)
        found = np.where(missing, window[:, np.maximum(place, 0)], found)
        place = place - season
    count = (~np.isnan(window)).sum(axis=1, keepdims=True)
    average = np.nansum(window, axis=1, keepdims=True) / np.where(count > 0, count, np.nan)
    return np.where(np.isnan(found), average, found)


def _quantiles_of_present(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Quantiles of each row's values that are there; of zero, where none is."""
    ordered = np.sort(values, axis=1)
    count = (~np.isnan(values)).sum(axis=1)
    last = np.maximum(count - 1, 0)[:, None]
    place = np.clip(levels * count[:, None] - 0.5, 0, last)
    below = np.floor(place).astype(np.int64)
    low = np.take_along_axis(ordered, below, axis=1)
    high = np.take_along_axis(ordered, np.minimum(below + 1, last), axis=1)
    share = place - below
    return np.nan_to_num(low * (1 - share) + high * share)


def _widened(
    away: np.ndarray, errors: np.ndarray, window: np.ndarray, levels: np.ndarray, population: Population
) -> np.ndarray:
    """Give items with hardly any errors of their own those of a normal distribution, if that is wider.

    Its variance is that of what the item has seen and one value more, which lies as far from its level as the
    population's do; and it holds for one value not seen.

    Args:
        away: quantiles of the items' own errors, shape (names, levels).
        errors: the errors, shape (names, some steps).
        window: recent targets of the same items, shape (names, steps).
        levels: of the quantiles.
        population: of all items.
    """
    few = (~np.isnan(errors)).sum(axis=1) < OWN_ERRORS
    if not few.any():
        return away
    seen = window[few]
    count, level = (~np.isnan(seen)).sum(axis=1), _sizes(seen)
    center = np.nansum(seen, axis=1) / np.maximum(count, 1)
    squares = np.nansum((seen - center[:, None]) ** 2, axis=1)
    usual = population.spread * np.where(level > 0, level, population.size)
    deviation = np.sqrt((squares + usual**2) / np.maximum(count, 1) * (1 + 1 / np.maximum(count, 1)))
    wide = deviation[:, None] * np.array([NormalDist().inv_cdf(share) for share in levels])
    away[few] = np.where(levels < 0.5, np.minimum(wide, away[few]), np.maximum(wide, away[few]))
    return away


def _sizes(windows: np.ndarray) -> np.ndarray:
    """Mean absolute value of each row, zero of a row without any."""
    count = (~np.isnan(windows)).sum(axis=1)
    return np.nansum(np.abs(windows), axis=1) / np.maximum(count, 1)


def _fill_strangers(mean: np.ndarray, table: np.ndarray, targets: tuple[float, ...], levels: np.ndarray) -> None:
    """Give names without any observation the distribution of the targets of all."""
    empty = np.isnan(mean[:, 0])
    if not empty.any():
        return
    seen = np.asarray(targets or (0.0,), dtype=np.float64)
    mean[empty] = np.median(seen)
    table[empty] = row_quantiles(seen[None, :].copy(), levels)[0]
