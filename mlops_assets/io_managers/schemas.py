"""The rules by which the schemas of partitions agree, and what a schema says beside its columns. No I/O here."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
from pyarrow import types

from mlops_assets.io_managers.arrow import RECORD, columns_record, pack_categories, plain_type, unpack_categories
from mlops_assets.io_managers.errors import SchemaDriftError

_RELEASE = b"mlops_assets.release"
_MEANING = b"mlops_assets.meaning"


def stamped(table: pa.Table, release: str, meaning: str | None = None) -> pa.Table:
    """Return a table whose schema says which release of this package writes it, and what its rows mean if that is told.

    Args:
        table: what is written.
        release: of this package.
        meaning: of the rows, see `catalog.meaning`.
    """
    said = {_RELEASE: release.encode()} | ({_MEANING: meaning.encode()} if meaning is not None else {})
    return table.replace_schema_metadata({**(table.schema.metadata or {}), **said})


def release_of(schema: pa.Schema) -> str | None:
    """Return the release that wrote a table with this schema; None for one that did not say (0.1.0)."""
    release = (schema.metadata or {}).get(_RELEASE)
    return None if release is None else release.decode()


def meaning_of(schema: pa.Schema) -> str | None:
    """Return what the rows of a table with this schema mean; None where its writer did not say."""
    meaning = (schema.metadata or {}).get(_MEANING)
    return None if meaning is None else meaning.decode()


def select_columns(schema: pa.Schema, columns: list[str] | None, table: str) -> list[str]:
    """Return the names to read, in the order asked for.

    Raises:
        SchemaDriftError: a name the table does not have.
    """
    if columns is None:
        return list(schema.names)
    unknown = [name for name in columns if name not in schema.names]
    if unknown:
        raise SchemaDriftError(
            f"{table} has no column {', '.join(map(repr, unknown))}; it has {', '.join(schema.names) or 'no columns'}."
        )
    return list(columns)


def present(schema: pa.Schema, columns: list[str] | None) -> list[str]:
    """Return the names to read of one partition: those that it has, and one at least, which tells how many rows."""
    return [name for name in schema.names if columns is None or name in columns] or schema.names[:1]


def narrow(schema: pa.Schema, columns: list[str]) -> pa.Schema:
    """Return the schema of these columns only, its record included."""
    kept = {RECORD: record_of(schema, columns)}
    if columns == schema.names:
        return schema.with_metadata(kept)
    return pa.schema([schema.field(name) for name in columns]).with_metadata(kept)


def record_of(schema: pa.Schema, columns: list[str]) -> bytes:
    """Return what a schema remembers of some columns, as `narrow` keeps it."""
    text = (schema.metadata or {}).get(RECORD, b"{}")
    return text if columns == schema.names else _record_of(text, tuple(columns))


@lru_cache(maxsize=1024)  # each of thousands of partitions is asked for the same
def _record_of(text: bytes, columns: tuple[str, ...]) -> bytes:
    record = json.loads(text)
    return json.dumps({name: record[name] for name in columns if name in record}).encode()


def agree(new: pa.Table, stored: pa.Schema, where: str, against: str, allow_new_columns: bool = False) -> pa.Table:
    """Return the new table in the stored one's types and column order, or say how they differ.

    Columns of which the new table knows nothing (no rows, or an object column of missing values only) take
    the stored type; decimals may be wider; categories may differ unless they are ordered.

    Args:
        new: the partition to be written.
        stored: schema of a partition that stays.
        where: what is being written, for the message.
        against: which partition it was compared with, for the message.
        allow_new_columns: columns that the stored schema lacks are kept, at the end, and others may be left out.

    Raises:
        SchemaDriftError: a column gone or added (unless allowed), or of another type.
    """
    gone = [name for name in stored.names if name not in new.column_names]
    added = [name for name in new.column_names if name not in stored.names]
    changes: list[str] = []
    if not allow_new_columns:
        changes += [f"column {name!r} is gone" for name in gone]
        changes += [f"column {name!r} is new" for name in added]
    before, after = columns_record(stored), columns_record(new.schema)
    arrays, fields, record = [], [], {}
    for name in [name for name in stored.names if name not in gone] + added:
        field, known = new.schema.field(name), after[name]
        array = new.column(name)
        if name in before and not _same(field, known, stored.field(name), before[name]):
            if new.num_rows and not pa.types.is_null(field.type):
                if not pa.types.is_null(stored.field(name).type):
                    changes.append(
                        f"column {name!r} was {_shown(stored.field(name), before[name])} and is {_shown(field, known)}"
                    )
            elif not pa.types.is_null(stored.field(name).type):
                field, known = stored.field(name), before[name]
                array = pa.chunked_array([pa.nulls(new.num_rows, field.type)])
        arrays.append(array)
        fields.append(field)
        record[name] = known
    if changes:
        raise SchemaDriftError(
            f"{where} does not have the columns of {against}: {'; '.join(changes)}. Either give the frame the stored "
            "columns and types, or replace all partitions in one run (a single-run backfill)"
            + (", or declare the addition with the asset metadata allow_new_columns: true." if added else ".")
        )
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields).with_metadata({RECORD: json.dumps(record)}))


def stack(tables: Mapping[str, pa.Table], table: str, stored: Sequence[int]) -> pa.Table:
    """Put partitions under one another, in order.

    A column that some partitions lack (added later) is missing in their rows.

    Args:
        tables: partition key to its rows, or to some of them.
        table: name of the table, for the message.
        stored: the number of all of its rows, of each partition.

    Raises:
        SchemaDriftError: partitions whose types cannot stand in one column.
    """
    parts = list(tables.values())
    if len(parts) == 1:
        return parts[0]
    if all(part.schema.equals(parts[0].schema, check_metadata=True) for part in parts):
        return pa.concat_tables(parts)
    schema = common_schema(
        {k: (part.schema, rows) for (k, part), rows in zip(tables.items(), stored, strict=True)}, table
    )
    return pa.concat_tables([conform(part, schema) for part in parts])


def common_schema(schemas: Mapping[str, tuple[pa.Schema, int]], table: str) -> pa.Schema:
    """Find the one schema in which all partitions have a place, categories decoded to their values.

    A column that rows of some partition lack is one that can be missing: int64 becomes Int64, bool boolean.

    Args:
        schemas: partition key to its schema and number of rows.
        table: name of the table, for the message.

    Raises:
        SchemaDriftError: partitions whose types cannot stand in one column.
    """
    known = {key: columns_record(schema) for key, (schema, _) in schemas.items()}
    names = list(dict.fromkeys(name for schema, _ in schemas.values() for name in schema.names))
    fields, record = [], {}
    for name in names:
        seen = [
            (key, schema.field(name), known[key][name], rows)
            for key, (schema, rows) in schemas.items()
            if name in known[key]
        ]
        field, known_here = _common(name, seen, table)
        lacking = any(rows for key, (_, rows) in schemas.items() if name not in known[key])
        record[name] = _nullable(known_here) if lacking else known_here
        fields.append(field)
    return pa.schema(fields).with_metadata({RECORD: json.dumps(record)})


def _same(field: pa.Field, known: dict[str, Any], other: pa.Field, other_known: dict[str, Any]) -> bool:
    one, two = plain_type(field.type), plain_type(other.type)
    if types.is_decimal(one) and types.is_decimal(two):
        return known["kind"] == other_known["kind"]
    if known["kind"] == other_known["kind"] == "category" and known["ordered"]:
        return other_known["ordered"] and unpack_categories(known["categories"]).equals(
            unpack_categories(other_known["categories"])
        )
    alike = {**known, "categories": None} == {**other_known, "categories": None}
    return alike and _logical(one) == _logical(two)


def _logical(kind: pa.DataType) -> str:
    """Name a type as far as it matters: large and ordinary strings are one, so are units pandas restores."""
    return re.sub(r"^large_|(?<=timestamp\[)\w+|(?<=duration\[)\w+", "", str(kind))


def _shown(field: pa.Field, known: dict[str, Any]) -> str:
    if known["kind"] == "category":
        return f"{'ordered ' if known['ordered'] else ''}category of {plain_type(field.type)}"
    if known["kind"] == "object":
        return f"object of {field.type}"
    return f"{known['dtype']}, {known['zone']}" if known["kind"] == "zoned" else known["dtype"]


def _common(
    name: str, seen: Iterable[tuple[str, pa.Field, dict[str, Any], int]], table: str
) -> tuple[pa.Field, dict[str, Any]]:
    """Find the one type in which all partitions' values of a column have a place."""
    seen = list(seen)
    telling = [entry for entry in seen if not pa.types.is_null(entry[1].type) and entry[3]]
    telling = telling or [entry for entry in seen if not pa.types.is_null(entry[1].type)] or seen
    key, field, known, _ = telling[0]
    kind, known = plain_type(field.type), dict(known)
    categories = [unpack_categories(known["categories"])] if known["kind"] == "category" else []
    for other_key, other, other_known, _ in telling[1:]:
        if not _same(other, other_known, field, known):
            raise SchemaDriftError(
                f"{table}: column {name!r} is {_shown(field, known)} in partition {key!r} and "
                f"{_shown(other, other_known)} in {other_key!r}. Write one of the two again."
            )
        if pa.types.is_decimal(kind):
            kind = _wider(kind, plain_type(other.type))
        if known["kind"] == "category":
            categories.append(unpack_categories(other_known["categories"]))
    if known["kind"] == "category":
        first = categories[0]
        for more in categories[1:]:
            first = first.append(more.difference(first, sort=False))
        known["categories"] = pack_categories(first)
    return pa.field(name, kind), known


