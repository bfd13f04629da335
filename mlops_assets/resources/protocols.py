"""What assets, sensors and commands may ask of a store themselves; IO managers provide it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from mlops_assets.resources.rows import Only


class Tables(Protocol):
    """A store of tables, partitioned or not."""

    def read(
        self,
        key: Sequence[str],
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        only: Only | None = None,
    ) -> pd.DataFrame:
        """Return a table: all of it, or some partitions, columns and rows; absent partitions are skipped."""
        ...

    def batches(
        self,
        key: Sequence[str],
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        only: Only | None = None,
        rows: int = ...,
    ) -> Iterator[pd.DataFrame]:
        """Yield what `read` returns frame by frame, so many rows at most in each, and one frame at least."""
        ...

    def without_rows(self, key: Sequence[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return an empty frame with the columns of a table, all or some; with those asked for if nothing is stored."""
        ...

    def partitions(self, key: Sequence[str]) -> list[str]:
        """Return the keys of the stored partitions."""
        ...

    def stored(self, key: Sequence[str], partitions: Sequence[str]) -> list[str]:
        """Return those of some partitions that are stored: cheaper than to ask for all that there are."""
        ...

    def row_counts(self, key: Sequence[str], partitions: Sequence[str]) -> dict[str, int]:
        """Return how many rows each of some partitions has; absent ones are left out."""
        ...

    def row_count(self, key: Sequence[str], partitions: Sequence[str] | None = None) -> int:
        """Return how many rows a table has, or some partitions of it together; absent ones have none."""
        ...

    def exists(self, key: Sequence[str]) -> bool:
        """Return whether anything is stored under the key."""
        ...

    def meanings(self, key: Sequence[str], partitions: Sequence[str] | None = None) -> Mapping[str, str | None]:
        """Return what the rows of stored partitions, all or some, mean; None where their writer did not say."""
        ...

    def delete(self, key: Sequence[str], partition: str | None = None) -> None:
        """Remove a table with all its partitions, or one partition."""
        ...

    def write(self, key: Sequence[str], frame: pd.DataFrame, partition: str | None = None, **options: Any) -> None:
        """Replace a table, or one partition of it; options are the asset's definition metadata."""
        ...

    def write_batches(
        self, key: Sequence[str], batches: Iterable[pd.DataFrame], partition: str | None = None, **options: Any
    ) -> None:
        """Replace a table, or one partition of it, by frames that are made one after another; whole or not at all."""
        ...

    def write_all(self, key: Sequence[str], parts: Mapping[str, pd.DataFrame], **options: Any) -> None:
        """Replace several partitions of a table at once; options are the asset's definition metadata."""
        ...

    def create(self, key: Sequence[str], frame: pd.DataFrame, partition: str) -> bool:
        """Store a partition unless it is there, and say whether; of writers at the same time, one succeeds."""
        ...

    def children(self, key: Sequence[str]) -> list[str]:
        """Return the parts of keys directly below a key, or first parts below none: of what is, or was, stored."""
        ...


class Models(Protocol):
    """A store of fitted models."""

    def children(self, key: Sequence[str]) -> list[str]:
        """Return the last parts of the keys of the models directly below a key, sorted."""
        ...

    def delete(self, key: Sequence[str]) -> None:
        """Remove a model if it is there."""
        ...

    def save(self, key: Sequence[str], value: Any, info: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Replace a model; `info` is kept in the record beside it. Returns the record."""
        ...

    def exists(self, key: Sequence[str]) -> bool:
        """Return whether a model is stored under the key."""
        ...

    def load(self, key: Sequence[str]) -> Any:
        """Return a copy of a stored model; ModelFileError if its file is not what was saved."""
        ...

    def info(self, key: Sequence[str]) -> dict[str, Any]:
        """Return the record kept beside a model: its `sha256`, and what `save` was given."""
        ...
