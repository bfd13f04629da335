"""Regular grids of timestamps: which frequencies exist and what follows from each."""

import warnings
from datetime import timedelta
from functools import cache
from typing import Any, Literal, cast, get_args
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset, Day, MonthBegin, MonthEnd, Tick

from mlops_assets.forecasting.data.wall_clock import exist

EXAMPLES = "h, 30min, D, B, W-SUN, MS, ME, QS, YS"
PartitionKind = Literal["hourly", "daily", "weekly", "monthly", "quarterly", "yearly"]
_SPANS: tuple[PartitionKind, ...] = get_args(PartitionKind)
_WORDS = dict(zip(_SPANS, ("h", "D", "W-SUN", "MS", "QS", "YS"), strict=True))
_SPAN_OF_RULE = {"B": 1, "W": 2, "MS": 3, "ME": 3, "BMS": 3, "BME": 3, "QS": 4, "QE": 4, "YS": 5, "YE": 5}
_NAMED_BY = {"ME": "MS", "BME": "BMS", "QE": "QS", "YE": "YS"}
"""Frequencies that name a period by its last day, and those that name the same one by its first."""
_SEASON_OF_SPAN = {2: (52,), 3: (12,), 4: (4,)}
_SECOND = 10**9
_HOUR = 3600 * _SECOND
_DAY = 24 * _HOUR
_INSTANT = pd.Timedelta(1, unit="us")
_ONE_DAY = pd.Timedelta(days=1)
_REACH = pd.Timedelta(days=7)
"""No zone skips so many days."""
UTC = ZoneInfo("UTC")
KEY = ["item_id", "timestamp"]
"""Columns that tell one row of a canonical frame from another."""


