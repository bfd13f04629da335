"""The ends of a history are the same, whether it is read at once or by shards."""

import pandas as pd
import pytest

from mlops_assets.catalog.graph import Graph
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.shards.history import Histories
from mlops_assets_tests.worlds import declare


def histories(spec: ForecastSpec, rows: pd.DataFrame) -> list[Histories]:
    tables, key, day = MemoryTables(), [spec.name, "observations"], rows["timestamp"].dt.strftime("%Y-%m-%d")
    for name, own in rows.groupby(day):
        tables.write(key, own, str(name))
    table = StoredTable(tables, key, tables.partitions(key))
    return [Histories(Graph(spec), Engine.local(), table, count) for count in (1, 2)]


def series(item: str, start: str, values: list[float], frequency: str) -> pd.DataFrame:
    times = pd.date_range(start, periods=len(values), freq=frequency, unit="us")
    return pd.DataFrame({"item_id": item, "timestamp": times, "target": values})


def test_a_history_begins_with_its_first_observation_though_it_is_an_outlier(tmp_path):
    rows = [series(item, "2024-03-01", [1e6, *[5.0, 6.0, 7.0] * 10], "D") for item in ("a", "b")]
    whole, parts = histories(declare(tmp_path, outliers="missing"), pd.concat(rows))
    first = pd.Timestamp("2024-03-01")
    assert whole.whole.history.query("timestamp == @first")["target"].isna().all()
    assert whole.first_observed() == parts.first_observed() == first


@pytest.mark.parametrize("until", ["2024-03-10 01:00", "2024-03-10 02:00", "2024-03-10 03:00"])
def test_a_history_ends_at_no_hour_that_the_clocks_skip(tmp_path, until):
    spec = declare(tmp_path, frequency="h", time_zone="America/New_York", fill="zero")
    rows = [series(item, "2024-03-09 22:00", [1.0, 2.0], "h") for item in ("a", "b")]
    rows.append(series("a", "2024-03-10 08:00", [3.0], "h"))
    whole, parts = histories(spec, pd.concat(rows))
    assert whole.last(pd.Timestamp(until)) == parts.last(pd.Timestamp(until))
