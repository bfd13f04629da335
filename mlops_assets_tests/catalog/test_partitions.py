"""Partitions of every kind and the moments they begin."""

from datetime import datetime

import pandas as pd
import pytest

from mlops_assets.catalog.asset_graph import AssetGraph
from mlops_assets.catalog.partitions import (
    before,
    complete_keys,
    end_of_next,
    expected,
    first_key,
    holding,
    latest_complete,
    partition_of,
    partitions_of,
    ranges,
    starts,
    window_of,
    with_steps,
)
from mlops_assets.forecasting.data.contract import Window
from mlops_assets.spec import ForecastSpec
from mlops_assets_tests.worlds import declare


def keys_of_dagster(spec: ForecastSpec, now: datetime) -> list[str]:
    """Return the keys of the partitions that have ended by now, as Dagster lists them."""
    return [str(key) for key in AssetGraph(spec).partitions_def.get_partition_keys(current_time=now)]


@pytest.mark.parametrize(("kind", "frequency"), [("hourly", "h"), ("daily", "D"), ("weekly", "D"), ("monthly", "MS")])
def test_partitions_begin_where_their_windows_do_without_a_zone(tmp_path, kind, frequency):
    parts = {"kind": kind, "start": "2024-03-01", "end": "2024-06-01"}
    spec = declare(tmp_path, partitions=parts, frequency=frequency, time_zone="Europe/Berlin", schedule=None)
    partitions = partitions_of(spec)
    keys = keys_of_dagster(spec, pd.Timestamp("2024-06-01", tz="UTC"))
    found = starts(spec, pd.Series(keys, dtype=object))
    assert found.dt.tz is None
    assert found.tolist() == [window_of(partitions, key).start for key in keys]
    assert found.is_monotonic_increasing


@pytest.mark.parametrize("kind", ["hourly", "daily", "weekly", "monthly"])
@pytest.mark.parametrize("end", [None, "2024-05-01"])
def test_the_latest_complete_partition_is_the_last_that_has_ended(tmp_path, kind, end):
    parts = {"kind": kind, "start": "2024-03-01", "end": end}
    frequency = {"hourly": "h", "monthly": "MS"}.get(kind, "D")
    spec = declare(tmp_path, partitions=parts, frequency=frequency, time_zone="Europe/Berlin", schedule=None)
    midnights = ["2024-02-01", "2024-03-01", "2024-03-02", "2024-03-31", "2024-04-01", "2024-05-01", "2024-07-01"]
    for midnight in midnights:
        for shift in ("-1min", "0min", "1min", "150min"):
            now = (pd.Timestamp(midnight, tz="Europe/Berlin") + pd.Timedelta(shift)).to_pydatetime()
            keys = keys_of_dagster(spec, now)
            assert latest_complete(spec, now) == (keys[-1] if keys else None)


