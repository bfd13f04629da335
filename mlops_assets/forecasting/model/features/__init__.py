"""What the model learns from: the feature matrix, the calendar in it, and which origins its rows are drawn from."""

from .as_known import as_known
from .own import Feature, load
from .rows import (
    GIVEN,
    INDEX,
    MINIMUM_HISTORY,
    Rows,
    feature_columns,
    forecast_rows,
    group_of,
    lookback,
)
from .smoothing import is_reference, is_smoothed
from .training import Plan, Survey, draw, survey, training_rows

__all__ = [
    "GIVEN",
    "INDEX",
    "MINIMUM_HISTORY",
    "Feature",
    "Plan",
    "Rows",
    "Survey",
    "as_known",
    "draw",
    "feature_columns",
    "forecast_rows",
    "group_of",
    "is_reference",
    "is_smoothed",
    "load",
    "lookback",
    "survey",
    "training_rows",
]
