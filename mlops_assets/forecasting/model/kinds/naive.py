"""Seasonal naive as a model of its own: trained, registered and delivered like any other."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import pandas as pd

from .. import baselines
from ..panel import TARGET
from ..task import Task
from .series import observed


@dataclass(frozen=True)
class NaiveModel(baselines.SeasonalNaive):
    """Seasonal naive (`baselines.seasonal_naive`), with what the training rows say of items in general.

    Attributes:
        lowest: lowest target of the training rows.
    """

    lowest: float = 0.0

    SOURCE: ClassVar[str] = "model"
    PARAMETERS: ClassVar[tuple[str, ...]] = ()
    COVARIATES: ClassVar[bool] = False

    @classmethod
    def rows(cls, history: pd.DataFrame, task: Task, until: pd.Timestamp | None = None) -> pd.DataFrame:
        """Return the observed targets; see `Model.rows`."""
        return observed(history, task, until)

    @classmethod
    def fit(cls, rows: pd.DataFrame, task: Task) -> NaiveModel:
        """Learn the lowest target, and what items are like in general."""
        return cls(task, baselines.Population.of_items(rows), float(rows[TARGET].min()))

    def state(self) -> dict[str, Any]:
        """Return what was learnt."""
        return {"lowest": self.lowest, "population": asdict(self.population)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> NaiveModel:
        """Rebuild the model."""
        return cls(state["task"], baselines.Population(**state["population"]), float(state["lowest"]))
