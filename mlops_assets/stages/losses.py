"""Losses: partitions for which the source now gives fewer rows than are stored."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.meaning import same_rows
from mlops_assets.catalog.names import OBSERVATIONS
from mlops_assets.catalog.partitions import partition_of
from mlops_assets.forecasting.formatting import few
from mlops_assets.lifecycle.meanings import outdated
from mlops_assets.resources.protocols import Tables


@dataclass(frozen=True)
class Loss:
    """What a partition would lose if what has come replaced what is stored.

    Attributes:
        stored: rows that are stored; where it is values that get lost, rows with a value.
        came: of the same, those that have come.
        items: that are stored there and have not come.
        values: whether rows have come without their values.
    """

    stored: int
    came: int
    items: tuple[str, ...] = ()
    values: bool = False

    @property
    def share(self) -> float:
        """What would be lost, as a share of what is stored."""
        return 1 - self.came / self.stored

    def __str__(self) -> str:
        what = "values" if self.values else "rows"
        gone = f" (nothing of {few(self.items)})" if self.items else ""
        return f"{self.came:,} {what} have come where {self.stored:,} are stored{gone}"


def losses(graph: Graph, tables: Tables, accepted: pd.DataFrame, keys: Sequence[str]) -> dict[str, Loss]:
    """Return the partitions that would lose rows, or values, with what they would lose.

    Where a row stood for something else when it was stored, as a day does for hours, nothing can be compared.

    Args:
        graph: of the forecast.
        tables: what is stored.
        accepted: canonical frame of the partitions.
        keys: of the partitions, consecutive.
    """
    key = [graph.spec.name, OBSERVATIONS]
    other = outdated(tables, graph.spec, keys)
    recut = {name for name, changes in other.items() if not same_rows(changes)}
    present = sorted(set(tables.partitions(key)).intersection(keys) - recut)
    if not present:
        return {}
    before = _counted(graph, tables.read(key, present, ["item_id", "timestamp", "target"]), keys)
    after = _counted(graph, accepted, keys)
    found = {}
    for partition, (rows, values, items) in before.items():
        rows_now, values_now, items_now = after.get(partition, (0, 0, frozenset()))
        gone = tuple(sorted(items - items_now))
        if rows_now < rows:
            found[partition] = Loss(rows, rows_now, gone)
        elif values_now < values:
            found[partition] = Loss(values, values_now, gone, values=True)
    return found


def _counted(graph: Graph, rows: pd.DataFrame, keys: Sequence[str]) -> dict[str, tuple[int, int, frozenset[str]]]:
    """Return the rows, the rows with a value, and the items of each partition that has any."""
    groups = rows.groupby(partition_of(rows["timestamp"], graph.partitions, keys))
    return {
        str(partition): (len(part), int(part["target"].notna().sum()), frozenset(part["item_id"]))
        for partition, part in groups
    }
