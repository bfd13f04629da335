"""What is read is what was written, of every kind, in every store; what cannot come back is refused."""

import datetime as dt
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from mlops_assets.io_managers import (
    Tables,
    UnstorableFrameError,
)
from mlops_assets_tests.io_managers.laws import COLUMNS, few_where_slow, frames, law, same
from mlops_assets_tests.io_managers.servers import fresh_name


@law
@given(frame=frames(), data=st.data())
def test_what_is_read_is_what_was_written(tables: Tables, place: str, frame: pd.DataFrame, data: st.DataObject):
    if not few_where_slow(place, data):
        return
    key = [fresh_name(), "table"]
    tables.write(key, frame)
    same(tables.read(key), frame)
    tables.delete(key)


@pytest.mark.parametrize("kind", sorted(COLUMNS))
def test_every_kind_of_column_comes_back(tables: Tables, key: list[str], kind: str):
    """The law again, with each kind for sure: some rows, none, and read back in part."""
    frame = pd.DataFrame({kind: _sample(kind), "other": range(5)})
    tables.write(key, frame, "full")
    tables.write(key, frame.iloc[:0], "empty")
    same(tables.read(key, ["full"]), frame)
    same(tables.read(key, ["empty"]), frame.iloc[:0])
    same(tables.read(key, ["full"], columns=[kind]), frame[[kind]])
    tables.delete(key)


def _sample(kind: str) -> pd.Series:
    zone = dt.timezone(-dt.timedelta(hours=5))
    spring = pd.to_datetime(
        ["2024-03-10 06:59:59.999999", "2024-03-10 07:00", None, "1969-12-31", "2024-11-03"], format="ISO8601"
    )
    fine = pd.to_datetime(np.array([0, -1, 1_700_000_000_123_456_789, 999, -1001]))
    samples: dict[str, Any] = {
        "int64": np.array([0, -(2**63), 2**63 - 1, 1, -1], dtype="int64"),
        "int8": np.array([-128, 127, 0, 1, 2], dtype="int8"),
        "uint16": np.array([0, 65535, 1, 2, 3], dtype="uint16"),
        "uint64": np.array([0, 2**64 - 1, 2**63, 1, 2], dtype="uint64"),
        "Int64": pd.array([2**53 + 1, None, -(2**63), 0, 1], dtype="Int64"),
        "UInt8": pd.array([255, None, 0, 1, 2], dtype="UInt8"),
        "bool": [True, False, True, True, False],
        "boolean": pd.array([True, None, False, None, True], dtype="boolean"),
        "float64": [0.1 + 0.2, np.nan, -0.0, 1.7976931348623157e308, 5e-324],
        "float32": np.array([0.1, 3.4e38, 1e-45, -0.0, 16777217], dtype="float32"),
        "Float64": pd.array([0.1, None, 2.0, -1e-300, 1e300], dtype="Float64"),
        "object text": [
            "",
            None,
            "tab\there\nline\\N \\",
            "'; DROP TABLE x; --",
            "naïve 🎈 " + "long" * 20_000,
        ],
        "string": pd.array(["a ", None, "a", "A", "ä"], dtype="string"),
        "string[pyarrow]": pd.array(["%s {0} :x", None, '"', "`", "\r\n"], dtype="string[pyarrow]"),
        "bytes": [b"", None, b"\x00\xff\n\t\\", b"'", b"text"],
        "date": [dt.date(1900, 1, 1), None, dt.date(2024, 2, 29), dt.date(1969, 12, 31), dt.date(2200, 1, 1)],
        "time": [dt.time(0), None, dt.time(23, 59, 59, 999999), dt.time(1, 2, 3), dt.time(12)],
        "decimal": [
            Decimal("0.0001"),
            None,
            Decimal("-12345678901234567.8901"),
            Decimal("1.5"),
            Decimal("0.0000"),
        ],
        "category": pd.Categorical(["a", None, "b", "a", "a"], categories=["b", "unused", "a"]),
        "ordered category": pd.Categorical([7, 3, 3, 7, 3], categories=[7, 5, 3], ordered=True),
        "datetime64[us]": spring.as_unit("us"),
        "datetime64[s]": pd.Series(spring).dt.floor("s").dt.as_unit("s"),
        "datetime64[ns]": fine,
        "zoned ns": fine.tz_localize("UTC").tz_convert("America/New_York"),
        "zoned us": spring.tz_localize("UTC").tz_convert("Asia/Kathmandu").as_unit("us"),
        "fixed offset": spring.tz_localize("UTC").tz_convert(zone).as_unit("us"),
        "timedelta": pd.to_timedelta([0, -1, None, 86_400_000_001, 1], unit="us").as_unit("us"),
        "nothing": [None] * 5,
    }
    return pd.Series(samples[kind], dtype="object" if kind in ("nothing", "decimal", "date", "time", "bytes") else None)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": [1, "x"]}), "column 'a' .*cannot be stored"),
        (pd.DataFrame({"a": [[1], [2]]}), "not a value of a table"),
        (pd.DataFrame({"a": [1, None]}, dtype=object), r"object column of int64.*astype\('Int64'\)"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([1], name="i")), r"reset_index\(\)"),
        (pd.DataFrame([[1, 2]], columns=pd.Index(["a", "a"])), "more than once"),
        (pd.DataFrame([[1]], columns=pd.Index([0])), "column names must be single strings"),
        (pd.DataFrame({"a": pd.period_range("2024", periods=1)}), "column 'a'"),
        (pd.DataFrame(index=pd.RangeIndex(2)), "2 rows but no columns"),
    ],
)
def test_what_cannot_come_back_is_refused_before_anything_is_touched(
    tables: Tables, key: list[str], frame: pd.DataFrame, message: str
):
    tables.write(key, pd.DataFrame({"a": [1]}))
    with pytest.raises(UnstorableFrameError, match=message):
        tables.write(key, frame)
    same(tables.read(key), pd.DataFrame({"a": [1]}))


def test_what_comes_out_is_a_copy(tables: Tables, key: list[str]):
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    tables.write(key, frame, "1")
    frame.loc[0, "a"] = 99.0
    first = tables.read(key)
    first.loc[0, "a"] = -1.0
    first.loc[0, "b"] = "changed"
    same(tables.read(key), pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}))


def test_many_rows_come_back_in_their_order(tables: Tables, key: list[str]):
    """Enough rows for the bulk path of every database, in partitions whose order is not that of their names."""
    random = np.random.default_rng(0)
    parts = {}
    for name, rows in (("c", 30_000), ("a", 1), ("b", 0), ("d", 5_000)):
        at = pd.Series(pd.to_datetime(random.integers(0, 2**50, rows), unit="us").as_unit("us"))
        text = pd.Series(random.integers(0, 99, rows).astype(str), dtype="string").mask(random.random(rows) < 0.1)
        value = pd.Series(random.normal(size=rows)).mask(random.random(rows) < 0.1)
        parts[name] = pd.DataFrame({"at": at, "text": text, "value": value, "open": random.random(rows) < 0.5})
        tables.write(key, parts[name], name)
    same(tables.read(key, ["c", "a", "b", "d"]), pd.concat(parts.values(), ignore_index=True))
    same(tables.read(key, ["d", "c"], columns=["value"])[["value"]], pd.concat([parts["d"], parts["c"]])[["value"]])
    tables.write(key, parts["c"].iloc[::-1], "c")
    same(tables.read(key, ["c"]), parts["c"].iloc[::-1])
