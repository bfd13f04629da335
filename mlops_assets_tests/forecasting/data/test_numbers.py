"""Numbers in any writing: read where only one reading is possible or one is declared, and said."""

import math
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.forecasting.data.numbers import NA_VALUES, NumberFormat, read_numbers, readings

AMOUNTS = st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=5)
SIGNS = st.sampled_from([".,", ",.", ", ", ".'"])


def read(*values: Any, **form: Any) -> tuple[list[float | None], list[str]]:
    """Values, None where bad, and the notes."""
    numbers = read_numbers(pd.Series(values, dtype=object), NumberFormat(**form))
    found = zip(numbers.values, numbers.bad, strict=True)
    return [None if bad else value for value, bad in found], numbers.notes


@pytest.mark.parametrize(
    ("values", "numbers", "writing"),
    [
        (["100,63", "5"], [100.63, 5], "decimal ','"),
        (["0,123"], [0.123], "decimal ','"),
        (["1234,567"], [1234.567], "decimal ','"),
        ([",5", "-2,25", "1e3"], [0.5, -2.25, 1000], "decimal ','"),
        (["1,5", "1,234"], [1.5, 1.234], "decimal ','"),
        (["1.234,5", "1.234"], [1234.5, 1234], "decimal ',' and thousands '.'"),
        (["12.345.678"], [12345678], "decimal ',' and thousands '.'"),
        (["1,234.5", "1,234"], [1234.5, 1234], "decimal '.' and thousands ','"),
        (["1.5", "1,234"], [1.5, 1234], "decimal '.' and thousands ','"),
        (["1,234,567", "12"], [1234567, 12], "decimal '.' and thousands ','"),
        (["1 234,56"], [1234.56], "decimal ',' and thousands ' '"),
        (["1\u00a0234\u202f567,5"], [1234567.5], "decimal ',' and thousands ' '"),
        (["1'234.50", "1’000"], [1234.5, 1000], "decimal '.' and thousands \"'\""),
        (["-1.234,50"], [-1234.5], "decimal ',' and thousands '.'"),
    ],
)
def test_what_can_be_read_in_one_way_is_read_so_and_said(values, numbers, writing):
    found, notes = read(*values)
    assert found == numbers
    assert len(notes) == 1
    assert notes[0].startswith(f"read with {writing}, such as ")


@pytest.mark.parametrize(
    "values", [["1,234"], ["1,234", "12"], ["1,234", "12,500"], ["1.5", "1,5"], ["1.234", "1,5"], ["12.5", "1.234,5"]]
)
def test_what_can_be_read_in_two_ways_is_no_number(values):
    found, notes = read(*values)
    assert notes == []
    assert [number is None for number in found] == ["," in value for value in values]


def test_points_between_the_thousands_of_whole_numbers_are_asked_about():
    texts = ["987", "1.234", "2.000", "12.500"]
    found, notes = read(*texts)
    assert found == [987, 1.234, 2, 12.5]
    assert notes == [
        "'1.234' was read as 1.234, but beside whole numbers such as '987' it looks like 1234: source.thousands: '.'? "
        "If it is not, source.decimal: '.' says so"
    ]
    assert read(*texts, thousands=".") == ([987, 1234, 2000, 12500], [])
    assert read(*texts, decimal=".") == (found, [])


@pytest.mark.parametrize(
    "texts", [["987", "1.234", "2.000", "1.5"], ["0.987", "1.234", "2.000", "1"], ["1.789", "1.801", "1.795"]]
)
def test_decimals_are_not_taken_for_thousands(texts):
    assert read(*texts) == ([float(text) for text in texts], [])


def test_what_a_value_would_be_is_said_with_the_field_that_decides():
    assert readings("1,234") == "1234 with source.thousands: ',' or 1.234 with source.decimal: ','"
    assert readings("1,5") == "1.5 with source.decimal: ','"
    assert readings("closed") == readings("€ 5") == readings(None) == readings(5) == ""


