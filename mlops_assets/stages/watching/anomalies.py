"""Anomalies of each new partition: its observations beside the latest forecasts that were made before them."""

from collections.abc import Mapping, Sequence

import pandas as pd

from mlops_assets.catalog.column import typed, without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import ANOMALIES
from mlops_assets.catalog.partitions import partition_of, whole_window
from mlops_assets.forecasting.formatting import counted, few, stamp
from mlops_assets.forecasting.monitoring import anomalies

COLUMNS = TABLES[ANOMALIES]


def detect(
    graph: Graph, observations: pd.DataFrame, forecasts: pd.DataFrame, keys: Sequence[str]
) -> Mapping[str, pd.DataFrame]:
    """Return the rows of the table `anomalies` of some partitions.

    Args:
        graph: of the forecast.
        observations: canonical frame, as far back as a forecast sees.
        forecasts: rows of the ledger that reach into the partitions.
        keys: of the partitions.
    """
    window = whole_window(graph.partitions, keys)
    found = anomalies.find(observations, forecasts, graph.spec.task)
    found = found[found["timestamp"].between(window.start, window.end, inclusive="left")]
    parts = partition_of(found["timestamp"], graph.partitions, keys)
    found = found.assign(partition=parts)
    # A flat line is one anomaly of a partition, not one for each of its hours.
    flat = (found["kind"] == anomalies.FLAT) & found.duplicated(["partition", "item_id", "kind"], keep="last")
    found = found[~flat]
    return {
        key: typed(found[found["partition"] == key], COLUMNS) if len(found) else without_rows(COLUMNS) for key in keys
    }


def sentence(rows: pd.DataFrame, most: int = 3) -> str:
    """Say what is anomalous, in words; empty where nothing is."""
    if rows.empty:
        return ""
    told = [f"{row['item_id']} on {stamp(row['timestamp'])}: {row['reason']}" for row in rows.to_dict("records")]
    return f"{counted(len(rows), 'observation')} hardly expected: {few(told, most)}"
