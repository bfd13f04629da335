"""pandas to Arrow and back without loss, and the rules by which two schemas agree. No I/O here.

Every store keeps Arrow; what pandas knows beyond Arrow (nullable or not, categories, the kind of string)
travels in the schema's metadata under `RECORD`. Rows keep their order, the index is not stored.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.io_managers.errors import SchemaDriftError, UnstorableFrameError

if TYPE_CHECKING:
    import pyarrow as pa

RECORD = b"mlops_assets.columns"


def to_arrow(frame: pd.DataFrame) -> "pa.Table":
    """Convert a frame into an Arrow table that `to_frame` turns back into an equal frame.

    Raises:
        UnstorableFrameError: a named index, column names that are not unique strings, or a column whose
            values have no exact place in a table (mixed types, lists, numbers in an object column, ...).
    """
    import pyarrow as pa

    _check_labels(frame)
    arrays, fields, record = [], [], {}
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        try:
            array = pa.Array.from_pandas(_storable(column))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise UnstorableFrameError(
                f"column {name!r} ({column.dtype}) cannot be stored: {error}. Give it one type, e.g. by astype()."
            ) from error
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        _check_type(name, column, array.type)
        arrays.append(array)
        fields.append(pa.field(name, array.type))
        record[name] = _describe(column)
    schema = pa.schema(fields).with_metadata({RECORD: json.dumps(record)})
    return pa.Table.from_arrays(arrays, schema=schema) if arrays else _rows_only(len(frame), schema)


def to_frame(table: "pa.Table") -> pd.DataFrame:
    """Convert an Arrow table back into the frame it came from; without our record, as pandas would."""
    record = columns_record(table.schema)
    if not record:
        return table.to_pandas()
    plain = [name for name in table.column_names if record[name]["kind"] == "numpy"]
    bulk = table.select(plain).to_pandas(ignore_metadata=True)
    columns = {
        name: (
            _exact_unit(bulk[name], record[name]["dtype"])
            if record[name]["kind"] == "numpy"
            else _restore(table.column(name), record[name])
        )
        for name in table.column_names
    }
    frame = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)
    return frame if columns else frame.reindex(columns=pd.Index([], dtype=object))


def columns_record(schema: "pa.Schema") -> dict[str, dict[str, Any]]:
    """Return what the schema remembers of each column's pandas type, by column name."""
    text = (schema.metadata or {}).get(RECORD)
    return json.loads(text) if text else {}


def select_columns(schema: "pa.Schema", columns: list[str] | None, table: str) -> list[str]:
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


def narrow(schema: "pa.Schema", columns: list[str]) -> "pa.Schema":
    """Return the schema of these columns only, its record included."""
    import pyarrow as pa

    record = columns_record(schema)
    kept = {name: record[name] for name in columns if name in record}
    return pa.schema([schema.field(name) for name in columns]).with_metadata({RECORD: json.dumps(kept)})


