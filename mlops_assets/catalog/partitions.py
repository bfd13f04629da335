"""Partitions of a forecast's assets: spans of time in the spec's zone, and which of them are complete."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import cast
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from mlops_assets.catalog.ticks import Ticks
from mlops_assets.catalog.windows import CRON, Partitions, Windows, places_in, windows_between, windows_of
from mlops_assets.forecasting.data.contract import Window
from mlops_assets.forecasting.data.grid import known_from, last_before, steps_after, week_after
from mlops_assets.forecasting.data.wall_clock import instants_of
from mlops_assets.spec import ForecastSpec

_SHORTEST = {
    kind: timedelta(days=days)
    for kind, days in {
        "hourly": 1 / 24,
        "daily": 1,
        "weekly": 7,
        "monthly": 28,
        "quarterly": 90,
        "yearly": 365,
    }.items()
}
_AHEAD = pd.Timedelta(days=2)
"""More than two clocks on Earth differ by."""
_TICKS = 32
"""So many are enough to see a schedule's longest pause: a weekend, a night, a long month."""


def partitions_of(spec: ForecastSpec) -> Partitions:
    """Return the partitions of a forecast: hours, days, weeks, months, quarters or years.

    Weeks begin on Sunday; where the stamps of a weekly frequency are said to be its last days, on the day after.
    """
    suffix = "-00:00" if spec.partition_kind == "hourly" else ""
    return Partitions(
        cron=CRON[spec.partition_kind].format(weekday=_first_weekday(spec)),
        first=f"{spec.partitions.start}{suffix}",
        end=f"{spec.partitions.end}{suffix}" if spec.partitions.end else None,
        zone=spec.zone,
        history=pd.Timestamp(spec.partitions.history_from) if spec.partitions.history_from else None,
    )


def _first_weekday(spec: ForecastSpec) -> int:
    after = week_after(spec.frequency) if spec.columns.stamp == "end" else None
    return 0 if after is None else after


def window_of(partitions: Partitions, key: str) -> Window:
    """Return the span of a partition, naive, in the spec's zone.

    Raises:
        UsageError: there is no such partition.
    """
    found = windows_of(partitions, [key])
    return Window(found.start[0], found.end[0])


def starts(spec: ForecastSpec, keys: pd.Series) -> pd.Series:
    """Return where the partitions of some keys begin, naive, in the spec's zone; history before the first left out."""
    return pd.Series(windows_of(partitions_of(spec).without_history, keys.tolist()).start, index=keys.index)


def whole_window(partitions: Partitions, keys: Sequence[str]) -> Window:
    """Return the span from the first to the last of some consecutive partitions."""
    found = windows_of(partitions, keys)
    return Window(found.start.min(), found.end.max())


def partition_of(timestamps: pd.Series, partitions: Partitions, keys: Sequence[str]) -> pd.Series:
    """Return the key of the partition that holds each timestamp.

    Args:
        timestamps: naive, in the partitions' zone; may be missing.
        partitions: the partitions.
        keys: a timestamp outside them, or a missing one, gives None.
    """
    windows = windows_of(partitions, keys)
    position = places_in(windows.start, windows.end, timestamps)
    names = np.array([*keys, None], dtype=object)[position]
    return pd.Series(names, index=timestamps.index, dtype=object)


def holding(spec: ForecastSpec, moment: pd.Timestamp) -> str:
    """Return the key of the partition that holds a moment, within the forecast's partitions or not.

    Keys sort as their partitions follow one another: with this one, `>=` and `<` tell what comes after a moment and
    what before, whatever the partitions' length.

    Args:
        spec: the forecast.
        moment: naive, in the spec's zone.
    """
    partitions = partitions_of(spec)
    if partitions.history is not None and partitions.history <= moment < partitions.first_begin:
        return first_key(spec)
    near = windows_between(partitions, moment - _reach(spec), moment + _AHEAD)
    return str(near.where((near.start <= moment) & (moment < near.end)).keys[-1])


def with_steps(spec: ForecastSpec, keys: Sequence[str]) -> list[str]:
    """Return the keys of those partitions whose window holds a timestamp of the grid.

    A weekend of business days has none, and neither has the hour that comes for the first of two times.
    """
    return _with_steps(spec, windows_of(partitions_of(spec), keys)).keys.tolist()


def _with_steps(spec: ForecastSpec, windows: Windows) -> Windows:
    return windows.where(last_before(windows.end, spec.frequency, spec.zone) >= windows.start)


