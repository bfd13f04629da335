"""A store that is only looked at: which partitions there are is asked once for each table."""

from collections.abc import Sequence
from typing import Any, cast

import pandas as pd

from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only


def snapshot(tables: Tables) -> Tables:
    """Return a store whose tables have the partitions that they have when first asked for.

    For whoever asks much about one moment: of years of hours, each listing takes a good part of a second.
    """
    return cast(Tables, _Snapshot(tables))


class _Snapshot:
    def __init__(self, tables: Tables) -> None:
        self._tables, self._partitions = tables, dict[tuple[str, ...], list[str]]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    def partitions(self, key: Sequence[str]) -> list[str]:
        """Return the keys of the stored partitions, sorted."""
        if tuple(key) not in self._partitions:
            self._partitions[tuple(key)] = self._tables.partitions(key)
        return list(self._partitions[tuple(key)])

    def exists(self, key: Sequence[str]) -> bool:
        """Return whether anything is stored under the key."""
        return bool(self._partitions.get(tuple(key))) or self._tables.exists(key)


def remembered(tables: Tables) -> Tables:
    """Return a snapshot that reads nothing twice: what it has read stays in memory for as long as it lives.

    For whoever asks much about the same rows; nobody may change a frame that it returns in place.
    """
    return cast(Tables, _Remembered(tables))


class _Remembered(_Snapshot):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._read = dict[tuple[object, object], pd.DataFrame]()

    def read(
        self,
        key: Sequence[str],
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        only: Only | None = None,
    ) -> pd.DataFrame:
        """Return a table as one frame; arguments as of the store."""
        rows = (tuple(key), None if partitions is None else tuple(partitions), repr(only or Only()))
        if columns is not None and (rows, None) in self._read:
            return self._read[rows, None][list(columns)]
        asked = rows, None if columns is None else tuple(columns)
        if asked not in self._read:
            self._read[asked] = self._tables.read(key, partitions, columns, only)
        return self._read[asked].copy(deep=False)
