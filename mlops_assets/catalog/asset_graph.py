"""What Dagster is told of the assets of a forecast: partitions, keys, owners, tags, group, inputs, freshness."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

import dagster as dg
import pandas as pd

from mlops_assets.catalog.graph import Graph, reach_of
from mlops_assets.catalog.metadata import HISTORY
from mlops_assets.catalog.names import FUTURE_COVARIATES, OBSERVATIONS, assets_of
from mlops_assets.catalog.partitions import longest_round
from mlops_assets.catalog.windows import Partitions
from mlops_assets.resources.stored import StoredTable
from mlops_assets.spec import ForecastSpec

DATA_VERSION = "dagster/data_version"
"""Tag of an observation of an asset: which content it had."""


class Attributes(TypedDict):
    """Keyword arguments of `dg.asset` that every asset has."""

    description: str
    group_name: str
    kinds: set[str]
    owners: list[str]
    tags: dict[str, str]
    metadata: dict[str, Any]


class AssetGraph(Graph):
    """One forecast's graph, as Dagster's declarations are made of it."""

    @cached_property
    def partitions_def(self) -> dg.TimeWindowPartitionsDefinition:
        """The partitions of observations, forecasts and accuracy."""
        own = self.partitions
        return dg.TimeWindowPartitionsDefinition(
            cron_schedule=own.cron, start=own.first, end=own.end, fmt=own.key_format, timezone=str(own.zone)
        )

    def key(self, name: str) -> dg.AssetKey:
        """Return the key of one of the forecast's assets."""
        return dg.AssetKey([self.spec.name, name])

    @property
    def by_timestamp(self) -> dict[str, Any]:
        """Metadata of a table whose rows are in the partition that holds their timestamp."""
        history = {HISTORY: self.spec.partitions.history_from} if self.spec.partitions.history_from else {}
        return {"partition_expr": "timestamp", **history}

    def attributes(
        self, kinds: Sequence[str], description: str, metadata: Mapping[str, Any] | None = None
    ) -> Attributes:
        """Return the keyword arguments that every asset definition gets."""
        return {
            "description": description,
            "group_name": self.spec.name,
            "kinds": set(kinds),
            "owners": self.spec.owners,
            "tags": dict(self.spec.tags),
            "metadata": {
                "forecast": self.spec.description or self.spec.name,
                "spec": dg.MetadataValue.path(self.spec.file),
                **(metadata or {}),
            },
        }


def known_partitions(definition: dg.TimeWindowPartitionsDefinition, history: str | None = None) -> Partitions:
    """Return partitions of Dagster as we know them, see `windows.is_known`.

    Args:
        definition: Dagster's.
        history: the day from which on the first holds rows, which Dagster is not told; None: from its own on.
    """
    first, since = f"{definition.start:{definition.fmt}}", None if history is None else pd.Timestamp(history)
    return Partitions(definition.cron_schedule, first, None, ZoneInfo(definition.timezone), since)


def with_earlier(count: int) -> dg.TimeWindowPartitionMapping:
    """Map a partition to itself and so many before it, as far as there are any."""
    return dg.TimeWindowPartitionMapping(start_offset=-count, end_offset=0, allow_nonexistent_upstream_partitions=True)


def origin_inputs(graph: AssetGraph, before: int = 0) -> dict[str, dg.AssetIn]:
    """Return what forecasting from an origin reads: the latest observations and, if there are any, known covariates.

    Each is a `StoredTable`: an asset reads what it uses.

    Args:
        graph: of the forecast.
        before: so many partitions before, forecasts can be made too.
    """
    reach = reach_of(graph.spec) + before
    ins = {
        OBSERVATIONS: dg.AssetIn(
            graph.key(OBSERVATIONS), partition_mapping=with_earlier(reach), dagster_type=StoredTable
        )
    }
    if graph.spec.covariates.all_known:
        ins[FUTURE_COVARIATES] = dg.AssetIn(
            graph.key(FUTURE_COVARIATES),
            partition_mapping=with_earlier(before) if before else None,
            dagster_type=StoredTable,
        )
    return ins


def asset_keys(spec: ForecastSpec, job: str) -> list[dg.AssetKey]:
    """Return the keys of the assets that a job makes."""
    return [dg.AssetKey([spec.name, one.name]) for one in assets_of(spec, job)]


def freshness_of(spec: ForecastSpec) -> dg.FreshnessPolicy | None:
    """Return the policy that Dagster's UI shows: one materialization for each tick of the schedule, within the grace.

    Dagster looks at when anything was materialized, not at which partition; `expected` is about partitions. Those that
    come to an end would be overdue for ever after it.
    """
    longest = longest_round(spec)
    if longest is None or spec.partitions.end is not None:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=longest + timedelta(hours=spec.freshness.grace_hours))


def seen(key: dg.AssetKey, version: str, source: str) -> dg.AssetObservation:
    """Return the news that a source has a version.

    Args:
        key: of the source.
        version: see `SourceReader.version`.
        source: its name, for people.
    """
    return dg.AssetObservation(key, metadata={"source": source, "version": version}, tags={DATA_VERSION: version})
