"""The grid that a table's times lie on, and how far ahead one forecasts on such a one."""

from collections import Counter
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.grid import (
    floor_to_grid,
    on_grid,
    parse_frequency,
    partition_kinds,
    within_a_day,
)

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_CALENDAR = {30: range(28, 32), 91: range(89, 93), 365: range(365, 367)}
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_ON_GRID = 0.98
"""Share of the times that must lie on a grid for the others to be faults."""
_REGULAR = 0.6
"""Share of the commonest step by which times follow one another as a series does, and not as sales come."""
HORIZONS = {"D": 14, "B": 10, "W": 8, "MS": 12, "ME": 12, "BMS": 12, "BME": 12, "QS": 4, "QE": 4, "YS": 2, "YE": 2}
"""Steps ahead by frequency, where nobody says them; within a day: a day, of hours two."""


@dataclass(frozen=True)
class Grid:
    """A frequency, and what it asks of the spec.

    Attributes:
        frequency: pandas offset alias.
        floor: whether times lie between its steps and count to the period that they lie in.
        single: whether rows are single events, such as sales that come one by one, and no series.
    """

    frequency: str
    floor: bool = False
    single: bool = False


def find_grid(moments: pd.Series, items: pd.Series | None) -> Grid:
    """Return the grid of the times of some series.

    Args:
        moments: naive, missing ones left out.
        items: of which series each is; None: all are of one.
    """
    steps: Counter[int] = Counter()
    for of_item in [moments] if items is None else [group for _, group in moments.groupby(items, sort=False)]:
        unique = np.sort(of_item.unique()).astype("datetime64[s]").astype(np.int64)
        steps.update(np.diff(unique).tolist())
    if not steps:
        return Grid("D", floor=not on_grid(moments, "D").all())
    span = moments.max() - moments.min()
    usual, count = usual_step(steps)
    regular = count / sum(steps.values())
    if usual < _DAY and regular < _REGULAR and span > pd.Timedelta(days=14):
        return Grid("D", floor=True, single=True)
    alias = _alias(usual, moments)
    share = float(on_grid(moments, alias).mean())
    return Grid(alias, floor=share < 1 and (share < _ON_GRID or within_a_day(alias)))


def usual_step(steps: Counter[int]) -> tuple[int, int]:
    """Return the commonest step in seconds, and how often it is there.

    Those of months count together, as 30 days, those of quarters as 91 and those of years as 365.
    """
    together: Counter[int] = Counter()
    for step, count in steps.items():
        days = step / _DAY
        name = next((name for name, span in _CALENDAR.items() if days in span), None)
        together[step if name is None else name * _DAY] += count
    return together.most_common(1)[0]


def _alias(seconds: int, moments: pd.Series) -> str:
    if seconds < _DAY:
        return _within_a_day(seconds)
    days, dates = seconds / _DAY, moments.dt.normalize()
    if days < 5:
        weekend = (dates.dt.weekday >= 5).mean()
        return "B" if weekend == 0 and dates.nunique() >= 15 else "D"
    if days < 27:
        return f"W-{_WEEKDAYS[int(dates.dt.weekday.mode().iloc[0])]}"
    if days < 60:
        return _by_days(dates, "MS", "ME", ("BMS", "BME"))
    if days < 200:
        month = int(dates.dt.month.mode().iloc[0])
        first = _by_days(dates, "QS", "QE", ())
        return _anchored(first, (month - 1) % 3 if first == "QS" else (month - 1) % 3 + 9)
    return _anchored(_by_days(dates, "YS", "YE", ()), int(dates.dt.month.mode().iloc[0]) - 1)


def _anchored(rule: str, month: int) -> str:
    """Write a frequency of quarters or years with its month, unless it is the usual one."""
    usual = 11 if rule in ("QE", "YE") else 0
    return rule if month == usual else f"{rule}-{_MONTHS[month]}"


def _within_a_day(seconds: int) -> str:
    if _DAY % seconds:
        fitting = [step for step in (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR) if step >= seconds]
        seconds = fitting[0] if fitting else _HOUR
    for unit, name in ((_HOUR, "h"), (_MINUTE, "min"), (1, "s")):
        if seconds % unit == 0:
            return name if seconds == unit else f"{seconds // unit}{name}"
    return "h"


def _by_days(dates: pd.Series, first: str, last: str, business: tuple[str, ...]) -> str:
    """Return by which day of its period most dates name it."""
    shares = {alias: float(on_grid(dates, alias).mean()) for alias in (first, last, *business)}
    if first in ("QS", "YS"):
        shares = {first: float((dates.dt.day == 1).mean()), last: float(dates.dt.is_month_end.mean())}
    best = max(shares, key=lambda alias: shares[alias])
    return best if shares[best] >= 0.5 else first


def usual_horizon(frequency: str, steps: int) -> int:
    """Return how many steps one forecasts, of a history of so many: a fifth of it at most."""
    if within_a_day(frequency):
        usual = 48 if frequency == "h" else _DAY * 10**9 // parse_frequency(frequency).nanos
    else:
        usual = HORIZONS[frequency.partition("-")[0]]
    return max(1, min(usual, steps // 5))


def first_day(first: pd.Timestamp, frequency: str) -> pd.Timestamp:
    """Return the day on which the first partition begins, so that it holds the first time."""
    kind = partition_kinds(frequency)[0]
    day = first.normalize()
    back = {"weekly": pd.Timedelta(days=7), "monthly": pd.DateOffset(months=1), "quarterly": pd.DateOffset(months=3)}
    if kind == "yearly":
        return day.replace(month=1, day=1)
    if kind == "monthly":
        return day.replace(day=1)
    if kind in back:
        return cast(pd.Timestamp, day - back[kind])
    return day


def floored(moments: pd.Series, grid: Grid) -> pd.Series:
    """Return each time's step of the grid."""
    return floor_to_grid(moments, grid.frequency) if grid.floor else moments
