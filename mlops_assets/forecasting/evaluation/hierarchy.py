"""Forecasts that add up: sums of items over declared groups, beside the items.

A node is a group of items: all of them, or those that share the values of the first one, two, ... levels. Every node
gets a forecast of its own from the same model, made from its summed history, because only that knows how the errors of
its items go together. Then the means are made to add up: bottom-up, where a node's is the sum of its items', or by
minimum trace with variances from the widths of the quantiles, through the library `hierarchicalforecast`
(Wickramasuriya, Athanasopoulos and Hyndman 2019, "Optimal forecast reconciliation for hierarchical and grouped time
series through trace minimization", Journal of the American Statistical Association 114). The quantiles of a row move
with its mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_assets.forecasting.model.errors import DataError, MissingExtraError, UsageError
from mlops_assets.forecasting.model.panel import ITEM, TARGET, TIME, as_text, latest_known
from mlops_assets.forecasting.model.task import POINT, Task

PREFIX = "sum:"
UNKNOWN = "?"
"""Group of the items without a value."""
AGGREGATE = "aggregate"
"""Source of the rows of nodes."""
LEAST_WIDTH = 1e-3
"""Least width of a row's quantiles, as a share of the widest row's: nothing is known for certain."""
GAP = 0.1
"""Share of a node's volume that may be unknown at a timestamp; it is then taken at its items' means."""


@dataclass(frozen=True)
class Tree:
    """Which items belong to which node.

    Attributes:
        items: ids, sorted, shape (items,).
        nodes: ids such as `sum:*` and `sum:east/shop 1`, from the top down, shape (nodes,).
        level: name of each node's level, `total` for the top, shape (nodes,).
        member: whether an item belongs to a node, shape (nodes, items), bool.
    """

    items: np.ndarray
    nodes: np.ndarray
    level: np.ndarray
    member: np.ndarray

    @classmethod
    def of(cls, levels: pd.DataFrame) -> Tree:
        """Build the tree.

        Args:
            levels: one row per item, indexed by its id, one column of text per level from the top down. A level whose
                groups hold one item each is left out: its nodes would be the items.

        Raises:
            ValueError: an item has the id of a node.
        """
        levels = levels.sort_index()
        items = levels.index.to_numpy(dtype=object)
        nodes, level, member = [f"{PREFIX}*"], ["total"], [np.ones(len(items), dtype=bool)]
        texts = [[_plain(text) for text in as_text(levels[name])] for name in levels.columns]
        for depth, name in enumerate(levels.columns, start=1):
            path = np.array(["/".join(parts) for parts in zip(*texts[:depth], strict=True)], dtype=object)
            if len(set(path)) == len(path):
                break
            for value in sorted(set(path)):
                nodes.append(f"{PREFIX}{value}")
                level.append(str(name))
                member.append(path == value)
        taken = sorted({*nodes} & {*items})
        if taken:
            raise DataError(f"an item has the id of a sum, {taken[0]!r}: rename it in the source")
        return cls(items, np.array(nodes, dtype=object), np.array(level, dtype=object), np.array(member))

    def level_of(self) -> dict[str, str]:
        """Level by node."""
        return dict(zip(self.nodes, self.level, strict=True))


def summed_history(frame: pd.DataFrame, tree: Tree, task: Task) -> pd.DataFrame:
    """Sum the histories of a tree's items by node.

    Args:
        frame: canonical long table; rows of other items are ignored.
        tree: the nodes.
        task: names the covariates.

    Returns:
        A canonical long table of the nodes. A target is missing where items of more than a tenth of the node's volume
        are unknown; less is taken at the items' means. Known and past covariates are means over the items, static ones
        are missing unless all items that have begun share what is known of them at that time.
    """
    frame = frame[frame[ITEM].isin(tree.items)]
    wide = frame.pivot_table(index=TIME, columns=ITEM, values=TARGET, aggfunc="first", dropna=False)
    wide = wide.reindex(columns=tree.items)
    values = wide.to_numpy(dtype=float)
    begun = np.maximum.accumulate(~np.isnan(values), axis=0)
    unknown = begun & np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nan_to_num(np.nansum(values, axis=0) / (~np.isnan(values)).sum(axis=0))
        member = tree.member.T.astype(float)
        total = np.where(unknown, mean, np.nan_to_num(values)) @ member
        missing = (unknown * np.abs(mean)) @ member / ((begun * np.abs(mean)) @ member)
    total[(np.nan_to_num(missing) > GAP) | ((begun @ member) == 0)] = np.nan
    table = pd.DataFrame(total, index=wide.index, columns=tree.nodes).rename_axis(columns=ITEM)
    long = table.reset_index().melt(id_vars=TIME, value_name=TARGET)[[ITEM, TIME, TARGET]]
    numbers = [*task.known, *task.past]
    if numbers:
        long = long.merge(summed_known(frame[[ITEM, TIME, *numbers]], tree), on=[ITEM, TIME], how="left")
    for name in task.static:
        own = frame.pivot_table(index=TIME, columns=ITEM, values=name, aggfunc="first", dropna=False)
        own = own.reindex(index=wide.index, columns=tree.items).ffill()
        code, values = pd.factorize(own.to_numpy().ravel())
        code = np.where(begun, code.reshape(own.shape), len(values))  # an item that has not begun has no say
        shared = np.full((len(own), len(tree.nodes)), -1)
        for node, member in enumerate(tree.member):
            lowest, highest = code[:, member].min(axis=1), np.where(code < len(values), code, -1)[:, member].max(axis=1)
            shared[:, node] = np.where(lowest == highest, lowest, -1)
        known = np.array([*values, None], dtype=object)
        column = pd.Series(known[shared.T.ravel()])
        long[name] = column.astype(frame[name].dtype)
    return long


def _plain(text: str | None) -> str:
    """A value as part of an id: what ids are made of, `/` and the `*` of the total, is not taken from it."""
    return UNKNOWN if text is None else {"*": "%2A"}.get(text, text.replace("/", "%2F"))


def summed_known(frame: pd.DataFrame, tree: Tree) -> pd.DataFrame:
    """Mean of covariates over the items of each node: item_id, timestamp and the columns given."""
    node, item = np.nonzero(tree.member)
    membership = pd.DataFrame({ITEM: tree.items[item], "node": tree.nodes[node]})
    table = frame.merge(membership, on=ITEM).drop(columns=ITEM).groupby(["node", TIME], as_index=False).mean()
    return table.rename(columns={"node": ITEM})


def reconcile(
    bottom: pd.DataFrame, sums: pd.DataFrame, tree: Tree, task: Task, method: str = "bottom_up"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the means of items and nodes add up.

    Args:
        bottom: forecasts of the tree's items from one origin, in the columns of `Model.predict`.
        sums: forecasts of its nodes from the same origin.
        tree: of exactly the items of `bottom`.
        task: names the quantiles.
        method: `bottom_up` or `min_trace`.

    Returns:
        The same two frames. Means add up exactly: each node's is the sum of its items'. Quantiles are moved by as much
        as the mean of their row, stay whole numbers where all of a frame's are (else no count would lie within a narrow
        interval), and are kept at zero or above where the task says so; they do not add up, and should not:
        the errors of the items partly cancel out. With `bottom_up` the items' rows are as they were.

    Raises:
        ValueError: another method, or its library is not installed.
    """
    if method not in ("bottom_up", "min_trace"):
        raise UsageError(f"the method {method!r} is not known; known are bottom_up and min_trace")
    items = _wide(bottom).reindex(tree.items)
    nodes = _wide(sums).reindex(tree.nodes)
    if method == "min_trace":
        deviation = _deviation(sums, bottom, tree, task)
        made = _min_trace(items.to_numpy(), nodes.to_numpy(), deviation, tree, task)
        items = pd.DataFrame(made, items.index, items.columns)
    nodes = pd.DataFrame(tree.member.astype(float) @ items.to_numpy(), index=tree.nodes, columns=items.columns)
    sums = _moved(sums, nodes, task).assign(source=AGGREGATE)
    return (_moved(bottom, items, task) if method == "min_trace" else bottom), sums


