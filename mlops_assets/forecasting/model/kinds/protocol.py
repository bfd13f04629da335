"""What a kind of model is: five methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from ..task import Task

METHODS = ("rows", "fit", "predict", "state", "from_state")


class Model(Protocol):
    """A fitted model for all items and all leads of a task.

    What a kind may have beside the five methods, and is asked for where it has it:

    - `lookback(task)`, a class method: steps of history, the origin's included, that a forecast rests on; no more are
      given to `predict` in production. Without it they are those of the features (`features.lookback`).
    - `PARAMETERS`: names that `model.parameters` may hold, or a mapping of them to what says what is wrong with a value
      (`values.Rule`). Without it there are none.
    - `prove(task)`, a class method: raises where the kind, or its library, can do nothing with the task's parameters;
      asked by `mlops-assets check`, before there are data.
    - `COVARIATES`: False of a kind that looks at none.
    - `lowest`: the lowest target of the training; where neither it nor the history is below zero, no forecast is.
    - `importances()`: importance of each feature, columns feature, group, importance.
    - `reasons()`: why it is made as it is, a sentence each: the choice of `auto`, the weights of an ensemble.
    - `corrected(predictions, tolerance)`: the same model with the intervals that a backtest asks for.
    - all of `Combined`, of a kind that is made of others.
    """

    @property
    def task(self) -> Task:
        """What it forecasts; its `model` has kind, parameters and seed."""
        ...

    @classmethod
    def rows(cls, history: pd.DataFrame, task: Task, until: pd.Timestamp | None = None) -> pd.DataFrame:
        """Return what the model learns from; stored as `training_set`, so of columns that a table can hold.

        Args:
            history: canonical long table (item_id, timestamp, target, the task's covariates), rows in any order.
            task: what is to be forecast.
            until: the present; rows after it are not looked at. None is the end of the history.

        Returns:
            Rows with item_id and timestamp at least; the last timestamp is that of the last target learnt from.

        Raises:
            DataError: there is nothing to learn from.
        """
        ...

    @classmethod
    def fit(cls, rows: pd.DataFrame, task: Task) -> Model:
        """Return a model fitted on such rows, also when they were read back from Parquet or SQL."""
        ...

    def predict(
        self,
        history: pd.DataFrame,
        origin: pd.Timestamp | None = None,
        *,
        future: pd.DataFrame | None = None,
        horizon: int | None = None,
        quantiles: Sequence[float] | None = None,
        items: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Forecast every item at every lead.

        Args:
            history: canonical long table. Of what lies after the origin only known covariates may be read.
            origin: last timestamp known; None is the last of the history.
            future: known covariates after the origin: timestamp, the covariates and, unless all items share them,
                item_id.
            horizon: leads 1 up to this; None, and at most, the task's.
            quantiles: levels in (0, 1); None is the task's.
            items: ids to forecast, known or not; None is every item alive at the origin (`baselines.alive_items`).

        Returns:
            Columns item_id, origin, timestamp, lead, mean, one per quantile, source, sorted by item and lead.
            `source` is `model`, or `fallback` where the model has no say (seasonal naive).
        """
        ...

    def state(self) -> dict[str, Any]:
        """Return all that `from_state` needs: plain containers, strings, numbers, NumPy arrays.

        The engine adds `version`, `kind` and `task`.
        """
        ...

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Model:
        """Rebuild a model; `state["task"]` is a `Task`."""
        ...


@runtime_checkable
class Combined(Protocol):
    """What a model that is made of others has beside the five methods; see `ensemble.Ensemble`.

    Attributes:
        members: the models by their kind.
        record: why they are weighed so: segment, items, member, weight, loss, chosen.
    """

    members: Mapping[str, Model]
    record: pd.DataFrame

    def reasons(self) -> list[str]:
        """Say of each segment who forecasts it, and how much better that was."""
        ...

    def weights_of(self, items: Sequence[str]) -> np.ndarray:
        """Weights of items, shape (items, members)."""
        ...

    def reweighed(self, history: pd.DataFrame, since: pd.Timestamp) -> Model:
        """Return the same members with weights renewed by what came after their training."""
        ...
