"""Partitions of a forecast's assets: spans of time in the spec's zone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

import dagster as dg
import pandas as pd

from mlops_assets.errors import UsageError
from mlops_assets.forecasting.data.contract import Window
from mlops_assets.forecasting.data.grid import last_before, steps_after
from mlops_assets.spec import ForecastSpec

_CRON = {
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "weekly": "0 0 * * 0",
    "monthly": "0 0 1 * *",
    "quarterly": "0 0 1 */3 *",
    "yearly": "0 0 1 1 *",
}
_SHORTEST = {
    kind: pd.Timedelta(days=days)
    for kind, days in {
        "hourly": 1 / 24,
        "daily": 1,
        "weekly": 7,
        "monthly": 28,
        "quarterly": 90,
        "yearly": 365,
    }.items()
}

_TICKS = 32
"""So many are enough to see a schedule's longest pause: a weekend, a night, a long month."""


def partitions_of(spec: ForecastSpec) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions of a forecast: hours, days, weeks (from Sunday), months, quarters or years."""
    hourly = spec.partition_kind == "hourly"
    fmt = "%Y-%m-%d-%H:%M" if hourly else "%Y-%m-%d"
    suffix = "-00:00" if hourly else ""
    return dg.TimeWindowPartitionsDefinition(
        cron_schedule=_CRON[spec.partition_kind],
        start=f"{spec.partitions.start}{suffix}",
        end=f"{spec.partitions.end}{suffix}" if spec.partitions.end else None,
        fmt=fmt,
        timezone=spec.time_zone,
    )


def window_of(partitions: dg.TimeWindowPartitionsDefinition, key: str) -> Window:
    """Return the span of a partition, naive, in the spec's zone.

    Raises:
        UsageError: there is no such partition.
    """
    try:
        span = partitions.time_window_for_partition_key(key)
    except ValueError:
        raise UsageError(f"{key!r} is not a partition key such as {partitions.start:{partitions.fmt}}") from None
    return Window(*(pd.Timestamp(moment).tz_localize(None) for moment in (span.start, span.end)))


def starts(spec: ForecastSpec, keys: pd.Series) -> pd.Series:
    """Return where the partitions of some keys begin, naive, in the spec's zone."""
    return pd.to_datetime(keys, format=partitions_of(spec).fmt)


def whole_window(partitions: dg.TimeWindowPartitionsDefinition, keys: list[str]) -> Window:
    """Return the span from the first to the last of some consecutive partitions."""
    return Window(window_of(partitions, keys[0]).start, window_of(partitions, keys[-1]).end)


def partition_of(
    timestamps: pd.Series, partitions: dg.TimeWindowPartitionsDefinition, keys: Sequence[str]
) -> pd.Series:
    """Return the key of the partition that holds each timestamp.

    Args:
        timestamps: naive, in the partitions' zone; may be missing.
        partitions: the partitions.
        keys: consecutive keys; a timestamp outside them, or a missing one, gives None.
    """
    starts = pd.DatetimeIndex([window_of(partitions, key).start for key in keys])
    position = starts.searchsorted(pd.DatetimeIndex(timestamps), side="right") - 1
    inside = timestamps.notna() & (position >= 0) & (timestamps < window_of(partitions, keys[-1]).end)
    names = [keys[int(p)] if known else None for p, known in zip(position, inside, strict=True)]
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
    aware = moment.tz_localize(spec.time_zone, ambiguous=True, nonexistent="shift_forward").to_pydatetime()
    window = partitions.get_next_partition_window(aware, respect_bounds=False)
    if window is not None and window.start > aware:
        window = partitions.get_prev_partition_window(window.start, respect_bounds=False)
    assert window is not None, "without bounds there is always a partition"
    return window.start.strftime(partitions.fmt)


def end_of_next(partitions: dg.TimeWindowPartitionsDefinition, key: str) -> datetime:
    """Return when the partition after one ends: until then the forecasts of this one are the latest."""
    ended = partitions.time_window_for_partition_key(key).end
    following = partitions.get_next_partition_window(ended, respect_bounds=False)
    assert following is not None, "without bounds there is always a next one"
    return following.end


def origin_of(spec: ForecastSpec, window: Window) -> pd.Timestamp:
    """Return the origin of a partition: the last timestamp of the grid in it."""
    return last_before(window.end, spec.frequency)


def latest_complete(spec: ForecastSpec, now: datetime) -> str | None:
    """Return the last partition that has ended, or None before the end of the first."""
    partitions = partitions_of(spec)
    # Not the last of all keys: years of hours take a second to list, and sensors ask each minute.
    last = partitions.get_prev_partition_window(min(now, partitions.end) if partitions.end else now)
    return last.start.strftime(partitions.fmt) if last is not None else None


def periods(spec: ForecastSpec, steps: int) -> int:
    """Return how many partitions cover a number of steps of the frequency, one to spare."""
    start = pd.Timestamp(spec.partitions.start)
    reach = steps_after(start, steps, spec.frequency)[-1] - start
    return ceil(reach / _SHORTEST[spec.partition_kind]) + 1


def rounds_of(spec: ForecastSpec) -> dg.TimeWindowPartitionsDefinition | None:
    """Return the spans between the schedule's ticks; None without a schedule."""
    if spec.schedule is None:
        return None
    start = f"{spec.partitions.start}-00:00"
    return dg.TimeWindowPartitionsDefinition(
        cron_schedule=spec.schedule, start=start, fmt="%Y-%m-%d-%H:%M", timezone=spec.time_zone
    )


def expected(spec: ForecastSpec, now: datetime) -> tuple[str, datetime] | None:
    """Return the partition that must be there by now, and by when it had to be; None if nothing is expected yet.

    It is the one that the schedule asked for at its last tick that is at least `freshness.grace_hours` ago. Of
    partitions that have come to their end nothing is expected, once the next one would have been asked for.
    """
    rounds, grace = rounds_of(spec), timedelta(hours=spec.freshness.grace_hours)
    last = rounds.get_prev_partition_window(now - grace) if rounds is not None else None
    key = latest_complete(spec, last.end) if last is not None else None
    if last is None or key is None:
        return None
    return None if end_of_next(partitions_of(spec), key) <= last.end else (key, last.end + grace)


def freshness_of(spec: ForecastSpec) -> dg.FreshnessPolicy | None:
    """Return the policy that Dagster's UI shows: one materialization for each tick of the schedule, within the grace.

    Dagster looks at when anything was materialized, not at which partition; `expected` is about partitions.
    """
    rounds = rounds_of(spec)
    if rounds is None:
        return None
    window, longest = rounds.get_next_partition_window(rounds.start), timedelta(0)
    for _ in range(_TICKS):
        if window is None:
            break
        longest = max(longest, window.end - window.start)
        window = rounds.get_next_partition_window(window.end)
    return dg.FreshnessPolicy.time_window(fail_window=longest + timedelta(hours=spec.freshness.grace_hours))
