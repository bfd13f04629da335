"""A document holds what the frame held, in JSON."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.reading.documents import columns_of, rows_of, table

FRAME = pd.DataFrame(
    {
        "item_id": ['a"b', "</script>"],
        "level": pd.Categorical(["item", None]),
        "at": pd.to_datetime(["2013-12-31", None]).astype("datetime64[us]"),
        "made": pd.to_datetime(["2013-12-31T06:00:00.25", "2013-12-31"], format="ISO8601").astype("datetime64[us]"),
        "zone": pd.to_datetime(["2013-12-31T06:00", "2014-01-01"], utc=True, format="ISO8601"),
        "mean": [1.5, np.nan],
        "wide": [np.inf, 123456789012.25],
        "count": pd.array([3, None], dtype="Int64"),
        "small": np.array([1.5, np.nan], dtype="float32"),
        "yes": [True, False],
        "which": [["a", "b"], {"n": np.float64(2.0)}],
    }
)


def test_each_kind_of_value_is_plain_json():
    assert columns_of(FRAME) == {
        "item_id": ['a"b', "</script>"],
        "level": ["item", None],
        "at": ["2013-12-31T00:00:00", None],
        "made": ["2013-12-31T06:00:00.250000", "2013-12-31T00:00:00.000000"],
        "zone": ["2013-12-31T06:00:00", "2014-01-01T00:00:00"],
        "mean": [1.5, None],
        "wide": [None, 123456789012.0],
        "count": [3, None],
        "small": [1.5, None],
        "yes": [True, False],
        "which": [["a", "b"], {"n": 2.0}],
    }
    assert json.loads(json.dumps(columns_of(FRAME), allow_nan=False)) == columns_of(FRAME)


def test_rows_and_columns_say_the_same():
    assert rows_of(FRAME)[1] == {name: values[1] for name, values in columns_of(FRAME).items()}
    assert rows_of(FRAME.head(0)) == []


def test_a_table_says_how_many_rows_there_are_and_where_the_next_begin():
    assert table("demo", FRAME[["yes"]]) == {
        "forecast": "demo",
        "total": 2,
        "next": None,
        "columns": {"yes": [True, False]},
    }
    assert (table("demo", FRAME, total=9)["total"], table("demo", FRAME, total=9)["next"]) == (9, 2)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False), max_size=4))
def test_numbers_keep_their_digits_and_whole_ones_are_not_touched(numbers):
    frame = pd.DataFrame({"mean": pd.Series(numbers, dtype=float)})
    for given_number, shown in zip(numbers, columns_of(frame, digits=6)["mean"], strict=True):
        assert shown == pytest.approx(given_number, rel=1e-5, abs=1e-300)
        assert shown == given_number or given_number != round(given_number)
