"""What the clock on a wall of a zone shows: most times once, some twice, some never."""

from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

_DAY = np.timedelta64(1, "D")
_BEFORE, _AFTER = 2 * _DAY, 3 * _DAY
"""From the start of a day: no change of a clock that concerns a time of this day lies farther away."""


def walls_of(instants: pd.DatetimeIndex, zone: ZoneInfo) -> pd.DatetimeIndex:
    """Return what the clock shows (naive) at some instants (in UTC)."""
    return instants.tz_convert(zone).tz_localize(None)


def instants_of(walls: pd.DatetimeIndex, zone: ZoneInfo) -> pd.DatetimeIndex:
    """Return when (in UTC) the clock shows some times (naive) first; of one that it skips, when it would have come."""
    if zone.key == "UTC":
        return walls.as_unit("us").tz_localize("UTC")
    early, late, near = _candidates(walls, zone)
    if not near.size:
        return early
    second_only = np.zeros(len(walls), dtype=bool)
    second_only[near] = ~_shows(early, walls, zone, near) & _shows(late, walls, zone, near)
    return early.where(~second_only, late)


def exist(walls: pd.DatetimeIndex, zone: ZoneInfo) -> np.ndarray:
    """Say which times (naive) the clock shows at all: none within the hour that it is set forward by."""
    early, late, near = _candidates(walls, zone)
    found = np.ones(len(walls), dtype=bool)
    if near.size:
        found[near] = _shows(early, walls, zone, near) | _shows(late, walls, zone, near)
    return found


def come_twice(walls: pd.DatetimeIndex, zone: ZoneInfo) -> np.ndarray:
    """Say which times (naive) the clock shows twice: those within the hour that it is set back by."""
    early, late, near = _candidates(walls, zone)
    found = np.zeros(len(walls), dtype=bool)
    if near.size:
        found[near] = _shows(early, walls, zone, near) & _shows(late, walls, zone, near)
    return found


@cache
def keeps_whole_hours(zone: ZoneInfo, since: str) -> bool:
    """Whether a zone's clocks are moved by whole hours only, from a date until the end of 2037."""
    weeks = pd.date_range(since, max(since, "2038-01-01"), freq="7D", tz="UTC", unit="us")
    past_the_hour = (walls_of(weeks, zone) - weeks.tz_localize(None)) % pd.Timedelta(hours=1)
    return len(past_the_hour.unique()) <= 1


def _candidates(walls: pd.DatetimeIndex, zone: ZoneInfo) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex, np.ndarray]:
    """Return the instants by the offset before and by the offset after a change nearby, and where there is a change."""
    times = walls.as_unit("us").to_numpy()
    days, place = np.unique(times.astype("datetime64[D]"), return_inverse=True)
    before, after = _offsets(days - _BEFORE, zone), _offsets(days + _AFTER, zone)
    early, late = (pd.DatetimeIndex(times - offsets[place], tz="UTC") for offsets in (before, after))
    return early, late, np.flatnonzero((before != after)[place] & ~np.isnat(times))


def _offsets(days: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    moments = pd.DatetimeIndex(days.astype("datetime64[us]"), tz="UTC")
    return walls_of(moments, zone).to_numpy() - days.astype("datetime64[us]")


def _shows(instants: pd.DatetimeIndex, walls: pd.DatetimeIndex, zone: ZoneInfo, places: np.ndarray) -> np.ndarray:
    return np.asarray(walls_of(instants[places], zone) == walls[places])