def agree(
    new: "pa.Table", stored: "pa.Schema", where: str, against: str, allow_new_columns: bool = False
) -> "pa.Table":
    """Return the new table in the stored one's types and column order, or say how they differ.

    Columns of which the new table knows nothing (no rows, or an object column of missing values only) take
    the stored type; decimals may be wider; categories may differ unless they are ordered.

    Args:
        new: the partition to be written.
        stored: schema of a partition that stays.
        where: what is being written, for the message.
        against: which partition it was compared with, for the message.
        allow_new_columns: columns that the stored schema lacks are kept, at the end.

    Raises:
        SchemaDriftError: a column gone, added (unless allowed), or of another type.
    """
    import pyarrow as pa

    gone = [name for name in stored.names if name not in new.column_names]
    added = [name for name in new.column_names if name not in stored.names]
    changes = [f"column {name!r} is gone" for name in gone]
    changes += [f"column {name!r} is new" for name in added if not allow_new_columns]
    before, after = columns_record(stored), columns_record(new.schema)
    arrays, fields, record = [], [], {}
    for name in [name for name in stored.names if name not in gone] + added:
        field, known = new.schema.field(name), after[name]
        array = new.column(name)
        if name in before and not _same(field, known, stored.field(name), before[name]):
            if new.num_rows and not pa.types.is_null(field.type):
                if not pa.types.is_null(stored.field(name).type):
                    changes.append(
                        f"column {name!r} was {_words(stored.field(name), before[name])} and is {_words(field, known)}"
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


def stack(tables: "Mapping[str, pa.Table]", table: str) -> "pa.Table":
    """Put partitions under one another, in order.

    A column that some partitions lack (added later) is missing in their rows.

    Args:
        tables: partition key to its rows.
        table: name of the table, for the message.

    Raises:
        SchemaDriftError: partitions whose types cannot stand in one column.
    """
    import pyarrow as pa

    parts = list(tables.values())
    if len(parts) == 1:
        return parts[0]
    if all(part.schema.equals(parts[0].schema, check_metadata=True) for part in parts):
        return pa.concat_tables(parts)
    schema = common_schema({key: (part.schema, part.num_rows) for key, part in tables.items()}, table)
    return pa.concat_tables([conform(part, schema) for part in parts])


def common_schema(schemas: "Mapping[str, tuple[pa.Schema, int]]", table: str) -> "pa.Schema":
    """Find the one schema in which all partitions have a place, categories decoded to their values.

    Args:
        schemas: partition key to its schema and number of rows.
        table: name of the table, for the message.

    Raises:
        SchemaDriftError: partitions whose types cannot stand in one column.
    """
    import pyarrow as pa

    known = {key: columns_record(schema) for key, (schema, _) in schemas.items()}
    names = list(dict.fromkeys(name for schema, _ in schemas.values() for name in schema.names))
    fields, record = [], {}
    for name in names:
        seen = [
            (key, schema.field(name), known[key][name], rows)
            for key, (schema, rows) in schemas.items()
            if name in known[key]
        ]
        field, record[name] = _common(name, seen, table)
        fields.append(field)
    return pa.schema(fields).with_metadata({RECORD: json.dumps(record)})


def plain_type(kind: "pa.DataType") -> "pa.DataType":
    """Return the type of the values: what a dictionary holds, everything else as it is."""
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _check_labels(frame: pd.DataFrame) -> None:
    if frame.columns.nlevels > 1 or not all(isinstance(name, str) for name in frame.columns):
        raise UnstorableFrameError(
            f"column names must be single strings, found {list(frame.columns)!r}: rename them first."
        )
    twice = frame.columns[frame.columns.duplicated()].unique()
    if len(twice):
        raise UnstorableFrameError(f"column name {', '.join(map(repr, twice))} appears more than once: rename one.")
    if "" in frame.columns:
        raise UnstorableFrameError("a column has an empty name: rename it.")
    if any(name is not None for name in frame.index.names):
        raise UnstorableFrameError(
            f"the index {list(frame.index.names)!r} would be lost, as indexes are not stored: call reset_index() first."
        )


def _storable(column: pd.Series) -> Any:
    if isinstance(column.dtype, pd.CategoricalDtype) and not len(column.cat.categories):
        return pd.Categorical(column, categories=pd.Index([], dtype=object), ordered=column.cat.ordered)
    return column


def _check_type(name: str, column: pd.Series, kind: "pa.DataType") -> None:
    import pyarrow as pa
    from pyarrow import types

    values = plain_type(kind)
    scalar = [
        types.is_boolean, types.is_integer, types.is_floating, types.is_string, types.is_large_string,
        types.is_binary, types.is_large_binary, types.is_decimal, types.is_date32, types.is_time,
        types.is_timestamp, types.is_duration, types.is_null,
    ]  # fmt: skip
    if not any(test(values) for test in scalar) or isinstance(kind, pa.BaseExtensionType):
        raise UnstorableFrameError(
            f"column {name!r} ({column.dtype}) holds {values}, which is not a value of a table: "
            "one value per row, as a number, text, time, decimal or bytes."
        )
    in_objects = (
        types.is_string, types.is_large_string, types.is_binary, types.is_large_binary, types.is_decimal,
        types.is_date32, types.is_time, types.is_null,
    )  # fmt: skip
    if column.dtype == object and not any(test(kind) for test in in_objects):
        better = {"int64": "Int64", "double": "float64", "bool": "boolean"}.get(str(kind), "datetime64[us]")
        raise UnstorableFrameError(
            f"column {name!r} is an object column of {kind}: convert it first, e.g. astype({better!r})."
        )


def _describe(column: pd.Series) -> dict[str, Any]:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return {
            "kind": "category",
            "dtype": "category",
            "ordered": bool(dtype.ordered),
            "categories": _pack(pd.DataFrame({"categories": dtype.categories.to_series().reset_index(drop=True)})),
        }
    if isinstance(dtype, pd.StringDtype):
        missing = "NaN" if isinstance(dtype.na_value, float) else "NA"
        return {"kind": "string", "dtype": str(dtype), "storage": dtype.storage, "missing": missing}
    if isinstance(dtype, pd.ArrowDtype):
        return {"kind": "arrow", "dtype": str(dtype)}
    if isinstance(dtype, pd.DatetimeTZDtype):
        return {"kind": "zoned", "dtype": f"datetime64[{dtype.unit}]", "zone": str(dtype.tz)}
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        return {"kind": "nullable", "dtype": str(dtype)}
    return {"kind": "object" if pd.api.types.is_object_dtype(dtype) else "numpy", "dtype": str(dtype)}


def _restore(column: "pa.ChunkedArray", known: dict[str, Any]) -> Any:
    kind = known["kind"]
    if kind == "category":
        return _categorical(column, known)
    if kind == "string":
        missing = float("nan") if known["missing"] == "NaN" else pd.NA
        text: Any = pd.StringDtype(known["storage"], na_value=missing)
        return pd.Series(text.__from_arrow__(column), copy=False)
    if kind == "arrow":
        arrow: Any = pd.ArrowDtype(column.type)
        return pd.Series(arrow.__from_arrow__(column), copy=False)
    if kind == "nullable":
        dtype: Any = pd.api.types.pandas_dtype(known["dtype"])
        return pd.Series(dtype.__from_arrow__(column), copy=False)
    if kind == "zoned":
        zone = _fixed_offset(column.type.tz)
        series = _exact_unit(column.to_pandas(), known["dtype"])
        return series.dt.tz_convert(zone) if zone is not None else series
    return column.to_pandas().astype(object)


def _exact_unit(series: pd.Series, dtype: str) -> pd.Series:
    """Give times the unit they had (Parquet has no seconds), numbers the width they had."""
    if dtype.startswith(("datetime64[", "timedelta64[")):
        return series.dt.as_unit(dtype[dtype.index("[") + 1 : -1])
    lacks_values = series.dtype.kind in "fO" and pd.api.types.pandas_dtype(dtype).kind in "iub"
    return series if lacks_values else series.astype(pd.api.types.pandas_dtype(dtype), copy=False)


def _fixed_offset(zone: str) -> tzinfo | None:
    match = re.fullmatch(r"([+-])(\d\d):(\d\d)", zone)
    if not match:
        return None
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if sign == "-" else offset)


