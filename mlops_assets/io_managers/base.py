"""What every store of tables has in common.

A store (files, object storage, SQL, memory) only knows how to keep Arrow tables under a key and a partition;
loading many partitions as one frame, or as a stream of frames, and schema rules are here, the same for all of them.
What Dagster hands over and gets is in `steps.py`.
"""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

import pandas as pd
import pyarrow as pa
from pydantic import Field

from mlops_assets.catalog.evolution import evolution_of
from mlops_assets.io_managers import filtering, schemas
from mlops_assets.io_managers.arrow import to_arrow, to_frame
from mlops_assets.io_managers.claims import FIRST, Claiming
from mlops_assets.io_managers.errors import AlreadyStoredError, MissingTableError, SchemaDriftError, StorageError, told
from mlops_assets.io_managers.evolution import as_of_today, schema_of_today, with_texts
from mlops_assets.io_managers.keys import label
from mlops_assets.io_managers.parts import Head, Part, Stream, as_one, nothing_there, regrouped, small_together
from mlops_assets.io_managers.spool import Spool
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.release import package_version
from mlops_assets.resources.rows import Only
from mlops_assets.resources.stored import BATCH

Parts = Mapping[str | None, pa.Table]
"""Partition key (None: an unpartitioned table) to its rows."""


class Tables(Claiming):
    """A store of tables, in and out as pandas frames.

    Laws, the same in every store: what is read is what was written, types included; writing a partition
    replaces it and nothing else; a write that dies half way leaves the old partition; a reader never sees
    half a write; of two writers the one that began later wins; columns do not change unnoticed. A table of
    ours that an earlier release wrote is read, and written on, as one of today's (`catalog.evolution`).

    Definition metadata of an asset that is understood: `partition_expr` (the column that tells a row's
    partition), `history_from` (the day from which on the first partition has rows), `allow_new_columns` (new
    partitions may have more columns, or fewer: what a partition lacks is missing in its rows), `primary_key` (list of
    columns, for SQL), `meaning` (of the rows, kept beside each partition).
    Metadata of an input: `columns` (list of names), `allow_missing_partitions`. Metadata of an output:
    `catalog.metadata.UNTOUCHED`.
    """

    now: str = Field(
        default="", description="The moment whose month is charged with what runs take, as MLOPS_NOW has it."
    )

    def present(self) -> datetime:
        """Return the moment whose month is charged with what runs take, aware."""
        return Clock(fixed=self.now).now()

    def read(
        self,
        key: Sequence[str],
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        only: Only | None = None,
    ) -> pd.DataFrame:
        """Return a table as one frame.

        Args:
            key: the asset's key, part by part.
            partitions: which ones, in this order; those that are not there are skipped. None: everything.
            columns: which columns, in this order. None: all.
            only: which rows. None: all. What cannot match is not read, where the store can tell.

        Raises:
            MissingTableError: nothing is stored, or none of the partitions is.
            SchemaDriftError: a column that the table does not have.
        """
        wanted = self._wanted(key, partitions)
        if partitions is None and columns is None and only is None:
            return self._whole(key, wanted)
        return to_frame(self._load(key, wanted, None if columns is None else list(columns), only))

    def batches(
        self,
        key: Sequence[str],
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        only: Only | None = None,
        rows: int = BATCH,
    ) -> Iterator[pd.DataFrame]:
        """Yield what `read` returns frame by frame, in the same order and with the same types.

        Args:
            key: the asset's key, part by part.
            partitions: see `read`.
            columns: see `read`.
            only: see `read`.
            rows: the largest number in a frame, and about the largest that is held in memory.

        Yields:
            Frames with rows, or one without if there are none.

        Raises:
            MissingTableError, SchemaDriftError: see `read`.
        """
        names = None if columns is None else list(columns)
        heads = self._heads(key, self._wanted(key, partitions))
        if not heads:
            raise MissingTableError(nothing_there(key, partitions, self._stored(key)))
        parts = {name: Part(head.schema.empty_table(), head.rows) for name, head in heads.items()}
        schema = as_one(key, parts, names, only, lambda: self._newest(key)).schema
        empty = True

        def pieces() -> Iterator[pa.Table]:
            for together in small_together({name: head.rows for name, head in heads.items()}, rows):
                if len(together) > 1:
                    yield self._load(key, together, names, only)
                else:
                    yield from self._stream(key, together[0], names, only, rows)

        for table in regrouped(pieces(), schema, rows):
            empty = False
            yield to_frame(table)
        if empty:
            yield to_frame(schema.empty_table())

    def without_rows(self, key: Sequence[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return an empty frame with the columns of a table, all or some; with those asked for if nothing is stored.

        Raises:
            SchemaDriftError: a column that the stored table does not have.
        """
        if not self.exists(key):
            return pd.DataFrame(columns=pd.Index(list(columns or []), dtype=object))
        return to_frame(filtering.selected(self._newest(key).empty_table(), columns, None, label(key)))

    def write(self, key: Sequence[str], frame: pd.DataFrame, partition: str | None = None, **options: Any) -> None:
        """Replace a table, or one partition of it.

        Args:
            key: the asset's key, part by part.
            frame: the rows; the index is not kept.
            partition: the partition's key; None for a table without partitions.
            options: the asset's definition metadata, as far as it is understood.

        Raises:
            UnstorableFrameError, SchemaDriftError, StaleWriteError: see there.
        """
        self.replace(key, {partition: to_arrow(frame)}, options, time.time_ns())

    def write_batches(
        self, key: Sequence[str], batches: Iterable[pd.DataFrame], partition: str | None = None, **options: Any
    ) -> None:
        """Replace a table, or one partition of it, by frames that are made one after another; whole or not at all.

        What is stored is what `write` would store of all of them together. They are kept aside, on disk where they
        are many, until the last has come: nothing is locked meanwhile, and if one fails, what was stored stays.

        Args:
            key: the asset's key, part by part.
            batches: one at least; all have the same columns and types.
            partition: the partition's key; None for a table without partitions.
            options: the asset's definition metadata, as far as it is understood.

        Raises:
            UnstorableFrameError, SchemaDriftError, StaleWriteError: see there.
        """
        self.replace_by_batches(key, batches, partition, options, time.time_ns())

    def write_all(self, key: Sequence[str], parts: Mapping[str, pd.DataFrame], **options: Any) -> None:
        """Replace several partitions at once: on SQL in one transaction, and far cheaper than one by one.

        Args:
            key: the asset's key, part by part.
            parts: partition -> rows.
            options: the asset's definition metadata, as far as it is understood.

        Raises:
            UnstorableFrameError, SchemaDriftError, StaleWriteError: see there.
        """
        if parts:
            arrow: Parts = {partition: to_arrow(frame) for partition, frame in parts.items()}
            self.replace(key, arrow, options, time.time_ns())

    def create(self, key: Sequence[str], frame: pd.DataFrame, partition: str, **options: Any) -> bool:
        """Store a partition unless it is there: of writers at the same time, one succeeds.

        Args:
            key: the asset's key, part by part.
            frame: the rows; the index is not kept.
            partition: the partition's key.
            options: the asset's definition metadata, as far as it is understood.

        Returns:
            Whether it was stored; if not, the partition was there and stays as it is.

        Raises:
            UnstorableFrameError, SchemaDriftError: see there.
        """
        try:
            self.replace(key, {partition: to_arrow(frame)}, options, FIRST)
        except AlreadyStoredError:
            return False
        return True

    def partitions(self, key: Sequence[str]) -> list[str]:
        """Return the keys of the stored partitions, sorted; empty for a table without partitions."""
        return [name for name in self._stored(key) if name is not None]

    def stored(self, key: Sequence[str], partitions: Sequence[str]) -> list[str]:
        """Return those of some partitions that are stored, in this order."""
        there = set(self._stored(key))
        return [name for name in partitions if name in there]

    def row_counts(self, key: Sequence[str], partitions: Sequence[str]) -> dict[str, int]:
        """Return how many rows each of some partitions has; those that are not stored are left out."""
        heads = self._heads(key, partitions)
        return {name: heads[name].rows for name in partitions if name in heads}

    def row_count(self, key: Sequence[str], partitions: Sequence[str] | None = None) -> int:
        """Return how many rows a table has, or some partitions of it together; absent ones have none."""
        heads = self._heads(key, self._stored(key) if partitions is None else partitions)
        return sum(head.rows for head in heads.values())

    def exists(self, key: Sequence[str], partition: str | None = None) -> bool:
        """Whether anything is stored under the key, or this partition of it."""
        return any(True for _ in self._latest(key)) if partition is None else bool(self.stored(key, [partition]))

    def written_by(self, key: Sequence[str], partition: str | None = None) -> str | None:
        """Return the release of this package that wrote a table, or one partition of it.

        Args:
            key: the asset's key, part by part.
            partition: its key; None: a table without partitions, or the last partition of one with them.

        Returns:
            Such as "0.2.0"; None for what 0.1.0 wrote, which did not say so.

        Raises:
            MissingTableError: nothing is stored, or not this partition.
        """
        if not self.exists(key, partition):
            raise MissingTableError(nothing_there(key, [] if partition is None else [partition], self._stored(key)))
        return schemas.release_of(self._schema_of(key, next(self._latest(key)) if partition is None else partition))

    def meanings(self, key: Sequence[str], partitions: Sequence[str] | None = None) -> dict[str, str | None]:
        """Return what the rows of stored partitions mean, as their writer said; None where it did not.

        Args:
            key: the asset's key, part by part.
            partitions: which ones; those that are not there are skipped. None: all.
        """
        wanted = self.partitions(key) if partitions is None else sorted(partitions)
        heads = self._heads(key, wanted)
        return {name: schemas.meaning_of(heads[name].schema) for name in wanted if name in heads}

    @abstractmethod
    def versions(self, key: Sequence[str]) -> dict[str | None, str]:
        """Return, for each stored partition, what tells it from every other that was or will be in its place."""

    @abstractmethod
    def uri(self, key: Sequence[str], partition: str | None = None) -> str:
        """Return where a table or partition is, without secrets."""

    @abstractmethod
    def delete(self, key: Sequence[str], partition: str | None = None) -> None:
        """Remove a table with all its partitions, or one partition."""

    @abstractmethod
    def children(self, key: Sequence[str]) -> list[str]:
        """Return the parts of keys directly below a key, or first parts below none, sorted: of what is, or was, stored.

        A database does not tell those that are no plain lower-case words.
        """

    @abstractmethod
    def _stored(self, key: Sequence[str]) -> list[str | None]:
        """Return the stored partitions, sorted; [None] for a table without; [] for no table."""

    def _latest(self, key: Sequence[str]) -> Iterator[str | None]:
        """Yield the stored partitions from the last to the first."""
        return reversed(self._stored(key))

    @abstractmethod
    def _schema_of(self, key: Sequence[str], partition: str | None) -> pa.Schema:
        """Return the schema of a stored partition."""

    @abstractmethod
    def _heads(self, key: Sequence[str], partitions: Sequence[str | None]) -> dict[str | None, Head]:
        """Return what is known of stored partitions, in this order; those that are gone meanwhile are left out."""

    @abstractmethod
    def _load(
        self, key: Sequence[str], partitions: Sequence[str | None], columns: list[str] | None, only: Only | None = None
    ) -> pa.Table:
        """Read stored partitions under one another, in this order, with the names and columns of today."""

    def _stream(
        self, key: Sequence[str], partition: str | None, columns: list[str] | None, only: Only | None, rows: int
    ) -> Iterator[pa.Table]:
        """Read a stored partition, as `_load` does, in tables of about so many rows where the store can."""
        yield self._load(key, [partition], columns, only)

    @abstractmethod
    def _put(self, key: Sequence[str], parts: Parts, options: Mapping[str, Any], claim: int) -> int:
        """Replace partitions, each whole or not at all, and return the bytes written (-1: not known).

        Raises:
            StaleWriteError: one of them was written by somebody who began after `claim` (ns since 1970).
            AlreadyStoredError: one of them is there, and the claim is `FIRST`.
        """

    def _put_stream(
        self, key: Sequence[str], partition: str | None, stream: Stream, options: Mapping[str, Any], claim: int
    ) -> int:
        """Replace a partition by a stream of tables, as `_put` does."""
        return self._put(key, {partition: pa.concat_tables(stream.tables)}, options, claim)

    def _whole(self, key: Sequence[str], partitions: Sequence[str | None]) -> pd.DataFrame:
        """Read all partitions that there are, in all columns."""
        return to_frame(self._load(key, partitions, None))

    def _wanted(self, key: Sequence[str], partitions: Sequence[str] | None) -> Sequence[str | None]:
        """Return which partitions are to be read, of those that are asked for."""
        wanted = self._stored(key) if partitions is None else self.stored(key, partitions)
        if not wanted:
            raise MissingTableError(nothing_there(key, partitions, self._stored(key)))
        return wanted

    def _newest(self, key: Sequence[str]) -> pa.Schema:
        """Return the schema of the last partition, as of today."""
        return schema_of_today(self._schema_of(key, next(self._latest(key))), evolution_of(key))

    def replace(self, key: Sequence[str], parts: Parts, options: Mapping[str, Any], claim: int) -> int:
        """Replace partitions for a writer that began at `claim` (ns since 1970), and return the bytes, see `_put`."""
        fit = self._fitting(key, parts, options)
        fitted = {name: fit(name, part) for name, part in parts.items()}
        return told(lambda: self._put(key, fitted, options, claim))

    def replace_by_batches(
        self,
        key: Sequence[str],
        batches: Iterable[pd.DataFrame],
        partition: str | None,
        options: Mapping[str, Any],
        claim: int,
    ) -> int:
        """Replace a partition by frames, see `write_batches`, for a writer that began at `claim` (ns since 1970)."""
        with Spool(label(key, partition)) as spool:
            for frame in batches:
                spool.add(to_arrow(frame))
            tables = iter(spool)
            first = next(tables)
            fit = self._fitting(key, {partition: first}, options)
            stream = Stream((fit(partition, table) for table in chain([first], tables)), spool.rows)
            return told(lambda: self._put_stream(key, partition, stream, options, claim))

    def _fitting(
        self, key: Sequence[str], parts: Parts, options: Mapping[str, Any]
    ) -> "Callable[[str | None, pa.Table], pa.Table]":
        """Return what turns partitions that are to be written, or tables of the same schema, into what is stored.

        They get the columns and types of the newest partition that stays; one without rows binds nobody.
        """
        evolution = evolution_of(key)
        allow, release = bool(options.get("allow_new_columns")), package_version()

        def agreeing(name: str | None, part: pa.Table, other: str | None, schema: pa.Schema) -> pa.Table:
            # What an earlier release would have lacked, a part may lack: it gets its default.
            part = as_of_today(with_texts(part, evolution), evolution)
            return schemas.agree(part, schema, label(key, name), label(key, other), allow)

        binding: tuple[str | None, pa.Schema] | None = None
        for other in self._latest(key):
            if (other is None) != (None in parts):
                before, now = ("without", "with") if other is None else ("with", "without")
                raise StorageError(
                    f"{label(key)} is stored {before} partitions and would now be written {now}: delete the stored "
                    "table, then materialize again."
                )
            if other in parts:
                continue
            against = schema_of_today(self._schema_of(key, other), evolution)
            try:
                for name, part in parts.items():
                    agreeing(name, part, other, against)
            except SchemaDriftError:
                if self.row_count(key, [other] if other is not None else None):
                    raise
                continue
            binding = other, against
            break

        def fit(name: str | None, part: pa.Table) -> pa.Table:
            part = with_texts(part, evolution) if binding is None else agreeing(name, part, *binding)
            return schemas.stamped(part, release, options.get("meaning"))

        return fit