def _known(spec: ForecastSpec, windows: Windows) -> pd.DatetimeIndex:
    """Return the instants from which partitions with steps are complete: they and all their periods are over."""
    steps = last_before(windows.end, spec.frequency, spec.zone)
    known = instants_of(known_from(steps, spec.frequency, spec.columns.stamp == "end"), spec.zone)
    return known.where(known > windows.over, windows.over)


def _complete(spec: ForecastSpec, windows: Windows, now: datetime) -> list[str]:
    found = _with_steps(spec, windows)
    return found.where(_known(spec, found) <= pd.Timestamp(now)).keys.tolist()


def _bounded(spec: ForecastSpec, since: pd.Timestamp, until: pd.Timestamp) -> Windows:
    """Return the forecast's own partitions that begin in a span."""
    first, end = max(since, pd.Timestamp(spec.partitions.start)), spec.partitions.end
    if end is None:
        return windows_between(partitions_of(spec), first, until)
    windows = windows_between(partitions_of(spec), first, min(until, pd.Timestamp(end)))
    return windows.where(windows.end <= pd.Timestamp(end))


def _reach(spec: ForecastSpec) -> pd.Timedelta:
    return pd.Timedelta(_SHORTEST[spec.partition_kind]) * 2 + _AHEAD


def _wall(spec: ForecastSpec, now: datetime) -> pd.Timestamp:
    return cast(pd.Timestamp, pd.Timestamp(now).tz_convert(spec.zone).tz_localize(None)).as_unit("us")


def complete_keys(spec: ForecastSpec, now: datetime) -> list[str]:
    """Return all partitions that are complete by now, oldest first.

    One is complete when its window has ended, and with it the period of each timestamp in it: a week that is stamped
    with its Monday is known when its Sunday is over. Partitions without a timestamp of the grid are none.
    """
    return _complete(spec, _bounded(spec, pd.Timestamp(spec.partitions.start), _wall(spec, now) + _AHEAD), now)


def ended_keys(spec: ForecastSpec, now: datetime) -> list[str]:
    """Return all partitions whose window has ended by now, also those without a timestamp of the grid, oldest first."""
    windows = _bounded(spec, pd.Timestamp(spec.partitions.start), _wall(spec, now) + _AHEAD)
    return windows.where(windows.over <= pd.Timestamp(now)).keys.tolist()


def not_over(spec: ForecastSpec, keys: Sequence[str], now: datetime) -> list[str]:
    """Return those partitions whose window has ended, but not all periods in it: Dagster offers them already."""
    windows = windows_of(partitions_of(spec), with_steps(spec, keys))
    ended = windows.where(windows.over <= pd.Timestamp(now))
    return ended.where(_known(spec, ended) > pd.Timestamp(now)).keys.tolist()


def latest_complete(spec: ForecastSpec, now: datetime, bounded: bool = True) -> str | None:
    """Return the last partition that is complete, see `complete_keys`; None before the first is.

    Args:
        spec: the forecast.
        now: the present moment.
        bounded: whether partitions after `partitions.end` do not count.
    """
    # Not the last of all keys: years of hours take a second to list, and sensors ask each minute.
    first, until = pd.Timestamp(spec.partitions.start), _wall(spec, now) + _AHEAD
    if bounded and spec.partitions.end is not None:
        until = min(until, pd.Timestamp(spec.partitions.end))
    span = _reach(spec) * 2
    while until > first:
        since = max(first, until - span)
        windows = _bounded(spec, since, until) if bounded else windows_between(partitions_of(spec), since, until)
        if found := _complete(spec, windows, now):
            return found[-1]
        if since == first:
            break
        span *= 2
    return None


def before(spec: ForecastSpec, key: str, count: int = 1) -> list[str]:
    """Return the keys of up to so many partitions before one that hold a timestamp of the grid, oldest first."""
    start, first = window_of(partitions_of(spec), key).start, pd.Timestamp(spec.partitions.start).as_unit("us")
    # Hundreds of years are more than a Timedelta holds.
    since = start - _reach(spec) * (count + 1) if (start - first) / _reach(spec) > count + 1 else first
    while True:
        found = _with_steps(spec, _bounded(spec, since, start)).keys.tolist()
        if len(found) >= count or since <= first:
            return found[-count:]
        since = max(first, since - (start - since))


def most_between(spec: ForecastSpec) -> int:
    """Return how many partitions before one the last lies that holds a timestamp of the grid too, at the most."""
    return 3 if spec.partition_kind == "hourly" or spec.frequency == "B" else 1


