"""What is asked of a model's code by those who do not know which release wrote it: these names never change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from . import features, fitting, model_file
from .forecaster import Forecaster


def read(path: str | Path) -> Forecaster:
    """Read a forecaster from a model file, checked; see `model_file.load`."""
    return rebuild(model_file.load(path))


def rebuild(state: dict[str, Any]) -> Forecaster:
    """Make a forecaster of its state."""
    return Forecaster.from_state(state)


def refit(forecaster: Forecaster, history: pd.DataFrame) -> Forecaster:
    """Fit a forecaster's recipe (task, features, parameters) to another history; see `fitting.fit`."""
    return fitting.fit(features.training_rows(history, forecaster.task), forecaster.task)
