"""What adjusted items do to the sums of a hierarchy: a pure function over frames."""

import numpy as np
import pandas as pd

from mlops_assets.forecasting.evaluation.hierarchy import Tree
from mlops_assets.forecasting.model.task import Task

_BY = ["item_id", "timestamp"]


def summed(nodes: pd.DataFrame, system: pd.DataFrame, changed: pd.DataFrame, tree: Tree, task: Task) -> pd.DataFrame:
    """Move the forecasts of sums by as much as the means of their items were moved.

    Args:
        nodes: the sums' rows of `reconciled_forecasts` of one origin.
        system: the system's forecasts of the items that were changed, of the same origin.
        changed: as `rules.adjusted` returns them.
        tree: which items belong to which sums.
        task: names the quantiles.

    Returns:
        The rows of the sums that have moved, in the columns of `changed`: intervals keep their width, and nothing lies
        below zero where the system forecasts nothing there. Each is known by the latest adjustment of its items.
    """
    moves = changed[[*_BY, "mean", "adjustment"]].merge(system[[*_BY, "mean"]], on=_BY, suffixes=("", "_before"))
    moves["shift"] = moves["mean"] - moves["mean_before"]
    node, item = np.nonzero(tree.member)
    members = pd.DataFrame({"node": tree.nodes[node], "item_id": tree.items[item]})
    each = moves.merge(members, on="item_id").groupby(["node", "timestamp"], as_index=False)
    total = each.agg(shift=("shift", "sum"), adjustment=("adjustment", "max")).rename(columns={"node": "item_id"})
    rows = nodes.merge(total, on=_BY)
    columns = ["mean", *task.quantile_columns]
    made = rows[columns].add(rows["shift"], axis=0)
    lowest = rows["item_id"].map(nodes.set_index("item_id")[columns].min(axis=1).groupby(level=0).min())
    made = made.mask(((lowest >= 0) & (not task.may_be_negative)).to_numpy()[:, None] & (made < 0), 0.0)
    return rows.assign(**{name: made[name] for name in columns}).reindex(columns=changed.columns)
