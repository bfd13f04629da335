"""The contract: every row is accepted, quarantined with a reason, collapsed, or of another time; all are counted."""

import json
import math
from datetime import date, datetime, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.data.contract import (
    REASONS,
    ROW_NUMBER,
    ROW_PROBLEM,
    ROW_SOURCE,
    Contract,
    ContractError,
    Window,
    check,
)
from mlops_assets.forecasting.data.grid import on_grid
from mlops_assets.forecasting.data.parsing import read_item_ids
from mlops_assets_tests.forecasting.data.rows import DAILY, GOOD, MARCH, NOW, RICH, accepted_moments, days, one, table

# The law

CELLS = st.one_of(
    st.none(),
    st.just(""),
    st.sampled_from(
        ["2024-03-05", "2024-03-05T00:00:00Z", "2024-03-05T06:00", "2024-03-31", "2024-02-01", "2025-01-01"]
    ),
    st.sampled_from(
        ["now", "today", "nan", "NaT", "inf", "-1e400", "1,5", "true", "0x1", "2024-02-30", "9999-12-31", "a/b"]
    ),
    st.dates(date(2023, 12, 1), date(2024, 5, 1)),
    st.datetimes(datetime(2024, 2, 20), datetime(2024, 4, 10), timezones=st.none() | st.just(timezone.utc)),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.decimals(allow_nan=False) | st.just(Decimal("NaN")),
    st.booleans(),
    st.text(max_size=12),
    st.lists(st.integers(), max_size=1),
)


@st.composite
def raw_tables(draw: st.DrawFn) -> pd.DataFrame:
    likely = {
        "shop": st.sampled_from(["s", "t/u", "t"]),
        "item": st.sampled_from(["i", "u/i", "j "]),
        "day": st.sampled_from(["2024-03-05", "2024-03-06", "2024-03-06 00:00", "2024-03-19"]),
        "sales": st.sampled_from(["1", "1.0", "2", ""]),
        "price": st.sampled_from(["1", "true", ""]),
        "rain": st.sampled_from(["0", ""]),
        "kind": st.sampled_from(["k", ""]),
    }
    rows = draw(st.lists(st.fixed_dictionaries({name: cell | CELLS for name, cell in likely.items()}), max_size=12))
    raw = pd.DataFrame(rows, columns=list(likely), dtype=object)
    if draw(st.booleans()):
        raw = raw.infer_objects()
    problems = draw(st.lists(st.sampled_from([None, None, None, "torn"]), min_size=len(raw), max_size=len(raw)))
    return raw.assign(
        **{ROW_SOURCE: "a.csv", ROW_NUMBER: range(1, len(raw) + 1), ROW_PROBLEM: pd.Series(problems, dtype=object)}
    )


