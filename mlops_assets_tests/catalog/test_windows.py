"""Windows of partitions in every zone, over every change of its clocks.

A sample of changes is tried by default, those of the oddest zones among it. `make test-time` (`MLOPS_TEST_TIME=all`)
takes every change of every zone, 1970 to 2037.
"""

import os
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.catalog.partitions import (
    before,
    complete_keys,
    end_of_next,
    holding,
    latest_complete,
    origin_of,
    partition_of,
    partitions_of,
    rounds_of,
    starts,
    window_of,
    with_steps,
)
from mlops_assets.catalog.windows import windows_between, windows_of
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.data.grid import is_there, known_from, last_before, on_grid, partition_kinds
from mlops_assets.forecasting.data.wall_clock import come_twice, instants_of, keeps_whole_hours, walls_of
from mlops_assets.spec import ForecastSpec
from mlops_assets_tests.catalog.test_partitions import keys_of_dagster

ODD = {
    "America/Sao_Paulo": "2018-11-04",  # no midnight
    "America/Havana": "2018-11-04",  # midnight comes twice
    "Pacific/Apia": "2011-12-30",  # no such day
    "Pacific/Kwajalein": "1993-08-21",  # no such day
    "Pacific/Kiritimati": "1994-12-31",  # no such day, the last of a year
    "Australia/Lord_Howe": "2024-04-07",  # half an hour
    "Antarctica/Troll": "2024-03-31",  # two hours
    "Africa/Casablanca": "2024-03-10",  # summer time pauses in Ramadan
    "Asia/Gaza": "2023-04-29",
    "Asia/Amman": "2022-02-25",  # midnight
    "Africa/Cairo": "2024-04-26",  # midnight
    "Asia/Kathmandu": "1986-01-01",  # a quarter of an hour, at midnight, in the year's first minute
    "Europe/Berlin": "2024-10-27",
    "America/New_York": "2024-03-10",
    "UTC": "2024-02-29",
}
ZONES = sorted(available_timezones() - {"localtime", "Factory"})
FREQUENCY = {"hourly": "h", "daily": "D", "weekly": "W-SUN", "monthly": "MS", "quarterly": "QS", "yearly": "YS"}
AROUND = {"hourly": 3, "daily": 3, "weekly": 30, "monthly": 100, "quarterly": 300, "yearly": 1200}
"""Days around a change that partitions of a kind are looked at."""


@cache
def spec_of(zone: str, kind: str, frequency: str, start: str, stamp: str | None = None) -> ForecastSpec:
    return ForecastSpec.model_validate(
        {
            "name": "demo",
            "source": {"kind": "file", "path": "a.csv"},
            "columns": {"item_id": "i", "timestamp": "t", "target": "y", "stamp": stamp},
            "frequency": frequency,
            "time_zone": zone,
            "partitions": {"kind": kind, "start": start},
            "horizon": 3,
            "schedule": "0 6 * * *" if kind != "hourly" else "10 * * * *",
        }
    )


class Change(NamedTuple):
    """What makes a change of clocks: zones that share it need not be tried twice."""

    at: pd.Timestamp
    before: pd.Timedelta
    after: pd.Timedelta

    @property
    def day(self) -> pd.Timestamp:
        """The local day on which it happens."""
        return (self.at.tz_localize(None) + self.before).normalize()


@cache
def changes_of(zone: str) -> list[Change]:
    """Return all changes of a zone's clocks, 1970 to 2037, to the quarter of an hour."""
    days = pd.date_range("1970-01-01", "2038-01-01", freq="D", tz="UTC", unit="us")
    ahead = ahead_of(days, zone)
    found = []
    for day in days[1:][ahead[1:] != ahead[:-1]]:
        quarters = pd.date_range(day - pd.Timedelta(days=1), day, freq="15min", unit="us")
        offsets = ahead_of(quarters, zone)
        places = np.flatnonzero(offsets[1:] != offsets[:-1])
        found += [Change(quarters[place + 1], offsets[place], offsets[place + 1]) for place in places]
    return found


