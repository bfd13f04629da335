"""Holes: partitions that lack observations, or forecasts that the schedule asked for; and telling of them."""

from datetime import datetime, timedelta

import pandas as pd

from mlops_assets.alerts import messages
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.names import FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import (
    before,
    complete_from,
    expected,
    holding,
    latest_complete,
    partition_of,
    partitions_of,
    rounds_of,
    window_of,
)
from mlops_assets.lifecycle.meanings import outdated
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.snapshot import snapshot
from mlops_assets.spec import ForecastSpec

REACH = 31
"""Partitions back that one without rows is read again, and that the schedule asked for is made up for."""
LONGEST_GAP = 400
"""Partitions back that one that was never read is read."""
_RECENT = 7
_MUCH = 0.25
"""More than this share of the items that a partition was to have rows of is told."""
_SHORT = ("hourly", "daily")
_WEEK = pd.Timedelta(days=7)
_BEFORE = timedelta(seconds=1)


def unread(spec: ForecastSpec, tables: Tables, key: str) -> list[str]:
    """Return the partitions before one whose observations were never stored, those before all stored ones aside."""
    stored = set(tables.partitions([spec.name, OBSERVATIONS]))
    if not stored:
        return []
    first = min(stored)
    return [one for one in before(spec, key, LONGEST_GAP) if one > first and one not in stored]


def empty(spec: ForecastSpec, tables: Tables, key: str) -> list[str]:
    """Return the last partitions before one that are stored without a row."""
    return without_rows(spec, tables, before(spec, key, REACH))


def without_rows(spec: ForecastSpec, tables: Tables, keys: list[str]) -> list[str]:
    """Return those of some partitions that are stored without a row."""
    return [one for one, count in tables.row_counts([spec.name, OBSERVATIONS], keys).items() if not count]


def unusual(spec: ForecastSpec, keys: list[str]) -> list[str]:
    """Return partitions without rows except those of which a week earlier had none either: closed on Sundays."""
    if spec.partition_kind not in _SHORT:
        return keys
    starts = {one: window_of(partitions_of(spec), one).start for one in keys}
    return [one for one in keys if holding(spec, starts[one] - _WEEK) not in starts]


def absent(spec: ForecastSpec, tables: Tables, rows: pd.DataFrame, key: str) -> list[str]:
    """Return the items that a partition was to have rows of and has none, where they are more than a quarter of those.

    It is to have rows of an item if the partition a week earlier has, and most of the last seven before it.

    Args:
        spec: the forecast.
        tables: what is stored.
        rows: canonical frame of the partition.
        key: of the partition.
    """
    partitions, earlier = partitions_of(spec), before(spec, key, _RECENT)
    if len(earlier) < _RECENT or rows.empty:
        return []
    week_ago = holding(spec, window_of(partitions, key).start - _WEEK) if spec.partition_kind in _SHORT else earlier[0]
    there = {*earlier, week_ago}.intersection(tables.partitions([spec.name, OBSERVATIONS]))
    wanted = sorted(there - outdated(tables, spec, sorted(there)).keys())  # items may have had other names
    if not wanted:
        return []
    stored = tables.read([spec.name, OBSERVATIONS], wanted, ["item_id", "timestamp"])
    seen = stored.assign(partition=partition_of(stored["timestamp"], partitions, wanted))
    recent = seen[seen["partition"].isin(earlier)].groupby("item_id")["partition"].nunique()
    due = {*seen.loc[seen["partition"] == week_ago, "item_id"]} & {*recent.index[recent * 2 > _RECENT]}
    gone = sorted(due - {*rows["item_id"]})
    return gone if len(gone) > _MUCH * len(due) else []


def unforecast(spec: ForecastSpec, tables: Tables, key: str, now: datetime) -> list[str]:
    """Return the partitions before one that a tick of the schedule asked to forecast from, and nobody has.

    Args:
        spec: the forecast.
        tables: what is stored.
        key: of the partition that the present round forecasts from.
        now: the present moment; the last `REACH` partitions that ticks before it asked for are looked at, each of them
            however often it was asked for, and none before the first forecast.
    """
    rounds, stored = rounds_of(spec), set(tables.partitions([spec.name, FORECASTS]))
    if rounds is None or not stored:
        return []
    if stored.issuperset(before(spec, key, sum(one < key for one in stored))):
        return []  # there is no gap, so that no tick need be looked at
    first, found, moment = min(stored), set(), now
    while len(found) < REACH:
        tick = rounds.last(moment)
        asked = latest_complete(spec, tick) if tick is not None else None
        if tick is None or asked is None or asked <= first:
            break
        found.add(asked)
        moment = min(tick - _BEFORE, complete_from(spec, asked))  # later ticks ask for the same
    return sorted(one for one in found if one < key and one not in stored)


def tell_holes(spec: ForecastSpec, tables: Tables, notifications: Notifications, now: datetime) -> int:
    """Tell of the holes that the latest round should have filled and has not; return how many alerts were told now."""
    late, seen = expected(spec, now), snapshot(tables)
    if late is None or not seen.stored([spec.name, FORECASTS], [late[0]]):
        return 0
    key, told = late[0], 0
    for asset, keys in ((OBSERVATIONS, unread(spec, seen, key)), (FORECASTS, unforecast(spec, seen, key, now))):
        if keys:
            told += notifications.send(tables, messages.holes(spec.name, asset, keys, notifications))
    return told
