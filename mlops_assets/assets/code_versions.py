"""Which version of code and spec makes each asset: what Dagster compares to tell what is stale.

A stage is made anew where its own row changes or that of a stage before it; a new default belongs to a new engine.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from mlops_assets.catalog.meaning import meaning_of
from mlops_assets.catalog.names import (
    ANOMALIES,
    BACKTEST,
    CHAMPION,
    DATA_DRIFT,
    EXTERNAL_JOBS,
    FORECAST_ACCURACY,
    FORECAST_CHANGE,
    FORECASTS,
    FUTURE_COVARIATES,
    MODEL,
    MODEL_VERSION,
    OBSERVATIONS,
    QUARANTINE,
    RANDOM_FOREST,
    RECONCILED_FORECASTS,
    REPORT,
    TRAINING_SET,
)
from mlops_assets.spec import ForecastSpec


@dataclass(frozen=True)
class Stage:
    """What a stage depends on beside the stages before it.

    Attributes:
        fields: of the spec, dotted where only a part of one counts.
        engine: the release since which it makes the same of the same.
        of_rows: whether it depends on what an observation means (`meaning_of`).
    """

    fields: tuple[str, ...] = ()
    engine: str = "0.2.0"
    of_rows: bool = False


_FITTED = Stage(("model", "quantiles", "point", "costs", "whole"))
STAGES: Mapping[str, Stage] = {
    OBSERVATIONS: Stage(("covariates.sources",), of_rows=True),
    QUARANTINE: Stage(of_rows=True),
    FUTURE_COVARIATES: Stage(("covariates.sources", "horizon"), of_rows=True),
    TRAINING_SET: Stage(
        (
            *("horizon", "season_lengths", "holidays", "calendars", "fill", "outliers", "as_known", "non_negative"),
            *("covariates.known", "covariates.past", "covariates.static", "covariates.sources"),
            *("model.kind", "model.max_training_rows", "model.seed", "model.recency", "model.features"),
        )
    ),
    RANDOM_FOREST: _FITTED,
    MODEL: _FITTED,
    BACKTEST: Stage(("backtest", "metrics")),
    MODEL_VERSION: Stage(),
    CHAMPION: Stage(("gate", "approval")),
    FORECASTS: Stage(("minimum", "maximum", "deliver", "covariates.missing_future", "external")),
    EXTERNAL_JOBS: Stage(("external",)),
    RECONCILED_FORECASTS: Stage(("hierarchy",)),
    FORECAST_ACCURACY: Stage(("outliers", "metrics")),
    DATA_DRIFT: Stage(("season_lengths", "covariates.known", "covariates.past", "covariates.static", "outliers")),
    ANOMALIES: Stage(("season_lengths",)),
    FORECAST_CHANGE: Stage(),
    REPORT: Stage(("report",)),
}
"""Every asset that is made; fields that change nothing in what is stored (docs/changing.md) are in no row."""


def versioned(definitions: Iterable[dg.AssetsDefinition], spec: ForecastSpec) -> list[dg.AssetsDefinition]:
    """Return a forecast's assets, each with the version of its own stage and of all that are before it."""
    made = list(definitions)
    before = {one.key: {dep.asset_key for dep in one.deps} for own in made for one in own.specs}
    versions: dict[dg.AssetKey, str] = {}
    said = spec.model_dump(mode="json", exclude_defaults=True)

    def version_of(key: dg.AssetKey) -> str:
        if key not in versions:
            name = key.path[-1]
            earlier = sorted(version_of(one) for one in before[key] if one in before and one.path[-1] in STAGES)
            versions[key] = f"{STAGES[name].engine}-{_digest([_stage_of(spec, said, name), earlier])}"
        return versions[key]

    def with_version(asset: dg.AssetSpec) -> dg.AssetSpec:
        return (
            asset if asset.key.path[-1] not in STAGES else asset.replace_attributes(code_version=version_of(asset.key))
        )

    return [one.map_asset_specs(with_version) for one in made]


def _stage_of(spec: ForecastSpec, said: Mapping[str, Any], asset: str) -> dict[str, Any]:
    """Return all that an asset's own stage depends on, as JSON types; fields at their default are absent."""
    stage = STAGES[asset]
    found = {field: value for field in stage.fields if (value := _value(said, field)) is not None}
    return {"asset": asset, "engine": stage.engine, **found, **({"rows": meaning_of(spec)} if stage.of_rows else {})}


def _value(said: Mapping[str, Any], field: str) -> Any:
    """Return the value of a dotted field; None where it is not set."""
    value: Any = said
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _digest(said: Any) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]
