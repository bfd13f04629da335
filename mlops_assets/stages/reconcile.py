"""Items and sums of items: forecast on each level, and made to add up."""

import warnings
from dataclasses import replace

import pandas as pd

from mlops_assets.forecasting.evaluation import hierarchy
from mlops_assets.forecasting.evaluation.hierarchy import Tree
from mlops_assets.forecasting.model.baselines import SeasonalNaive
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.model.kinds import Model
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.ahead import future_of
from mlops_assets.stages.predict import ask, on_the_clock

ITEM_LEVEL = "item"


def add_up(
    spec: ForecastSpec,
    forecaster: Model | SeasonalNaive,
    history: pd.DataFrame,
    origin: pd.Timestamp,
    forecasts: pd.DataFrame,
    future: pd.DataFrame | None,
) -> tuple[pd.DataFrame, pd.DataFrame, Tree]:
    """Forecast the sums of a spec's hierarchy and make them and the items add up.

    Args:
        spec: with a hierarchy.
        forecaster: that made the items' forecasts.
        history: canonical frame; rows after the origin are ignored.
        origin: of the forecasts.
        forecasts: of the items, in the columns of `Model.predict`.
        future: known covariates of the items after the origin.

    Returns:
        Items and sums as `hierarchy.reconcile` gives them, the sums' histories until the origin, and the tree.
    """
    assert spec.hierarchy is not None
    task = replace(spec.task, minimum=None, maximum=None)  # bounds of an item are none of a sum
    lowest = history.loc[history["timestamp"] <= origin, "target"].min()
    if not task.may_be_negative:
        task = replace(task, non_negative=task.non_negative or bool(lowest >= 0))
    known = history[(history["timestamp"] <= origin) & history["item_id"].isin(forecasts["item_id"].unique())]
    tree = Tree.of(hierarchy.level_values(known, spec.hierarchy.levels, spec.columns.item_id))
    sums = hierarchy.summed_history(known, tree, task)
    future = future_of(spec, known, future, origin)
    summed_future = None if future is None else hierarchy.summed_known(future, tree)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusualInput)  # a sum is larger than any item; scaled, it is like them
        made = ask(forecaster, task, sums, origin, summed_future, items=list(tree.nodes))
    items, nodes = hierarchy.reconcile(forecasts, on_the_clock(spec, made), tree, task, spec.hierarchy.method)
    level = {**tree.level_of(), **dict.fromkeys(tree.items, ITEM_LEVEL)}
    both = pd.concat([nodes, items], ignore_index=True)
    return both.assign(level=both["item_id"].map(level)), sums, tree