@cache
def parse_frequency(alias: str) -> BaseOffset:
    """Return the pandas offset of an alias.

    Raises:
        ValueError: not an alias of pandas, one that pandas is about to drop (`H`, `T`, `M`), or one that has
            no grid of its own (`2W`, `3D`, faster than a second).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            offset = to_offset(alias)
    except FutureWarning as warning:
        raise ValueError(str(warning)) from None
    except (ValueError, TypeError):
        hint = f"; did you mean {_WORDS[alias]!r}?" if alias in _WORDS else ""
        raise ValueError(f"{alias!r} is not a pandas offset alias such as {EXAMPLES}{hint}") from None
    if offset is None:
        raise ValueError(f"there is no frequency; give a pandas offset alias such as {EXAMPLES}")
    if isinstance(offset, Tick) and not isinstance(offset, Day):
        if offset.nanos < _SECOND or _DAY % offset.nanos != 0:
            raise ValueError(f"{alias!r}: a step within the day must divide the day, such as 15min, h, 6h")
    elif offset.n != 1 or not (isinstance(offset, Day) or _rule(offset) in _SPAN_OF_RULE):
        raise ValueError(f"{alias!r} is not supported; use one of {EXAMPLES}, in single steps from a day upwards")
    return offset


def _rule(offset: BaseOffset) -> str:
    return offset.name.split("-")[0]


def _span(offset: BaseOffset) -> int:
    if isinstance(offset, Tick):
        return 1 if offset.nanos > _HOUR else 0
    return _SPAN_OF_RULE[_rule(offset)]


def within_a_day(alias: str) -> bool:
    """Whether the grid has more than one step a day."""
    offset = parse_frequency(alias)
    return isinstance(offset, Tick) and offset.nanos < _DAY


def a_day_at_most(alias: str) -> bool:
    """Whether a period of the grid lies within a day, or is one."""
    return _step(parse_frequency(alias)) is not None


def partition_kinds(alias: str) -> list[PartitionKind]:
    """Return the kinds of partition that are not finer than the frequency, the default first.

    The default is the frequency's own span, but never shorter than a day.
    """
    span = _span(parse_frequency(alias))
    default = max(span, 1)
    return [_SPANS[default], *(kind for i, kind in enumerate(_SPANS) if i >= span and i != default)]


def default_season_lengths(alias: str) -> tuple[int, ...]:
    """Return the season lengths, in steps, that data of this frequency usually have, shortest first."""
    offset = parse_frequency(alias)
    if isinstance(offset, Tick):
        per_day = _DAY // offset.nanos
        return (per_day, 7 * per_day) if per_day > 1 else (7,)
    return (5,) if _rule(offset) == "B" else _SEASON_OF_SPAN.get(_span(offset), (1,))


def on_grid(timestamps: pd.Series, alias: str) -> np.ndarray:
    """Return a mask of the timestamps (naive, none missing) that lie on the grid; it starts at midnight."""
    offset = parse_frequency(alias)
    if isinstance(offset, Tick):
        since_midnight = timestamps - timestamps.dt.normalize()
        return ((since_midnight % pd.Timedelta(offset.nanos, unit="ns")) == pd.Timedelta(0)).to_numpy()
    midnights = pd.DatetimeIndex(timestamps.where(timestamps == timestamps.dt.normalize()).dropna().unique())
    return timestamps.isin([moment for moment in midnights if offset.is_on_offset(moment)]).to_numpy()


def floor_to_grid(timestamps: pd.Series, alias: str, at_end: bool = False) -> pd.Series:
    """Return the grid's timestamp of the period that holds each moment (naive; missing ones stay missing).

    Args:
        timestamps: moments; a date is the whole day.
        alias: of the frequency.
        at_end: whether a period is named by its end, see `known_from`.
    """
    offset = parse_frequency(alias)
    if isinstance(offset, Day):
        return timestamps.dt.floor("D")
    if isinstance(offset, Tick):
        return timestamps.dt.ceil(offset.freqstr) if at_end else timestamps.dt.floor(offset.freqstr)
    days = timestamps.dt.normalize()
    stamps = {day: _period_of(pd.Timestamp(day), offset, at_end) for day in days.dropna().unique()}
    return days.map(stamps).astype("datetime64[us]")


def _period_of(day: pd.Timestamp, offset: BaseOffset, at_end: bool) -> pd.Timestamp:
    rule = _rule(offset)
    if rule in ("MS", "BMS"):
        return cast(pd.Timestamp, offset.rollback(day + MonthEnd(0)))
    if rule in ("ME", "BME"):
        return cast(pd.Timestamp, offset.rollforward(day.replace(day=1)))
    forward = rule in ("QE", "YE") or (at_end and rule == "W")
    return cast(pd.Timestamp, offset.rollforward(day) if forward else offset.rollback(day))


def floored_into(start: pd.Timestamp, end: pd.Timestamp, alias: str, at_end: bool = False) -> list[pd.Timestamp]:
    """Return the span of moments, its end excluded, whose periods have their timestamps in a span; see `floor_to_grid`.

    A week that begins on Monday has its Sunday in the next of the partitions that begin on Sunday.
    """
    offset, edges = parse_frequency(alias), [start, end]
    step, rule = _step(offset), _rule(offset)
    if ends_on_its_stamp(alias) or (at_end and (step is None or step < _ONE_DAY)):
        last = last_before(pd.DatetimeIndex(edges), alias) + (_INSTANT if step is not None else _ONE_DAY)
        return [cast(pd.Timestamp, MonthBegin(0).rollforward(day)) if rule == "BME" else day for day in last]
    if isinstance(offset, Tick):
        return edges
    first = [cast(pd.Timestamp, offset.rollforward(edge)) for edge in edges]
    return [day.replace(day=1) for day in first] if rule == "BMS" else first


def last_before(ends: pd.DatetimeIndex, alias: str, zone: ZoneInfo = UTC) -> pd.DatetimeIndex:
    """Return the last timestamp of the grid, as the zone has it, that lies before each of `ends` (naive)."""
    offset = parse_frequency(alias)
    if len(ends) == 0:
        return ends
    if isinstance(offset, Tick) and not isinstance(offset, Day):
        last = (ends - _INSTANT).floor(offset.freqstr)
        while not (there := is_there(last, alias, zone)).all():
            last = last.where(there, last - offset)
        return last.as_unit("us")
    first = offset.rollback((ends.min() - _INSTANT).normalize() - _REACH)
    days = pd.date_range(first, ends.max(), freq=offset, unit="us")
    days = days[is_there(days, alias, zone)]
    return days[days.searchsorted(ends, side="left") - 1]


def is_there(timestamps: pd.DatetimeIndex, alias: str, zone: ZoneInfo) -> np.ndarray:
    """Say which timestamps of a grid (naive) a zone has: of an hour or a day that its clocks skip whole, none."""
    step = _step(parse_frequency(alias))
    if zone == UTC or step is None:
        return np.ones(len(timestamps), dtype=bool)
    there = exist(timestamps, zone)
    if not there.all():
        there |= exist(timestamps + (step - _INSTANT), zone)
    return there


def known_from(timestamps: pd.DatetimeIndex, alias: str, at_end: bool = False) -> pd.DatetimeIndex:
    """Return when the periods of timestamps (naive) are over, so that their values can be known.

    A date names its day, so that of days and business days nothing but the next midnight can be the end.

    Args:
        timestamps: on the grid.
        alias: of the frequency.
        at_end: whether a timestamp is the last day of its period or, within the day, the moment that ends it. Months,
            quarters and years that are named by their last day always are.
    """
    offset = parse_frequency(alias)
    step = _step(offset)
    if step is not None:
        within_the_day = step < _ONE_DAY
        return timestamps if at_end and within_the_day else timestamps + step
    if at_end or ends_on_its_stamp(alias):
        return timestamps + _ONE_DAY
    return pd.DatetimeIndex(timestamps + (pd.offsets.MonthBegin() if _rule(offset) == "BMS" else offset))


def periods_of(
    timestamps: pd.DatetimeIndex, alias: str, at_end: bool = False
) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Return where the periods of timestamps (naive) begin and, excluded, end; see `known_from`."""
    offset = parse_frequency(alias)
    step, ends = _step(offset), known_from(timestamps, alias, at_end)
    if step is not None:
        return pd.DatetimeIndex(ends - step), ends
    return known_from(pd.DatetimeIndex(timestamps - offset), alias, at_end), ends


