"""What follows from a spec for all assets of a forecast: partitions, contract, columns, reach."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from mlops_assets.catalog.column import expand, without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.meaning import meaning_of, to_text
from mlops_assets.catalog.names import FUTURE_COVARIATES
from mlops_assets.catalog.partitions import partitions_of, periods
from mlops_assets.catalog.windows import Partitions
from mlops_assets.forecasting.data.contract import Contract
from mlops_assets.forecasting.data.numbers import NumberFormat
from mlops_assets.forecasting.data.vintages import KNOWN_AT
from mlops_assets.forecasting.model.kinds import lookback
from mlops_assets.spec import FileSource, ForecastSpec


@dataclass(frozen=True)
class Graph:
    """One forecast's graph in the making: the spec and what follows from it for every asset."""

    spec: ForecastSpec

    @cached_property
    def partitions(self) -> Partitions:
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
        """The kind of model, as short as a label is: of a path, the name of the class."""
        return re.split("[.:]", self.spec.model.kind)[-1].lower()

    @property
    def source_kind(self) -> str:
        """The kind of source, as short as a label is: of a path, the name of the class."""
        return re.split("[.:]", self.spec.source.kind)[-1].lower()

    @property
    def observed(self) -> dict[str, Any]:
        """How observations are stored: with what they mean, and whatever covariates other partitions have."""
        return {"allow_new_columns": True, "meaning": to_text(meaning_of(self.spec))}

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


def reach_of(spec: ForecastSpec) -> int:
    """Return how many partitions of observations before its own forecasting from an origin reads."""
    return periods(spec, max(lookback(task) for task in spec.tasks))


def known_after(inputs: Mapping[str, pd.DataFrame], key: str) -> pd.DataFrame | None:
    """Return the known covariates after the origin of a partition; None where the spec has none."""
    future = inputs.get(FUTURE_COVARIATES)
    return None if future is None else future.loc[future["partition"] == key].drop(columns=["partition", KNOWN_AT])
