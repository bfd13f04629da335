"""What is asked of a model's code by those who do not know which release wrote it: these names never change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from . import kinds, model_file
from .kinds import Model


def read(path: str | Path) -> Model:
    """Read a model from its file, checked; see `model_file.load`."""
    return rebuild(model_file.load(path))


def rebuild(state: dict[str, Any]) -> Model:
    """Make a model of its state; see `kinds.rebuild`."""
    return kinds.rebuild(state)


def refit(forecaster: Model, history: pd.DataFrame) -> Model:
    """Fit a model's recipe (kind, features, parameters) to another history; see `kinds.fit`."""
    return kinds.fit(kinds.rows(history, forecaster.task), forecaster.task)