def _categorical(column: "pa.ChunkedArray", known: dict[str, Any]) -> pd.Series:
    import pyarrow as pa

    categories = _unpack(known["categories"])
    dtype = pd.CategoricalDtype(categories, ordered=known["ordered"])
    if column.num_chunks == 1 and pa.types.is_dictionary(column.type):
        chunk = column.chunk(0)
        if len(chunk.dictionary) == len(categories) and pd.Index(chunk.dictionary.to_pandas()).equals(categories):
            codes = chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), copy=False)
    values = column.cast(plain_type(column.type)) if pa.types.is_dictionary(column.type) else column
    return pd.Series(pd.Categorical(values.to_pandas(), dtype=dtype), copy=False)


def _pack(frame: pd.DataFrame) -> str:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    table = to_arrow(frame)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue().to_pybytes()).decode()


def _unpack(text: str) -> pd.Index:
    import pyarrow as pa

    with pa.ipc.open_stream(base64.b64decode(text)) as reader:
        return pd.Index(to_frame(reader.read_all())["categories"]).rename(None)


def _rows_only(rows: int, schema: "pa.Schema") -> "pa.Table":
    if rows:
        raise UnstorableFrameError(f"the frame has {rows} rows but no columns: nothing of them could be stored.")
    return schema.empty_table()


