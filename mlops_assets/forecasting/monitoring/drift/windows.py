"""The windows that are held against each other, and the panel that they are cut from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.grid import steps_after
from mlops_assets.forecasting.model.errors import DataError
from mlops_assets.forecasting.model.panel import ITEM, TARGET, TIME, numbers, positions, regular_grid
from mlops_assets.forecasting.model.task import Task

WINDOWS, YEARS = 53, 10
"""Windows of the reference at most; where the season is a year, so many years."""
UNSEASONAL = 7
"""Steps of a window where there is no season."""
ENOUGH = 8
"""Windows that a season length should have, else a shorter one is taken."""
CELLS = 1_000_000
"""Items by steps that are looked at; of a larger panel, evenly spread items."""


@dataclass(frozen=True)
class Windows:
    """Where windows lie: `length` steps each, `stride` steps from one end to the next."""

    length: int
    stride: int

    @classmethod
    def of_season(cls, season: int, frequency: str, least: int = 1) -> Windows:
        """Return whole seasons, at least so many steps; of a season longer than a month, the same quarter of each."""
        if is_long(season, frequency):
            return cls(max(2, season // 4, least), season)
        steps = season if season > 1 else UNSEASONAL
        length = steps * -(-least // steps)
        return cls(length, length)


@cache
def is_long(season: int, frequency: str) -> bool:
    """Whether a season is longer than a month."""
    start = pd.Timestamp("2001-01-01")
    return season > 1 and steps_after(start, season, frequency)[-1] - start > pd.Timedelta(days=32)


def reach(task: Task, least: int = 1) -> int:
    """Steps of history that are looked at, the newest window included."""
    steps = []
    for season in task.season_lengths:
        windows = Windows.of_season(season, task.frequency, least)
        steps.append(windows.length + windows.stride * _most(season, task.frequency))
    return max(steps)


def _most(season: int, frequency: str) -> int:
    return YEARS if is_long(season, frequency) else WINDOWS


@dataclass(frozen=True)
class Sheet:
    """A panel as items by steps.

    Attributes:
        items: ids, sorted, shape (items,).
        of: number of items of the panel, of which these are some or all.
        grid: the timestamps, shape (steps,).
        row: whether there is a row, shape (items, steps).
        target: NaN where missing.
        covariates: known and past ones, name -> shape (items, steps).
    """

    items: np.ndarray
    of: int
    grid: pd.DatetimeIndex
    row: np.ndarray
    target: np.ndarray
    covariates: dict[str, np.ndarray]


def inspected(items: np.ndarray, since: pd.Timestamp, end: pd.Timestamp, task: Task) -> np.ndarray:
    """Return which of sorted items are looked at: all that make `CELLS`, or so many, evenly spread."""
    steps = len(regular_grid(since.to_datetime64(), end.to_datetime64(), 0, task.frequency))
    most = max(1, CELLS // steps)
    if len(items) <= most:
        return items
    return items[np.unique(np.linspace(0, len(items) - 1, most).astype(np.int64))]


def lay_out(
    frame: pd.DataFrame,
    task: Task,
    end: pd.Timestamp,
    zero: bool = False,
    whole: tuple[pd.Timestamp, int] | None = None,
) -> Sheet:
    """Lay a canonical long table out.

    Args:
        frame: rows in any order; those after the end are not looked at.
        task: names covariates and frequency.
        end: last timestamp, whether there is a row or not.
        zero: an absent row of an item that has begun means 0.
        whole: the first timestamp and the number of the items of the panel, where the frame has only those that are
            `inspected`; None: it has all.

    Raises:
        ValueError: no rows, or timestamps off the grid.
    """
    frame = frame.loc[(frame[TIME] <= end).to_numpy()]
    if frame.empty:
        raise DataError(f"there are no observations up to {end}")
    if whole is None:
        since, every = frame[TIME].min(), np.sort(frame[ITEM].unique())
        chosen, whole = inspected(every, since, end, task), (since, len(every))
        frame = frame if len(chosen) == len(every) else frame[frame[ITEM].isin(chosen)]
    since, of = whole
    times = frame[TIME].to_numpy("datetime64[us]")
    grid = regular_grid(since.to_datetime64(), end.to_datetime64(), 0, task.frequency)
    code, items = pd.factorize(frame[ITEM], sort=True)
    cell = (code, positions(times, grid, task.frequency))

    def sheet(values: Any, empty: Any) -> np.ndarray:
        laid = np.full((len(items), len(grid)), empty)
        laid[cell] = values
        return laid

    row, target = sheet(True, False), sheet(numbers(frame, TARGET, "target"), np.nan)
    if zero:
        begun = np.maximum.accumulate(row, axis=1)
        target[begun & ~row] = 0.0
    names = dict.fromkeys([*task.known, *task.past])
    covariates = {name: sheet(numbers(frame, name, "covariate"), np.nan) for name in names}
    return Sheet(np.asarray(items, dtype=object), of, grid, row, target, covariates)


def cut(
    sheet: Sheet, task: Task, end: pd.Timestamp, until: pd.Timestamp | None, least: int
) -> tuple[Windows, np.ndarray, int]:
    """Return the windows, the last step of each (the newest first), and from which on they belong to the reference."""
    last = int(sheet.grid.searchsorted(end, side="right")) - 1
    best: tuple[Windows, np.ndarray, int] | None = None
    for season in sorted(task.season_lengths, reverse=True):
        windows = Windows.of_season(season, task.frequency, least)
        if last + 1 < windows.length:
            continue
        ends = np.arange(last, windows.length - 2, -windows.stride)
        limit = last - windows.length if until is None else int(sheet.grid.searchsorted(until, side="right")) - 1
        learnt = int(np.searchsorted(-ends, -min(limit, last - windows.length)))
        found = (windows, ends[: learnt + _most(season, task.frequency)], learnt)
        if best is None or len(found[1]) - learnt > len(best[1]) - best[2]:
            best = found
        if len(found[1]) - learnt >= ENOUGH:
            break
    if best is None or best[2] >= len(best[1]):
        raise DataError(f"the observations begin at {sheet.grid[0]}: no window before the one that ends at {end}")
    return best
