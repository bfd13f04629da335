"""What the model learns from: the feature matrix, the calendar in it, and which origins its rows are drawn from."""

from .rows import (
    GIVEN,
    INDEX,
    MINIMUM_HISTORY,
    Rows,
    feature_columns,
    forecast_rows,
    group_of,
    lookback,
    training_rows,
)
from .smoothing import is_reference, is_smoothed

__all__ = [
    "GIVEN",
    "INDEX",
    "MINIMUM_HISTORY",
    "Rows",
    "feature_columns",
    "forecast_rows",
    "group_of",
    "is_reference",
    "is_smoothed",
    "lookback",
    "training_rows",
]
