"""What every store of tables has in common: the Dagster side of it.

A store (files, object storage, SQL, memory) only knows how to keep Arrow tables under a key and a partition;
splitting, loading many partitions as one frame, schema rules and metadata are here, the same for all of them.
"""

import contextlib
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
from dagster_shared.check import CheckError

from mlops_assets.catalog.evolution import evolution_of
from mlops_assets.catalog.metadata import UNTOUCHED
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.io_managers import schemas
from mlops_assets.io_managers.arrow import to_arrow, to_frame
from mlops_assets.io_managers.claims import FIRST, Claiming
from mlops_assets.io_managers.errors import AlreadyStoredError, MissingTableError, SchemaDriftError, StorageError
from mlops_assets.io_managers.evolution import as_of_today, schema_of_today, with_texts
from mlops_assets.io_managers.keys import label
from mlops_assets.io_managers.output_metadata import column_meanings, column_schema, preview
from mlops_assets.io_managers.partition_split import split
from mlops_assets.resources.patience import patient
from mlops_assets.resources.refusals import refusal
from mlops_assets.resources.release import package_version

Parts = Mapping[str | None, pa.Table]
"""Partition key (None: an unpartitioned table) to its rows."""


class Tables(Claiming):
    """A store of tables, in and out as pandas frames.

    Laws, the same in every store: what is read is what was written, types included; writing a partition
    replaces it and nothing else; a write that dies half way leaves the old partition; a reader never sees
    half a write; of two writers the one that began later wins; columns do not change unnoticed. A table of
    ours that an earlier release wrote is read, and written on, as one of today's (`catalog.evolution`).

    Definition metadata of an asset that is understood: `partition_expr` (the column that tells a row's
    partition), `allow_new_columns` (new partitions may have more columns, or fewer: what a partition lacks is
    missing in its rows), `primary_key` (list of columns, for SQL), `meaning` (of the rows, kept beside each partition).
    Metadata of an input: `columns` (list of names), `allow_missing_partitions`. Metadata of an output:
    `catalog.metadata.UNTOUCHED`.
    """

    def read(
        self,
        key: Sequence[str],
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return a table as one frame.

        Args:
            key: the asset's key, part by part.
            partitions: which ones, in this order; those that are not there are skipped. None: everything.
            columns: which columns, in this order. None: all.

        Raises:
            MissingTableError: nothing is stored, or none of the partitions is.
            SchemaDriftError: a column that the table does not have.
        """
        present = self._stored(key)
        there = set(present)
        wanted = present if partitions is None else [name for name in partitions if name in there]
        if not wanted:
            raise MissingTableError(_nothing_there(key, partitions, present))
        return to_frame(self._load(key, wanted, None if columns is None else list(columns)))

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
        self._replace(key, {partition: to_arrow(frame)}, options, time.time_ns())

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
            self._replace(key, arrow, options, time.time_ns())

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
            self._replace(key, {partition: to_arrow(frame)}, options, FIRST)
        except AlreadyStoredError:
            return False
        return True

    def partitions(self, key: Sequence[str]) -> list[str]:
        """Return the keys of the stored partitions, sorted; empty for a table without partitions."""
        return [name for name in self._stored(key) if name is not None]

    def row_counts(self, key: Sequence[str], partitions: Sequence[str]) -> dict[str, int]:
        """Return how many rows each of some partitions has; those that are not stored are left out."""
        stored = set(self._stored(key))
        first = {name: self._schema_of(key, name).names[:1] for name in partitions if name in stored}
        return {name: self._scan(key, [name], column)[name].num_rows for name, column in first.items()}

    def exists(self, key: Sequence[str], partition: str | None = None) -> bool:
        """Whether anything is stored under the key, or this partition of it."""
        stored = self._stored(key)
        return bool(stored) if partition is None else partition in stored

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
        stored = self._stored(key)
        if not stored or (partition is not None and partition not in stored):
            raise MissingTableError(_nothing_there(key, None if partition is None else [partition], stored))
        return schemas.release_of(self._schema_of(key, stored[-1] if partition is None else partition))

    def meanings(self, key: Sequence[str], partitions: Sequence[str] | None = None) -> dict[str, str | None]:
        """Return what the rows of stored partitions mean, as their writer said; None where it did not.

        Args:
            key: the asset's key, part by part.
            partitions: which ones; those that are not there are skipped. None: all.
        """
        asked = None if partitions is None else set(partitions)
        wanted = [name for name in self.partitions(key) if asked is None or name in asked]
        found = self._schemas_of(key, wanted)
        return {name: schemas.meaning_of(found[name]) for name in wanted if name in found}

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

    @abstractmethod
    def _schema_of(self, key: Sequence[str], partition: str | None) -> pa.Schema:
        """Return the schema of a stored partition."""

    def _schemas_of(self, key: Sequence[str], partitions: Sequence[str | None]) -> dict[str | None, pa.Schema]:
        """Return the schemas of several stored partitions; those that are gone meanwhile are left out."""
        return {name: self._schema_of(key, name) for name in partitions}

    @abstractmethod
    def _scan(
        self, key: Sequence[str], partitions: Sequence[str | None], columns: list[str] | None
    ) -> "dict[str | None, pa.Table]":
        """Read stored partitions, in this order, each with the names of `schemas.present`."""

    @abstractmethod
    def _put(self, key: Sequence[str], parts: Parts, options: Mapping[str, Any], claim: int) -> int:
        """Replace partitions, each whole or not at all, and return the bytes written (-1: not known).

        Raises:
            StaleWriteError: one of them was written by somebody who began after `claim` (ns since 1970).
            AlreadyStoredError: one of them is there, and the claim is `FIRST`.
        """

    @patient
    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store what an asset returned: a frame, split into the run's partitions."""
        key = asset_path(context)
        if not isinstance(obj, pd.DataFrame):
            raise StorageError(
                f"{label(key)}: tables take a pandas DataFrame, the asset returned {type(obj).__name__}. "
                "Return a frame (an empty one with its columns, if there are no rows), "
                "or give the asset another io_manager_key."
            )
        options = dict(context.definition_metadata or {})
        parts: dict[str | None, pd.DataFrame] = {None: obj}
        if context.has_asset_partitions:
            keys = list(context.asset_partition_keys)
            expression = options.get("partition_expr")
            parts = {**split(obj, keys, context.asset_partitions_def, expression, label(key))}
        start = time.perf_counter()
        tables = {name: to_arrow(frame) for name, frame in parts.items()}
        untouched = context.output_metadata.get(UNTOUCHED)
        untouched = getattr(untouched, "value", untouched) or ()
        written = {name: table for name, table in tables.items() if name not in untouched}
        size = self._replace(key, written, options, self._claim()) if written else 0
        seconds = time.perf_counter() - start
        one = next(iter(parts)) if len(parts) == 1 else None
        facts: dict[str, Any] = {
            # Several partitions share one set of facts; the rows of each are the asset's to say.
            ("dagster/row_count" if len(parts) == 1 else "rows_of_run"): len(obj),
            "dagster/column_schema": column_schema(obj, max(tables.values(), key=len).schema, column_meanings(context)),
            "dagster/uri": self.uri(key, one),
            "write_seconds": round(seconds, 3),
            "preview": dg.MetadataValue.md(preview(obj)),
        }
        if size >= 0:
            facts["bytes"] = size
        if context.has_asset_partitions:
            facts["partitions"] = len(parts)
        context.add_output_metadata(facts)

    @patient
    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        """Load the partitions an asset depends on as one frame; absent ones are skipped and counted."""
        key = asset_path(context)
        wishes = dict(context.definition_metadata or {})
        columns = list(wishes["columns"]) if wishes.get("columns") is not None else None
        if not context.has_asset_partitions:
            return self.read(key, columns=columns)
        asked = list(context.asset_partition_keys)
        present = self._stored(key)
        there = set(present)
        found = [name for name in asked if name in there]
        facts = {"partitions": len(found), "absent_partitions": len(asked) - len(found)}
        if asked and len(found) < len(asked):
            context.log.info(
                f"{label(key)}: {len(asked) - len(found)} of {len(asked)} partitions are not there, skipped."
            )
        if found:
            frame = to_frame(self._load(key, found, columns))
        elif wishes.get("allow_missing_partitions"):
            frame = self._without_rows(key, present, columns)
        else:
            raise MissingTableError(_nothing_there(key, asked, present))
        # For many partitions Dagster keeps the metadata of the input but cannot make an observation of it.
        with contextlib.suppress(CheckError):
            context.add_input_metadata({**facts, "rows": len(frame)})
        return frame

    def _load(self, key: Sequence[str], partitions: Sequence[str | None], columns: list[str] | None) -> pa.Table:
        evolution = evolution_of(key)
        parts = self._scan(key, partitions, None if columns is None else evolution.with_past(columns))
        today = {name or "": as_of_today(part, evolution, columns) for name, part in parts.items()}
        table = schemas.stack(today, label(key))
        lacking = [name for name in columns or () if name not in table.column_names]
        if lacking:
            newest = schema_of_today(self._schema_of(key, (self._stored(key) or partitions)[-1]), evolution)
            schemas.select_columns(newest, lacking, label(key))
            table = schemas.stack({"": table, "newest": schemas.narrow(newest, lacking).empty_table()}, label(key))
        return table if columns is None or columns == table.column_names else table.select(columns)

    def _without_rows(
        self, key: Sequence[str], present: Sequence[str | None], columns: list[str] | None
    ) -> pd.DataFrame:
        if not present:
            return pd.DataFrame(columns=pd.Index(columns or [], dtype=object))
        empty = schema_of_today(self._schema_of(key, present[-1]), evolution_of(key)).empty_table()
        return to_frame(empty.select(schemas.select_columns(empty.schema, columns, label(key))))

    def _replace(self, key: Sequence[str], parts: Parts, options: Mapping[str, Any], claim: int) -> int:
        stored = self._stored(key)
        if any((name is None) != (None in parts) for name in stored):
            raise StorageError(
                f"{label(key)} is stored {'without' if None in stored else 'with'} partitions and would now be written "
                f"{'without' if None in parts else 'with'}: delete the stored table, then materialize again."
            )
        others = [name for name in stored if name not in parts]
        parts = {name: with_texts(part, evolution_of(key)) for name, part in parts.items()}
        if others:
            parts = self._agreeing(key, parts, others, bool(options.get("allow_new_columns")))
        release = package_version()
        told = {name: schemas.stamped(part, release, options.get("meaning")) for name, part in parts.items()}
        try:
            return self._put(key, told, options, claim)
        except Exception as error:  # of any driver: a full disk or a read-only server is no bug
            refused = None if isinstance(error, MlopsAssetsError) else refusal(str(error))
            if refused is None:
                raise
            raise refused from error

    def _agreeing(self, key: Sequence[str], parts: Parts, others: Sequence[Any], allow: bool) -> Parts:
        """Give parts the columns and types of the newest partition that stays; one without rows binds nobody."""
        evolution = evolution_of(key)
        for other in reversed(others):
            against = schema_of_today(self._schema_of(key, other), evolution)
            try:
                return {
                    name: schemas.agree(part, against, label(key, name), label(key, other), allow)
                    for name, part in parts.items()
                }
            except SchemaDriftError:
                if self.row_counts(key, [other])[other]:
                    raise
        return parts


def asset_path(context: dg.OutputContext | dg.InputContext) -> list[str]:
    """Return the key of the asset that is stored or loaded; StorageError for what is no asset."""
    if not context.has_asset_key:
        raise StorageError("only assets are stored here: give plain ops another IO manager.")
    return list(context.asset_key.path)


def _nothing_there(key: Sequence[str], asked: Sequence[str] | None, present: Sequence[str | None]) -> str:
    if not present:
        return f"{label(key)} has not been stored yet: materialize it first."
    few = ", ".join(list(asked or [])[:3])
    return (
        f"{label(key)}: none of the {len(asked or [])} partitions asked for ({few}) is stored; "
        f"there are {len(present)}, the last is {present[-1]!r}. Materialize them first, "
        "or give the input the metadata allow_missing_partitions: True."
    )