def complete_from(spec: ForecastSpec, key: str) -> datetime:
    """Return the moment from which a partition is complete."""
    return _known(spec, windows_of(partitions_of(spec), [key]))[0].to_pydatetime()


def end_of_next(spec: ForecastSpec, key: str) -> datetime:
    """Return when the partition after one is complete: until then the forecasts of this one are the latest."""
    following = _first_from(spec, window_of(partitions_of(spec), key).start, key)
    return _known(spec, following)[0].to_pydatetime()


def first_key(spec: ForecastSpec) -> str:
    """Return the first partition that holds a timestamp of the grid."""
    return str(_first_from(spec, pd.Timestamp(spec.partitions.start)).keys[0])


def _first_from(spec: ForecastSpec, start: pd.Timestamp, after: str = "") -> Windows:
    span = _reach(spec) * 2
    while True:
        found = _with_steps(spec, windows_between(partitions_of(spec), start, start + span))
        if (found.keys > after).any():
            return found.where(np.arange(len(found.keys)) == np.argmax(found.keys > after))
        span *= 2


def origin_of(spec: ForecastSpec, window: Window) -> pd.Timestamp:
    """Return the origin of a partition: the last timestamp of the grid in it."""
    return last_before(pd.DatetimeIndex([window.end]), spec.frequency, spec.zone)[0]


def periods(spec: ForecastSpec, steps: int) -> int:
    """Return how many partitions cover a number of steps of the frequency, one to spare."""
    start = pd.Timestamp(spec.partitions.start)
    reach = steps_after(start, steps, spec.frequency)[-1].to_pydatetime() - start.to_pydatetime()
    return ceil(reach / _SHORTEST[spec.partition_kind]) + 1


def ranges(keys: list[str], chosen: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the first and last of each run of neighbours among the chosen keys."""
    places = {place: None for place, key in enumerate(keys) if key in chosen}
    begins = [place for place in places if place - 1 not in places]
    ends = [place for place in places if place + 1 not in places]
    yield from ((keys[begin], keys[end]) for begin, end in zip(begins, ends, strict=True))


def rounds_of(spec: ForecastSpec) -> Ticks | None:
    """Return the ticks of the schedule, between which rounds lie; None without a schedule."""
    return _ticks(spec, spec.schedule) if spec.schedule is not None else None


def _ticks(spec: ForecastSpec, cron: str) -> Ticks:
    return _ticks_of(cron, spec.zone, spec.partitions.start)


@lru_cache(maxsize=1024)  # looking for the first of them takes longer than the question
def _ticks_of(cron: str, zone: ZoneInfo, start: str) -> Ticks:
    return Ticks(cron, zone, datetime.fromisoformat(start).replace(tzinfo=zone))


def latest_tick(spec: ForecastSpec, cron: str, now: datetime) -> datetime | None:
    """Return when a schedule ticked last, in the spec's zone; None if it has not since the first partition.

    Args:
        spec: the forecast.
        cron: the schedule.
        now: the present moment, aware.
    """
    return _ticks(spec, cron).last(now)


def expected(spec: ForecastSpec, now: datetime) -> tuple[str, datetime] | None:
    """Return the partition that must be there by now, and by when it had to be; None if nothing is expected yet.

    It is the one that the schedule asked for at its last tick that is at least `freshness.grace_hours` ago. Of
    partitions that have come to their end nothing is expected, once the next one would have been asked for.
    """
    rounds, grace = rounds_of(spec), timedelta(hours=spec.freshness.grace_hours)
    last = rounds.last(now - grace) if rounds is not None else None
    key = latest_complete(spec, last) if last is not None else None
    if last is None or key is None:
        return None
    ended = spec.partitions.end is not None and key != latest_complete(spec, last, bounded=False)
    return None if ended else (key, last + grace)


def longest_round(spec: ForecastSpec) -> timedelta | None:
    """Return the longest time between two ticks of the schedule; None without a schedule."""
    rounds = rounds_of(spec)
    return _longest(rounds) if rounds is not None else None


@lru_cache(maxsize=1024)
def _longest(rounds: Ticks) -> timedelta:
    ticks = [rounds.next(rounds.since)]
    for _ in range(_TICKS):
        ticks.append(rounds.next(ticks[-1] + timedelta(minutes=1)))
    instants = [tick.astimezone(timezone.utc) for tick in ticks]
    return max(after - before for before, after in pairwise(instants))