def _same(field: "pa.Field", known: dict[str, Any], other: "pa.Field", other_known: dict[str, Any]) -> bool:
    from pyarrow import types

    one, two = plain_type(field.type), plain_type(other.type)
    if types.is_decimal(one) and types.is_decimal(two):
        return known["kind"] == other_known["kind"]
    if known["kind"] == other_known["kind"] == "category" and known["ordered"]:
        return other_known["ordered"] and _unpack(known["categories"]).equals(_unpack(other_known["categories"]))
    ignored = {"categories"}
    alike = {k: v for k, v in known.items() if k not in ignored} == {
        k: v for k, v in other_known.items() if k not in ignored
    }
    return alike and _logical(one) == _logical(two)


def _logical(kind: "pa.DataType") -> str:
    """Name a type as far as it matters: large and ordinary strings are one, so are units pandas restores."""
    return re.sub(r"^large_|(?<=timestamp\[)\w+|(?<=duration\[)\w+", "", str(kind))


def _words(field: "pa.Field", known: dict[str, Any]) -> str:
    if known["kind"] == "category":
        return f"{'ordered ' if known['ordered'] else ''}category of {plain_type(field.type)}"
    if known["kind"] == "object":
        return f"object of {field.type}"
    return f"{known['dtype']}, {known['zone']}" if known["kind"] == "zoned" else known["dtype"]


def _common(
    name: str, seen: "Iterable[tuple[str, pa.Field, dict[str, Any], int]]", table: str
) -> "tuple[pa.Field, dict[str, Any]]":
    """Find the one type in which all partitions' values of a column have a place."""
    import pyarrow as pa

    seen = list(seen)
    telling = [entry for entry in seen if not pa.types.is_null(entry[1].type) and entry[3]]
    telling = telling or [entry for entry in seen if not pa.types.is_null(entry[1].type)] or seen
    key, field, known, _ = telling[0]
    kind, known = plain_type(field.type), dict(known)
    categories = [_unpack(known["categories"])] if known["kind"] == "category" else []
    for other_key, other, other_known, _ in telling[1:]:
        if not _same(other, other_known, field, known):
            raise SchemaDriftError(
                f"{table}: column {name!r} is {_words(field, known)} in partition {key!r} and "
                f"{_words(other, other_known)} in {other_key!r}. Write one of the two again."
            )
        if pa.types.is_decimal(kind):
            kind = _wider(kind, plain_type(other.type))
        if known["kind"] == "category":
            categories.append(_unpack(other_known["categories"]))
    if known["kind"] == "category":
        first = categories[0]
        for more in categories[1:]:
            first = first.append(more.difference(first, sort=False))
        known["categories"] = _pack(pd.DataFrame({"categories": first.to_series().reset_index(drop=True)}))
    return pa.field(name, kind), known


def _wider(one: "pa.DataType", two: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa

    scale = max(one.scale, two.scale)
    digits = max(one.precision - one.scale, two.precision - two.scale) + scale
    return pa.decimal128(digits, scale) if digits <= 38 else pa.decimal256(digits, scale)


def conform(part: "pa.Table", schema: "pa.Schema") -> "pa.Table":
    """Give a partition the columns and types of `common_schema`."""
    import pyarrow as pa

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
