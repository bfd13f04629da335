"""The feature matrix: one row per (item, origin, lead), everything in it known at the origin.

The same function makes the rows to learn from and the rows to forecast with. Columns are named
`<group>_<what>`, the groups being `season`, `recent`, `history`, `calendar`, `known`, `past`, `static` and `own` (of
others, see `own`); `lead` stands for itself. Columns `reference_<what>` are no features: they are forecasts that a
target may be learnt from, as it is from the level (see `smoothing.references`). All are float32, NaN where unknown,
except static categories, which stay strings (None where missing): they are encoded when a model is fitted, so that the
rows survive Parquet and SQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..extensions import ExtensionError
from ..panel import ITEM, TARGET, TIME, Panel
from ..scaling import CLIP, TINY, Scaling, Seasons, Signal, distance
from ..task import Task
from . import own
from .calendar import calendar
from .smoothing import is_reference, references, smooth

INDEX = [ITEM, "origin", "lead", TIME]
GIVEN = [TARGET, "reference", "scale", "scaling", "y"]
"""Columns of the training rows that are neither index nor feature."""
NOTHING = 1e-6
"""Share of a scale below which a difference is rounding, and counts as none: trees would split there."""
FLOOR = 1e-3
"""The least scale of an item, as a share of its level."""
CLEAN = (6.0, 9.0)
"""Standard deviation within a season, in scales, from which on the reference moves with it, and does so wholly."""
LONGEST_CHANGE = 168
"""Longest season, in steps, whose change at the origin is looked at: of longer ones it names the day."""
MINIMUM_HISTORY = 4
"""Observed targets below which an item is left to the fallback."""


def lookback(task: Task) -> int:
    """Steps of history, the origin's included, that a forecast of this task rests on.

    More history changes nothing in a forecast; less may, for items that had it.
    """
    return Seasons.of(task).lookback


@dataclass(frozen=True)
class Rows:
    """Feature rows and what undoes their scaling.

    Attributes:
        item: index into the panel's items, shape (rows,).
        origin: grid position of the origin, shape (rows,).
        lead: shape (rows,).
        reference: in transformed units, shape (rows,).
        scale: in transformed units, above zero, shape (rows,).
        features: float32 columns (static categories: strings), rows in the same order; without `lead`; references too.
    """

    item: np.ndarray
    origin: np.ndarray
    lead: np.ndarray
    reference: np.ndarray
    scale: np.ndarray
    features: dict[str, np.ndarray]


def feature_rows(
    panel: Panel,
    signal: Signal,
    task: Task,
    *,
    item: np.ndarray,
    origin: np.ndarray,
    row: np.ndarray,
    lead: np.ndarray,
    yearly: bool,
) -> Rows:
    """Compute the features of some origins at some leads.

    Args:
        panel: padded by the lookback.
        signal: of the same panel.
        task: names covariates, seasons and holidays.
        item: index of the item of each origin, shape (origins,).
        origin: grid position of each origin, shape (origins,).
        row: which origin a row belongs to, shape (rows,).
        lead: lead of each row, shape (rows,).
        yearly: whether the calendar may say where in the year a step lies.
    """
    index = panel.base[item] + origin
    level = signal.level(index)
    center, spread = signal.center[item], signal.spread[item]
    size = center + spread * level
    units = np.maximum(spread * signal.scale(index), np.maximum(FLOOR * np.abs(size), TINY))
    scale = units / spread
    columns: dict[str, np.ndarray] = {"history_level": (size / units).astype(np.float32)[row]}
    for name, values in _at_origin(panel, signal, index, level, scale):
        columns[name] = values.astype(np.float32)[row]
    target = index[row] + lead
    smoothed, profile = {}, np.zeros(len(lead))
    for length, slots in zip(signal.seasons.lengths, signal.seasons.slots, strict=True):
        profile, forecasts = smooth(signal, index, row, lead, length, slots)
        smoothed |= {f"season_{length}_{name}": values for name, values in forecasts.items()}
        if 1 < length <= LONGEST_CHANGE:
            smoothed |= references(signal, index, row, lead, length)
    moved = _cleanness(signal, index, scale)[row] * profile
    for name, values in _by_season(signal, index[row], lead):
        columns[name] = _narrow((values - moved) / scale[row])
    for name, values in smoothed.items():
        columns[name] = _narrow((values - level[row] - moved) / scale[row])
    for name, values in calendar(panel.grid, task.frequency, task.holidays, yearly=yearly).items():
        columns[f"calendar_{name}"] = values[origin[row] + lead]
    before = target - distance(lead, signal.seasons.lengths[0])
    for name, values in panel.known.items():
        columns[f"known_{name}"] = values[target]
        columns[f"known_{name}_change"] = values[target] - values[before]
    for name in task.static:
        columns[f"static_{name}"] = panel.static[name].at(index, signal.seasons.lookback)[row]
    if task.model.features:
        place = own.place(panel.items[item][row], panel.grid, origin[row], lead)
        columns |= own.columns(task, place, _Lags(signal, index, level, scale, row))
    reference = size[row] + spread[row] * moved
    return Rows(item[row], origin[row], lead, reference=reference, scale=units[row], features=columns)


class _Lags(dict[int, np.ndarray]):
    """Targets before the origin of each row, less the level and by the scale; made when one is asked for."""

    def __init__(self, signal: Signal, index: np.ndarray, level: np.ndarray, scale: np.ndarray, row: np.ndarray):
        super().__init__()
        self._signal, self._index, self._level, self._scale, self._row = signal, index, level, scale, row

    def __missing__(self, lag: int) -> np.ndarray:
        if lag >= self._signal.seasons.lookback:
            raise ExtensionError(
                f"a feature looks back {lag + 1} steps, and a forecast {self._signal.seasons.lookback}"
            )
        self[lag] = _narrow((self._signal.rolling.at(self._index - lag) - self._level) / self._scale)[self._row]
        return self[lag]


def _cleanness(signal: Signal, index: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Share of its longest season that the reference of an origin moves with, shape (origins,).

    All of it where the season is many scales high: trees need not learn again what hardly changes. Else none.
    """
    low, high = CLEAN
    height = np.nan_to_num(signal.rolling.deviation(index, signal.seasons.lengths[-1]) / scale)
    return np.clip((height - low) / (high - low), 0.0, 1.0)


