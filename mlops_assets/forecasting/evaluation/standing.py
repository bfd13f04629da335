"""How a challenger stands beside seasonal naive and the champion, in a backtest of any size."""

from __future__ import annotations

import pandas as pd

from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, CHAMPION, NAIVE
from mlops_assets.forecasting.evaluation.compare import Blocks
from mlops_assets.forecasting.evaluation.metrics import Scoring
from mlops_assets.forecasting.evaluation.segments import thirds, volumes
from mlops_assets.forecasting.model.task import Task


class Standing:
    """How a challenger stands in its backtest, beside the others; taken up part by part, only sums are kept."""

    def __init__(self, task: Task, metric: str) -> None:
        """Begin with nothing.

        Args:
            task: what is forecast.
            metric: what the models are compared by.
        """
        self._task, self._metric = task, metric
        self._scoring = Scoring(task)
        self._against: dict[str, list[Blocks]] = {NAIVE: [], CHAMPION: []}
        self._volumes: list[pd.Series] = []

    def add(self, rows: pd.DataFrame) -> None:
        """Take all rows of some items; columns as of `backtest.Backtest.predictions`."""
        by_model = dict(list(rows.groupby("model")))
        challenger = by_model.get(CHALLENGER, rows.iloc[:0])
        for name, parts in self._against.items():
            other = by_model.get(name, rows.iloc[:0])
            parts.append(Blocks.of(challenger, other, self._task, self._metric, robust=True))
        self._scoring.add(challenger)
        self._volumes.append(volumes(challenger))

    def against(self, model: str) -> Blocks:
        """Return the challenger's losses beside those of another model."""
        return Blocks.joined(self._against[model])

    def by_volume(self) -> pd.DataFrame:
        """Return the thirds of the items by volume, see `segments.by_volume`."""
        return thirds(pd.concat(self._volumes))

    def coverage(self) -> float:
        """Return the coverage of the challenger's outermost interval, NaN where it is not known."""
        scores = self._scoring.table()
        return float(scores["coverage"].iloc[0]) if len(scores) else float("nan")
