"""Values between Arrow and databases: types as text, rows as text, rows as Arrow, and what has no place there."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from mlops_assets.io_managers.errors import UnstorableFrameError


def arrow_type(text: str) -> pa.DataType:
    """Read the Arrow type of a column back from its text."""
    sized = re.fullmatch(r"decimal(128|256)\((\d+), (-?\d+)\)", text)
    if sized:
        make = pa.decimal128 if sized[1] == "128" else pa.decimal256
        return make(int(sized[2]), int(sized[3]))
    special = {
        "date32[day]": pa.date32(), "time64[us]": pa.time64("us"), "timestamp[us]": pa.timestamp("us"),
        "timestamp[us, tz=UTC]": pa.timestamp("us", "UTC"), "double": pa.float64(), "float": pa.float32(),
    }  # fmt: skip
    return special.get(text) or pa.type_for_alias(text)


def kinds(data: pa.Table) -> dict[str, str]:
    """Return the types of a table's columns as text."""
    return {field.name: str(field.type) for field in data.schema}


def text_lines(data: pa.Table) -> bytes:
    r"""Write rows as text: tabs between columns, a line feed after rows, `\N` for missing."""
    compute: Any = pc
    columns = []
    for column in data.columns:
        text = column.combine_chunks()
        if types.is_binary(text.type):
            text = pa.array([None if value is None else value.hex() for value in text.to_pylist()], pa.string())
        elif types.is_timestamp(text.type):
            text = text.cast(pa.timestamp("us")).cast(pa.string())
        elif types.is_string(text.type):
            for raw, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\\0")):
                text = compute.replace_substring(text, raw, escaped)
        else:
            text = text.cast(pa.string())
        columns.append(compute.fill_null(text, "\\N").cast(pa.large_string()))
    lines = compute.binary_join_element_wise(*columns, pa.scalar("\t", pa.large_string()))
    return ("\n".join(lines.to_pylist()) + "\n").encode()


def rows_to_arrow(names: Sequence[str], cursor: Any) -> pa.Table:
    """Gather the rows of a cursor into Arrow, each column of the type its values have."""
    gathered: list[list[Any]] = [[] for _ in names]
    while rows := cursor.fetchmany(50_000):
        for column, values in zip(gathered, _columns(rows), strict=True):
            column.append(values)
    return pa.table([_joined(chunks) for chunks in gathered], names=list(names))


def row_batches(names: Sequence[str], result: Any, rows: int) -> Iterator[pa.Table]:
    """Yield the rows of a result as tables of so many, each column of the type its values in the table have."""
    while found := result.fetchmany(rows):
        yield pa.table([_joined([values]) for values in _columns(found)], names=list(names))


def _columns(rows: Sequence[Any]) -> Iterator[Any]:
    for values in zip(*rows, strict=True):
        decimals = isinstance(next((value for value in values if value is not None), None), Decimal)
        yield list(values) if decimals else _column(values)


def _column(values: Sequence[Any]) -> pa.Array:

    first = next((value for value in values if value is not None), None)
    if isinstance(first, timedelta):  # How MariaDB gives a time of day.
        midnight = datetime(1970, 1, 1)
        times = [None if value is None else (midnight + value).time() for value in values]
        return pa.array(times, pa.time64("us"))
    return pa.array(values, pa.float64() if isinstance(first, float) else None)


def _joined(chunks: list[Any]) -> pa.ChunkedArray:

    if any(isinstance(chunk, list) for chunk in chunks):
        # Decimals must be seen together to find digits enough for all of them.
        return pa.chunked_array(
            [pa.array([v for chunk in chunks for v in (chunk if isinstance(chunk, list) else chunk.to_pylist())])]
        )
    kinds_seen = [chunk.type for chunk in chunks if not pa.types.is_null(chunk.type)]
    kind = kinds_seen[0] if kinds_seen else pa.null()
    return pa.chunked_array([chunk.cast(kind) for chunk in chunks], kind)


def refuse_nan(name: str, array: pa.Array, where: str, infinite: bool = False) -> None:
    """Raise if a column holds not-a-number (a missing value is not one) or, if asked, infinity."""
    if not pa.types.is_floating(array.type):
        return
    values = array.drop_null().to_numpy(zero_copy_only=False)
    bad = ~np.isfinite(values) if infinite else np.isnan(values)
    if bad.any():
        raise UnstorableFrameError(
            f"{where}: column {name!r} holds {values[bad][0]} in {int(bad.sum())} rows, "
            "which this database has no place for. Make them missing values, or keep this table as files."
        )


def refuse_zero_character(name: str, array: pa.Array, where: str) -> None:
    """Raise if a text column holds the character of code 0."""
    if not pa.types.is_string(array.type):
        return
    compute: Any = pc
    found = compute.sum(compute.match_substring(array, "\0")).as_py()
    if found:
        raise UnstorableFrameError(
            f"{where}: column {name!r} holds the character NUL in {found} rows, which PostgreSQL has no place for. "
            "Remove it, or store the column as bytes."
        )
