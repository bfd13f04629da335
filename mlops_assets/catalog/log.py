"""Logs: tables of what was decided and told, written row by row by whoever comes first."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mlops_assets.catalog.column import typed, without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only


class Log:
    """A table to which rows are only ever added, each as a partition of its own that can be created once.

    The partition is the compare-and-set: of writers at the same time, one succeeds, and the others look again.
    """

    def __init__(self, tables: Tables, forecast: str, name: str) -> None:
        self._tables, self._key, self._columns = tables, [forecast, name], TABLES[name]

    def rows(
        self,
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        only: Only | None = None,
    ) -> pd.DataFrame:
        """Return rows in the columns and types of the table.

        Args:
            partitions: which, if any; None: all.
            columns: which; None: all.
            only: which rows; None: all.
        """
        wanted = tuple(one for one in self._columns if columns is None or one.name in columns)
        nothing = partitions is not None and not partitions
        if nothing or not self._tables.exists(self._key):
            return without_rows(wanted)
        return typed(self._tables.read(self._key, partitions, columns, only), wanted)

    def partitions(self) -> list[str]:
        """Return the keys of the rows that are there."""
        return self._tables.partitions(self._key)

    def add(self, row: Mapping[str, Any], partition: str) -> bool:
        """Add a row, unless its partition is there; return whether it was added."""
        return self.add_all([row], partition)

    def add_all(self, rows: Sequence[Mapping[str, Any]], partition: str) -> bool:
        """Add rows as one partition, unless that is there; return whether they were added."""
        return self._tables.create(self._key, self._frame(rows), partition)

    def replace(self, row: Mapping[str, Any], partition: str) -> None:
        """Put a row in the place of one that this process has added."""
        self.replace_all(pd.DataFrame([dict(row)]), partition)

    def replace_all(self, rows: pd.DataFrame, partition: str) -> None:
        """Put rows in the place of what this process, or a killed one that did the same, has added."""
        self._tables.write(self._key, typed(rows, self._columns), partition)

    def remove(self, partition: str) -> None:
        """Take what this process has added back: a claim, once what it was for is done."""
        self._tables.delete(self._key, partition)

    def _frame(self, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        return typed(pd.DataFrame([dict(row) for row in rows]), self._columns)


def numbered(number: int) -> str:
    """Return the partition of a log's row that is known by its number, from 1."""
    return f"{number:06d}"
