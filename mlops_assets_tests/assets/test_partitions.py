"""Partitions of every kind and the moments they begin."""

import pandas as pd
import pytest

from mlops_assets.assets.partitions import partitions_of, starts, window_of
from mlops_assets_tests.conftest import declare


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
