"""Partitions of every kind and the moments they begin."""

import pandas as pd
import pytest

from mlops_assets.catalog.partitions import end_of_next, holding, latest_complete, partitions_of, starts, window_of
from mlops_assets_tests.worlds import declare


@pytest.mark.parametrize(("kind", "frequency"), [("hourly", "h"), ("daily", "D"), ("weekly", "D"), ("monthly", "MS")])
def test_partitions_begin_where_their_windows_do_without_a_zone(tmp_path, kind, frequency):
    parts = {"kind": kind, "start": "2024-03-01", "end": "2024-06-01"}
    spec = declare(tmp_path, partitions=parts, frequency=frequency, time_zone="Europe/Berlin", schedule=None)
    partitions = partitions_of(spec)
    keys = [str(key) for key in partitions.get_partition_keys(current_time=pd.Timestamp("2024-06-01", tz="UTC"))]
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
            keys = partitions_of(spec).get_partition_keys(current_time=now)
            assert latest_complete(spec, now) == (keys[-1] if keys else None)


@pytest.mark.parametrize("kind", ["hourly", "daily", "weekly", "monthly"])
def test_a_moment_is_held_by_one_partition(tmp_path, kind):
    frequency = {"hourly": "h", "monthly": "MS"}.get(kind, "D")
    parts = {"kind": kind, "start": "2024-03-01", "end": "2024-06-01"}
    spec = declare(tmp_path, partitions=parts, frequency=frequency, time_zone="Europe/Berlin", schedule=None)
    partitions = partitions_of(spec)
    keys = [str(key) for key in partitions.get_partition_keys(current_time=pd.Timestamp("2024-05-01", tz="UTC"))]
    for key in keys[:: max(1, len(keys) // 40)]:
        window = window_of(partitions, key)
        assert holding(spec, window.start) == key
        assert holding(spec, window.end - pd.Timedelta(minutes=1)) == key
        assert holding(spec, window.start - pd.Timedelta(minutes=1)) < key
        assert holding(spec, window.end) > key
        following = holding(spec, window.end)
        assert pd.Timestamp(end_of_next(partitions, key)).tz_localize(None) == window_of(partitions, following).end
    assert holding(spec, pd.Timestamp("2020-01-15 12:00")) < keys[0]
    assert holding(spec, pd.Timestamp("2030-01-15 12:00")) > keys[-1]