@given(
    raw_tables(),
    st.sampled_from(["D", "h", "W-SUN", "MS"]),
    st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"]),
    st.sampled_from([None, "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_every_row_ends_in_one_place_and_accepted_ones_obey(raw, frequency, zone, form, exact):
    contract = Contract(
        ("shop", "item"), "day", "sales", frequency, zone, form, known=("price",), past=("rain",), static=("kind",)
    )
    before = raw.copy(deep=True)
    checked = check(raw, contract, MARCH, NOW, exact)
    counts = checked.counts
    assert counts["rows_read"] == len(raw)
    assert counts["rows_read"] == sum(counts.values()) - counts["rows_read"]
    assert counts["rows_accepted"] == len(checked.accepted)
    assert counts["rows_quarantined"] == len(checked.quarantined) == sum(checked.reasons.values())
    assert 0 <= checked.rows_unplaced <= counts["rows_quarantined"]
    assert 0 <= checked.quarantine_share <= 1
    assert not exact or counts["rows_of_other_times"] == 0

    good = checked.accepted
    assert list(good.columns) == contract.canonical_columns
    assert good["timestamp"].dtype == "datetime64[us]"
    assert all(good[name].dtype == "float64" for name in ("target", "price", "rain"))
    assert good["timestamp"].between(MARCH.start, MARCH.end, inclusive="left").all()
    assert on_grid(good["timestamp"], frequency).all()
    assert not good.duplicated(["item_id", "timestamp"]).any()
    assert good[["item_id", "timestamp"]].equals(good[["item_id", "timestamp"]].sort_values(["item_id", "timestamp"]))
    assert not np.isinf(good[["target", "price", "rain"]]).any(axis=None)
    assert all(isinstance(item, str) and item == item.strip() for item in good["item_id"])
    assert all(kind is None or (isinstance(kind, str) and kind) for kind in good["kind"])

    bad = checked.quarantined
    assert set(bad["reason"]) <= set(REASONS)
    assert bad["detail"].str.len().gt(0).all()
    assert bad["source_row"].is_unique
    assert set(bad["source_row"]) >= set(raw[ROW_NUMBER][raw[ROW_PROBLEM].notna()])
    pd.testing.assert_frame_equal(raw, before)


@given(raw_tables())
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_changes_nothing(raw):
    forward, backward = check(raw, RICH, MARCH, NOW), check(raw[::-1], RICH, MARCH, NOW)
    assert forward.counts == backward.counts
    assert forward.reasons == backward.reasons
    pd.testing.assert_frame_equal(forward.accepted, backward.accepted)


@given(raw_tables(), st.integers(2, 30))
@settings(max_examples=10, deadline=None)
def test_two_windows_accept_together_what_one_over_both_accepts(raw, day):
    middle = pd.Timestamp(2024, 3, day)
    parts = [check(raw, RICH, Window(*span), NOW).accepted for span in ((MARCH.start, middle), (middle, MARCH.end))]
    whole = check(raw, RICH, MARCH, NOW).accepted
    both = pd.concat(parts).sort_values(["item_id", "timestamp"], kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(both, whole)


# What is accepted


def test_a_good_row_becomes_canonical():
    row = one(shop=" s ", sales=" 1.50 ", price="TRUE", rain="", kind=" k").accepted.loc[0]
    assert row.drop("rain").to_dict() == {
        "item_id": "s/i",
        "timestamp": pd.Timestamp(2024, 3, 5),
        "target": 1.5,
        "price": 1.0,
        "kind": "k",
    }
    assert math.isnan(row["rain"])


def test_an_empty_target_is_a_gap_and_no_error():
    checked = one(sales="")
    assert checked.accepted["target"].isna().tolist() == [True]
    assert checked.quarantined.empty


def test_no_rows_give_the_same_columns_and_types():
    some, none = one(), check(table(GOOD).iloc[:0], RICH, MARCH, NOW)
    assert none.accepted.dtypes.to_dict() == some.accepted.dtypes.to_dict()
    assert none.quarantined.dtypes.to_dict() == one(day="").quarantined.dtypes.to_dict()
    assert none.quarantine_share == 0.0


def test_accepted_rows_come_sorted():
    rows = [
        {"item": i, "day": d, "sales": "1"} for i, d in [("b", "2024-03-02"), ("a", "2024-03-03"), ("a", "2024-03-02")]
    ]
    accepted = check(table(*rows), DAILY, MARCH, NOW).accepted
    assert accepted[["item_id", "timestamp"]].astype(str).agg(" ".join, axis=1).tolist() == [
        "a 2024-03-02",
        "a 2024-03-03",
        "b 2024-03-02",
    ]


@pytest.mark.parametrize(
    ("parts", "item"),
    [
        (("a", "b"), "a/b"),
        (("a/b", "c"), "a%2Fb/c"),
        (("a", "b/c"), "a/b%2Fc"),
        (("50%", "x"), "50%/x"),
        (("%2F", "x"), "%252F/x"),
        (("Zürich", "日本"), "Zürich/日本"),
        ((7, 1.0), "7/1"),
    ],
)
def test_names_of_several_parts_stay_apart(parts, item):
    assert one(shop=parts[0], item=parts[1]).accepted["item_id"].tolist() == [item]


@given(st.lists(st.tuples(*[st.text("a/%2F5", min_size=1, max_size=6)] * 2), min_size=2, max_size=2, unique=True))
def test_two_items_never_share_a_name(pairs):
    columns = [pd.Series([pair[n] for pair in pairs], dtype=object) for n in range(2)]
    assert read_item_ids(columns).is_unique


def test_the_name_of_an_item_is_the_same_whatever_its_type():
    for values in (["7", "8"], [7, 8], pd.Series([7.0, 8.0]), pd.Series([7, 8], dtype="Int64"), pd.Categorical([7, 8])):
        raw = table(item=values, day="2024-03-05", sales=1.0)
        assert check(raw, DAILY, MARCH, NOW).accepted["item_id"].tolist() == ["7", "8"]


# Every reason


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"day": ""}, "missing_timestamp", "column day"),
        ({"day": "  "}, "missing_timestamp", "column day"),
        ({"day": None}, "missing_timestamp", "column day"),
        ({"day": "05.03.2024"}, "unparsable_timestamp", "column day: '05.03.2024' is not ISO 8601"),
        ({"day": "2024-03-21"}, "in_the_future", "2024-03-21 00:00:00 is after 2024-03-20 12:00"),
        ({"day": "2024-03-05T01:00"}, "off_grid", "2024-03-05 01:00:00 is off the grid of frequency D"),
        ({"item": " "}, "missing_item", "column shop or item"),
        ({"shop": None}, "missing_item", "column shop or item"),
        (
            {"sales": "1,234"},
            "target_not_a_number",
            "column sales: '1,234', 1234 with source.thousands: ',' or 1.234 with source.decimal: ','",
        ),
        ({"sales": True}, "target_not_a_number", "column sales: True"),
        ({"sales": "-inf"}, "target_infinite", "column target: -inf"),
        ({"sales": "1e400"}, "target_infinite", "column target: inf"),
        ({"price": "dear"}, "covariate_not_a_number", "column price: 'dear'"),
        ({"rain": "Infinity"}, "covariate_infinite", "column rain: inf"),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason(changes, reason, detail):
    checked = one(**changes)
    assert checked.accepted.empty
    row = checked.quarantined.loc[0]
    assert (row["reason"], row["detail"], row["source"], row["source_row"]) == (reason, detail, "a.csv", 1)
    assert json.loads(row["record"]) == {**GOOD, **changes}


def test_a_row_outside_of_the_window_is_an_error_only_of_a_source_that_promised_it():
    assert days("2024-02-05").counts["rows_of_other_times"] == 1
    checked = days("2024-02-05", exact=True)
    assert checked.reasons == {"outside_window": 1}
    assert checked.quarantined["detail"].tolist() == [
        "2024-02-05 00:00:00 is not in [2024-03-01 00:00:00, 2024-04-01 00:00:00)"
    ]


def test_a_window_holds_its_start_and_not_its_end():
    february = Window(pd.Timestamp(2024, 2, 1), pd.Timestamp(2024, 3, 1))
    checked = days("2024-01-31", "2024-02-01", "2024-02-29", "2024-03-01", window=february)
    assert accepted_moments(checked) == ["2024-02-01 00:00:00", "2024-02-29 00:00:00"]
    assert checked.counts["rows_of_other_times"] == 2


def test_a_malformed_row_keeps_its_raw_text():
    raw = table({"item": "a,b", "day": None, "sales": None}, {"item": "a", "day": "2024-03-05", "sales": "1"})
    raw.loc[0, ROW_PROBLEM] = "2 fields where the header has 3"
    checked = check(raw, DAILY, MARCH, NOW)
    row = checked.quarantined.loc[0]
    assert (row["reason"], row["detail"], row["record"]) == ("malformed_row", "2 fields where the header has 3", "a,b")
    assert checked.counts["rows_accepted"] == 1


def test_every_reason_is_tested():
    assert set(REASONS) == {
        "malformed_row",
        "cut_off_row",
        "missing_timestamp",
        "unparsable_timestamp",
        "in_the_future",
        "outside_window",
        "off_grid",
        "repeated_hour",
        "skipped_hour",
        "missing_item",
        "nul_in_text",
        "target_not_a_number",
        "target_infinite",
        "covariate_not_a_number",
        "covariate_infinite",
        "conflicting_duplicate",
    }
    assert all(REASONS.values())


def test_the_first_reason_stays():
    assert one(day="x", sales="x", item="").reasons == {"unparsable_timestamp": 1}
    assert one(item="", price="x").reasons == {"covariate_not_a_number": 1}


def test_rows_of_other_times_are_not_judged():
    checked = one(day="2024-02-05", sales="x", item="", price="inf")
    assert (checked.counts["rows_of_other_times"], checked.counts["rows_quarantined"]) == (1, 0)


def test_future_rows_without_a_target_tell_known_covariates():
    checked = one(day="2024-03-25", sales="", price="3")
    assert checked.accepted["price"].tolist() == [3.0]


def test_missing_columns_are_named_with_those_that_are_there():
    with pytest.raises(ContractError) as error:
        check(table(item=["a"], date=["2024-03-05"], sales=["1"]), DAILY, MARCH, NOW)
    assert str(error.value) == "missing column: day; the source has: item, date, sales"


# Duplicates


def test_identical_rows_are_collapsed_and_counted():
    checked = check(table(GOOD, {**GOOD, "sales": "1.50"}, {**GOOD, "price": " 2 "}), RICH, MARCH, NOW)
    assert (checked.counts["rows_accepted"], checked.counts["rows_collapsed"]) == (1, 2)
    gaps = check(table(*[{**GOOD, "sales": "", "kind": None}] * 2), RICH, MARCH, NOW)
    assert (gaps.counts["rows_accepted"], gaps.counts["rows_collapsed"]) == (1, 1)


def test_conflicting_rows_are_all_quarantined_and_told_in_what_they_differ():
    rows = [GOOD, {**GOOD, "sales": "2"}, {**GOOD, "kind": ""}, {**GOOD, "day": "2024-03-06"}]
    checked = check(table(*rows), RICH, MARCH, NOW)
    assert accepted_moments(checked) == ["2024-03-06 00:00:00"]
    assert checked.reasons == {"conflicting_duplicate": 3}
    assert set(checked.quarantined["detail"]) == {"item 's/i' at 2024-03-05 00:00:00: its rows differ in target, kind"}
    assert checked.quarantined["source_row"].tolist() == [1, 2, 3]


def test_a_bad_duplicate_does_not_take_the_good_row_with_it():
    checked = check(table(GOOD, {**GOOD, "sales": "x"}), RICH, MARCH, NOW)
    assert (checked.counts["rows_accepted"], checked.reasons) == (1, {"target_not_a_number": 1})


# The share that decides whether a run fails


def shares(*moments_and_sales: tuple[str, str], window: Window = MARCH, exact: bool = False) -> float:
    rows = [{"item": str(n), "day": day, "sales": sales} for n, (day, sales) in enumerate(moments_and_sales)]
    return check(table(*rows), DAILY, window, NOW, exact).quarantine_share


def test_bad_rows_count_against_the_rows_of_their_window():
    others = [("2024-02-01", "1")] * 96
    assert shares(("2024-03-05", "x"), ("2024-03-05", "1"), ("2024-03-05", "2"), ("2024-03-05", "3"), *others) == 0.25


def test_rows_that_cannot_be_placed_count_against_all_rows():
    assert shares(("soon", "1"), ("", "1"), *[("2024-02-01", "1")] * 8) == 0.2
    assert shares(("2124-03-05", "1"), *[("2024-03-05", "1")] * 3) == 0.25


def test_future_rows_of_the_window_count_against_the_window():
    assert shares(("2024-03-21", "1"), ("2024-03-05", "1"), *[("2024-02-01", "1")] * 8) == 0.5


def test_the_larger_share_counts():
    assert shares(("soon", "1"), ("2024-03-05", "x"), ("2024-03-05", "1"), ("2024-02-01", "1")) == 0.5
    assert shares(("2024-02-05", "1"), ("2024-03-05", "1"), exact=True) == 0.5


# Moments


# Numbers


def test_a_table_that_names_no_item_is_one_series():
    raw = pd.DataFrame({"day": ["2024-01-01", "2024-01-02"], "sales": ["1", "2"], "_source": "s", "_row": [1, 2]})
    one = Contract(item_id=(), timestamp="day", target="sales", frequency="D")
    window = Window(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-03"))
    checked = check(raw, one, window, datetime(2024, 2, 1, tzinfo=timezone.utc))
    assert checked.accepted["item_id"].tolist() == ["sales", "sales"]
