"""From a spec to its asset graph."""

import dagster as dg

from mlops_assets.assets.accuracy import build_forecast_accuracy
from mlops_assets.assets.change import build_forecast_change
from mlops_assets.assets.drift import build_data_drift
from mlops_assets.assets.evaluation import build_backtest
from mlops_assets.assets.ingestion import build_future_covariates, build_observations
from mlops_assets.assets.prediction import build_forecasts
from mlops_assets.assets.promotion import build_champion
from mlops_assets.assets.reconciliation import build_reconciled_forecasts
from mlops_assets.assets.registration import build_model_version
from mlops_assets.assets.report import build_report
from mlops_assets.assets.training import build_random_forest, build_training_set
from mlops_assets.catalog.columns import described
from mlops_assets.catalog.graph import Graph
from mlops_assets.spec import ForecastSpec

TRAINING = ("training_set", "random_forest", "backtest", "model_version", "champion")
"""Assets of the retrain job, none of them partitioned."""


def build_assets(spec: ForecastSpec) -> list[dg.AssetsDefinition]:
    """Return the assets of a forecast, keyed `<name>/<asset>`."""
    graph = Graph(spec)
    assets = [
        build_observations(graph),
        build_training_set(graph),
        build_random_forest(graph),
        build_backtest(graph),
        build_model_version(graph),
        build_champion(graph),
        build_forecasts(graph),
        build_forecast_accuracy(graph),
        build_data_drift(graph),
        build_forecast_change(graph),
        build_report(graph),
    ]
    if spec.covariates.known:
        assets.append(build_future_covariates(graph))
    if spec.hierarchy is not None:
        assets.append(build_reconciled_forecasts(graph))
    return [described(definition, spec) for definition in assets]
