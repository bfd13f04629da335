"""The levels of a hierarchy, scored after its forecasts were made to add up."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, NAIVE
from mlops_assets.forecasting.evaluation.metrics import score, seasonal_scale
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.reconcile import add_up


def by_level(
    spec: ForecastSpec, history: pd.DataFrame, predictions: pd.DataFrame, forecasters: Sequence[Any]
) -> pd.DataFrame:
    """Score a hierarchy's levels, beside seasonal naive made from the summed histories.

    Args:
        spec: with a hierarchy.
        history: canonical frame.
        predictions: the backtest's, of the spec's model.
        forecasters: of the backtest's windows, oldest first.

    Returns:
        A row for each level and model: level, model and the columns of `metrics.score`.
    """
    from mlops_assets.forecasting.delivery import deliver
    from mlops_assets.forecasting.evaluation.hierarchy import summed_predictions
    from mlops_assets.forecasting.model.baselines import SeasonalNaive

    task, parts = spec.task, []
    known, unbounded = list(task.known), replace(task, minimum=None, maximum=None)
    columns = ["item_id", "origin", "timestamp", "lead", "mean", *task.quantile_columns, *task.cost_columns, "source"]
    for window, rows in predictions.groupby("window"):
        origin = rows["origin"].iloc[0]
        later = history[history["timestamp"] > origin]
        future = later[["item_id", "timestamp", *known]] if known else None
        both, sums, tree = add_up(spec, forecasters[int(str(window))], history, origin, rows[columns], future)
        scales = seasonal_scale(pd.concat([history[history["timestamp"] <= origin], sums]), task)
        came = rows[["item_id", "timestamp", "lead", "target"]]
        came = pd.concat([came, summed_predictions(came, tree, ["timestamp", "lead"])]).drop(columns="timestamp")
        level = both[["item_id", "level"]].drop_duplicates()
        naive = pd.concat(
            [
                deliver(SeasonalNaive(task), of_level, frame, origin, items=list(items))
                for frame, items, of_level in ((history, tree.items, task), (sums, tree.nodes, unbounded))
            ]
        ).merge(level, on="item_id")
        for model, made in ((CHALLENGER, both), (NAIVE, naive)):
            joined = made.merge(came, on=["item_id", "lead"], how="left").merge(scales, on="item_id", how="left")
            parts.append(joined.assign(model=model, window=window))
    return score(pd.concat(parts, ignore_index=True), task, by=["level", "model"])
