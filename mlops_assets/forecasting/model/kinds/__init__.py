"""The kinds of models: what they have in common, which class is which, and those that look at each series by itself."""

from .protocol import Model
from .registry import (
    KINDS,
    class_of,
    fit,
    importances,
    lookback,
    lowest,
    rebuild,
    refuse_unknown,
    rows,
    state_of,
)

__all__ = [
    "KINDS",
    "Model",
    "class_of",
    "fit",
    "importances",
    "lookback",
    "lowest",
    "rebuild",
    "refuse_unknown",
    "rows",
    "state_of",
]
