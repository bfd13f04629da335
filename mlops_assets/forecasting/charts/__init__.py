"""Pictures: frames in, matplotlib figures out, and figures as bytes.

The figures are built without pyplot: nothing is global, so any number may be drawn at once in any thread.
Every function takes an empty frame and then says so in the picture.
"""

from mlops_assets.forecasting.charts.forecasts import change_bridge, fan
from mlops_assets.forecasting.charts.importances import importances
from mlops_assets.forecasting.charts.policies import policies
from mlops_assets.forecasting.charts.render import markdown_image, sparkline, to_png, to_svg
from mlops_assets.forecasting.charts.scores import (
    accuracy_over_time,
    backtest_windows,
    coverage_over_time,
    error_by_lead,
)

__all__ = [
    "accuracy_over_time",
    "backtest_windows",
    "change_bridge",
    "coverage_over_time",
    "error_by_lead",
    "fan",
    "importances",
    "markdown_image",
    "policies",
    "sparkline",
    "to_png",
    "to_svg",
]
