"""Which partitions before a round are ingested first: those that are missing, from the first that has rows."""

from collections.abc import Sequence
from contextlib import suppress

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import DAILY, INGEST, OBSERVATIONS, job_name
from mlops_assets.catalog.partitions import complete_keys, partition_of, partitions_of, whole_window
from mlops_assets.environments import Stores
from mlops_assets.forecasting.data.contract import ContractError
from mlops_assets.resources.protocols import Tables
from mlops_assets.rounds.runner import Listener, Step
from mlops_assets.scale.shards import rows_about
from mlops_assets.sources.base import SourceError
from mlops_assets.sources.factory import open_source
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.ingest import read_observations

ROWS = 2_500_000
"""Rows that a run ingests, about, where there are more: what it accepts it holds in memory."""
FEW = 400
"""So many partitions are ingested whether they have rows or not: each costs Dagster some events, and people seconds."""


def first_missing(stores: Stores, spec: ForecastSpec, last: str, listen: Listener) -> str | None:
    """Return the first partition before `last` whose observations are to be ingested, or None.

    Where very many are missing before all that are stored, the source is asked where its rows begin, and a listener is
    told that those before are passed over.
    """
    keys = complete_keys(spec, stores.clock.now())
    keys = keys[: keys.index(last)]
    present = set(stores.tables.partitions([spec.name, OBSERVATIONS]))
    missing = [key for key in keys if key not in present]
    first = min(present, default=None)
    early = [key for key in missing if first is None or key < first]
    if len(early) <= FEW:
        return missing[0] if missing else None
    try:
        begin = _first_with_rows(stores, spec, early)
    except (SourceError, ContractError):  # the ingestion itself says so, and tells people
        return missing[0]
    passed = early.index(begin) if begin is not None else len(early)
    if passed:
        words = (
            f"partitions.start is {spec.partitions.start}, and the source has no row before "
            f"{begin or first or last}: the {passed} partitions until then are passed over"
        )
        listen(Step(job_name(spec, DAILY), INGEST, "warning", message=words))
    return next(iter(missing[passed:]), None)


def spans(tables: Tables, spec: ForecastSpec, keys: Sequence[str]) -> list[tuple[str, str]]:
    """Cut consecutive partitions into runs of ingestion, each of so few rows as a process holds well.

    How many rows a partition has is told by those that are stored; where none is, by the source.

    Args:
        tables: have the observations.
        spec: the forecast.
        keys: of the partitions.

    Returns:
        The first and the last key of each run.
    """
    observed = [spec.name, OBSERVATIONS]
    stored = tables.partitions(observed) if len(keys) > 1 else []
    each = rows_about(tables, observed, stored) / len(stored) if stored else 0.0
    if not stored and len(keys) > 1:
        window = whole_window(partitions_of(spec), [keys[0], keys[-1]])
        with suppress(SourceError):  # the ingestion itself says so
            each = open_source(spec).rows_about(spec.columns.timestamp, window) / len(keys)
    most = max(1, int(ROWS / each)) if each else len(keys)
    return [(keys[first], keys[min(first + most, len(keys)) - 1]) for first in range(0, len(keys), most)]


def _first_with_rows(stores: Stores, spec: ForecastSpec, keys: Sequence[str]) -> str | None:
    """Return the first of some partitions that the source has rows of, good or bad; None if it has none of any."""
    graph = Graph(spec)
    for first, last in spans(stores.tables, spec, keys):
        checked, _ = read_observations(graph, whole_window(graph.partitions, [first, last]), stores.clock)
        times = pd.concat([checked.accepted["timestamp"], checked.quarantined["timestamp"]], ignore_index=True)
        if found := partition_of(times, graph.partitions, keys).dropna().tolist():
            return min(found)
    return None