def _nullable(known: dict[str, Any]) -> dict[str, Any]:
    """Return what to remember of a column whose values may be missing, so that the others stay what they are."""
    dtype = known["dtype"]
    if known["kind"] != "numpy" or not dtype.startswith(("int", "uint", "bool")):
        return known
    return {
        "kind": "nullable",
        "dtype": "boolean" if dtype == "bool" else dtype.replace("uint", "UInt").replace("int", "Int"),
    }


def _wider(one: pa.DataType, two: pa.DataType) -> pa.DataType:
    scale = max(one.scale, two.scale)
    digits = max(one.precision - one.scale, two.precision - two.scale) + scale
    return pa.decimal128(digits, scale) if digits <= 38 else pa.decimal256(digits, scale)


def decoded(schema: pa.Schema) -> pa.Schema:
    """Return a schema whose categories are their values; what they were is in its record."""
    return pa.schema([field.with_type(plain_type(field.type)) for field in schema], schema.metadata)


def conform(part: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give a partition the columns and types of a schema, categories decoded to their values."""
    schema = decoded(schema)
    arrays = []
    for field in schema:
        if field.name not in part.column_names or not part.num_rows:
            arrays.append(pa.nulls(part.num_rows, field.type))
            continue
        column = part.column(field.name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(plain_type(column.type))
        arrays.append(column.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