def _narrow(values: np.ndarray) -> np.ndarray:
    values = np.clip(values, -CLIP, CLIP).astype(np.float32)
    values[np.abs(values) < NOTHING] = 0.0
    return values


def _at_origin(
    panel: Panel, signal: Signal, index: np.ndarray, level: np.ndarray, scale: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    seasons, rolling = signal.seasons, signal.rolling
    for lag in range(min(7, max(3, seasons.lengths[0]))):
        yield f"recent_lag_{lag}", _narrow((rolling.at(index - lag) - level) / scale)
    for window in sorted({*seasons.windows, seasons.long}):
        yield f"recent_mean_{window}", _narrow((rolling.mean(index, window) - level) / scale)
    for window in sorted({seasons.windows[0], seasons.short, seasons.windows[-1]}):
        yield f"recent_deviation_{window}", _narrow(rolling.deviation(index, window) / scale)
    for length in seasons.lengths:
        if 1 < length <= LONGEST_CHANGE:
            change = rolling.at(index) - rolling.at(index - length)
            yield f"recent_change_{length}", _narrow(change / scale)
    yield "history_observed", rolling.count(index, seasons.lookback)
    yield "history_present", rolling.count(index, seasons.short) / seasons.short
    for name, values in panel.past.items():
        yield f"past_{name}_last", values[index]


def _by_season(signal: Signal, index: np.ndarray, lead: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for length, count in zip(signal.seasons.lengths, signal.seasons.slots, strict=True):
        slots = [signal.profile(index, lead, length, slot) for slot in range(count)]
        total = np.zeros(len(index))
        present = np.zeros(len(index))
        for values in slots:
            seen = ~np.isnan(values)
            total[seen] += values[seen]
            present += seen
        yield (
            f"season_{length}_mean",
            np.divide(total, present, out=np.full(len(index), np.nan), where=present > 0),
        )
        for slot, values in enumerate(slots):
            yield f"season_{length}_slot_{slot + 1}", values


def forecast_rows(panel: Panel, task: Task, scaling: Scaling, item: np.ndarray, horizon: int, *, yearly: bool) -> Rows:
    """Feature rows of some items at the panel's last step, all leads of an item together."""
    signal = Signal(panel, Seasons.of(task), scaling)
    origin = np.full(len(item), len(panel.grid) - 1 - horizon)
    row = np.repeat(np.arange(len(item)), horizon)
    lead = np.tile(np.arange(1, horizon + 1), len(item))
    return feature_rows(panel, signal, task, item=item, origin=origin, row=row, lead=lead, yearly=yearly)


def feature_columns(training: pd.DataFrame) -> list[str]:
    """Names of the feature columns of training rows, `lead` first."""
    given = {*INDEX, *GIVEN}
    return ["lead", *(name for name in training.columns if name not in given and not is_reference(name))]


def group_of(feature: str) -> str:
    """Group of a feature, for explanations: lead, season, recent, history, calendar, covariates, static or own."""
    head = feature.partition("_")[0]
    return "covariates" if head in {"known", "past"} else head