@pytest.mark.parametrize("kind", ["hourly", "daily", "weekly", "monthly"])
def test_a_moment_is_held_by_one_partition(tmp_path, kind):
    frequency = {"hourly": "h", "monthly": "MS"}.get(kind, "D")
    parts = {"kind": kind, "start": "2024-03-01", "end": "2024-06-01"}
    spec = declare(tmp_path, partitions=parts, frequency=frequency, time_zone="Europe/Berlin", schedule=None)
    partitions = partitions_of(spec)
    keys = keys_of_dagster(spec, pd.Timestamp("2024-05-01", tz="UTC"))
    for key in keys[:: max(1, len(keys) // 40)]:
        window = window_of(partitions, key)
        assert holding(spec, window.start) == key
        assert holding(spec, window.end - pd.Timedelta(minutes=1)) == key
        assert holding(spec, window.start - pd.Timedelta(minutes=1)) < key
        assert holding(spec, window.end) > key
        following = holding(spec, window.end)
        assert pd.Timestamp(end_of_next(spec, key)).tz_convert(spec.time_zone).tz_localize(None) == (
            window_of(partitions, following).end
        )
    assert holding(spec, pd.Timestamp("2020-01-15 12:00")) < keys[0]
    assert holding(spec, pd.Timestamp("2030-01-15 12:00")) > keys[-1]


@pytest.mark.parametrize("kind", ["hourly", "daily", "weekly", "monthly"])
def test_history_lies_in_the_first_partition_and_changes_no_other(tmp_path, kind):
    frequency = {"hourly": "h", "monthly": "MS"}.get(kind, "D")
    said = {"frequency": frequency, "time_zone": "Europe/Berlin", "schedule": None}
    parts = {"kind": kind, "start": "2024-03-02"}
    plain = declare(tmp_path / "plain", partitions=parts, **said)
    spec = declare(tmp_path, partitions={**parts, "history_from": "2022-06-01"}, **said)
    now, begin = at("2024-06-05"), pd.Timestamp("2022-06-01")
    keys = complete_keys(spec, now)
    assert keys == complete_keys(plain, now) == with_steps(spec, keys)
    held, usual = ([window_of(partitions_of(one), key) for key in keys] for one in (spec, plain))
    assert held[0] == Window(begin, usual[0].end)
    assert held[1:] == usual[1:]
    for moment in ("2022-06-01", "2023-01-15 12:00", "2024-03-01 23:30"):
        assert holding(spec, pd.Timestamp(moment)) == keys[0]
    assert holding(spec, begin - pd.Timedelta(minutes=1)) < keys[0]
    stamps = pd.Series(pd.to_datetime(["2022-05-31 23:00", "2022-06-01 00:00", "2024-03-01 23:00"]))
    assert partition_of(stamps, partitions_of(spec), keys).tolist() == [None, keys[0], keys[0]]
    assert before(spec, keys[0], 3) == []
    assert before(spec, keys[1], 3) == keys[:1]
    assert (first_key(spec), end_of_next(spec, keys[0])) == (keys[0], end_of_next(plain, keys[0]))


def at(moment):
    return pd.Timestamp(moment, tz="UTC").to_pydatetime()


def test_a_weekend_of_business_days_is_neither_offered_nor_expected(tmp_path):
    spec = declare(tmp_path, partitions={"start": "2024-03-02"}, frequency="B")  # a Saturday
    assert first_key(spec) == "2024-03-04"
    assert with_steps(spec, ["2024-03-08", "2024-03-09", "2024-03-10", "2024-03-11"]) == ["2024-03-08", "2024-03-11"]
    for day in ("09", "10", "11"):
        assert latest_complete(spec, at(f"2024-03-{day} 06:00")) == "2024-03-08"
        assert expected(spec, at(f"2024-03-{day} 13:00")) == ("2024-03-08", at(f"2024-03-{day} 12:00"))
    assert latest_complete(spec, at("2024-03-12 06:00")) == "2024-03-11"
    assert complete_keys(spec, at("2024-03-12 06:00")) == [f"2024-03-{day:02}" for day in (4, 5, 6, 7, 8, 11)]
    assert before(spec, "2024-03-11", 2) == ["2024-03-07", "2024-03-08"]
    assert end_of_next(spec, "2024-03-08") == at("2024-03-12")


@pytest.mark.parametrize("frequency", ["YS", "YE", "QE"])
def test_more_partitions_than_time_can_hold_are_all_that_there_are(tmp_path, frequency):
    spec = declare(tmp_path, partitions={"start": "2005-01-01"}, frequency=frequency, horizon=2)
    keys = complete_keys(spec, at("2024-01-02 06:00"))
    assert before(spec, keys[-1], 400) == keys[:-1]
    assert before(spec, keys[-1], 3) == keys[-4:-1]


def test_of_partitions_that_have_come_to_their_end_nothing_is_expected(tmp_path):
    spec = declare(tmp_path, partitions={"start": "2024-03-01", "end": "2024-03-09"}, frequency="B")
    assert expected(spec, at("2024-03-11 23:00")) == ("2024-03-08", at("2024-03-11 12:00"))
    assert expected(spec, at("2024-03-12 13:00")) is None


def test_a_week_that_is_stamped_with_its_monday_counts_when_its_sunday_is_over(tmp_path):
    spec = declare(tmp_path, partitions={"start": "2024-03-03"}, frequency="W-MON")
    assert latest_complete(spec, at("2024-05-05 06:00")) == "2024-04-21"
    assert latest_complete(spec, at("2024-05-06 00:00")) == "2024-04-28"


def test_a_week_that_is_stamped_with_its_last_day_counts_when_that_day_is_over(tmp_path):
    columns = {"item_id": "shop", "timestamp": "day", "target": "sales", "stamp": "end"}
    spec = declare(tmp_path, columns=columns, partitions={"start": "2024-03-03"}, frequency="W-SUN")
    window = window_of(partitions_of(spec), "2024-04-29")
    assert window.start < pd.Timestamp("2024-05-05") < window.end
    assert latest_complete(spec, at("2024-05-05 23:59")) == "2024-04-22"
    assert latest_complete(spec, at("2024-05-06 00:00")) == "2024-04-29"


def test_neighbours_make_one_range():
    keys = [f"2024-01-{day:02}" for day in range(1, 11)]
    chosen = dict.fromkeys([keys[0], keys[3], keys[4], keys[5], keys[9]], 1)
    assert list(ranges(keys, chosen)) == [(keys[0], keys[0]), (keys[3], keys[5]), (keys[9], keys[9])]
