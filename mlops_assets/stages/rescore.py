"""New, late and corrected data: which partitions are forecast from, read again, and scored again because of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.metadata import DIGEST
from mlops_assets.catalog.names import FORECAST_ACCURACY, FORECASTS, INGEST, OBSERVATIONS, RESCORE, assets_of
from mlops_assets.catalog.partitions import before, partition_of, periods, ranges, whole_window
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.ingest import latest_keys, read_own

COMPARED = 2000
"""Partitions stored anew that are asked whether their rows have changed; of more, all are scored again."""
PAGE = 500
"""Events, and partitions, that Dagster is asked for at once."""


def reread_keys(spec: ForecastSpec, last: str) -> list[str]:
    """Return the partitions before `last` that are read again in its round."""
    count = spec.partitions.reread
    return before(spec, last, count) if count else []


def judged(spec: ForecastSpec) -> list[dg.AssetKey]:
    """Return what is made anew where observations or forecasts are: scores, and anomalies."""
    return [dg.AssetKey([spec.name, one.name]) for one in assets_of(spec, RESCORE) if one.step != INGEST]


def newest_stored(names: Sequence[str], instance: dg.DagsterInstance) -> dict[str, str]:
    """Return for each forecast which events stored scores, and what they are made from, last: with news, others."""
    keys = [dg.AssetKey([name, asset]) for name in names for asset in (OBSERVATIONS, FORECASTS, FORECAST_ACCURACY)]
    found: dict[str, list[str]] = {name: [] for name in names}
    for first in range(0, len(keys), PAGE):
        for one in instance.get_asset_records(keys[first : first + PAGE]):
            entry = one.asset_entry
            found[entry.asset_key.path[0]].append(str(entry.last_materialization_storage_id))
    return {name: " ".join(sorted(events)) for name, events in found.items()}


def digests(graph: Graph, rows: pd.DataFrame, keys: Sequence[str]) -> dict[str, str]:
    """Return for each partition what tells whether its rows, or what they mean, are those that they were.

    Args:
        graph: of the forecast.
        rows: observations of the partitions, without `known_at`.
        keys: of the partitions.
    """
    if not keys:
        return {}
    placed = rows.assign(partition=partition_of(rows["timestamp"], graph.partitions, keys))
    hashes = _hashes(placed, sorted(str(name) for name in rows if name != "timestamp"))
    meant = hashlib.sha256(graph.observed["meaning"].encode()).hexdigest()[:8]
    return {key: f"{int(hashes.get(key, 0)):016x}-{meant}" for key in keys}


def old_scores(spec: ForecastSpec, keys: list[str], instance: dg.DagsterInstance) -> dict[str, int]:
    """Return the partitions whose scores are older than what they are made from, with the event that made them so.

    Observations that were stored anew as they were make no scores old.
    """
    stored = {
        name: instance.get_latest_storage_id_by_partition(
            dg.AssetKey([spec.name, name]), dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        for name in (OBSERVATIONS, FORECASTS, FORECAST_ACCURACY)
    }
    reach, found, doubtful = periods(spec, spec.horizon), {}, {}
    for place, key in enumerate(keys):
        made = [stored[FORECASTS].get(origin, 0) for origin in keys[max(0, place - reach) : place]]
        newest = max(stored[OBSERVATIONS].get(key, 0), *made, 0)
        scored = stored[FORECAST_ACCURACY].get(key, 0)
        if any(made) and key in stored[OBSERVATIONS] and scored < newest:
            found[key] = newest
            if max(made) < scored:
                doubtful[key] = scored
    same = _unchanged(spec, doubtful, instance) if len(doubtful) <= COMPARED else set()
    return {key: newest for key, newest in found.items() if key not in same}


def _unchanged(spec: ForecastSpec, scored: Mapping[str, int], instance: dg.DagsterInstance) -> set[str]:
    """Return the partitions whose rows have stayed what they were when they were scored.

    Events tell: what a killed run has stored without an event is seen by the digest of the next one.

    Args:
        spec: the forecast.
        scored: partition -> the event of its scores.
        instance: of Dagster.
    """
    said: dict[str, set[Any]] = {key: set() for key in scored}
    keys = sorted(scored)
    for first in range(0, len(keys), PAGE):
        some, cursor, more = keys[first : first + PAGE], None, True
        asked = dg.AssetRecordsFilter(dg.AssetKey([spec.name, OBSERVATIONS]), asset_partitions=some)
        before: set[str] = set()
        while more:
            page = instance.fetch_materializations(asked, PAGE, cursor)
            cursor, more = page.cursor, page.has_more
            for record in page.records:  # the newest first; of those before the scores only the last one counts
                key = str(record.partition_key)
                if key in before or (event := record.asset_materialization) is None:
                    continue
                said[key].add(event.metadata[DIGEST].value if DIGEST in event.metadata else None)
                if record.storage_id < scored[key]:
                    before.add(key)
            more = more and len(before) < len(some)
        said.update({key: {None} for key in some if key not in before})
    return {key for key, one in said.items() if len(one) == 1 and None not in one}


@dataclass(frozen=True)
class Arrived:
    """What is to be done about the rows that a source holds; each span is its first and last partition.

    Attributes:
        rounds: spans that are forecast from: they have rows, and no forecasts of them.
        again: spans that were forecast from, and whose rows are not those that are stored.
    """

    rounds: Sequence[tuple[str, str]] = ()
    again: Sequence[tuple[str, str]] = ()


def arrived(graph: Graph, tables: Tables, clock: Clock, key: str) -> Arrived:
    """Hold what a source has of the latest partitions against what is stored of them.

    What stands in tables of its own (`covariates.sources`) is not looked at.

    Args:
        graph: of the forecast.
        tables: what is stored.
        clock: says what has come already.
        key: of the latest partition that is complete; before the first forecast it alone is forecast from.

    Raises:
        SourceError: the source cannot be read.
        ContractError: a column is absent.
    """
    name, keys = graph.spec.name, latest_keys(graph.spec, key)
    rows = read_own(graph, whole_window(graph.partitions, keys), clock).accepted
    rows = rows.assign(partition=partition_of(rows["timestamp"], graph.partitions, keys))
    there = {*rows["partition"].dropna()}
    forecast = set(tables.partitions([name, FORECASTS]))
    stored = sorted(set(tables.partitions([name, OBSERVATIONS])).intersection(keys))
    counts = tables.row_counts([name, OBSERVATIONS], stored)
    before_first = keys[-2] if len(keys) > 1 else ""
    last = max(forecast, default=before_first)
    # The latest was forecast from what came before it, as nothing had come of it yet.
    in_vain = {key} if key in forecast and not counts.get(key) else set()
    rounds = there & ({one for one in keys if one > last} | in_vain)
    known = tables.read([name, OBSERVATIONS], stored) if stored else rows.iloc[:0]
    known = known.assign(partition=partition_of(known["timestamp"], graph.partitions, stored or keys))
    changed = {one for one in _other(rows, known) - rounds if stored and stored[0] <= one <= last}
    return Arrived(tuple(ranges(keys, rounds)), tuple(ranges(keys, changed)) if forecast else ())


def _other(rows: pd.DataFrame, known: pd.DataFrame) -> set[str]:
    """Return the partitions whose rows are not those that are known; what only one of the frames has does not count."""
    columns = [str(name) for name in rows if name in known and name not in ("partition", "timestamp")]
    now, then = (_hashes(frame, columns) for frame in (rows, known))
    return {str(one) for one in now.index if one not in then.index or now[one] != then[one]}


def _hashes(rows: pd.DataFrame, columns: Sequence[str]) -> "pd.Series[int]":
    """Return a hash of each partition's rows, in whatever order they stand and however they are stored."""
    plain = {name: _plain(rows[name]) for name in columns}
    plain["timestamp"] = rows["timestamp"].astype("datetime64[us]").astype("int64")
    hashes = pd.util.hash_pandas_object(pd.DataFrame(plain, index=rows.index), index=False)
    return hashes.groupby(rows["partition"]).sum()


def _plain(values: "pd.Series[Any]") -> "pd.Series[Any]":
    if pd.api.types.is_numeric_dtype(values):
        return values.astype("float64")
    return values.astype("object").where(values.notna(), "").astype(str)
