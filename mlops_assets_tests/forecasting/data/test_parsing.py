"""Moments and numbers in any form that tables come in."""

import json
import math
from datetime import date, datetime, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.forecasting.data.contract import (
    Contract,
    Window,
    check,
)
from mlops_assets.forecasting.data.numbers import read_numbers
from mlops_assets.forecasting.data.parsing import distinct_of, read_moments
from mlops_assets_tests.forecasting.data.rows import GOOD, MARCH, NOW, RICH, accepted_moments, days, table, targets


@pytest.mark.parametrize(
    "moment",
    ["2024-03-05", "2024/03/05", "2024-3-5", "20240305", "2024-03-05T00", "2024-03-05 00:00:00.000", "2024-03-05\n"],
)
def test_iso_dates_are_read(moment):
    assert accepted_moments(days(moment)) == ["2024-03-05 00:00:00"]


def test_a_month_or_a_year_is_its_first_day():
    year = Window(pd.Timestamp(2024, 1, 1), pd.Timestamp(2025, 1, 1))
    assert accepted_moments(days("2024-03", "2024", window=year)) == ["2024-01-01 00:00:00", "2024-03-01 00:00:00"]


@pytest.mark.parametrize(
    "moment",
    [
        "now", "today", "NaT", "nan", "None", "12", "05/03/2024", "03/05/2024", "5 March 2024", "2024-02-30",
        "2024-03-05T24:00", "2024-03-05Z", "2024-03-05+01:00", "2024-03-05 00:00 EST", "2024-W10-2", "-2024-03-05",
        "٢٠٢٤-٠٣-٠٥", "1709596800", 20240305, 20240305.0, True, [2024, 3, 5], "9999-12-31", "2024-13-01",
    ],
)  # fmt: skip
def test_what_is_no_iso_date_is_refused(moment):
    assert days(moment).reasons == {"unparsable_timestamp": 1}


def test_numbers_are_no_moments_unless_a_format_is_declared():
    assert days(20240305, 20240306, dtype="int64").reasons == {"unparsable_timestamp": 2}
    by_format = Contract(("item",), "day", "sales", "D", timestamp_format="%Y%m%d")
    for dtype in ("int64", "Int64", "float64", object):
        assert accepted_moments(days(20240305, dtype=dtype, contract=by_format)) == ["2024-03-05 00:00:00"]


@pytest.mark.parametrize(
    ("form", "moment"),
    [
        ("epoch_s", 1709596800),
        ("epoch_s", "1709596800"),
        ("epoch_s", 1709596800.0),
        ("epoch_s", "1709596800.0"),
        ("epoch_ms", 1709596800000),
        ("epoch_ms", "1709596800000"),
        ("epoch_us", 1709596800000000),
        ("epoch_ns", 1709596800000000000),
        ("epoch_ns", np.int64(1709596800000000000)),
        ("%G-W%V", "2024-W10"),
        ("%GW%V", "2024W10"),
        ("%G-W%V-%u", "2024-W10-1"),
        ("%Y-%W", "2024-10"),
        ("%Y-%U", "2024-09"),
    ],
)
def test_epochs_and_weeks_are_read_by_their_format(form, moment):
    contract = Contract(("item",), "day", "sales", "h", timestamp_format=form)
    expected = {"%G": "2024-03-04", "%Y-%W": "2024-03-04", "%Y-%U": "2024-03-03"}
    wanted = next((day for code, day in expected.items() if form.startswith(code)), "2024-03-05")
    assert accepted_moments(days(moment, contract=contract)) == [f"{wanted} 00:00:00"]


@pytest.mark.parametrize(("form", "text"), [("%YQ%q", "2024Q2"), ("%Y-Q%q", "2024-q2"), ("Q%q %Y", "Q2 2024")])
def test_a_quarter_is_its_first_day(form, text):
    read, _ = read_moments(pd.Series([text, None]), ZoneInfo("UTC"), form)
    assert (read[0], read[1]) == (pd.Timestamp("2024-04-01"), pd.NaT)


