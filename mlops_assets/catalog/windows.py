"""Keys and windows of partitions by the wall clock: from midnight to midnight, from hour to hour, whatever it does.

Dagster knows a partition by an instant; what it makes of a midnight that does not exist, or exists twice, is no
midnight any more. So windows are computed from the keys, which are Dagster's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from mlops_assets.errors import UsageError
from mlops_assets.forecasting.data.wall_clock import come_twice, instants_of, walls_of

CRON = {
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "weekly": "0 0 * * {weekday}",
    "monthly": "0 0 1 * *",
    "quarterly": "0 0 1 */3 *",
    "yearly": "0 0 1 1 *",
}
DAY_KEY, HOUR_KEY = "%Y-%m-%d", "%Y-%m-%d-%H:%M"
_FEW = 400
"""Keys, or days or hours of a span, whose windows are remembered."""
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_BEGINS = {
    CRON["daily"]: "D",
    CRON["monthly"]: "MS",
    CRON["quarterly"]: "QS",
    CRON["yearly"]: "YS",
    **{CRON["weekly"].format(weekday=number): f"W-{name}" for number, name in enumerate(_WEEKDAYS)},
}
"""Line of cron -> pandas alias of the days on which partitions begin."""
_DAY, _HOUR = pd.Timedelta(days=1), pd.Timedelta(hours=1)
_PLAIN = len("2024-10-27-02:00")
_OFFSET = r"^([+-])(\d{2})(\d{2})$"
"""What follows in the key of an hour that comes for the second time: +0100."""


@dataclass(frozen=True)
class Partitions:
    """Partitions that follow one another by the wall clock, as Dagster knows them too.

    Attributes:
        cron: one of `CRON`: when each begins.
        first: key of the first.
        end: where they end, excluded, written as a key; None: never.
        zone: whose clock it is.
        history: since when the first holds rows, naive, in the zone; None: since it begins.
    """

    cron: str
    first: str
    end: str | None
    zone: ZoneInfo
    history: pd.Timestamp | None = None

    @property
    def hourly(self) -> bool:
        """Whether they are hours; all others are days or begin on one."""
        return self.cron == CRON["hourly"]

    @property
    def key_format(self) -> str:
        """How keys are written, for `strftime`."""
        return HOUR_KEY if self.hourly else DAY_KEY

    @property
    def first_begin(self) -> pd.Timestamp:
        """When the first begins by the clock, naive: with the first day, week, ... from its key on."""
        first = pd.Timestamp(datetime.strptime(self.first, self.key_format))
        return first if self.hourly else pd.date_range(first, periods=1, freq=_BEGINS[self.cron])[0]

    @property
    def without_history(self) -> "Partitions":
        """The same partitions, the first of which is as long as any other."""
        return replace(self, history=None)

    def with_history(self, found: "Windows") -> "Windows":
        """Return windows of which the first partition's holds the history before it, too."""
        if self.history is None:
            return found
        start = found.start.where(found.keys != f"{self.first_begin:{self.key_format}}", self.history)
        return replace(found, start=start.as_unit("us"))


@dataclass(frozen=True)
class Windows:
    """Some partitions, and where they begin and end.

    Attributes:
        keys: Dagster's.
        start: naive, in the partitions' zone; included. That of the first is `Partitions.history`, where there is some.
        end: the same, excluded. The first time of an hour that comes twice ends where it begins: the hour is over,
            and belongs to its second time, when the clock has passed it for good.
        over: the instants (in UTC) at which they end.
    """

    keys: np.ndarray
    start: pd.DatetimeIndex
    end: pd.DatetimeIndex
    over: pd.DatetimeIndex

    def where(self, wanted: Any) -> "Windows":
        """Return those of a mask."""
        places = np.flatnonzero(wanted)
        return Windows(self.keys[places], self.start[places], self.end[places], self.over[places])


def is_known(cron: str, key_format: str) -> bool:
    """Whether these are partitions of a kind whose windows are known here."""
    return key_format == HOUR_KEY if cron == CRON["hourly"] else cron in _BEGINS and key_format == DAY_KEY


def windows_between(partitions: Partitions, since: pd.Timestamp, until: pd.Timestamp) -> Windows:
    """Return the partitions that begin in a span, which may lie outside of the partitions' own.

    Args:
        partitions: the partitions.
        since: naive, included.
        until: naive, excluded.
    """
    few = until - since < _FEW * (_HOUR if partitions.hourly else _DAY)
    return (_between if few else _between.__wrapped__)(partitions, since, until)


