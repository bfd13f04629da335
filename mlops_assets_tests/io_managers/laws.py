"""Frames of every kind of column, and how a law is tried on them."""

import datetime as dt
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
from hypothesis import HealthCheck, settings
from pandas.testing import assert_frame_equal

from mlops_assets_tests.io_managers.conftest import SLOW_PLACES

EXAMPLES = 30
SLOW_EXAMPLES = 5


def law(test: Any) -> Any:
    """Try a law on examples: the same ones each time, fewer where each is slow."""
    quiet = settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    return quiet(test)


def few_where_slow(place: str, data: st.DataObject) -> bool:
    """Draw whether to go on: true for all examples of a quick place and a share of a slow one's."""
    return place not in SLOW_PLACES or data.draw(st.integers(0, EXAMPLES - 1)) < SLOW_EXAMPLES


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
moments = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))
nanoseconds = st.integers(-(2**60), 2**60)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


def column_of(values: st.SearchStrategy[Any], build: Any) -> Any:
    return lambda rows: st.lists(values, min_size=rows, max_size=rows).map(build)


def series(dtype: Any) -> Any:
    return lambda values: pd.Series(values, dtype=dtype)


def zoned(zone: Any, unit: str) -> Any:
    def build(values: list[Any]) -> pd.Series:
        return pd.Series(pd.to_datetime(values, utc=True).tz_convert(zone).as_unit(unit))

    return build


COLUMNS = {
    "int64": column_of(st.integers(-(2**63), 2**63 - 1), series("int64")),
    "int8": column_of(st.integers(-128, 127), series("int8")),
    "uint16": column_of(st.integers(0, 2**16 - 1), series("uint16")),
    "uint64": column_of(st.integers(0, 2**64 - 1), series("uint64")),
    "Int64": column_of(maybe(st.integers(-(2**63), 2**63 - 1)), series("Int64")),
    "UInt8": column_of(maybe(st.integers(0, 255)), series("UInt8")),
    "bool": column_of(st.booleans(), series("bool")),
    "boolean": column_of(maybe(st.booleans()), series("boolean")),
    "float64": column_of(st.one_of(finite, st.just(np.nan)), series("float64")),
    "float32": column_of(st.one_of(st.floats(width=32, allow_nan=False, allow_infinity=False)), series("float32")),
    "Float64": column_of(maybe(finite), series("Float64")),
    "object text": column_of(maybe(texts), series("object")),
    "string": column_of(maybe(texts), series("string")),
    "string[pyarrow]": column_of(maybe(texts), series("string[pyarrow]")),
    "bytes": column_of(maybe(st.binary(max_size=20)), series("object")),
    "date": column_of(maybe(st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1))), series("object")),
    "time": column_of(maybe(st.times()), series("object")),
    "decimal": column_of(
        maybe(st.decimals(min_value=-(10**12), max_value=10**12, places=4, allow_nan=False)), series("object")
    ),
    "category": lambda rows: st.lists(st.sampled_from(["a", "b", None]), min_size=rows, max_size=rows).map(
        lambda values: pd.Series(pd.Categorical(values, categories=["b", "unused", "a"]))
    ),
    "ordered category": lambda rows: st.lists(st.sampled_from([3, 7]), min_size=rows, max_size=rows).map(
        lambda values: pd.Series(pd.Categorical(values, categories=[7, 5, 3], ordered=True))
    ),
    "datetime64[us]": column_of(maybe(moments), lambda v: pd.Series(pd.to_datetime(v).as_unit("us"))),
    "datetime64[s]": column_of(
        maybe(moments.map(lambda t: t.replace(microsecond=0))),
        lambda v: pd.Series(pd.to_datetime(v).as_unit("s")),
    ),
    "datetime64[ns]": column_of(nanoseconds, lambda v: pd.Series(pd.to_datetime(np.array(v, dtype="int64")))),
    "zoned ns": column_of(nanoseconds, lambda v: zoned("America/New_York", "ns")(np.array(v, dtype="int64"))),
    "zoned us": column_of(maybe(moments), zoned("Asia/Kathmandu", "us")),
    "fixed offset": column_of(maybe(moments), zoned(dt.timezone(-dt.timedelta(hours=5)), "us")),
    "timedelta": column_of(maybe(st.timedeltas(-dt.timedelta(9999), dt.timedelta(9999))), series("timedelta64[us]")),
    "nothing": lambda rows: st.just(pd.Series([None] * rows, dtype="object")),
}


@st.composite
def frames(draw: st.DrawFn, min_rows: int = 0) -> pd.DataFrame:
    """Draw a frame: some kinds of column, the same number of rows in each, none at times."""
    rows = draw(st.integers(min_rows, 8))
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=6, unique=True))
    return pd.DataFrame({kind: draw(COLUMNS[kind](rows)) for kind in kinds})


def same(found: pd.DataFrame, expected: Any) -> None:
    assert_frame_equal(found, expected.reset_index(drop=True), check_freq=False, check_exact=True)
