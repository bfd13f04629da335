"""Data drift: the newest data of each partition beside those that its champion has learnt from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mlops_assets.catalog.column import typed, without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import DATA_DRIFT
from mlops_assets.catalog.partitions import end_of_next, first_key, origin_of, window_of
from mlops_assets.errors import DataError
from mlops_assets.forecasting.data.grid import parse_frequency
from mlops_assets.forecasting.model.task import Task
from mlops_assets.forecasting.monitoring import drift
from mlops_assets.forecasting.monitoring.drift.windows import CELLS
from mlops_assets.lifecycle.decisions import Decisions, champion_of
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.shards import rows_about

COLUMNS = TABLES[DATA_DRIFT]


@dataclass(frozen=True)
class Drifts:
    """The drift of some partitions.

    Attributes:
        ends: partition -> its origin.
        parts: partition -> what was found there.
        not_judged: partition -> why nothing can be said of it.
        inspected: how many items of how many, such as `300 of 1000`; empty if all were.
    """

    ends: Mapping[str, pd.Timestamp]
    parts: Mapping[str, drift.DriftResult]
    not_judged: Mapping[str, str]
    inspected: str = ""

    def table(self) -> pd.DataFrame:
        """Return the rows of the table `data_drift`."""
        rows = [found.table.assign(partition=key) for key, found in self.parts.items()]
        return typed(pd.concat(rows, ignore_index=True), COLUMNS) if rows else without_rows(COLUMNS)


def detect(graph: Graph, tables: Tables, observations: StoredTable, keys: Sequence[str]) -> Drifts:
    """Compare the newest window of each partition with the same slots of the season in its champion's training.

    Args:
        graph: of the forecast.
        tables: have the log of decisions.
        observations: as far back as `drift.reach`; of many items only those that are looked at are read.
        keys: of the partitions.
    """
    spec = graph.spec
    # What a calendar will say is known for years: nothing in it drifts.
    task = replace(spec.task, known=tuple(spec.covariates.all_known))
    ends = {key: origin_of(spec, window_of(graph.partitions, key)) for key in keys}
    if not keys:
        return Drifts(ends, {}, {})
    rows, whole = observed(observations, task, max(ends.values()))
    if rows.empty:
        return Drifts(ends, {}, {})
    learnt, least = trained_until(graph, tables, keys), steps_of(graph)
    sheet = drift.lay_out(rows, task, max(ends.values()), spec.fill == "zero", whole)
    parts, not_judged = {}, {}
    for key, end in ends.items():
        try:
            parts[key] = drift.detect(sheet, task, end, learnt[key], least)
        except DataError as error:  # the first partitions
            not_judged[key] = str(error)
    inspected = f"{len(sheet.items)} of {sheet.of}" if len(sheet.items) < sheet.of else ""
    return Drifts(ends, parts, not_judged, inspected)


def observed(
    observations: StoredTable, task: Task, end: pd.Timestamp
) -> tuple[pd.DataFrame, tuple[pd.Timestamp, int] | None]:
    """Read the observations that are looked at.

    Returns:
        The rows until the end, and what `drift.lay_out` is to know of the others; None if these are all.
    """
    columns = list(dict.fromkeys(["item_id", "timestamp", "target", *task.known, *task.past]))
    if rows_about(observations.tables, observations.key, observations.partitions or []) <= CELLS:
        return observations.read(columns), None
    items: set[str] = set()
    since = pd.Timestamp.max
    for batch in observations.batches(["item_id", "timestamp"], Only(until=end)):
        if len(batch):
            items.update(batch["item_id"].unique())
            since = min(since, batch["timestamp"].min())
    chosen = drift.inspected(np.array(sorted(items), dtype=object), since, end, task)
    return observations.read(columns, Only(items=chosen.tolist(), until=end)), (since, len(items))


def trained_until(graph: Graph, tables: Tables, keys: Sequence[str]) -> dict[str, pd.Timestamp | None]:
    """Return until when the model that forecasts from each partition has learnt; None without a champion."""
    log = Decisions(tables, graph.spec.name).all()
    ends = log.dropna(subset=["trained_until"]).groupby("version")["trained_until"].last()
    found: dict[str, pd.Timestamp | None] = {}
    for key in keys:
        number = champion_of(log, end_of_next(graph.spec, key)) or champion_of(log)
        found[key] = ends.get(number) if number is not None else None
    return found


def steps_of(graph: Graph) -> int:
    """Return how many steps the first partition has, the history before it left out."""
    window = window_of(graph.partitions.without_history, first_key(graph.spec))
    return len(pd.date_range(window.start, window.end, freq=parse_frequency(graph.spec.frequency), inclusive="left"))
