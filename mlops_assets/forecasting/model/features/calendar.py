"""What a calendar knows of a timestamp: the features of the target's own time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from ..errors import UsageError
from ..lone_module import import_alone

FAR = 8
"""Days after which a holiday is no longer near."""


def calendar(grid: pd.DatetimeIndex, frequency: str, holidays: str | None, *, yearly: bool) -> dict[str, np.ndarray]:
    """Describe every timestamp of a grid.

    Args:
        grid: timestamps, shape (steps,), the start of each step.
        frequency: pandas offset alias of the grid; decides which columns can differ at all.
        holidays: country with optional subdivision (`US`, `US-NY`) or None.
        yearly: whether to say where in the year the step lies. Only worth it, and only harmless, when the
            series have been through the year before: otherwise it is a clock that stands for "late in the data".

    Returns:
        Name -> float32 array of shape (steps,).
    """
    step = step_length(frequency)
    moment: Any = grid
    columns: dict[str, np.ndarray] = {}
    if step < pd.Timedelta(days=1):
        columns["hour"] = moment.hour + moment.minute / 60
    if step < pd.Timedelta(days=7):
        columns["weekday"] = moment.dayofweek
        columns["day_of_month"] = moment.day
    if yearly and step < pd.Timedelta(days=28):
        columns["day_of_year"] = moment.dayofyear
    if yearly and step >= pd.Timedelta(days=28):
        columns["month"] = moment.month
    if pd.Timedelta(days=28) <= step < pd.Timedelta(days=80):
        columns["working_days"] = _working_days(grid, frequency)
    if holidays is not None:
        columns |= _holidays(grid, frequency, holidays, step)
    return {name: np.asarray(values, dtype=np.float32) for name, values in columns.items()}


def step_length(frequency: str) -> pd.Timedelta:
    """Length of one step of a frequency (the first one after a fixed date, where months differ)."""
    two = pd.date_range("2001-01-01", periods=2, freq=to_offset(frequency))
    return two[1] - two[0]


def _days(grid: pd.DatetimeIndex, frequency: str) -> tuple[np.ndarray, np.ndarray]:
    """First day of each step, and of the step after it."""
    longer = pd.date_range(grid[0], periods=len(grid) + 1, freq=to_offset(frequency)).to_numpy("datetime64[D]")
    return longer[:-1], longer[1:]


def _working_days(grid: pd.DatetimeIndex, frequency: str) -> np.ndarray:
    first, after = _days(grid, frequency)
    return np.busday_count(first, after)


def _holidays(grid: pd.DatetimeIndex, frequency: str, country: str, step: pd.Timedelta) -> dict[str, np.ndarray]:
    day, next_day = _days(grid, frequency)
    years = (day[[0]] - FAR, next_day[[-1]] + FAR)
    first, last = (int(moment.astype("datetime64[Y]").astype(int)[0]) + 1970 for moment in years)
    dates = np.array(holiday_dates(country, first, last), dtype="datetime64[D]")
    after = np.searchsorted(dates, day)
    if step >= pd.Timedelta(days=2):
        return {"holidays": np.searchsorted(dates, next_day) - after}
    edges = np.concatenate([[np.datetime64("1000-01-01")], dates, [np.datetime64("9000-01-01")]])
    until = (edges[after + 1] - day).astype(np.int64)
    since = (day - edges[np.where(until == 0, after + 1, after)]).astype(np.int64)
    return {
        "holiday": until == 0,
        "days_to_holiday": np.minimum(until, FAR),
        "days_since_holiday": np.minimum(since, FAR),
    }


def holiday_names(country: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Return the public holidays within a span: timestamp, end (the next day) and label.

    Raises:
        UsageError: the country is not known.
    """
    found = _public_holidays(country, first.year, last.year)
    days = pd.DataFrame({"timestamp": pd.to_datetime(list(found)), "label": list(found.values())}).astype(
        {"label": str}
    )
    days = days[days["timestamp"].between(first.normalize(), last)].sort_values("timestamp", ignore_index=True)
    return days.assign(end=days["timestamp"] + pd.Timedelta(days=1))


def holiday_dates(country: str, first_year: int, last_year: int) -> list[Any]:
    """Public holidays of a country or its subdivision, sorted; UsageError for one that is not known."""
    return sorted(_public_holidays(country, first_year, last_year))


def prepare_country(country: str) -> None:
    """Let `holidays` import the module of one country, where its package of the countries imports all 250 of them."""
    import holidays

    if module := getattr(getattr(holidays, country, None), "module_name", ""):
        import_alone(module)


def _public_holidays(name: str, first_year: int, last_year: int) -> dict[Any, str]:
    import holidays

    country, _, subdivision = name.partition("-")
    prepare_country(country)
    try:
        years = range(first_year, last_year + 1)
        # In English where there is such a translation, else as the country calls them.
        return dict(holidays.country_holidays(country, subdiv=subdivision or None, years=years, language="en_US"))
    except NotImplementedError as error:
        raise UsageError(
            f"no holidays are known for {name!r}: give a country such as US, or a subdivision such as US-NY"
        ) from error
