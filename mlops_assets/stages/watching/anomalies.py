"""Anomalies of each new partition: its observations beside the latest forecasts that were made before them."""

from collections.abc import Mapping, Sequence

import pandas as pd

from mlops_assets.catalog.column import typed, without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import ANOMALIES
from mlops_assets.catalog.partitions import partition_of, whole_window
from mlops_assets.forecasting.data.contract import Window
from mlops_assets.forecasting.evaluation.ledger import delivered
from mlops_assets.forecasting.formatting import counted, few, stamp
from mlops_assets.forecasting.monitoring import anomalies
from mlops_assets.lifecycle.meanings import Meanings
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.scale.shards import Shard, apply_by_shard, shards
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.shards.frames import existing

COLUMNS = TABLES[ANOMALIES]


def detect(
    graph: Graph, engine: Engine, observations: StoredTable, forecasts: StoredTable, keys: Sequence[str]
) -> Mapping[str, pd.DataFrame]:
    """Return the rows of the table `anomalies` of some partitions.

    Args:
        graph: of the forecast.
        engine: where shards of the items are looked at.
        observations: as far back as a forecast sees.
        forecasts: the ledger, as far back as a forecast reaches.
        keys: of the partitions.
    """
    partitions = graph.partitions.without_history  # nothing was forecast in it
    tables, window = observations.tables, whole_window(partitions, keys)
    spans = shards(tables, observations.key, observations.partitions) or [None]
    parts = list(apply_by_shard(engine, of_shard, spans, tables, graph.spec, observations, forecasts, window))
    found = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    found = found.sort_values(["timestamp", "item_id", "kind"], ignore_index=True)
    parts = partition_of(found["timestamp"], partitions, keys)
    found = found.assign(partition=parts)
    # A flat line is one anomaly of a partition, not one for each of its hours.
    flat = (found["kind"] == anomalies.FLAT) & found.duplicated(["partition", "item_id", "kind"], keep="last")
    found = found[~flat]
    return {
        key: typed(found[found["partition"] == key], COLUMNS) if len(found) else without_rows(COLUMNS) for key in keys
    }


def of_shard(
    shard: Shard,
    tables: Tables,
    spec: ForecastSpec,
    observations: StoredTable,
    forecasts: StoredTable,
    window: Window,
) -> pd.DataFrame:
    """Return the anomalies of a shard's items within a window; of the ledger only its timestamps are read."""
    levels = spec.task.quantile_columns
    held = ["item_id", "timestamp", "origin", "mean", *levels, "mase_scale", "trained_until", "created_at", "role"]
    within = Only(items=shard, since=window.start, until=window.end - pd.Timedelta(microseconds=1))
    told = delivered(forecasts.read(existing(forecasts, held), within))
    known = observations.read(["item_id", "timestamp", "target"], Only(items=shard))
    found = anomalies.find(known, Meanings(tables, spec.name).scorable(told, spec), spec.task)
    return found[found["timestamp"].between(window.start, window.end, inclusive="left")]


def sentence(rows: pd.DataFrame, most: int = 3) -> str:
    """Say what is anomalous, in words; empty where nothing is."""
    if rows.empty:
        return ""
    told = [f"{row['item_id']} on {stamp(row['timestamp'])}: {row['reason']}" for row in rows.to_dict("records")]
    return f"{counted(len(rows), 'observation')} hardly expected: {few(told, most)}"
