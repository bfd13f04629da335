"""A regressor of somebody's own on the engine's feature rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd

from ..extensions import MODELS, ExtensionError, called
from ..fitting import fit
from ..forecaster import Forecaster
from ..regressors import Calibrated
from ..task import Task


class FeatureModel(Forecaster):
    """Base of models that learn from feature rows; a child has `learn` and `answer`.

    All else is the engine's: the features, those of a team's own among them, the scaling of items, quantiles (of the
    errors on later rows than it has learnt from, see `regressors`), importances (by permutation) and the file.
    """

    PARAMETERS: ClassVar[Any] = ()
    """What `model.parameters` may hold, see `kinds.Model`."""

    @staticmethod
    def learn(X: np.ndarray, y: np.ndarray, task: Task) -> Any:
        """Return what is learnt: plain containers, numbers, texts and NumPy arrays, since the model's file is of it.

        Args:
            X: features, each of mean 0 and deviation 1, without gaps, shape (rows, features).
            y: targets from the item's level, by its scale, shape (rows,).
            task: its `model` has parameters and seed.
        """
        raise NotImplementedError

    @staticmethod
    def answer(learnt: Any, X: np.ndarray) -> np.ndarray:
        """Return the likely target of each row, shape (rows,).

        Args:
            learnt: what `learn` has returned, also when it comes from a file.
            X: as `learn` was given.
        """
        raise NotImplementedError

    @classmethod
    def prove(cls, task: Task) -> None:
        """Nothing can be told without rows: parameters are held against `PARAMETERS`."""

    @classmethod
    def fit(cls, rows: pd.DataFrame, task: Task) -> Forecaster:
        """Fit it, and measure its errors; see `fitting.fit`."""
        return fit(rows, task, cls, partial(Regressor, cls, task))

    def state(self) -> dict[str, Any]:
        """Return everything, what was learnt in the place of the regressor."""
        own, made = super().state(), cast(Calibrated, self.model).point
        learnt = {"middle": made.middle, "size": made.size, "learnt": made.learnt}
        return {**own, "regressor": {**own["regressor"], "point": learnt}}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Forecaster:
        """Rebuild the model."""
        regressor = state["regressor"]
        point = Regressor(cls, state["task"], **regressor["point"])
        return super().from_state({**state, "regressor": {**regressor, "point": point}})


@dataclass
class Regressor:
    """A `FeatureModel` as the engine asks regressors: with `fit` and `predict`, on columns of whatever size.

    Attributes:
        of: whose `learn` and `answer`.
        task: what is forecast.
        middle: mean of each column that was learnt from, shape (columns,).
        size: its deviation; 1 where it never differs.
        learnt: what `learn` has returned.
    """

    of: type[FeatureModel]
    task: Task
    middle: np.ndarray | float = 0.0
    size: np.ndarray | float = 1.0
    learnt: Any = None

    def fit(self, X: np.ndarray, y: np.ndarray) -> Regressor:
        """Return it fitted; ExtensionError if it cannot learn."""
        values = X.astype(np.float64)
        middle, size = values.mean(axis=0), values.std(axis=0)
        ready = replace(self, middle=middle, size=np.where(size > 0, size, 1.0))
        target = y.astype(np.float64)
        return replace(ready, learnt=called(MODELS, self._name, self.of.learn, ready.standard(X), target, self.task))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the likely target of each row; ExtensionError if it fails, or gives anything else."""
        found = called(MODELS, self._name, self.of.answer, self.learnt, self.standard(X))
        values = called(MODELS, self._name, np.asarray, found, dtype=np.float64)
        if values.shape != (len(X),) or not np.isfinite(values).all():
            wrong = "a value that is not finite" if values.shape == (len(X),) else f"shape {values.shape}"
            raise ExtensionError(
                f"the model kind {self._name!r}: answer gives {wrong}, not a number for each of the rows"
            )
        return values

    def standard(self, X: np.ndarray) -> np.ndarray:
        """Return columns in deviations from their means."""
        return (X - self.middle) / self.size

    @property
    def _name(self) -> str:
        return self.task.model.kind
