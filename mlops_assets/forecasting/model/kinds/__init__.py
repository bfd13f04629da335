"""The kinds of models: what they have in common, which class is which, and those that look at each series by itself."""

from .feature_rows import FeatureModel
from .protocol import Combined, Model
from .registry import (
    COMBINING,
    KINDS,
    class_of,
    draws,
    fit,
    importances,
    is_own,
    lookback,
    lowest,
    parameters,
    prove,
    reasons,
    rebuild,
    refusal,
    requires,
    rows,
    state_of,
)
from .series import CalibratedSeries, SeriesModel

__all__ = [
    "COMBINING",
    "KINDS",
    "CalibratedSeries",
    "Combined",
    "FeatureModel",
    "Model",
    "SeriesModel",
    "class_of",
    "draws",
    "fit",
    "importances",
    "is_own",
    "lookback",
    "lowest",
    "parameters",
    "prove",
    "reasons",
    "rebuild",
    "refusal",
    "requires",
    "rows",
    "state_of",
]
