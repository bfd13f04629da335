"""Batch forecasts that look after themselves, as a Dagster project.

The public names below are loaded when they are first used, so that importing the package costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_assets.api.component import Forecast
    from mlops_assets.api.declared import build_definitions, load_spec, partitions_of
    from mlops_assets.api.questions import evaluate, explain, forecast, status, tune
    from mlops_assets.api.stored import (
        adjust,
        observations,
        plot_forecast,
        read_accuracy,
        read_forecasts,
        value_added,
    )
    from mlops_assets.errors import MlopsAssetsError
    from mlops_assets.settings import Settings

__all__ = [
    "Forecast",
    "MlopsAssetsError",
    "Settings",
    "adjust",
    "build_definitions",
    "evaluate",
    "explain",
    "forecast",
    "load_spec",
    "observations",
    "partitions_of",
    "plot_forecast",
    "read_accuracy",
    "read_forecasts",
    "status",
    "tune",
    "value_added",
]

_MODULES = {
    "mlops_assets.api.component": ("Forecast",),
    "mlops_assets.api.declared": ("build_definitions", "load_spec", "partitions_of"),
    "mlops_assets.api.questions": ("evaluate", "explain", "forecast", "status", "tune"),
    "mlops_assets.api.stored": (
        "adjust",
        "observations",
        "plot_forecast",
        "read_accuracy",
        "read_forecasts",
        "value_added",
    ),
    "mlops_assets.errors": ("MlopsAssetsError",),
    "mlops_assets.settings": ("Settings",),
}


def __getattr__(name: str) -> Any:
    """Load a public name."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = next(module for module, names in _MODULES.items() if name in names)
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
