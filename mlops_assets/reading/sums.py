"""The sums of a hierarchy: their observations, from those of their items."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from mlops_assets.catalog.names import OBSERVATIONS
from mlops_assets.forecasting.evaluation import hierarchy
from mlops_assets.forecasting.evaluation.hierarchy import PREFIX, Tree
from mlops_assets.reading.asked import Asked
from mlops_assets.reading.item_ids import LATELY
from mlops_assets.reading.observations import observations, within
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec


def apart(spec: ForecastSpec, asked: Asked) -> tuple[Asked | None, Asked | None]:
    """Return the question about items and the one about sums of items; None where it is about none.

    All items are asked for without sums.
    """
    if spec.hierarchy is None or asked.items is None:
        return asked, None
    sums = [item for item in asked.items if item.startswith(PREFIX)]
    own = [item for item in asked.items if item not in sums]
    return (asked.about(own) if own or not sums else None), (asked.about(sums) if sums else None)


def summed(tables: Tables, spec: ForecastSpec, asked: Asked) -> pd.DataFrame:
    """Return the observations of sums: item_id, timestamp and target.

    Args:
        tables: where those of the items are.
        spec: the forecast.
        asked: which sums.
    """
    tree = tree_of(tables, spec, asked)
    wanted = np.isin(tree.nodes, list(asked.items or ()))
    tree = Tree(tree.items, tree.nodes[wanted], tree.level[wanted], tree.member[wanted])
    if not wanted.any():
        return pd.DataFrame({"item_id": [], "timestamp": [], "target": []})
    members = tree.items[tree.member.any(axis=0)]
    rows = observations(tables, spec, asked.about(_few(members, tree.items)))
    task = replace(spec.task, known=(), past=(), static=())
    found = hierarchy.summed_history(rows[["item_id", "timestamp", "target"]], tree, task)
    return found[found["target"].notna()].sort_values(["item_id", "timestamp"], ignore_index=True)


def tree_of(tables: Tables, spec: ForecastSpec, asked: Asked) -> Tree:
    """Return which items belong to which sums, by what was observed last."""
    assert spec.hierarchy is not None
    keys = within(spec, tables.partitions([spec.name, OBSERVATIONS]), Asked(as_of=asked.as_of))[-LATELY:]
    rows = observations(tables, spec, Asked(as_of=asked.as_of), keys)
    return Tree.of(hierarchy.level_values(rows, spec.hierarchy.levels, spec.columns.item_id))


def _few(members: Collection[str], items: Collection[str]) -> list[str] | None:
    return None if len(members) == len(items) else [str(item) for item in members]
