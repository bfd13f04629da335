"""Accuracy by its published names: what each metric is, and tables of scores."""

from mlops_assets.forecasting.evaluation.metrics import definitions  # noqa: F401 - fills METRICS
from mlops_assets.forecasting.evaluation.metrics.base import (
    DEFAULT,
    METRICS,
    Metric,
    Rows,
    gate_metrics,
    outer_pair,
    register,
    shown_metrics,
)
from mlops_assets.forecasting.evaluation.metrics.own import load, loaded, metrics_of
from mlops_assets.forecasting.evaluation.metrics.scores import Lost, Scoring, score
from mlops_assets.forecasting.model.scaling import seasonal_scale

__all__ = [
    "DEFAULT",
    "METRICS",
    "Lost",
    "Metric",
    "Rows",
    "Scoring",
    "gate_metrics",
    "load",
    "loaded",
    "metrics_of",
    "outer_pair",
    "register",
    "score",
    "seasonal_scale",
    "shown_metrics",
]
