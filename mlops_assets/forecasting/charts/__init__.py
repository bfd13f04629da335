"""Pictures: frames in, matplotlib figures out, and figures as bytes.

The figures are built without pyplot: nothing is global, so any number may be drawn at once in any thread.
Every function takes an empty frame and then says so in the picture.
"""

from mlops_assets.forecasting.charts.forecasts import fan
from mlops_assets.forecasting.charts.importances import importances
from mlops_assets.forecasting.charts.policies import policies
from mlops_assets.forecasting.charts.render import markdown_image, sparkline, to_png
from mlops_assets.forecasting.charts.scores import (
    backtest_windows,
    error_by_lead,
)

__all__ = [
    "backtest_windows",
    "error_by_lead",
    "fan",
    "importances",
    "markdown_image",
    "policies",
    "sparkline",
    "to_png",
]