@pytest.mark.parametrize(
    ("form", "values", "numbers"),
    [
        ({"decimal": ","}, ["1,234", "1.5", "7"], [1.234, None, 7]),
        ({"decimal": "."}, ["1,5", "1.5"], [None, 1.5]),
        ({"thousands": ","}, ["1,234", "1,234.5", "1,00,000", "1,5"], [1234, 1234.5, 100000, None]),
        ({"thousands": "."}, ["1.234", "1.234,5", "1.5"], [1234, 1234.5, None]),
        ({"decimal": ",", "thousands": " "}, ["1 234,5", "1\u202f234", "1234,5"], [1234.5, 1234, 1234.5]),
        ({"thousands": "_"}, ["1_000", "1_0"], [1000, None]),
        ({"decimal": ","}, [1.5, 7, Decimal("2.5"), True], [1.5, 7, 2.5, None]),
    ],
)
def test_a_declared_writing_is_the_only_one(form, values, numbers):
    assert read(*values, **form) == (numbers, [])


def test_each_file_may_have_a_writing_of_its_own():
    values = pd.Series(["1,5", "2", "1,500.5", "1,500"], dtype=object)
    found = read_numbers(values, sources=pd.Series(["a.csv", "a.csv", "b.csv", "b.csv"]))
    assert found.values.tolist() == [1.5, 2, 1500.5, 1500]
    assert found.notes == [
        "read with decimal ',', such as '1,5' in a.csv",
        "read with decimal '.' and thousands ',', such as '1,500.5' in b.csv",
    ]
    many = read_numbers(pd.Series(["1,5"] * 3, dtype=object), sources=pd.Series(["a.csv", "b.csv", "c.csv"]))
    assert many.notes == ["read with decimal ',', such as '1,5' in 3 files, a.csv the first"]


@pytest.mark.parametrize("text", NA_VALUES)
def test_the_usual_marks_are_missing_and_counted(text):
    found, notes = read(f" {text} ", text, "5")
    assert [math.isnan(number) for number in found] == [True, True, False]
    assert notes == [f"2 × {text!r} read as missing"]


def test_other_marks_are_declared():
    assert read("sold out", "5") == ([None, 5.0], [])
    found, notes = read("sold out", "-999", "-999.0", -999, "NA", "5", na_values=("sold out", "-999"))
    assert [math.isnan(number) for number in found] == [True] * 5 + [False]
    assert notes == [
        "2 × '-999' read as missing",
        "1 × 'sold out' read as missing",
        "1 × 'NA' read as missing",
        "1 × -999 read as missing",
    ]
    typed = read_numbers(pd.Series([-999.0, 5.0]), NumberFormat(na_values=("-999",)))
    assert typed.values.isna().tolist() == [True, False]
    assert typed.notes == ["1 × -999 read as missing"]
    assert math.isnan(read("9x9", "1,5", na_values=("9x9",))[0][0])


@pytest.mark.parametrize("dtype", [object, "int64", "Int64", "uint64", "string"])
def test_whole_numbers_that_float64_cannot_hold_are_told(dtype):
    exact, rounded = 2**53, 2**53 + 1
    values = pd.Series([exact, rounded], dtype="int64").astype(dtype)
    assert read_numbers(values).notes == [f"1 × a whole number beyond 2^53 rounded, such as {rounded}"]


@given(
    st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=5), st.sampled_from([".,", ",.", ", ", ".'"])
)
def test_a_declared_writing_reads_back_what_was_written(numbers, signs):
    decimal, thousands = signs
    texts = [f"{number:,.2f}".replace(",", "T").replace(".", decimal).replace("T", thousands) for number in numbers]
    assert read(*texts, decimal=decimal, thousands=thousands) == ([float(number) for number in numbers], [])


@given(
    st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=5), st.sampled_from([".,", ",.", ", ", ".'"])
)
def test_what_is_read_without_being_declared_is_what_was_written(numbers, signs):
    decimal, thousands = signs
    texts = [f"{number:,.2f}".replace(",", "T").replace(".", decimal).replace("T", thousands) for number in numbers]
    assert read(*texts)[0] == [float(number) for number in numbers]
