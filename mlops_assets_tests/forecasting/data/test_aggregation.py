"""Sales that come one by one: floored to their period and made one row, counted."""

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.forecasting.data.contract import ROW_SOURCE, Checked, Contract, Window, check
from mlops_assets.forecasting.data.grid import floor_to_grid, floored_into, on_grid, stamp_misfit
from mlops_assets_tests.forecasting.data.rows import MARCH, NOW, table

COLUMNS = ("item", "day", "sales", "price", "rain", "kind")
SALES = [
    ("a", "2024-03-05 18:00", "2", "3.0", "1", "new"),
    ("a", "2024-03-05 08:13", "5", "1.0", "", "old"),
    ("a", "2024-03-05 23:59:59", "", "2.0", "0", ""),
    ("a", "2024-03-06", "7", "1.0", "0", "new"),
    ("b", "2024-03-06 00:00:01", "", "", "", ""),
    ("b", "2024-03-06 00:00:02", "", "", "", ""),
]


def checked(how, rows=SALES, **options) -> Checked:
    options = {"timestamp_floor": True, "known": ("price",), "past": ("rain",), "static": ("kind",)} | options
    contract = Contract(("item",), "day", "sales", "D", aggregate=how, **options)
    return check(table(*[dict(zip(COLUMNS, row, strict=True)) for row in rows]), contract, MARCH, NOW)


@pytest.mark.parametrize(
    ("how", "target", "price", "rain"),
    [("sum", 7.0, 2.0, 0.5), ("mean", 3.5, 2.0, 0.5), ("last", 2.0, 2.0, 0.0), ("max", 5.0, 3.0, 1.0)],
)
def test_rows_of_a_day_become_one_by_the_rule(how, target, price, rain):
    found = checked(how)
    assert found.quarantined.empty
    first = found.accepted.iloc[0]
    assert (first["target"], first["price"], first["rain"], first["kind"]) == (target, price, rain, "new")
    assert found.counts["rows_accepted"] == 3
    assert found.counts["rows_aggregated"] == 3
    assert found.counts["rows_collapsed"] == 0
    assert found.accepted["timestamp"].tolist() == [pd.Timestamp(2024, 3, day) for day in (5, 6, 6)]


def test_nothing_but_missing_targets_stays_missing_and_not_zero():
    last = checked("sum").accepted.iloc[-1]
    assert pd.isna(last["target"])
    assert last["kind"] is None


def test_types_are_those_of_rows_as_they_are():
    plain = checked(None, rows=SALES[3:4])
    assert checked("sum").accepted.dtypes.to_dict() == plain.accepted.dtypes.to_dict()
    assert checked("sum", rows=SALES[:1]).accepted.dtypes.to_dict() == plain.accepted.dtypes.to_dict()
    none = checked("sum", rows=[("a", "2023-03-05", "1", "", "", "")])
    assert none.accepted.dtypes.to_dict() == plain.accepted.dtypes.to_dict()


def test_files_that_overlap_are_told_before_their_sales_count_twice():
    raw = table(*[{"item": "a", "day": f"2024-03-0{day}", "sales": str(day)} for day in (1, 2, 3, 2, 3, 4)])
    raw.loc[3:, ROW_SOURCE] = "b.csv"
    files = Contract(("item",), "day", "sales", "D", aggregate="sum", latest_wins=False)
    found = check(raw, files, MARCH, NOW)
    assert found.accepted["target"].tolist() == [1, 4, 6, 4]
    assert found.notes == [
        "4 rows stand word for word in another file too (a.csv, b.csv) and were added up: with source.latest_wins: "
        "name (or modified) the last file counts"
    ]
    latest = check(raw, replace(files, latest_wins=True), MARCH, NOW)
    assert (latest.accepted["target"].tolist(), latest.notes) == ([1, 2, 3, 4], [])