@lru_cache(maxsize=128)
def _between(partitions: Partitions, since: pd.Timestamp, until: pd.Timestamp) -> Windows:
    zone = partitions.zone
    if not partitions.hourly:
        begins = _BEGINS[partitions.cron]
        days = pd.date_range(since.ceil("D"), until, freq=begins, unit="us")
        return partitions.with_history(_days(days[days < until], begins, zone))
    first, last = instants_of(pd.DatetimeIndex([since.ceil("h"), until]), zone)
    hours = pd.date_range(first, last, freq="h", unit="us")
    return partitions.with_history(_hours(hours[hours < last], zone))


def windows_of(partitions: Partitions, keys: Sequence[str]) -> Windows:
    """Return the partitions of some keys.

    Raises:
        UsageError: there is no such partition.
    """
    return _found(partitions, tuple(keys)) if len(keys) <= _FEW else _found.__wrapped__(partitions, tuple(keys))


@lru_cache(maxsize=128)  # a round asks for the same few partitions dozens of times
def _found(partitions: Partitions, keys: tuple[str, ...]) -> Windows:
    zone, names = partitions.zone, pd.Series(keys, dtype=object)
    if not partitions.hourly:
        begins = _BEGINS[partitions.cron]
        starts = _read(names, DAY_KEY)
        on_first = starts[starts.notna()]
        firsts = pd.date_range(on_first.min(), on_first.max(), freq=begins) if len(on_first) else on_first
        _refuse(partitions, names, starts.isin(firsts))
        return partitions.with_history(_days(starts, begins, zone))
    starts = _read(names.str[:_PLAIN], HOUR_KEY)
    _refuse(partitions, names, np.asarray(starts == starts.floor("h")))
    offsets = pd.to_timedelta(names.str[_PLAIN:].str.replace(_OFFSET, r"\1\2:\3:00", regex=True), errors="coerce")
    given = (starts - pd.TimedeltaIndex(offsets)).tz_localize("UTC")
    found = _hours(instants_of(starts, zone).where(given.isna(), given), zone)
    _refuse(partitions, names, found.keys == names.to_numpy())
    return partitions.with_history(found)


def places_in(begins: pd.DatetimeIndex, ends: pd.DatetimeIndex, timestamps: pd.Series) -> np.ndarray:
    """Return the position of the window that holds each timestamp, -1 where none does.

    Args:
        begins: of the windows, naive; in any order.
        ends: of the windows, excluded; no two windows have anything in common.
        timestamps: naive, may be missing.
    """
    stamps = timestamps.to_numpy().astype("datetime64[us]")
    starts, stops = (edge.as_unit("us").to_numpy() for edge in (begins, ends))
    order = np.flatnonzero(starts < stops)
    order = order[np.argsort(starts[order], kind="stable")]
    latest = np.searchsorted(starts[order], stamps, side="right") - 1
    inside = (latest >= 0) & ~np.isnat(stamps)
    position = np.append(order, 0)[np.where(inside, latest, -1)]
    return np.where(inside & (stamps < stops[position]), position, -1)


def _read(names: pd.Series, form: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(names, format=form, errors="coerce")).as_unit("us")


def _refuse(partitions: Partitions, names: pd.Series, known: np.ndarray) -> None:
    if not known.all():
        key = names[int(np.flatnonzero(~known)[0])]
        raise UsageError(f"{key!r} is not a partition key such as {partitions.first}")


def _days(starts: pd.DatetimeIndex, begins: str, zone: ZoneInfo) -> Windows:
    ends = pd.DatetimeIndex(starts + to_offset(begins))
    keys = np.datetime_as_string(starts.to_numpy(), unit="D").astype(object)
    return Windows(keys, starts, ends, instants_of(ends, zone))


def _hours(instants: pd.DatetimeIndex, zone: ZoneInfo) -> Windows:
    """Return the hours that begin at some instants."""
    walls, over = walls_of(instants, zone), instants + _HOUR
    second = np.asarray(instants_of(walls, zone) != instants)
    passed = np.where(come_twice(walls, zone) & ~second, walls, walls_of(over, zone))
    letters = np.datetime_as_string(walls.to_numpy(), unit="m").astype(f"U{_PLAIN}")
    letters.view("U1").reshape(-1, _PLAIN)[:, _PLAIN - len("T00:00")] = "-"
    keys = letters.astype(object)
    for place in np.flatnonzero(second):
        keys[place] += instants[int(place)].tz_convert(zone).strftime("%z")
    return Windows(keys, walls, pd.DatetimeIndex(passed), over)