def ahead_of(instants: pd.DatetimeIndex, zone: str) -> pd.TimedeltaIndex:
    return walls_of(instants, ZoneInfo(zone)) - instants.tz_localize(None)


@cache
def distinct_changes() -> dict[Change, str]:
    """Return every change there is, each with one zone that has it."""
    return {change: zone for zone in ZONES for change in changes_of(zone)}


def check_windows(zone: str, kind: str, day: pd.Timestamp) -> None:
    """Hold the partitions around a day to all laws."""
    around = pd.Timedelta(days=AROUND[kind])
    since, until = day - around, day + around
    start = since - around
    spec = spec_of(zone, kind, FREQUENCY[kind], f"{start:%Y-%m-%d}")
    partitions = partitions_of(spec)
    found = windows_between(partitions, since, until)
    keys = found.keys.tolist()

    assert len(set(keys)) == len(keys), "each key once"
    again = windows_of(partitions, keys)
    assert (again.keys == found.keys).all(), "keys are read as they are written"
    for name in ("start", "end", "over"):
        assert (getattr(again, name) == getattr(found, name)).all()
    assert (pd.DatetimeIndex(starts(spec, pd.Series(keys))) == found.start).all()
    assert (np.diff(found.over.asi8) > 0).all() or kind != "hourly", "hours end one after the other"
    assert (np.diff(found.over.asi8) >= 0).all(), "no partition ends before an earlier one"

    held = found.where(found.start < found.end)
    order = np.argsort(held.start)
    assert (held.end[order][:-1] == held.start[order][1:]).all(), "windows follow one another without gap or overlap"

    often = "30min" if kind in ("hourly", "daily") else "12h"
    steps = pd.date_range(held.start.min(), held.end.max(), freq=often, inclusive="left", unit="us")
    owners = partition_of(pd.Series(steps), partitions, keys)
    assert owners.notna().all(), "each moment in a partition"
    assert owners.value_counts().sum() == len(steps)
    sample = slice(None, None, max(1, len(steps) // 3))
    assert [holding(spec, moment) for moment in steps[sample]] == owners[sample].tolist()

    real, grid = with_steps(spec, keys), (spec.frequency, spec.zone)
    origins = last_before(windows_of(partitions, real).end, *grid)
    assert origin_of(spec, window_of(partitions, real[0])) == origins[0]
    assert origins.is_unique, "no origin twice"
    assert is_there(origins, *grid).all(), "no origin at a time that does not come, not even in part"

    # Dagster lists the same partitions, and a few more at most: days that a zone leaves out. Where midnight comes
    # twice, it waits for the second time.
    theirs = keys_of_dagster(spec, found.over[-1].to_pydatetime() + timedelta(hours=2))
    assert [key for key in theirs if keys[0] <= key <= keys[-1]] == sorted(keys) or set(real) <= set(theirs)


def check_rounds(zone: str, kind: str, day: pd.Timestamp) -> None:
    """Every tick of the schedule asks for the latest partition that is over by the clock of the spec's zone."""
    start = day - 3 * pd.Timedelta(days=AROUND[kind])
    spec = spec_of(zone, kind, FREQUENCY[kind], f"{start:%Y-%m-%d}")
    rounds, there = rounds_of(spec), ZoneInfo(zone)
    assert rounds is not None
    moment = instants_of(pd.DatetimeIndex([day - pd.Timedelta(days=1)]), there)[0].to_pydatetime()
    asked = []
    for _ in range(4 if kind != "hourly" else 30):
        tick = rounds.next(moment)
        key = latest_complete(spec, tick)
        if key is not None:
            window = window_of(partitions_of(spec), key)
            now = pd.Timestamp(tick).tz_localize(None)
            assert window.end <= now or come_twice(pd.DatetimeIndex([now]), there)[0]
            assert end_of_next(spec, key) > tick, "the one after is not over yet"
            known = known_from(pd.DatetimeIndex([origin_of(spec, window)]), spec.frequency)
            assert instants_of(known, there)[0] <= pd.Timestamp(tick)
            asked.append(key)
        moment = tick + timedelta(minutes=1)
    assert asked == sorted(asked)


def kinds_of(zone: str, day: pd.Timestamp) -> list[str]:
    whole = keeps_whole_hours(ZoneInfo(zone), f"{day - pd.Timedelta(days=9):%Y-%m-%d}")
    return [kind for kind in FREQUENCY if kind != "hourly" or whole]


@pytest.mark.parametrize("zone", ODD)
@pytest.mark.parametrize("kind", FREQUENCY)
def test_windows_of_the_oddest_zones(zone, kind):
    day = pd.Timestamp(ODD[zone])
    if kind == "hourly" and not keeps_whole_hours(ZoneInfo(zone), f"{day - pd.Timedelta(days=6):%Y-%m-%d}"):
        with pytest.raises(ValueError, match="moved by parts of an hour"):
            spec_of(zone, kind, "h", f"{day - pd.Timedelta(days=6):%Y-%m-%d}")
        return
    check_windows(zone, kind, day)
    check_rounds(zone, kind, day)


@given(zone=st.sampled_from(ZONES), share=st.floats(0, 1, exclude_max=True), kind=st.sampled_from(list(FREQUENCY)))
@settings(max_examples=15, deadline=None)
def test_windows_around_any_change_of_any_clock(zone, share, kind):
    days = [change.day for change in changes_of(zone)] or [pd.Timestamp("2000-01-01")]
    day = days[int(share * len(days))]
    if kind in kinds_of(zone, day):
        check_windows(zone, kind, day)


@pytest.mark.skipif(os.environ.get("MLOPS_TEST_TIME") != "all", reason="long: make test-time")
@pytest.mark.parametrize("year", range(1970, 2038))
def test_windows_around_every_change_of_every_clock(year):
    changes = {change: zone for change, zone in distinct_changes().items() if change.at.year == year}
    assert len(changes) > 20
    for place, (change, zone) in enumerate(changes.items()):
        for kind in kinds_of(zone, change.day):
            # A change shows in the hours and days around it; longer kinds are tried at a part of the changes.
            if kind in ("hourly", "daily") or place % 10 == 0:
                check_windows(zone, kind, change.day)
        if place % 10 == 0:
            check_rounds(zone, "daily", change.day)


@pytest.mark.parametrize(
    ("zone", "day", "keys", "empty"),
    [
        ("Europe/Berlin", "2024-10-27", 25, ["2024-10-27-02:00"]),
        ("Antarctica/Troll", "2024-10-27", 26, ["2024-10-27-01:00", "2024-10-27-02:00"]),
        ("Europe/Berlin", "2024-03-31", 23, []),
        ("America/Sao_Paulo", "2018-11-04", 23, []),
        ("America/Sao_Paulo", "2018-02-17", 25, ["2018-02-17-23:00"]),
    ],
)
def test_hours_of_a_day_on_which_the_clocks_are_set(zone, day, keys, empty):
    spec = spec_of(zone, "hourly", "h", "2018-01-01")
    partitions, first = partitions_of(spec), pd.Timestamp(day)
    found = windows_between(partitions, first, first + pd.Timedelta(days=1))
    assert len(found.keys) == keys
    assert found.where(found.start == found.end).keys.tolist() == empty
    assert with_steps(spec, found.keys.tolist()) == [key for key in found.keys if key not in empty]
    theirs = keys_of_dagster(spec, found.over[-1].to_pydatetime() + timedelta(hours=3))
    assert [key for key in theirs if key.startswith(day)] == found.keys.tolist()
    assert latest_complete(spec, found.over[-1].to_pydatetime()) == found.keys[-1]


def test_an_hour_that_comes_twice_is_over_when_the_clock_has_passed_it_for_good():
    spec = spec_of("Europe/Berlin", "hourly", "h", "2024-10-20")
    midnight = datetime(2024, 10, 26, 22, tzinfo=timezone.utc)
    found = [latest_complete(spec, midnight + timedelta(hours=hours)) for hours in (2, 3, 4, 5)]
    assert found == ["2024-10-27-01:00", "2024-10-27-01:00", "2024-10-27-02:00+0100", "2024-10-27-03:00"]
    assert before(spec, "2024-10-27-03:00", 2) == ["2024-10-27-01:00", "2024-10-27-02:00+0100"]
    assert pd.Timestamp(end_of_next(spec, "2024-10-27-01:00")) == pd.Timestamp("2024-10-27 02:00Z")


@pytest.mark.parametrize(
    "key", ["2024-10-27-02:00+0200", "2024-10-27-01:00+0100", "2024-03-31-02:00", "2024-10-27-02:30", "2024-10-27", "x"]
)
def test_what_is_no_hour_of_the_zone_is_no_key(key):
    with pytest.raises(UsageError, match="is not a partition key such as"):
        window_of(partitions_of(spec_of("Europe/Berlin", "hourly", "h", "2024-01-01")), key)


@pytest.mark.parametrize(
    ("kind", "frequency"), [("weekly", "D"), ("monthly", "MS"), ("quarterly", "QS"), ("yearly", "YS")]
)
def test_a_day_on_which_no_partition_begins_is_no_key(kind, frequency):
    with pytest.raises(UsageError, match="'2024-05-14' is not a partition key"):
        window_of(partitions_of(spec_of("UTC", kind, frequency, "2020-01-01")), "2024-05-14")


@given(
    frequency=st.sampled_from(
        [
            "30min",
            "h",
            "6h",
            "D",
            "B",
            "W-SUN",
            "W-MON",
            "W-THU",
            "MS",
            "ME",
            "BMS",
            "BME",
            "QS-FEB",
            "QE",
            "YS-APR",
            "YE",
        ]
    ),
    zone=st.sampled_from(list(ODD)),
    day=st.dates(pd.Timestamp("1975-01-01").date(), pd.Timestamp("2036-12-31").date()),
    hour=st.integers(0, 23),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_what_is_complete_is_over_and_complete_for_good(frequency, zone, day, hour, data):
    kind = data.draw(st.sampled_from([kind for kind in partition_kinds(frequency) if kind != "hourly"]))
    start = pd.Timestamp(day) - pd.Timedelta(days=4 * AROUND[kind])
    spec = spec_of(zone, kind, frequency, f"{start:%Y-%m-%d}")
    now = pd.Timestamp(day).to_pydatetime().replace(hour=hour, tzinfo=timezone.utc)
    keys = complete_keys(spec, now)
    assert latest_complete(spec, now) == (keys[-1] if keys else None)
    assert with_steps(spec, keys) == keys == sorted(set(keys))
    assert keys == complete_keys(spec, now + timedelta(days=400))[: len(keys)]
    if not keys:
        return
    origins = [origin_of(spec, window_of(partitions_of(spec), key)) for key in keys[-8:]]
    assert on_grid(pd.Series(origins), frequency).all()
    known = known_from(pd.DatetimeIndex(origins), frequency)
    assert (instants_of(known, spec.zone) <= pd.Timestamp(now)).all()
    assert before(spec, keys[-1], 3) == keys[-4:-1]
    assert pd.Timestamp(end_of_next(spec, keys[-1])) > pd.Timestamp(now)
    if len(keys) > 1:
        assert end_of_next(spec, keys[-2]) <= now


def test_years_of_hours_are_listed_by_arithmetic():
    spec = spec_of("Europe/Berlin", "hourly", "h", "1970-01-01")
    now = datetime(2024, 1, 1, tzinfo=timezone.utc)
    hours = pd.date_range("1969-12-31 23:00Z", now, freq="h", inclusive="left")
    keys = complete_keys(spec, now)
    twice = [key for key in keys if "+" in key]
    assert len(twice) == 44, "summer time since 1980"
    assert len(keys) == len(hours) - len(twice)
    assert keys[-1] == latest_complete(spec, now) == "2024-01-01-00:00"