def test_files_of_one_day_with_other_sales_are_added_up_without_a_word():
    raw = table(*[{"item": "a", "day": "2024-03-01", "sales": str(sold)} for sold in (1, 2, 3, 4, 5, 1)])
    raw.loc[3:, ROW_SOURCE] = "b.csv"
    found = check(raw, Contract(("item",), "day", "sales", "D", aggregate="sum", latest_wins=False), MARCH, NOW)
    assert (found.accepted["target"].tolist(), found.notes) == ([16], [])


def test_identical_sales_add_up():
    found = checked("sum", rows=[("a", "2024-03-05", "4", "1", "0", "new")] * 3)
    assert found.accepted["target"].tolist() == [12.0]
    assert (found.counts["rows_aggregated"], found.counts["rows_collapsed"]) == (2, 0)


def test_a_bad_row_is_no_part_of_the_sum():
    found = checked("sum", rows=[*SALES, ("a", "2024-03-05 09:00", "many", "1", "0", "new")])
    assert found.accepted.iloc[0]["target"] == 7.0
    assert found.reasons == {"target_not_a_number": 1}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(4, 8), st.integers(0, 9)), min_size=1, max_size=30))
def test_a_sum_keeps_the_total_and_every_row_is_counted(sales):
    rows = [(item, f"2024-03-0{day}", str(sold), "", "", "") for item, day, sold in sales]
    found = checked("sum", rows=rows)
    assert found.accepted["target"].sum() == sum(sold for _, _, sold in sales)
    assert found.counts["rows_read"] == sum(found.counts.values()) - len(rows) == len(rows)


# The floor


@pytest.mark.parametrize(
    ("alias", "moment", "stamp"),
    [
        ("h", "2024-03-05 08:13", "2024-03-05 08:00"),
        ("15min", "2024-03-05 08:14:59", "2024-03-05 08:00"),
        ("D", "2024-03-05 23:59:59.999", "2024-03-05"),
        ("B", "2024-03-09 12:00", "2024-03-08"),
        ("W-MON", "2024-03-10 23:59", "2024-03-04"),
        ("W-SUN", "2024-03-09", "2024-03-03"),
        ("MS", "2024-03-31 10:00", "2024-03-01"),
        ("ME", "2024-03-01", "2024-03-31"),
        ("ME", "2024-03-31 23:59:59", "2024-03-31"),
        ("BMS", "2024-06-01", "2024-06-03"),
        ("BME", "2024-03-31", "2024-03-29"),
        ("QS", "2024-05-17", "2024-04-01"),
        ("QE", "2024-05-17", "2024-06-30"),
        ("YS", "2024-05-17", "2024-01-01"),
        ("YE", "2024-05-17", "2024-12-31"),
    ],
)
def test_a_moment_counts_to_the_period_that_it_lies_in(alias, moment, stamp):
    floored = floor_to_grid(pd.Series(pd.to_datetime([moment, None])).dt.as_unit("us"), alias)
    assert floored.dtype == "datetime64[us]"
    assert floored[0] == pd.Timestamp(stamp)
    assert pd.isna(floored[1])


@given(
    st.datetimes(pd.Timestamp(1990, 1, 1), pd.Timestamp(2050, 1, 1)),
    st.sampled_from(["h", "6h", "D", "W-WED", "MS", "ME", "QS-FEB", "QE", "YS", "YE-MAR"]),
)
def test_what_is_floored_is_on_the_grid_and_stays_there(moment, alias):
    once = floor_to_grid(pd.Series([pd.Timestamp(moment)]).dt.as_unit("us"), alias)
    assert on_grid(once, alias).all()
    assert floor_to_grid(once, alias).equals(once)


