"""Batch forecasts that look after themselves, as a Dagster project.

The public names below are loaded when they are first used, so that importing the package costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_assets.api import (
        build_definitions,
        evaluate,
        explain,
        forecast,
        load_spec,
        observations,
        plot_forecast,
        read_accuracy,
        read_forecasts,
        status,
        tune,
    )
    from mlops_assets.errors import MlopsAssetsError
    from mlops_assets.settings import Settings

__all__ = [
    "MlopsAssetsError",
    "Settings",
    "build_definitions",
    "evaluate",
    "explain",
    "forecast",
    "load_spec",
    "observations",
    "plot_forecast",
    "read_accuracy",
    "read_forecasts",
    "status",
    "tune",
]

_MODULES = {"MlopsAssetsError": "mlops_assets.errors", "Settings": "mlops_assets.settings"}


def __getattr__(name: str) -> Any:
    """Load a public name."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_MODULES.get(name, "mlops_assets.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
