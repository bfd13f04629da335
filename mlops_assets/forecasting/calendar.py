"""What a calendar knows of a timestamp: the features of the target's own time."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

FAR = 8
"""Days after which a holiday is no longer near."""


def calendar(
    grid: pd.DatetimeIndex, frequency: str, holidays: str | None, *, yearly: bool
) -> dict[str, np.ndarray]:
    """Describe every timestamp of a grid.

    Args:
        grid: timestamps, shape (steps,), the start of each step.
        frequency: pandas offset alias of the grid; decides which columns can differ at all.
        holidays: country with optional subdivision (`US`, `US-NY`) or None.
        yearly: whether to say where in the year the step lies. Only worth it, and only harmless, when the series
            have been through the year before: otherwise it is a clock that stands for "late in the data".

    Returns:
        Name -> float32 array of shape (steps,).
    """
    step = step_length(frequency)
    columns: dict[str, np.ndarray] = {}
    if step < pd.Timedelta(days=1):
        columns["hour"] = grid.hour + grid.minute / 60
    if step < pd.Timedelta(days=7):
        columns["weekday"] = grid.dayofweek
        columns["day_of_month"] = grid.day
    if yearly and step < pd.Timedelta(days=28):
        columns["day_of_year"] = grid.dayofyear
    if yearly and step >= pd.Timedelta(days=28):
        columns["month"] = grid.month
    if pd.Timedelta(days=28) <= step < pd.Timedelta(days=80):
        columns["working_days"] = _working_days(grid, frequency)
    if holidays is not None:
        columns |= _holidays(grid, frequency, holidays, step)
    return {name: np.asarray(values, dtype=np.float32) for name, values in columns.items()}


def step_length(frequency: str) -> pd.Timedelta:
    """Length of one step of a frequency (the first one after a fixed date, where months differ)."""
    two = pd.date_range("2001-01-01", periods=2, freq=pd.tseries.frequencies.to_offset(frequency))
    return two[1] - two[0]


def _next(grid: pd.DatetimeIndex, frequency: str) -> pd.DatetimeIndex:
    return grid[1:].append(pd.date_range(grid[-1], periods=2, freq=frequency)[1:])


def _working_days(grid: pd.DatetimeIndex, frequency: str) -> np.ndarray:
    days = [moment.to_numpy("datetime64[D]") for moment in (grid, _next(grid, frequency))]
    return np.busday_count(*days)


def _holidays(
    grid: pd.DatetimeIndex, frequency: str, place: str, step: pd.Timedelta
) -> dict[str, np.ndarray]:
    start, stop = grid[0] - timedelta(days=FAR), _next(grid, frequency)[-1] + timedelta(days=FAR)
    dates = np.array(holiday_dates(place, start.year, stop.year), dtype="datetime64[D]")
    day = grid.to_numpy("datetime64[D]")
    after = np.searchsorted(dates, day)
    if step >= pd.Timedelta(days=2):
        return {"holidays": np.searchsorted(dates, _next(grid, frequency).to_numpy("datetime64[D]")) - after}
    edges = np.concatenate([[np.datetime64("1000-01-01")], dates, [np.datetime64("9000-01-01")]])
    until = (edges[after + 1] - day).astype(np.int64)
    since = (day - edges[np.where(until == 0, after + 1, after)]).astype(np.int64)
    return {
        "holiday": until == 0,
        "days_to_holiday": np.minimum(until, FAR),
        "days_since_holiday": np.minimum(since, FAR),
    }


def holiday_dates(place: str, first_year: int, last_year: int) -> list:
    """Public holidays of a country or of its subdivision, sorted; ValueError for a place that is not known."""
    import holidays

    country, _, subdivision = place.partition("-")
    try:
        found = holidays.country_holidays(
            country, subdiv=subdivision or None, years=range(first_year, last_year + 1)
        )
    except NotImplementedError as error:
        raise ValueError(
            f"no holidays are known for {place!r}: give a country code such as US, or US-NY with a subdivision"
        ) from error
    return sorted(found)
