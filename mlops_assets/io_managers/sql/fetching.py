"""Rows of stored partitions out of a database, as they were stored, and held against the register."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.io_managers import schemas
from mlops_assets.io_managers.errors import MissingTableError, StorageError
from mlops_assets.io_managers.keys import label, segment
from mlops_assets.io_managers.parts import nothing_there
from mlops_assets.io_managers.sql import columns as sql_columns
from mlops_assets.io_managers.sql.bounds import bounds
from mlops_assets.io_managers.sql.columns import PARTITION, ROW, places
from mlops_assets.io_managers.sql.server import Wish
from mlops_assets.resources.rows import Only

if TYPE_CHECKING:
    import sqlalchemy as sa

    from mlops_assets.io_managers.sql.register import Entry, Register
    from mlops_assets.io_managers.sql.servers import Server

_MANY = 5_000
"""More partitions than this are not named one by one if they are all that there is."""


class Fetching:
    """Reads from one table, as of one moment."""

    def __init__(self, server: "Server", connection: "sa.Connection", register: "Register", key: Sequence[str]) -> None:
        self._server, self._connection, self._register = server, connection, register
        self._key, self._table, self._label = key, sql_columns.table_name(key), label(key)

    def entries(self, partitions: Sequence[str | None]) -> "list[Entry]":
        """Return what the register says of partitions, in this order.

        Raises:
            MissingTableError: none of them is there.
        """
        names = ["" if partition is None else segment(partition) for partition in partitions]
        found = {entry.partition: entry for entry in self._register.entries(self._connection, self._table, names)}
        wanted = [found[partition] for partition in partitions if partition in found]
        if not wanted:
            asked = [partition for partition in partitions if partition is not None]
            raise MissingTableError(nothing_there(self._key, asked, self._register.partitions(self._table)))
        return wanted

    def rows(
        self, wanted: "list[Entry]", columns: Sequence[str] | None, only: Only | None
    ) -> tuple[pa.Table, list[int]]:
        """Read partitions, in this order.

        Args:
            wanted: the partitions.
            columns: in this order. None: all.
            only: rows that are not wanted may be left out.

        Returns:
            The rows, and how many are of each partition.
        """
        by_name = sorted(wanted, key=lambda entry: entry.stored_as)
        plan, wish = self._planned(by_name, columns, only)
        found = self._server.select(self._connection, wish)
        if wish.bounds:
            found, counts = self._some(found, by_name)
        else:
            found, counts = self._all(found, by_name), [entry.rows for entry in by_name]
        whole = plan.decoded(found)
        if wanted == by_name:
            return whole, counts
        ends = np.cumsum(counts).tolist()
        parts = {
            entry.stored_as: whole.slice(end - count, count)
            for entry, count, end in zip(by_name, counts, ends, strict=True)
        }
        ordered = [parts[entry.stored_as] for entry in wanted]
        return pa.concat_tables(ordered), [part.num_rows for part in ordered]

    def stream(self, entry: "Entry", columns: Sequence[str] | None, only: Only | None, rows: int) -> Iterator[pa.Table]:
        """Read a partition in tables of about so many rows; the other arguments are those of `rows`."""
        plan, wish = self._planned([entry], columns, only)
        last, count = -1, 0
        for found in self._server.stream(self._connection, wish, rows):
            numbers = np.concatenate([[last], _numbers(found.column(ROW))])
            if (np.diff(numbers) <= 0).any() or numbers[-1] >= entry.rows:
                raise self._changed([entry], count)
            last, count = int(numbers[-1]), count + found.num_rows
            yield plan.decoded(found)
        if count != entry.rows and not wish.bounds:
            raise self._changed([entry], count)

    def _planned(
        self, by_name: "list[Entry]", columns: Sequence[str] | None, only: Only | None
    ) -> "tuple[_Plan, Wish]":
        """Return what is to be read of partitions, and what becomes of it."""
        known = {entry.partition or "": (entry.schema, entry.rows) for entry in by_name}
        names = {name for schema, _ in known.values() for name in schema.names}
        looks = [*by_name]
        if any(name not in names for name in columns or ()):
            looks += [newest := self._register.latest(self._connection, self._table, 1)[0]]
            lacking = [name for name in columns or () if name not in names and name in newest.schema.names]
            known["newest"] = (schemas.narrow(newest.schema, lacking), 0)
        schema = schemas.common_schema(known, self._label)
        asked = schemas.select_columns(schema, None if columns is None else list(columns), self._label)
        plan = _Plan(schemas.narrow(schema, asked), places(looks))
        conditions = bounds(self._server, only, schema, plan.where)
        every = len(by_name) > _MANY and len(by_name) == self._register.count(self._connection, self._table)
        wish = Wish(
            self._table,
            [*plan.fetched, *([PARTITION] if conditions else []), ROW],
            [entry.stored_as for entry in by_name],
            every,
            sum(entry.rows for entry in by_name),
            conditions,
        )
        return plan, wish

    def _all(self, found: pa.Table, entries: "list[Entry]") -> pa.Table:
        """Return all rows of partitions, in their order: every row is there once."""
        expected = np.concatenate([np.arange(entry.rows, dtype=np.int64) for entry in entries])
        numbers = _numbers(found.column(ROW))
        if np.array_equal(numbers, expected):
            return found
        if len(numbers) == len(expected):
            order = np.lexsort((numbers, np.repeat(np.arange(len(entries)), [entry.rows for entry in entries])))
            if np.array_equal(numbers[order], expected):
                return found.take(order)
        raise self._changed(entries, len(numbers))

    def _some(self, found: pa.Table, entries: "list[Entry]") -> tuple[pa.Table, list[int]]:
        """Return some rows of partitions, in their order, and how many each has: no row is there twice."""
        compute: Any = pc
        names = pa.array([entry.stored_as for entry in entries], pa.string())
        place = compute.index_in(found.column(PARTITION).cast(pa.string()), value_set=names)
        numbers = _numbers(found.column(ROW))
        if place.null_count:
            raise self._changed(entries, len(numbers))
        place = place.to_numpy().astype(np.int64)
        counts = np.bincount(place, minlength=len(entries))
        rows = np.array([entry.rows for entry in entries])
        ahead = np.concatenate([[0], np.cumsum(rows)])
        whole = ahead[place] + numbers
        if (numbers < 0).any() or (numbers >= rows[place]).any() or len(np.unique(whole)) < len(whole):
            raise self._changed(entries, len(numbers))
        if (np.diff(whole) < 0).any():
            found = found.take(np.argsort(whole))
        return found, counts.tolist()

    def _changed(self, entries: "list[Entry]", found: int) -> StorageError:
        return StorageError(
            f"{self._label}: the register says {sum(entry.rows for entry in entries)} rows, {found} were found, or "
            "not those that were written. The table was changed by another hand: materialize it again."
        )


class _Plan(NamedTuple):
    """How rows of a database become rows of a frame.

    Attributes:
        schema: of the frame, in Arrow.
        where: the place of each of its columns, and of others.
    """

    schema: pa.Schema
    where: dict[str, sql_columns.Column]

    @property
    def fetched(self) -> list[str]:
        """Columns of the database."""
        return [name for field in self.schema for name in self.where[field.name].physical]

    def decoded(self, found: pa.Table) -> pa.Table:
        """Return rows with the frame's columns and types."""
        arrays = []
        for field in self.schema:
            place = self.where[field.name]
            rest = found.column(place.rest) if place.rest else None
            arrays.append(sql_columns.decode(found.column(place.column), field.type, rest))
        return pa.Table.from_arrays(arrays, schema=self.schema)


def _numbers(rows: pa.ChunkedArray) -> np.ndarray:
    return rows.cast(pa.int64()).to_numpy()
