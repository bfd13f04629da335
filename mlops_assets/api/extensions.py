"""What a package of extensions imports of ours: bases and protocols (docs/extending.md).

A name is loaded when it is first used: a metric needs nothing of the report.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_assets.alerts.notifications import Alert
    from mlops_assets.forecasting.evaluation.metrics import Metric, Rows
    from mlops_assets.forecasting.model.kinds import CalibratedSeries, FeatureModel, Model, SeriesModel
    from mlops_assets.forecasting.model.task import Task, quantile_column
    from mlops_assets.jobs.providers.protocol import Job, Provider, Request, Status, Step
    from mlops_assets.jobs.providers.service_errors import NotThereError
    from mlops_assets.report.section import Section, Table
    from mlops_assets.sources.own_rows import OwnRows

__all__ = [
    "Alert",
    "CalibratedSeries",
    "FeatureModel",
    "Job",
    "Metric",
    "Model",
    "NotThereError",
    "OwnRows",
    "Provider",
    "Request",
    "Rows",
    "Section",
    "SeriesModel",
    "Status",
    "Step",
    "Table",
    "Task",
    "quantile_column",
]

_MODULES = {
    "alerts.notifications": ("Alert",),
    "forecasting.evaluation.metrics": ("Metric", "Rows"),
    "forecasting.model.kinds": ("CalibratedSeries", "FeatureModel", "Model", "SeriesModel"),
    "forecasting.model.task": ("Task", "quantile_column"),
    "jobs.providers.protocol": ("Job", "Provider", "Request", "Status", "Step"),
    "jobs.providers.service_errors": ("NotThereError",),
    "report.section": ("Section", "Table"),
    "sources.own_rows": ("OwnRows",),
}


def __getattr__(name: str) -> Any:
    """Load a public name."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = next(module for module, names in _MODULES.items() if name in names)
    return getattr(import_module(f"mlops_assets.{module}"), name)