@pytest.mark.parametrize("moment", ["202401", "2024Q5", "2024", "now"])
def test_what_names_no_quarter_is_none(moment):
    contract = Contract(("item",), "day", "sales", "QS", timestamp_format="%YQ%q")
    assert days(moment, contract=contract).reasons == {"unparsable_timestamp": 1}


def test_an_epoch_is_a_moment_of_the_spec_s_zone():
    contract = Contract(("item",), "day", "sales", "D", "Europe/Berlin", "epoch_ms")
    assert accepted_moments(days(1709593200000, contract=contract)) == ["2024-03-05 00:00:00"]


@pytest.mark.parametrize("moment", ["2024-03-05", "soon", "1e3000", "nan", "-inf", "9" * 30, True])
def test_what_is_no_number_of_this_age_is_no_epoch(moment):
    contract = Contract(("item",), "day", "sales", "D", timestamp_format="epoch_s")
    assert days(moment, contract=contract).reasons == {"unparsable_timestamp": 1}


@given(st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)))
def test_every_moment_comes_back_from_microseconds(moment):
    micros = (pd.Timestamp(moment) - pd.Timestamp(1970, 1, 1)) // pd.Timedelta(1, unit="us")
    read, _ = read_moments(pd.Series([micros]), ZoneInfo("UTC"), "epoch_us")
    assert read[0] == pd.Timestamp(moment)


def test_a_declared_format_is_the_only_one_for_text_and_none_for_dates():
    german = Contract(("item",), "day", "sales", "D", timestamp_format="%d.%m.%Y")
    checked = days("05.03.2024", "2024-03-06", "today", date(2024, 3, 7), datetime(2024, 3, 8), contract=german)
    assert accepted_moments(checked) == ["2024-03-05 00:00:00", "2024-03-07 00:00:00", "2024-03-08 00:00:00"]
    assert checked.quarantined["detail"].tolist() == [
        "column day: '2024-03-06' is not %d.%m.%Y",
        "column day: 'today' is not %d.%m.%Y",
    ]


def test_a_declared_format_with_an_offset_is_converted():
    contract = Contract(("item",), "day", "sales", "D", "America/New_York", "%d.%m.%Y %H:%M %z")
    checked = days("05.03.2024 05:00 +0000", "06.03.2024 06:00 +0100", "07.03.2024 00:00 -0500", contract=contract)
    assert accepted_moments(checked) == [f"2024-03-0{day} 00:00:00" for day in (5, 6, 7)]


def test_aware_and_naive_text_may_stand_side_by_side():
    contract = Contract(("item",), "day", "sales", "D", "America/New_York")
    moments = (
        "2024-03-05",
        "2024-03-06T05:00:00Z",
        "2024-03-07T06:00+01:00",
        "2024-03-08 00:00:00 -0500",
        "2024-03-09T05Z",
    )
    expected = [f"2024-03-0{day} 00:00:00" for day in range(5, 10)]
    assert accepted_moments(days(*moments, contract=contract)) == expected


def test_midnight_in_utc_is_no_midnight_elsewhere():
    local = Contract(("item",), "day", "sales", "D", "America/New_York")
    checked = days("2024-03-05T00:00:00Z", contract=local)
    assert checked.reasons == {"off_grid": 1}
    assert checked.quarantined["timestamp"].tolist() == [pd.Timestamp(2024, 3, 4, 19)]
    assert accepted_moments(days("2024-03-05T00:00:00Z")) == ["2024-03-05 00:00:00"]


