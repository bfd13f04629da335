"""The trial of a registered model: does it load, and forecast what it should?"""

from __future__ import annotations

from dataclasses import dataclass, replace

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

    def asked(self, forecasts: pd.DataFrame, task: Task, rows: int, seconds: float) -> SmokeTest:
        """Return the same with some more forecasts.

        Args:
            forecasts: `mean` and the task's quantiles.
            task: names the quantiles.
            rows: how many there should be.
            seconds: processor time that they took.
        """
        values = forecasts[["mean", *task.quantile_columns]].to_numpy(dtype=float)
        return replace(
            self,
            made=(self.made or 0) + len(forecasts),
            rows=self.rows + rows,
            infinite=self.infinite + int((~np.isfinite(values)).any(axis=1).sum()),
            negative=self.negative + int((values < 0).any(axis=1).sum()),
            seconds=self.seconds + seconds,
        )
