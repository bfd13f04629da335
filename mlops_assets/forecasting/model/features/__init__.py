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

__all__ = [
    "GIVEN",
    "INDEX",
    "MINIMUM_HISTORY",
    "Rows",
    "feature_columns",
    "forecast_rows",
    "group_of",
    "lookback",
    "training_rows",
]
