"""The two jobs of a forecast: the daily round and the training."""

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


def daily_assets(spec: ForecastSpec) -> list[dg.AssetKey]:
    """Assets of the daily round, all partitioned alike."""
    names = ["observations", "quarantine", "forecasts", "forecast_accuracy"]
    names += ["future_covariates"] if spec.covariates.known else []
    names += ["reconciled_forecasts"] if spec.hierarchy is not None else []
    return [dg.AssetKey([spec.name, name]) for name in names]


def retrain_assets(spec: ForecastSpec) -> list[dg.AssetKey]:
    """Assets of the training."""
    return [dg.AssetKey([spec.name, name]) for name in TRAINING]


def build_jobs(spec: ForecastSpec) -> list[Any]:
    """Define `<name>_daily` (partitioned) and `<name>_retrain`."""
    tags = {"mlops/forecast": spec.name}
    return [
        dg.define_asset_job(
            daily_job_name(spec),
            selection=dg.AssetSelection.assets(*daily_assets(spec)),
            description=f"The round of one partition of {spec.name}: ingest, forecast from it, score what it allows.",
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
