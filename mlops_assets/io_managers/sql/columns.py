"""How a column of a frame stands in a database: its name, its type there, and the way back.

Values are cast to the column's type and checked before any bulk path sees them, because those trust what
they get.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from mlops_assets.io_managers.arrow import plain_type
from mlops_assets.io_managers.errors import UnstorableFrameError

PARTITION = "_partition"
ROW = "_row"
_LONGEST = 50


@dataclass(frozen=True)
class Column:
    """One column of a stored table.

    Attributes:
        name: in the frame.
        column: in the database.
        kind: the Arrow type that the database keeps, as text.
        rest: column with the nanoseconds that a database's microseconds leave over, or None.
    """

    name: str
    column: str
    kind: str
    rest: str | None = None

    @property
    def physical(self) -> list[str]:
        """Names of the columns that it takes in the database."""
        return [self.column, self.rest] if self.rest else [self.column]


def table_name(key: Iterable[str]) -> str:
    """Name the table of an asset: the parts of its key joined by `__`, so that a person finds it.

    What is not lower-case letters, digits and single underscores, or is too long, is replaced or cut, and a
    hash of the key is added, so different assets never share a table, on databases that ignore case neither.
    """
    key = list(key)
    plain = "__".join(re.sub(r"[^a-z0-9_]", "_", part.lower()) for part in key)
    tidy = all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", part) for part in key)
    if tidy and len(plain) <= _LONGEST and not re.search(r"_x[0-9a-f]{10}$", plain):
        return plain
    return f"{plain[: _LONGEST - 12]}_x{_hash(json.dumps(key))}"


def partition_table(table: str, partition: str) -> str:
    """Name the part of a table that holds one partition, where a database has such parts."""
    name = f"{table}@{partition}"
    return name if len(name) <= 60 else f"{table[:40]}@x{_hash(name)}"


def plan(schema: pa.Schema, declared: "Callable[[pa.DataType], pa.DataType]", known: Iterable[Column]) -> list[Column]:
    """Decide on name and type of every column in the database.

    Args:
        schema: the frame's.
        declared: the type that a column of such values is declared as.
        known: columns the table already has, whose names are kept.
    """
    names = {column.name: column for column in known}
    taken = {PARTITION, ROW} | {column.column.lower() for column in names.values()}
    taken |= {column.rest.lower() for column in names.values() if column.rest}
    planned = []
    for field in schema:
        before = names.get(field.name)
        column = before.column if before else _free_name(field.name, taken)
        taken.add(column.lower())
        planned.append(
            Column(field.name, column, str(declared(plain_type(field.type))), before.rest if before else None)
        )
    return planned


def with_rests(columns: Iterable[Column], needed: set[str]) -> list[Column]:
    """Add a column for left-over nanoseconds to those that need one."""
    columns = list(columns)
    taken = {name.lower() for column in columns for name in (column.column, column.rest) if name}
    return [
        Column(c.name, c.column, c.kind, _free_name(f"{c.column}_ns", taken)) if c.name in needed and not c.rest else c
        for c in columns
    ]


def beside(column: Column, used: set[str]) -> Column:
    """Give a column names that are not used yet."""
    taken = {name.lower() for name in used}
    fresh = _free_name(column.column, taken)
    rest = _free_name(f"{fresh}_ns", taken) if column.rest else None
    return Column(column.name, fresh, column.kind, rest)


def places(entries: "Iterable[Any]") -> dict[str, Column]:
    """Return where the columns of stored partitions are, with the place of left-over nanoseconds if one has it."""
    found: dict[str, Column] = {}
    for entry in entries:
        for column in entry.columns:
            if column.rest or column.name not in found:
                found[column.name] = column
    return found


def dump_columns(columns: Iterable[Column]) -> str:
    """Turn columns into JSON."""
    return json.dumps([asdict(column) for column in columns])


def load_columns(text: str) -> list[Column]:
    """Read columns back from JSON."""
    return [Column(**values) for values in json.loads(text)]


def encode(
    table: pa.Table, storage: "Callable[[pa.DataType], pa.DataType]", where: str
) -> "tuple[dict[str, pa.Array], dict[str, pa.Array]]":
    """Cast every column to what the database keeps.

    Returns:
        Values by the frame's column name, and left-over nanoseconds (0 to 999) of the columns that have any.

    Raises:
        UnstorableFrameError: a value has no place there.
    """
    values, rests = {}, {}
    for name in table.column_names:
        array = table.column(name).combine_chunks()
        kind = plain_type(array.type)
        array = array.cast(kind) if array.type != kind else array
        try:
            values[name], rest = _to_storage(array, storage(kind))
        except Exception as error:
            raise UnstorableFrameError(
                f"{where}: column {name!r} ({kind}) cannot be stored exactly: {error}"
            ) from error
        if rest is not None:
            rests[name] = rest
    return values, rests


def decode(array: pa.ChunkedArray, kind: pa.DataType, rest: "pa.ChunkedArray | None") -> pa.ChunkedArray:
    """Cast what the database gave back to the type of the frame's values."""
    if isinstance(array.type, pa.BaseExtensionType):
        array = pa.chunked_array([chunk.storage for chunk in array.chunks], array.type.storage_type)
    if types.is_null(kind) or types.is_null(array.type):
        return pa.chunked_array([pa.nulls(len(array), kind)])
    if types.is_string(array.type) and types.is_timestamp(kind):
        array = array.cast(pa.timestamp("us", "UTC" if kind.tz else None))
    if types.is_timestamp(kind):
        array = array.cast(pa.timestamp("us", "UTC" if kind.tz else None)) if array.type.unit != "us" else array
        if kind.unit == "ns":
            whole = array.cast(pa.int64())
            counts = pc.multiply_checked(whole, 1000)  # pyright: ignore[reportAttributeAccessIssue]
            if rest is not None:
                counts = pc.add(counts, pc.fill_null(rest.cast(pa.int64()), 0))  # pyright: ignore
            return counts.cast(kind) if kind.tz is None else counts.cast(pa.timestamp("ns", kind.tz))
        return array.cast(pa.int64()).cast(pa.timestamp("us", kind.tz)).cast(kind)
    if types.is_boolean(kind):
        return array.cast(pa.int64()).cast(kind) if not types.is_boolean(array.type) else array
    if types.is_duration(kind):
        return array.cast(pa.int64()).cast(kind)
    if types.is_decimal(kind) and types.is_floating(array.type):
        raise UnstorableFrameError("a decimal came back as a float")
    if types.is_uint64(kind) and types.is_decimal(array.type):
        array = array.cast(pa.string())
    if types.is_float16(kind):
        array = array.cast(pa.float32())
    if types.is_time(kind) and types.is_string(array.type):
        parse = time.fromisoformat
        array = pa.chunked_array([[text and parse(text) for text in array.to_pylist()]], pa.time64("us"))
    return array.cast(kind)


