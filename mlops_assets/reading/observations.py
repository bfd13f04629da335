"""Observations, as they are known now or as they were known at a moment."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import OBSERVATIONS
from mlops_assets.catalog.partitions import holding
from mlops_assets.forecasting.data import vintages
from mlops_assets.forecasting.data.grid import KEY
from mlops_assets.lifecycle.revisions import Revisions
from mlops_assets.reading.asked import ZONES, Asked
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec


def observations(tables: Tables, spec: ForecastSpec, asked: Asked, keys: Sequence[str] | None = None) -> pd.DataFrame:
    """Return observations by item and timestamp: item_id, timestamp, target, the covariates and `known_at` (UTC).

    Args:
        tables: where they are.
        spec: the forecast.
        asked: which rows.
        keys: of the partitions that matter; None: those that hold the time that is asked about.
    """
    graph, key = Graph(spec), [spec.name, OBSERVATIONS]
    empty = graph.without_rows(OBSERVATIONS)
    keys = within(spec, tables.partitions(key), asked) if keys is None else keys
    if not keys:
        return empty
    if asked.as_of is None:
        rows = tables.read(key, keys, None, asked.only)
    else:
        current, superseded = Revisions(graph, tables).versions(OBSERVATIONS, keys, asked.only)
        rows = vintages.as_of(current, superseded, asked.as_of)
    return rows.sort_values(KEY, kind="stable", ignore_index=True).reindex(columns=empty.columns)


def within(spec: ForecastSpec, keys: Sequence[str], asked: Asked) -> list[str]:
    """Return those of some partitions that hold the time that is asked about, and can have been known at the moment."""
    first = "" if asked.since is None else holding(spec, asked.since)
    lasts = [asked.until, None if asked.as_of is None else asked.as_of + ZONES]
    last = min((holding(spec, one) for one in lasts if one is not None), default=None)
    return [key for key in keys if key >= first and (last is None or key <= last)]


def versions(tables: Tables, spec: ForecastSpec, asked: Asked) -> pd.DataFrame:
    """Return every version that was known of each observation, by item, timestamp and since when it was.

    Args:
        tables: where they are.
        spec: the forecast.
        asked: which rows; as of a moment, the versions that were known by then.

    Returns:
        The columns of `observations`, and `superseded_at` (UTC), missing of what is current.
    """
    keys = within(spec, tables.partitions([spec.name, OBSERVATIONS]), asked)
    if not keys:
        empty = Graph(spec).without_rows(OBSERVATIONS)
        return empty.assign(superseded_at=pd.Series(dtype="datetime64[us]"))
    rows = vintages.all_versions(*Revisions(Graph(spec), tables).versions(OBSERVATIONS, keys, asked.only))
    rows = rows.drop(columns="partition", errors="ignore")
    return rows if asked.as_of is None else rows[rows[vintages.KNOWN_AT] <= asked.as_of].reset_index(drop=True)
