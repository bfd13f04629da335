"""pandas to Arrow and back without loss. No I/O here.

Every store keeps Arrow; what pandas knows beyond Arrow (nullable or not, categories, the kind of string)
travels in the schema's metadata under `RECORD`. Rows keep their order, the index is not stored.
"""

import base64
import json
import re
from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import types

from mlops_assets.io_managers.errors import UnstorableFrameError

RECORD = b"mlops_assets.columns"
_PLAIN = ("numpy", "object")
"""Kinds of columns that Arrow makes all at once."""

_MANY = 10_000
"""Rows that are worth threads."""


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """Convert a frame into an Arrow table that `to_frame` turns back into an equal frame.

    Raises:
        UnstorableFrameError: a named index, column names that are not unique strings, or a column whose
            values have no exact place in a table (mixed types, lists, numbers in an object column, ...).
    """
    _check_labels(frame)
    arrays, fields, record = [], [], {}
    for name, column in frame.items():
        try:
            array = pa.Array.from_pandas(_storable(column))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise UnstorableFrameError(
                f"column {name!r} ({column.dtype}) cannot be stored: {error}. Give it one type, e.g. by astype()."
            ) from error
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        _check_type(str(name), column, array.type)
        arrays.append(array)
        fields.append(pa.field(name, array.type))
        record[name] = _describe(column)
    schema = pa.schema(fields).with_metadata({RECORD: json.dumps(record)})
    return pa.Table.from_arrays(arrays, schema=schema) if arrays else _rows_only(len(frame), schema)


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Convert an Arrow table back into the frame it came from; without our record, as pandas would."""
    record = columns_record(table.schema)
    if not record:
        return table.to_pandas()
    plain = [name for name in table.column_names if record[name]["kind"] in _PLAIN]
    many = table.num_rows > _MANY  # threads of few rows wait for one another
    bulk = table.select(plain).to_pandas(ignore_metadata=True, use_threads=many)
    if plain and plain == table.column_names and [*map(str, bulk.dtypes)] == [record[name]["dtype"] for name in plain]:
        return bulk
    columns = {
        name: (
            _exact_unit(bulk[name], record[name]["dtype"])
            if record[name]["kind"] in _PLAIN
            else _restore(table.column(name), record[name])
        )
        for name in table.column_names
    }
    frame = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)
    return frame if columns else frame.reindex(columns=pd.Index([], dtype=object))


def columns_record(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Return what the schema remembers of each column's pandas type, by column name."""
    text = (schema.metadata or {}).get(RECORD)
    return dict(_parsed(text)) if text else {}


@lru_cache(maxsize=1024)  # the partitions of a table say the same, thousands of times
def _parsed(text: bytes) -> dict[str, dict[str, Any]]:
    return json.loads(text)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values: what a dictionary holds, everything else as it is."""
    return kind.value_type if types.is_dictionary(kind) else kind


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


def _check_type(name: str, column: pd.Series, kind: pa.DataType) -> None:
    if not _is_scalar(kind):
        raise UnstorableFrameError(
            f"column {name!r} ({column.dtype}) holds {plain_type(kind)}, which is not a value of a table: "
            "one value per row, as a number, text, time, decimal or bytes."
        )
    if column.dtype == object and not _is_in_objects(kind):
        better = {"int64": "Int64", "double": "float64", "bool": "boolean"}.get(str(kind), "datetime64[us]")
        raise UnstorableFrameError(
            f"column {name!r} is an object column of {kind}: convert it first, e.g. astype({better!r})."
        )


@lru_cache
def _is_scalar(kind: pa.DataType) -> bool:
    values = plain_type(kind)
    scalar = [
        types.is_boolean, types.is_integer, types.is_floating, types.is_string, types.is_large_string,
        types.is_binary, types.is_large_binary, types.is_decimal, types.is_date32, types.is_time,
        types.is_timestamp, types.is_duration, types.is_null,
    ]  # fmt: skip
    return any(test(values) for test in scalar) and not isinstance(kind, pa.BaseExtensionType)


@lru_cache
def _is_in_objects(kind: pa.DataType) -> bool:
    in_objects = (
        types.is_string, types.is_large_string, types.is_binary, types.is_large_binary, types.is_decimal,
        types.is_date32, types.is_time, types.is_null,
    )  # fmt: skip
    return any(test(kind) for test in in_objects)


def _describe(column: pd.Series) -> dict[str, Any]:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return {
            "kind": "category",
            "dtype": "category",
            "ordered": bool(dtype.ordered),
            "categories": pack_categories(dtype.categories),
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


def _restore(column: pa.ChunkedArray, known: dict[str, Any]) -> Any:
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
    zone = _fixed_offset(column.type.tz)
    series = _exact_unit(column.to_pandas(), known["dtype"])
    return series.dt.tz_convert(zone) if zone is not None else series


def _exact_unit(series: pd.Series, dtype: str) -> pd.Series:
    """Give times the unit they had (Parquet has no seconds), numbers the width they had."""
    if str(series.dtype) == dtype:
        return series
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


def _categorical(column: pa.ChunkedArray, known: dict[str, Any]) -> pd.Series:
    categories = unpack_categories(known["categories"])
    dtype = pd.CategoricalDtype(categories, ordered=known["ordered"])
    if column.num_chunks == 1 and types.is_dictionary(column.type):
        chunk = column.chunk(0)
        if len(chunk.dictionary) == len(categories) and pd.Index(chunk.dictionary.to_pandas()).equals(categories):
            codes = chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), copy=False)
    values = column.cast(plain_type(column.type)) if types.is_dictionary(column.type) else column
    return pd.Series(pd.Categorical(values.to_pandas(), dtype=dtype), copy=False)


def pack_categories(categories: pd.Index) -> str:
    """Write categories as text: base64 of an Arrow stream."""
    sink = pa.BufferOutputStream()
    table = to_arrow(pd.DataFrame({"categories": categories.to_series().reset_index(drop=True)}))
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue().to_pybytes()).decode()


def unpack_categories(text: str) -> pd.Index:
    """Read categories back from their text."""
    with pa.ipc.open_stream(base64.b64decode(text)) as reader:
        return pd.Index(to_frame(reader.read_all())["categories"]).rename(None)


def _rows_only(rows: int, schema: pa.Schema) -> pa.Table:
    if rows:
        raise UnstorableFrameError(f"the frame has {rows} rows but no columns: nothing of them could be stored.")
    return schema.empty_table()
