"""The table of another asset as a source: read from the tables of the environment that is at work."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256

import pandas as pd

from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, ROW_SOURCE, Window
from mlops_assets.forecasting.formatting import counted
from mlops_assets.resources.protocols import Tables
from mlops_assets.sources.base import SourceError, digest, require
from mlops_assets.spec.sources import AssetSource

_REACHED: list[Callable[[], Tables]] = []


def reach(tables: Callable[[], Tables]) -> None:
    """Say which tables assets are read from, for as long as this process lives: those of its code location."""
    _REACHED[:] = [tables]


@contextmanager
def reaching(tables: Callable[[], Tables]) -> Iterator[None]:
    """Say which tables assets are read from within the block, after which it is those of before again."""
    before = [*_REACHED]
    reach(tables)
    try:
        yield
    finally:
        _REACHED[:] = before


class AssetReader:
    """All rows that are stored of an asset, partitioned or not."""

    exact = False
    notes: Sequence[str] = ()

    def __init__(self, source: AssetSource) -> None:
        self.name, self._key = f"the asset {source.key}", source.key.split("/")

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield the rows in batches; which partitions hold a window, only the asset knows."""
        tables = self._tables()
        require(self.name, columns, list(map(str, tables.without_rows(self._key))))
        first = 1
        for rows in tables.batches(self._key, columns=list(columns)):
            numbers = range(first, first + len(rows))
            first += len(rows)
            yield rows.assign(**{ROW_SOURCE: self.name, ROW_NUMBER: numbers, ROW_PROBLEM: None})

    def probe(self, columns: Sequence[str], time_column: str, now: datetime) -> str:
        """Say how many rows there are."""
        tables = self._tables()
        require(self.name, columns, list(map(str, tables.without_rows(self._key))))
        return f"{self.name}, {counted(tables.row_count(self._key), 'row')}"

    def signature(self, time_column: str, window: Window) -> str:
        """Return the version."""
        return self.version(time_column, window)

    def version(self, time_column: str, window: Window) -> str:
        """Return a hash of the rows."""
        batches = self._tables().batches(self._key)
        hashes = (pd.util.hash_pandas_object(rows.astype(str), index=False).to_numpy() for rows in batches)
        return digest(sha256(one.tobytes()).hexdigest() for one in hashes)

    def rows_about(self, time_column: str, window: Window) -> int:
        """Return how many rows there are in all."""
        return self._tables().row_count(self._key)

    def _tables(self) -> Tables:
        tables = _REACHED[0]() if _REACHED else None
        if tables is None or not tables.exists(self._key):
            raise SourceError(
                f"{self.name} has no table yet: materialize it; it is an asset of the same code location with "
                "io_manager_key='tables'"
            )
        return tables
