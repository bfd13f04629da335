"""Kinds that are simple enough to know what an average of them must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from mlops_assets.forecasting.model import baselines, kinds
from mlops_assets.forecasting.model.task import Task


@dataclass(frozen=True)
class Level:
    """The value that a test's items have at each step, times `FACTOR`."""

    task: Task
    FACTOR: ClassVar[float] = 1.0

    @classmethod
    def rows(cls, history: pd.DataFrame, task: Task, until: pd.Timestamp | None = None) -> pd.DataFrame:
        return kinds.class_of("seasonal_naive").rows(history, task, until)

    @classmethod
    def fit(cls, rows: pd.DataFrame, task: Task) -> Level:
        return cls(task)

    def predict(self, history: pd.DataFrame, origin: pd.Timestamp | None = None, **asked: Any) -> pd.DataFrame:
        made = baselines.SeasonalNaive(self.task).predict(history, origin, **asked)
        numbers = ["mean", *(name for name in made if name.startswith("q"))]
        return made.assign(source="model", **{name: made[name] * self.factor(made) for name in numbers})

    def factor(self, made: pd.DataFrame) -> np.ndarray | float:
        return self.FACTOR

    def state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Level:
        return cls(state["task"])


class High(Level):
    """Too high by a fifth."""

    FACTOR = 1.2


class Low(Level):
    """Too low by a fifth."""

    FACTOR = 0.8


class HighForSome(Level):
    """Right for the first item, too high by a fifth for all others."""

    def factor(self, made: pd.DataFrame) -> np.ndarray | float:
        return np.where(made["item_id"] == made["item_id"].min(), 1.0, 1.2)


class Silent(Level):
    """Has no say about the first item."""

    def predict(self, history: pd.DataFrame, origin: pd.Timestamp | None = None, **asked: Any) -> pd.DataFrame:
        made = super().predict(history, origin, **asked)
        return made.assign(source=np.where(made["item_id"] == "item 0", "fallback", "model"))


class Noted(kinds.CalibratedSeries):
    """The last value goes on; notes of which values it was asked."""

    ASKED: ClassVar[list[bytes]] = []

    def path(self, values: np.ndarray) -> tuple[np.ndarray, float]:
        self.ASKED.append(values.tobytes())
        return np.full(self.task.horizon, values[-1]), 1.0
