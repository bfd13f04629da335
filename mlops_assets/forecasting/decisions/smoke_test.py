"""The trial of a registered model: does it load, and forecast what it should?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_assets.forecasting.model.task import Task


@dataclass(frozen=True)
class SmokeTest:
    """What the registered challenger did when it was loaded and asked for the forecasts of the latest origin.

    Attributes:
        made: rows that it forecast; None if it could not be loaded or asked.
        rows: how many there should be.
        infinite: rows that are not finite.
        negative: rows with something below zero.
        seconds: processor time of the forecast.
        megabytes: size of the model's file.
        problem: why there are no forecasts.
    """

    made: int | None
    rows: int = 0
    infinite: int = 0
    negative: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0
    problem: str = ""

    @classmethod
    def of(cls, forecasts: pd.DataFrame, task: Task, rows: int, seconds: float) -> SmokeTest:
        """Count what was forecast of some items.

        Args:
            forecasts: `mean` and the task's quantiles.
            task: names the quantiles.
            rows: how many there should be.
            seconds: processor time that they took.
        """
        values = forecasts[["mean", *task.quantile_columns]].to_numpy(dtype=float)
        infinite, negative = ~np.isfinite(values), values < 0
        return cls(len(forecasts), rows, int(infinite.any(axis=1).sum()), int(negative.any(axis=1).sum()), seconds)

    @classmethod
    def joined(cls, parts: Sequence[SmokeTest], megabytes: float) -> SmokeTest:
        """Add up the trials of all items, of a model of that size."""
        return cls(
            made=sum(part.made or 0 for part in parts),
            rows=sum(part.rows for part in parts),
            infinite=sum(part.infinite for part in parts),
            negative=sum(part.negative for part in parts),
            seconds=sum(part.seconds for part in parts),
            megabytes=megabytes,
        )