def _wide(forecasts: pd.DataFrame) -> pd.DataFrame:
    return forecasts.pivot(index=ITEM, columns="lead", values="mean")


def _moved(forecasts: pd.DataFrame, means: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Forecasts with other means, shape (ids, leads), and quantiles moved with them."""
    row = means.index.get_indexer(pd.Index(forecasts[ITEM]))
    column = means.columns.get_indexer(pd.Index(forecasts["lead"]))
    mean = means.to_numpy()[row, column]
    before = forecasts[task.quantile_columns].to_numpy()
    quantiles = before + (mean - forecasts["mean"].to_numpy())[:, None]
    if (before == np.rint(before)).all():
        quantiles = np.rint(quantiles)
    if task.non_negative:
        quantiles = np.maximum(quantiles, 0.0)
    moved = forecasts.assign(mean=mean, **dict(zip(task.quantile_columns, quantiles.T, strict=True)))
    if POINT in forecasts:
        moved[POINT] = forecasts[POINT] + (mean - forecasts["mean"].to_numpy())
    return moved


def _deviation(sums: pd.DataFrame, bottom: pd.DataFrame, tree: Tree, task: Task) -> np.ndarray:
    """How uncertain each node and item is: the mean width of its quantiles, as a share of the widest."""
    both = pd.concat([sums, bottom])
    low, high = task.quantile_columns[0], task.quantile_columns[-1]
    width = (both[high] - both[low]).groupby(both[ITEM]).mean()
    widths = width.reindex([*tree.nodes, *tree.items]).to_numpy()
    return np.maximum(widths / widths.max(), LEAST_WIDTH) if widths.max() > 0 else np.ones(len(widths))


def _min_trace(items: np.ndarray, nodes: np.ndarray, deviation: np.ndarray, tree: Tree, task: Task) -> np.ndarray:
    try:
        from hierarchicalforecast.methods import MinTrace
    except ImportError:
        raise MissingExtraError.of(
            "the method min_trace", "hierarchicalforecast", "hierarchy", "or use bottom_up"
        ) from None
    S = np.vstack([tree.member.astype(float), np.eye(len(tree.items))])
    # The library takes variances from residuals only: two of one standard deviation each have that mean square.
    residual = np.column_stack([deviation, deviation])
    method = MinTrace(method="wls_var")
    found = method.fit_predict(
        S=S, y_hat=np.vstack([nodes, items]), y_insample=residual, y_hat_insample=np.zeros_like(residual)
    )["mean"]
    reconciled = np.asarray(found)[len(tree.nodes) :]
    return np.maximum(reconciled, 0.0) if task.non_negative else reconciled


def summed_predictions(predictions: pd.DataFrame, tree: Tree, keys: list[str], complete: bool = True) -> pd.DataFrame:
    """Targets of nodes from matched rows of their items.

    Args:
        predictions: item_id, target and `keys` (such as origin, timestamp, lead), one row per item and key; a missing
            target is unknown.
        tree: the nodes.
        keys: columns to sum within.
        complete: whether a node's target is unknown if one of its items' is, or sums what is there.

    Returns:
        Columns item_id (the node), the keys and target; rows with an unknown target are left out.
    """
    node, item = np.nonzero(tree.member)
    membership = pd.DataFrame({ITEM: tree.items[item], "node": tree.nodes[node]})
    table = predictions[[ITEM, TARGET, *keys]].merge(membership, on=ITEM)
    groups = table.groupby(["node", *keys])[TARGET]
    total = groups.agg(["sum", "size", "count"]).reset_index().rename(columns={"node": ITEM, "sum": TARGET})
    known = total["count"] == total["size"] if complete else total["count"] > 0
    return total.loc[known, [ITEM, *keys, TARGET]].reset_index(drop=True)


def level_values(frame: pd.DataFrame, levels: Sequence[str], item_columns: Sequence[str]) -> pd.DataFrame:
    """Values of the levels of each item, as `Tree.of` wants them.

    Args:
        frame: canonical long table with the static covariates.
        levels: names of static covariates or of columns that the item id is made of, from the top down.
        item_columns: the columns whose values, joined by `/`, are the item id.
    """
    items = sorted(frame[ITEM].unique())
    parts = pd.DataFrame([item.split("/") for item in items], index=pd.Index(items, name=ITEM)) if items else None
    found = {}
    for name in levels:
        if name in frame.columns:
            found[name] = latest_known(frame, [name])[name].reindex(items)
        elif parts is not None:
            found[name] = parts[list(item_columns).index(name)]
    return pd.DataFrame(found, index=pd.Index(items, name=ITEM))