def test_the_repeated_hour_is_kept_once_in_local_time_and_twice_in_utc():
    moments = [f"2023-11-05T0{hour}:00:00Z" for hour in range(4, 8)]
    window = Window(pd.Timestamp(2023, 11, 5), pd.Timestamp(2023, 11, 6))
    local = Contract(("item",), "day", "sales", "h", "America/New_York")
    for stamps in (
        moments,
        pd.to_datetime(pd.Series(moments)),
        [datetime.fromisoformat(m[:-1] + "+00:00") for m in moments],
    ):
        checked = check(table(item="a", day=stamps, sales=range(4)), local, window, NOW)
        assert accepted_moments(checked) == [f"2023-11-05 0{hour}:00:00" for hour in range(3)]
        assert checked.accepted["target"].tolist() == [0, 1, 3]
        assert checked.reasons == {"repeated_hour": 1}
        assert json.loads(checked.quarantined["record"][0])["sales"] == 2
    utc = Contract(("item",), "day", "sales", "h")
    assert len(days(*moments, contract=utc, window=window).accepted) == 4


def test_the_hour_that_is_skipped_leaves_a_gap():
    local = Contract(("item",), "day", "sales", "h", "America/New_York")
    moments = [f"2024-03-10T0{hour}:00:00Z" for hour in range(5, 9)]
    assert [m[11:13] for m in accepted_moments(days(*moments, contract=local))] == ["00", "01", "03", "04"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["2024-03-05"], dtype="datetime64[ns]"),
        pd.Series(["2024-03-05"], dtype="datetime64[s]"),
        pd.Series(["2024-03-05"], dtype="datetime64[us]"),
        pd.Series(["2024-03-05T05:00Z"], dtype="datetime64[ms, UTC]"),
        pd.Series([pd.Timestamp("2024-03-05", tz="America/New_York")]),
        pd.Series(["2024-03-05"], dtype="string"),
        pd.Series(["2024-03-05"], dtype="category"),
        pd.Series(pd.to_datetime(["2024-03-05"])).astype("category"),
        pd.Series([date(2024, 3, 5)], dtype=object),
        pd.Series([datetime(2024, 3, 5)], dtype=object),
        pd.Series([datetime(2024, 3, 5, 5, tzinfo=timezone.utc)], dtype=object),
        pd.Series([pd.Timestamp(2024, 3, 5)], dtype=object),
        pd.Series([np.datetime64("2024-03-05")], dtype=object),
    ],
    ids=lambda column: f"{column.dtype}-{type(column[0]).__name__}",
)
def test_typed_moments_are_read(column):
    contract = Contract(("item",), "day", "sales", "D", "America/New_York")
    padded = pd.concat([column, pd.Series([None], dtype=column.dtype)], ignore_index=True)
    checked = days(padded, contract=contract)
    assert accepted_moments(checked) == ["2024-03-05 00:00:00"]
    assert checked.reasons == {"missing_timestamp": 1}


def test_a_typed_moment_far_away_is_no_error():
    far = pd.Series(["9999-12-31", "0001-01-01"], dtype="datetime64[us]")
    checked = days(far)
    assert checked.reasons == {"in_the_future": 1}
    assert checked.counts["rows_of_other_times"] == 1


@pytest.mark.parametrize(
    ("frequency", "good", "bad"),
    [
        ("h", "2024-03-05T23:00", "2024-03-05T23:30"),
        ("15min", "2024-03-05T23:45", "2024-03-05T23:44"),
        ("B", "2024-03-05", "2024-03-09"),
        ("W-SUN", "2024-03-10", "2024-03-11"),
        ("MS", "2024-03-01", "2024-03-02"),
        ("ME", "2024-02-29", "2024-02-28"),
        ("QS", "2024-01-01", "2024-02-01"),
        ("MS", "2024-03-01", "2024-03-01T00:00:00.000001"),
    ],
)
def test_moments_off_the_grid(frequency, good, bad):
    year = Window(pd.Timestamp(2024, 1, 1), pd.Timestamp(2025, 1, 1))
    contract = Contract(("item",), "day", "sales", frequency)
    checked = days(good, bad, contract=contract, window=year)
    assert accepted_moments(checked) == [str(pd.Timestamp(good))]
    assert checked.reasons == {"off_grid": 1}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("1e3", 1000),
        ("+.5", 0.5),
        ("1.", 1),
        ("-0", 0),
        ("1" * 30, 1.1111111111111112e29),
        ("1E-2", 0.01),
    ],
)
def test_plain_numbers_are_read(text, number):
    assert targets([text]).accepted["target"].tolist() == [pytest.approx(number, rel=1e-15)]