def _to_storage(array: pa.Array, target: pa.DataType) -> "tuple[pa.Array, pa.Array | None]":

    kind, rest = array.type, None
    if types.is_null(kind):
        return pa.nulls(len(array), target), None
    if types.is_timestamp(kind):
        zone = "UTC" if kind.tz else None
        if kind.unit == "ns":
            counts = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
            whole, left = np.divmod(counts, 1000)
            missing = array.is_null().to_numpy(zero_copy_only=False)
            rest = pa.array(left.astype(np.int16), mask=missing) if left.any() else None
            array = pa.array(whole, mask=missing).cast(pa.timestamp("us", zone))
        else:
            array = array.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()).cast(pa.timestamp("us", zone))
        return array.cast(target), rest
    if types.is_duration(kind):
        return array.cast(pa.int64()), None
    if types.is_time(kind):
        return array.cast(pa.time64("us")).cast(target), None
    if types.is_float16(kind):
        array = array.cast(pa.float32())
    if types.is_uint64(kind) and types.is_decimal(target):
        return array.cast(pa.string()).cast(target), None
    return array.cast(target), None


def _free_name(name: str, taken: set[str]) -> str:
    """Keep a column's name where the database can; else replace what it cannot keep, and add a hash."""
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "_", name).strip()
    while len(plain.encode()) > _LONGEST:
        plain = plain[:-1]
    if plain == name and plain.lower() not in taken:
        return plain
    while len(plain.encode()) > _LONGEST - 12:
        plain = plain[:-1]
    return f"{plain}_x{_hash(name)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def check_names(columns: Mapping[str, Any], primary_key: Iterable[str], where: str) -> None:
    """Make sure that a declared key is made of columns there are.

    Raises:
        UnstorableFrameError: a column that the frame does not have.
    """
    missing = [name for name in primary_key if name not in columns]
    if missing:
        raise UnstorableFrameError(
            f"{where}: the asset's metadata primary_key names {', '.join(map(repr, missing))}, "
            "which the frame does not have."
        )