@given(
    st.sampled_from(["h", "6h", "D", "B", "W-MON", "W-SUN", "MS", "ME", "BMS", "BME", "QS", "QE-FEB", "YS-MAR", "YE"]),
    st.booleans(),
    st.integers(0, 500),
    st.sampled_from([1, 7, 30, 91, 366]),
    st.lists(st.floats(-500, 800), min_size=1, max_size=20),
)
def test_the_span_that_is_asked_for_holds_the_whole_periods_of_a_window(alias, at_end, day, length, distances):
    at_end = at_end and not stamp_misfit(alias, "end")
    start = pd.Timestamp(2024, 1, 1) + pd.Timedelta(days=day)
    end = start + pd.Timedelta(days=length)
    low, high = floored_into(start, end, alias, at_end)
    moments = pd.Series(start + pd.to_timedelta(distances, unit="D")).dt.as_unit("us")
    moments = pd.concat([moments, moments.dt.normalize()], ignore_index=True)
    stamps = floor_to_grid(moments, alias, at_end)
    pd.testing.assert_series_equal(
        stamps.between(start, end, inclusive="left"), moments.between(low, high, inclusive="left")
    )


def test_a_week_that_ends_in_the_next_partition_is_read_whole_from_a_source_that_keeps_to_its_window():
    contract = Contract(("item",), "day", "sales", "W-MON", timestamp_floor=True, aggregate="sum")
    week = Window(pd.Timestamp(2024, 3, 3), pd.Timestamp(2024, 3, 10))
    asked = contract.asked(week)
    assert asked == Window(pd.Timestamp(2024, 3, 4), pd.Timestamp(2024, 3, 11))
    rows = [{"item": "a", "day": f"2024-03-{day:02} 12:00", "sales": "1"} for day in range(3, 13)]
    found = check(table(*rows[1:8]), contract, week, NOW, exact=True)
    assert found.accepted["target"].tolist() == [7.0]
    assert check(table(*rows), contract, week, NOW, exact=True).reasons == {"outside_window": 3}


@pytest.mark.parametrize(
    ("alias", "moment", "stamp"),
    [
        ("h", "2024-03-05 08:13", "2024-03-05 09:00"),
        ("h", "2024-03-05 08:00", "2024-03-05 08:00"),
        ("D", "2024-03-05 23:59:59", "2024-03-05"),
        ("W-SUN", "2024-03-04 10:00", "2024-03-10"),
    ],
)
def test_a_period_that_is_named_by_its_end_takes_what_came_before(alias, moment, stamp):
    assert floor_to_grid(pd.Series([pd.Timestamp(moment)]), alias, at_end=True)[0] == pd.Timestamp(stamp)


def test_the_second_of_a_doubled_hour_is_a_moment_of_its_day():
    night = ["2024-11-03T01:30:00-04:00", "2024-11-03T01:30:00-05:00"]
    rows = [{"item": "a", "day": moment, "sales": "1"} for moment in night]
    now = NOW.replace(year=2025)
    window = Window(pd.Timestamp(2024, 11, 1), pd.Timestamp(2024, 12, 1))
    contract = Contract(("item",), "day", "sales", "D", "America/New_York", timestamp_floor=True, aggregate="sum")
    assert check(table(*rows), contract, window, now).accepted["target"].tolist() == [2.0]


# What has not come yet


def test_a_plan_is_left_out_and_counted_and_its_covariates_are_used():
    rows = [
        ("a", "2024-03-19", "4", "1", "0", "new"),
        ("a", "2024-03-25", "0", "9", "0", "new"),
        ("a", "2024-03-26", "n/a", "9", "0", "new"),
        ("a", "2024-03-27", "", "9", "0", "new"),
    ]
    found = checked(None, rows=rows, future="ignore")
    assert found.quarantined.empty
    assert found.targets_left_out == 2
    assert found.accepted["price"].tolist() == [1.0, 9.0, 9.0, 9.0]
    assert found.accepted["target"].tolist()[0] == 4.0
    assert found.accepted["target"].isna().sum() == 3
    assert checked(None, rows=rows).reasons == {"in_the_future": 1}