@pytest.mark.parametrize(
    "text", ["1,234", "1_000", "0x10", "1 00", "1e", "--1", "½", "١٢", "１２", "true", "zero", "1;", "12,34,5", "1.2.3"]
)
def test_what_is_no_plain_number_is_refused(text):
    assert targets([text]).reasons == {"target_not_a_number": 1}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_to_the_last_bit(number):
    assert read_numbers(pd.Series([repr(number)]))[0].tolist() == [number]


@pytest.mark.parametrize("gap", ["", " ", "nan", "NaN", None, math.nan, pd.NA, pd.NaT, Decimal("NaN")])
def test_gaps_in_the_target(gap):
    assert targets([gap]).accepted["target"].isna().all()


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 2], dtype="int8"),
        pd.Series([1, 2], dtype="uint64"),
        pd.Series([1, 2], dtype="Int64"),
        pd.Series([1, 2], dtype="float32"),
        pd.Series([1, 2], dtype="Float64"),
        pd.Series([Decimal("1.0"), Decimal("2E+0")], dtype=object),
        pd.Series([1, "2"], dtype=object),
        pd.Series([1, 2], dtype="category"),
        pd.Series(["1", "2"], dtype="category"),
        pd.Series(["1", "2"], dtype="string"),
    ],
    ids=lambda column: f"{column.dtype}-{type(column[0]).__name__}",
)
def test_typed_numbers_are_read(column):
    checked = targets(column, dtype=column.dtype)
    assert checked.accepted["target"].tolist() == [1.0, 2.0]
    if not str(column.dtype).startswith(("int", "uint")):
        gappy = pd.concat([column, pd.Series([None], dtype=column.dtype)], ignore_index=True)
        assert targets(gappy, dtype=column.dtype).accepted["target"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize("dtype", ["bool", "boolean", object])
def test_true_is_no_target_but_a_covariate(dtype):
    flags = pd.Series([True, False], dtype=dtype)
    assert targets(flags, dtype=dtype).reasons == {"target_not_a_number": 2}
    raw = table(*[{**GOOD, "item": str(n)} for n in range(2)]).assign(price=flags)
    assert check(raw, RICH, MARCH, NOW).accepted["price"].tolist() == [1.0, 0.0]


def test_a_gap_between_flags():
    flags = pd.Series([True, None], dtype="boolean")
    assert targets(flags, dtype="boolean").reasons == {"target_not_a_number": 1}
    raw = table(*[{**GOOD, "item": str(n)} for n in range(2)]).assign(price=flags)
    assert check(raw, RICH, MARCH, NOW).accepted["price"].isna().tolist() == [False, True]


def test_moments_and_spans_are_no_numbers():
    assert targets(pd.to_datetime(["2024-03-05"]), dtype="datetime64[ns]").reasons == {"target_not_a_number": 1}
    assert targets(pd.to_timedelta([5], unit="D"), dtype="timedelta64[ns]").reasons == {"target_not_a_number": 1}
    assert targets([1 + 2j], dtype=complex).reasons == {"target_not_a_number": 1}


def test_texts_are_told_apart_to_the_last_character():
    texts = ["a", "a\0b", "a\0c", None, float("nan"), "a", "\U0001f600", "a "]
    for more in ([], ["\ud800", "\ud800"]):  # half of a character, which no file of texts can hold
        values = pd.Series([*texts, *more], dtype=object)
        distinct, places = distinct_of(values)
        assert distinct == ["a", "a\0b", "a\0c", None, "\U0001f600", "a ", *more[:1]]
        assert [distinct[place] for place in places] == [None if pd.isna(value) else value for value in values]
