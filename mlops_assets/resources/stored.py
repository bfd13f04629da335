"""Tables that are not read at once: what an asset may take instead of a frame, and what it may give."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only

BATCH = 200_000
"""Rows that are read at a time."""


@dataclass(frozen=True)
class StoredTable:
    """A stored table, or some partitions of it, of which nothing is read yet.

    An asset whose parameter is annotated so gets one instead of a frame.

    Attributes:
        tables: where it is stored.
        key: the asset's key, part by part.
        partitions: those that are meant and stored, in this order; None: the whole table.
    """

    tables: Tables
    key: Sequence[str]
    partitions: Sequence[str] | None = None

    def read(
        self,
        columns: Sequence[str] | None = None,
        only: Only | None = None,
        partitions: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return it as one frame; an empty one with the stored columns if no partition is meant.

        Args:
            columns: which columns, in this order. None: all.
            only: which rows. None: all.
            partitions: only these of its partitions. None: all.

        Raises:
            MissingTableError, SchemaDriftError: see `Tables.read`.
        """
        wanted = self._meant(partitions)
        if wanted is not None and not wanted:
            return self.tables.without_rows(self.key, columns)
        return self.tables.read(self.key, wanted, columns, only)

    def batches(
        self,
        columns: Sequence[str] | None = None,
        only: Only | None = None,
        partitions: Sequence[str] | None = None,
        rows: int = BATCH,
    ) -> Iterator[pd.DataFrame]:
        """Yield it frame by frame, see `Tables.batches`."""
        wanted = self._meant(partitions)
        if wanted is not None and not wanted:
            return iter([self.tables.without_rows(self.key, columns)])
        return self.tables.batches(self.key, wanted, columns, only, rows)

    def __len__(self) -> int:
        """Return the number of its rows, none of which is read."""
        return self.tables.row_count(self.key, self.partitions)

    def _meant(self, partitions: Sequence[str] | None) -> list[str] | None:
        if partitions is None or self.partitions is None:
            meant = partitions if self.partitions is None else self.partitions
            return None if meant is None else list(meant)
        own = set(self.partitions)
        return [name for name in partitions if name in own]


@dataclass(frozen=True)
class Streamed:
    """The rows of one partition, or of a table without partitions, frame by frame: an asset may return it.

    Attributes:
        batches: at least one; all have the same columns and types.
    """

    batches: Iterable[pd.DataFrame]
