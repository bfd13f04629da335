"""The jobs of a forecast: the daily round, what is scored again, the training, the decision."""

from typing import Any

import dagster as dg

from mlops_assets.assets.factory import TRAINING
from mlops_assets.spec import ForecastSpec


def daily_job_name(spec: ForecastSpec) -> str:
    """Name of the round that is run for each partition."""
    return f"{spec.name}_daily"


def retrain_job_name(spec: ForecastSpec) -> str:
    """Name of the training."""
    return f"{spec.name}_retrain"


def decide_job_name(spec: ForecastSpec) -> str:
    """Name of the decision on a version."""
    return f"{spec.name}_decide"


def rescore_job_name(spec: ForecastSpec) -> str:
    """Name of the reading and scoring of earlier partitions."""
    return f"{spec.name}_rescore"


def daily_assets(spec: ForecastSpec) -> list[dg.AssetKey]:
    """Assets of the daily round, all partitioned alike."""
    names = ["observations", "quarantine", "data_drift", "forecasts", "forecast_change", "forecast_accuracy", "report"]
    names += ["future_covariates"] if spec.covariates.known else []
    names += ["reconciled_forecasts"] if spec.hierarchy is not None else []
    return [dg.AssetKey([spec.name, name]) for name in names]


def retrain_assets(spec: ForecastSpec) -> list[dg.AssetKey]:
    """Assets of the training."""
    return [dg.AssetKey([spec.name, name]) for name in TRAINING]


def rescore_assets(spec: ForecastSpec) -> list[dg.AssetKey]:
    """Assets of the reading and scoring of earlier partitions: never the forecasts, made with what was known then."""
    return [dg.AssetKey([spec.name, name]) for name in ("observations", "quarantine", "forecast_accuracy")]


def build_jobs(spec: ForecastSpec) -> list[Any]:
    """Define `<name>_daily` and `<name>_rescore` (partitioned), `<name>_retrain` and `<name>_decide`."""
    tags = {"mlops/forecast": spec.name}
    return [
        dg.define_asset_job(
            daily_job_name(spec),
            selection=dg.AssetSelection.assets(*daily_assets(spec)),
            description=f"The round of one partition of {spec.name}: ingest, forecast from it, score what it allows.",
            tags=tags,
        ),
        dg.define_asset_job(
            rescore_job_name(spec),
            selection=dg.AssetSelection.assets(*rescore_assets(spec)),
            description=f"Read partitions of {spec.name} again that came late or were corrected, and score them again; "
            "the forecasts stay as they were made.",
            tags=tags,
        ),
        dg.define_asset_job(
            retrain_job_name(spec),
            selection=dg.AssetSelection.assets(*retrain_assets(spec)),
            description=f"Train, backtest, register and, if the gate opens, promote a model of {spec.name}.",
            tags=tags,
        ),
        dg.define_asset_job(
            decide_job_name(spec),
            selection=dg.AssetSelection.assets(dg.AssetKey([spec.name, "champion"])),
            description=f"Decide on a version of {spec.name}: by the gate, or as the config of champion says.",
            tags=tags,
        ),
    ]
