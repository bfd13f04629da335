"""A store that is only looked at: which partitions there are is asked once for each table."""

from collections.abc import Sequence
from typing import Any, cast

from mlops_assets.resources.protocols import Tables


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
