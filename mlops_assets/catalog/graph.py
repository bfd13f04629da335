"""What all assets of a forecast share: partitions, contract, keys, owners, tags, group, inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypedDict

import dagster as dg
import pandas as pd

from mlops_assets.catalog.column import expand, without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.meaning import meaning_of, to_text
from mlops_assets.catalog.names import FUTURE_COVARIATES, OBSERVATIONS
from mlops_assets.catalog.partitions import partitions_of, periods
from mlops_assets.forecasting.data.contract import Contract
from mlops_assets.forecasting.data.numbers import NumberFormat
from mlops_assets.forecasting.data.vintages import KNOWN_AT
from mlops_assets.forecasting.model.kinds import lookback
from mlops_assets.resources.stored import StoredTable
from mlops_assets.spec import FileSource, ForecastSpec


class Attributes(TypedDict):
    """Keyword arguments of `dg.asset` that every asset has."""

    description: str
    group_name: str
    kinds: set[str]
    owners: list[str]
    tags: dict[str, str]
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """One forecast's graph in the making: the spec and what follows from it for every asset."""

    spec: ForecastSpec

    @cached_property
    def partitions(self) -> dg.TimeWindowPartitionsDefinition:
        """The partitions of observations, forecasts and accuracy."""
        return partitions_of(self.spec)

    @cached_property
    def contract(self) -> Contract:
        """The contract of the source's rows."""
        spec = self.spec
        return Contract(
            item_id=tuple(spec.columns.item_id),
            timestamp=spec.columns.timestamp,
            target=spec.columns.target,
            frequency=spec.frequency,
            time_zone=spec.time_zone,
            timestamp_format=spec.columns.timestamp_format,
            known=tuple(spec.covariates.known),
            past=tuple(spec.covariates.past),
            static=tuple(spec.covariates.static),
            timestamp_floor=spec.columns.timestamp_floor,
            stamp_at_end=spec.columns.stamp == "end",
            aggregate=spec.columns.aggregate,
            future=spec.columns.future,
            numbers=NumberFormat(spec.source.decimal, spec.source.thousands, tuple(spec.source.na_values)),
            latest_wins=spec.source.latest_wins is not None if isinstance(spec.source, FileSource) else None,
        )

    @property
    def model_kind(self) -> str:
        """The kind of model, as short as a label is: of an import path, the name of the class."""
        return self.spec.model.kind.rpartition(".")[-1].lower()

    @property
    def observed(self) -> dict[str, Any]:
        """How observations are stored: with what they mean, and whatever covariates other partitions have."""
        return {"allow_new_columns": True, "meaning": to_text(meaning_of(self.spec))}

    def key(self, name: str) -> dg.AssetKey:
        """Return the key of one of the forecast's assets."""
        return dg.AssetKey([self.spec.name, name])

    def without_rows(self, name: str) -> pd.DataFrame:
        """Return one of the forecast's tables without rows, with the columns that the spec gives it."""
        spec = self.spec
        covariates = spec.covariates.all_known if name == FUTURE_COVARIATES else spec.covariate_columns
        columns = expand(TABLES[name], spec.task.quantile_columns, covariates, spec.task.cost_columns)
        any_type = {name: "str" if name in spec.covariates.static else "float64" for name in spec.covariate_columns}
        return without_rows(
            tuple(
                replace(one, name=name, dtype=any_type[name] if one.dtype == "any" else one.dtype)
                for name, one in columns.items()
            )
        )

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


def with_earlier(count: int) -> dg.TimeWindowPartitionMapping:
    """Map a partition to itself and so many before it, as far as there are any."""
    return dg.TimeWindowPartitionMapping(start_offset=-count, end_offset=0, allow_nonexistent_upstream_partitions=True)


def origin_inputs(graph: Graph, before: int = 0) -> dict[str, dg.AssetIn]:
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


def reach_of(spec: ForecastSpec) -> int:
    """Return how many partitions of observations before its own forecasting from an origin reads."""
    return periods(spec, max(lookback(task) for task in spec.tasks))


def known_after(inputs: Mapping[str, pd.DataFrame], key: str) -> pd.DataFrame | None:
    """Return the known covariates after the origin of a partition; None where the spec has none."""
    future = inputs.get(FUTURE_COVARIATES)
    return None if future is None else future.loc[future["partition"] == key].drop(columns=["partition", KNOWN_AT])
