"""Ingesting: what is read of a source, by the contract, and where rejected rows belong."""

import pandas as pd
import pytest

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.partitions import whole_window
from mlops_assets.resources.clock import Clock
from mlops_assets.stages import ingest
from mlops_assets_tests.worlds import declare, panel

NOW = Clock(fixed="2024-06-02")
KEYS = ["2024-03-04", "2024-03-05"]


@pytest.fixture
def graph(tmp_path) -> Graph:
    data = panel()
    data["day"] = data["day"].astype(str)
    data["sales"] = data["sales"].astype(object)
    wrong = pd.DataFrame({"day": ["2024-03-04", "soon"], "shop": ["shop 0", "shop 1"], "sales": ["many", 1.0]})
    data = pd.concat([data[~((data["day"] == "2024-03-04") & (data["shop"] == "shop 0"))], wrong], ignore_index=True)
    return Graph(declare(tmp_path, data))


def test_rows_are_accepted_or_rejected_and_the_source_is_named(graph):
    checked, source = ingest.read_observations(graph, whole_window(graph.partitions, KEYS), NOW)
    assert source.endswith("sales.csv")
    assert len(checked.accepted) == 2 * 4 - 1
    assert len(checked.quarantined) == 2


def test_a_rejected_row_belongs_to_its_partition_and_one_without_a_time_to_the_last(graph):
    checked, _ = ingest.read_observations(graph, whole_window(graph.partitions, KEYS), NOW)
    rows = ingest.quarantine_of(checked, graph, KEYS)
    assert sorted(rows["partition"]) == KEYS
    assert rows.loc[rows["timestamp"].isna(), "partition"].tolist() == [KEYS[-1]]


def test_a_span_is_one_key_or_the_first_and_the_last():
    assert ingest.span_of(KEYS[:1]) == "2024-03-04"
    assert ingest.span_of(KEYS) == "2024-03-04 to 2024-03-05"


def test_rows_after_a_clock_that_stands_still_have_not_come_yet(graph):
    window = whole_window(graph.partitions, KEYS)
    checked, _ = ingest.read_observations(graph, window, Clock(fixed="2024-03-10"))
    later = 4 * len(pd.date_range("2024-03-11", "2024-05-31"))
    assert checked.targets_left_out == later
    assert len(checked.accepted) == 2 * 4 - 1
    assert checked.reasons == {"target_not_a_number": 1, "unparsable_timestamp": 1}
