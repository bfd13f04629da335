"""What assets, sensors and commands may ask of a store outside a Dagster step; IO managers provide it."""

from collections.abc import Sequence
from typing import Protocol

import pandas as pd


class Tables(Protocol):
    """A store of tables, partitioned or not."""

    def read(
        self,
        key: Sequence[str],
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return a table: all of it, or some partitions; absent ones are skipped."""
        ...

    def partitions(self, key: Sequence[str]) -> list[str]:
        """Return the keys of the stored partitions."""
        ...

    def exists(self, key: Sequence[str]) -> bool:
        """Return whether anything is stored under the key."""
        ...

    def write(self, key: Sequence[str], frame: pd.DataFrame, partition: str | None = None) -> None:
        """Replace a table, or one partition of it."""
        ...

    def create(self, key: Sequence[str], frame: pd.DataFrame, partition: str) -> bool:
        """Store a partition unless it is there, and say whether; of writers at the same time, one succeeds."""
        ...
