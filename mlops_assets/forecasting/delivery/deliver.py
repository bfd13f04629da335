"""Asking a forecaster for what is delivered: the same in the backtest, the gate and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from mlops_assets.forecasting.delivery import bounds, costs
from mlops_assets.forecasting.model import kinds
from mlops_assets.forecasting.model.panel import TIME
from mlops_assets.forecasting.model.task import Task

if TYPE_CHECKING:
    from mlops_assets.forecasting.model.baselines import SeasonalNaive
    from mlops_assets.forecasting.model.kinds import Model


def deliver(
    forecaster: Model | SeasonalNaive,
    task: Task,
    history: pd.DataFrame,
    origin: pd.Timestamp,
    *,
    future: pd.DataFrame | None = None,
    horizon: int | None = None,
    items: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Forecast within the task's bounds and, where it has costs, with the point that costs least.

    Args:
        forecaster: is asked for the task's quantiles and those that the costs need.
        task: quantiles, bounds and costs.
        history: canonical frame; after the origin only known covariates are read.
        origin: the last timestamp known.
        future: known covariates after the origin.
        horizon: leads 1 up to this; None: all that the forecaster was made for.
        items: ids to forecast; None: those that are alive.

    Returns:
        The columns of `Model.predict`, then `task.cost_columns`.
    """
    seen = (history[TIME] <= origin).to_numpy()
    known = history if seen.all() else history.loc[seen]
    asked = replace(task, quantiles=costs.quantiles(task, known))
    made = forecaster.predict(history, origin, future=future, horizon=horizon, quantiles=asked.quantiles, items=items)
    made = bounds.within(made, asked, known, kinds.lowest(forecaster))
    return costs.with_point(made, task, known)