def ends_on_its_stamp(alias: str) -> bool:
    """Whether the frequency itself names periods by their last day: ME, BME, QE, YE."""
    return _rule(parse_frequency(alias)) in _NAMED_BY


def stamp_misfit(alias: str, stamp: Literal["start", "end"] | None) -> str:
    """Say what is wrong with stamps at the start or the end of this frequency's periods; empty if nothing is."""
    rule = _rule(parse_frequency(alias))
    first_days = {first: last for last, first in _NAMED_BY.items()}
    if stamp == "start" and rule in _NAMED_BY:
        return f"{alias} names a period by its last day; if yours have the first, it is frequency: {_NAMED_BY[rule]}"
    if stamp == "end" and rule in first_days:
        return f"{alias} names a period by its first day; if yours have the last, it is frequency: {first_days[rule]}"
    return ""


def week_after(alias: str) -> int | None:
    """Return the weekday (0: Sunday) that follows the stamps of a weekly frequency; None for others."""
    offset = parse_frequency(alias)
    return (cast(Any, offset).weekday + 2) % 7 if _rule(offset) == "W" else None


def _step(offset: BaseOffset) -> pd.Timedelta | None:
    """Return the length of a period within a day or of a day; None if it is longer."""
    if isinstance(offset, Tick):
        return pd.Timedelta(offset.nanos, unit="ns")
    return _ONE_DAY if _rule(offset) == "B" else None


def steps_after(origin: pd.Timestamp, count: int, alias: str) -> pd.DatetimeIndex:
    """Return the `count` timestamps of the grid that follow the origin, which need not be on it.

    A zone may have fewer of them, see `is_there`; they count nevertheless, so that a season has always the same length.
    """
    steps = pd.date_range(origin, periods=count + 1, freq=parse_frequency(alias), unit="us")
    return pd.DatetimeIndex(steps[steps > origin][:count])


def span_of_steps(alias: str, count: int) -> timedelta:
    """Return how long so many steps of a frequency take, in a month or year of any length."""
    start = pd.Timestamp("2024-01-01")
    return (steps_after(start, count, alias)[-1] - start).to_pytimedelta()


def steps_between(first: pd.Timestamp, last: pd.Timestamp, alias: str) -> int:
    """Return how many steps of the grid lead from its first timestamp in a span to its last one."""
    return max(len(pd.date_range(first, last, freq=parse_frequency(alias), unit="us")) - 1, 0)


def fill_with_zero(
    frame: pd.DataFrame, alias: str, zone: ZoneInfo = UTC, end: pd.Timestamp | None = None
) -> pd.DataFrame:
    """Give every item a row at each step from its first to the last of all; the target of new rows is 0.

    Args:
        frame: canonical frame (`item_id`, `timestamp`, `target`, covariates), on the grid, no row twice.
        alias: the frequency.
        zone: of the timestamps; an hour that its clocks skip gets no row.
        end: the last timestamp of all items, where the frame holds some of them. Default: the frame's.

    Returns:
        The frame with the new rows, sorted by item and timestamp. Covariates of new rows are missing, and so is a
        target that was; of static ones, the latest known value of the item counts anyway.
    """
    if frame.empty:
        return frame.copy()
    start, last = frame["timestamp"].min(), frame["timestamp"].max()
    grid = pd.date_range(start, last if end is None else max(end, last), freq=parse_frequency(alias), unit="us")
    grid = grid[is_there(grid, alias, zone)]
    first = frame.groupby("item_id", sort=True)["timestamp"].min()
    skipped = grid.searchsorted(pd.DatetimeIndex(first))
    counts = len(grid) - skipped
    position = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts - skipped, counts)
    every = pd.MultiIndex.from_arrays([np.repeat(first.index.to_numpy(), counts), grid[position]], names=KEY)
    given = frame.set_index(KEY)
    skipped_by_clocks = ~frame["timestamp"].isin(grid).to_numpy()
    if skipped_by_clocks.any():  # what an item has there is its own: no other gets a row of it
        every = every.append(pd.MultiIndex.from_frame(frame.loc[skipped_by_clocks, KEY])).sort_values()
    filled = given.reindex(every)
    filled.loc[~every.isin(given.index), "target"] = 0.0
    return filled.reset_index().reindex(columns=frame.columns)
