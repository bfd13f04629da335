"""Grids of timestamps: which frequencies there are, and what lies on each."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.data.grid import (
    default_season_lengths,
    fill_with_zero,
    last_before,
    on_grid,
    parse_frequency,
    partition_kinds,
    steps_after,
)


def before_end(end, alias):
    return last_before(pd.DatetimeIndex([end]), alias)[0]


FREQUENCIES = [
    "s",
    "15min",
    "h",
    "6h",
    "24h",
    "D",
    "B",
    "W",
    "W-SUN",
    "W-WED",
    "MS",
    "ME",
    "BMS",
    "BME",
    "QS",
    "QE",
    "QS-FEB",
]
FREQUENCIES += ["YS", "YE", "YS-APR"]
MOMENTS = st.datetimes(pd.Timestamp(1990, 1, 1), pd.Timestamp(2060, 1, 1)).map(pd.Timestamp)
EVENS = MOMENTS.map(lambda moment: moment.normalize())


def moments(*texts: str) -> pd.Series:
    return pd.Series(pd.to_datetime(list(texts), format="ISO8601").as_unit("us"))


# Frequencies


@pytest.mark.parametrize("alias", FREQUENCIES)
def test_known_frequencies(alias):
    assert parse_frequency(alias) == pd.tseries.frequencies.to_offset(alias)


@pytest.mark.parametrize(
    ("alias", "says"),
    [
        (
            "daily",
            "'daily' is not a pandas offset alias such as h, 30min, D, B, W-SUN, MS, ME, QS, YS; did you mean 'D'?",
        ),
        ("monthly", "did you mean 'MS'?"),
        ("", "'' is not a pandas offset alias"),
        ("xyz", "'xyz' is not a pandas offset alias"),
        ("H", "'H' is deprecated and will be removed in a future version, please use 'h' instead"),
        ("15T", "'T' is deprecated"),
        ("M", "please use 'ME' instead"),
        ("7h", "a step within the day must divide the day"),
        ("36h", "a step within the day must divide the day"),
        ("0h", "a step within the day must divide the day"),
        ("-1h", "a step within the day must divide the day"),
        ("100ms", "a step within the day must divide the day"),
        ("2D", "'2D' is not supported; use one of"),
        ("-1D", "'-1D' is not supported"),
        ("2W", "'2W' is not supported"),
        ("3MS", "'3MS' is not supported"),
        ("SMS", "'SMS' is not supported"),
        ("bh", "'bh' is not supported"),
        ("WOM-2MON", "'WOM-2MON' is not supported"),
    ],
)
def test_other_frequencies_are_refused_with_the_way_out(alias, says):
    for _ in range(2):  # the second time from the cache
        with pytest.raises(ValueError) as error:
            parse_frequency(alias)
        assert says in str(error.value)


@pytest.mark.parametrize(
    ("alias", "kinds"),
    [
        ("15min", ["daily", "hourly", "weekly", "monthly", "quarterly", "yearly"]),
        ("h", ["daily", "hourly", "weekly", "monthly", "quarterly", "yearly"]),
        ("6h", ["daily", "weekly", "monthly", "quarterly", "yearly"]),
        ("D", ["daily", "weekly", "monthly", "quarterly", "yearly"]),
        ("B", ["daily", "weekly", "monthly", "quarterly", "yearly"]),
        ("W-WED", ["weekly", "monthly", "quarterly", "yearly"]),
        ("ME", ["monthly", "quarterly", "yearly"]),
        ("QS-FEB", ["quarterly", "yearly"]),
        ("YS", ["yearly"]),
    ],
)
def test_partitions_are_never_finer_than_the_frequency(alias, kinds):
    assert partition_kinds(alias) == kinds


@pytest.mark.parametrize(
    ("alias", "seasons"),
    [
        ("15min", (96, 672)), ("h", (24, 168)), ("6h", (4, 28)), ("24h", (7,)), ("D", (7,)), ("B", (5,)),
        ("W-WED", (52,)), ("MS", (12,)), ("BME", (12,)), ("QE", (4,)), ("YS", (1,)),
    ],
)  # fmt: skip
def test_default_seasons(alias, seasons):
    assert default_season_lengths(alias) == seasons


# Laws


@pytest.mark.parametrize("alias", FREQUENCIES)
@given(start=EVENS, count=st.integers(1, 40))
@settings(max_examples=8, deadline=None)
def test_steps_lie_on_the_grid_and_leave_none_out(alias, start, count):
    steps = steps_after(start, count, alias)
    assert len(steps) == count
    assert steps.dtype == "datetime64[us]"
    assert (steps > start).all()
    assert on_grid(pd.Series(steps), alias).all()
    for step, before in zip(steps[1:], steps[:-1], strict=True):
        assert before_end(step, alias) == before
    assert before_end(steps[0], alias) <= start


@pytest.mark.parametrize("alias", FREQUENCIES)
@given(end=MOMENTS)
@settings(max_examples=15, deadline=None)
def test_the_last_before_is_on_the_grid_and_nothing_lies_between(alias, end):
    last = before_end(end, alias)
    assert last < end
    assert on_grid(pd.Series([last]), alias).all()
    assert steps_after(last, 1, alias)[0] >= end


# Cases


@pytest.mark.parametrize(
    ("alias", "end", "last"),
    [
        ("D", "2024-03-01", "2024-02-29"),
        ("D", "2024-03-01 00:00:00.000001", "2024-03-01"),
        ("h", "2024-03-01", "2024-02-29 23:00"),
        ("6h", "2024-03-01 06:00", "2024-03-01 00:00"),
        ("B", "2024-03-04", "2024-03-01"),
        ("B", "2024-03-03", "2024-03-01"),
        ("W-SUN", "2024-03-03", "2024-02-25"),
        ("W-SUN", "2024-03-10", "2024-03-03"),
        ("MS", "2024-03-01", "2024-02-01"),
        ("ME", "2024-03-01", "2024-02-29"),
        ("ME", "2023-03-01", "2023-02-28"),
        ("BME", "2024-04-01", "2024-03-29"),
        ("QS", "2024-04-01", "2024-01-01"),
        ("YE", "2025-01-01", "2024-12-31"),
    ],
)
def test_the_last_before_an_end(alias, end, last):
    assert before_end(pd.Timestamp(end), alias) == pd.Timestamp(last)


@pytest.mark.parametrize(
    ("alias", "origin", "steps"),
    [
        ("ME", "2024-01-31", ["2024-02-29", "2024-03-31"]),
        ("MS", "2024-01-15", ["2024-02-01", "2024-03-01"]),
        ("B", "2024-03-01", ["2024-03-04", "2024-03-05"]),
        ("W-SUN", "2024-03-03", ["2024-03-10", "2024-03-17"]),
        ("h", "2024-03-10 01:00", ["2024-03-10 02:00", "2024-03-10 03:00"]),
        ("h", "2024-11-03 00:00", ["2024-11-03 01:00", "2024-11-03 02:00"]),
    ],
)
def test_the_steps_after_an_origin(alias, origin, steps):
    assert steps_after(pd.Timestamp(origin), 2, alias).tolist() == list(moments(*steps))


def test_the_grid_starts_at_midnight():
    stamps = moments("2024-03-01 00:00", "2024-03-01 06:00", "2024-03-01 03:00", "2024-03-01 06:00:00.000001")
    assert on_grid(stamps, "6h").tolist() == [True, True, False, False]
    assert on_grid(stamps, "D").tolist() == [True, False, False, False]
    assert on_grid(moments("2024-03-31", "2024-03-31 00:01", "2024-03-30"), "ME").tolist() == [True, False, False]
    assert on_grid(moments(), "D").tolist() == on_grid(moments(), "MS").tolist() == []


# Absent rows that mean zero


def frame(**columns: list) -> pd.DataFrame:
    return pd.DataFrame(columns).assign(
        timestamp=lambda rows: pd.to_datetime(rows["timestamp"]).astype("datetime64[us]")
    )


def test_absent_rows_of_a_running_series_become_zero():
    given_rows = frame(
        item_id=["b", "a", "a", "b"],
        timestamp=["2024-03-04", "2024-03-04", "2024-03-02", "2024-03-03"],
        target=[4.0, np.nan, 2.0, 3.0],
        price=[40.0, 44.0, 42.0, 43.0],
        kind=["k", None, "l", None],
    )
    before = given_rows.copy()
    filled = fill_with_zero(given_rows, "D")
    expected = frame(
        item_id=["a", "a", "a", "b", "b"],
        timestamp=["2024-03-02", "2024-03-03", "2024-03-04", "2024-03-03", "2024-03-04"],
        target=[2.0, 0.0, np.nan, 3.0, 4.0],
        price=[42.0, np.nan, 44.0, 43.0, 40.0],
        kind=["l", np.nan, None, None, "k"],
    )
    pd.testing.assert_frame_equal(filled, expected)
    pd.testing.assert_frame_equal(given_rows, before)


def test_a_series_that_stopped_goes_on_with_zeros_to_the_end_of_all():
    rows = frame(item_id=["a", "b"], timestamp=["2024-01-31", "2024-04-30"], target=[1.0, 2.0])
    filled = fill_with_zero(rows, "ME")
    assert filled.loc[filled["item_id"] == "a", "target"].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert filled["timestamp"].dt.is_month_end.all()
    assert filled.loc[filled["item_id"] == "b", "target"].tolist() == [2.0]


def test_of_some_items_the_end_of_all_can_be_told_and_none_has_rows_by_another():
    rows = frame(item_id=["a", "b"], timestamp=["2024-03-31 01:00", "2024-03-31 02:00"], target=[1.0, 2.0])
    zone = ZoneInfo("Europe/Berlin")  # whose clocks skip 02:00 that day
    end = pd.Timestamp("2024-03-31 04:00")
    both = fill_with_zero(rows, "h", zone, end)
    assert both.loc[both["item_id"] == "a", "timestamp"].dt.hour.tolist() == [1, 3, 4]
    assert both.loc[both["item_id"] == "b", "timestamp"].dt.hour.tolist() == [2, 3, 4]
    alone = [fill_with_zero(rows[rows["item_id"] == item], "h", zone, end) for item in "ab"]
    pd.testing.assert_frame_equal(both, pd.concat(alone, ignore_index=True))


def test_columns_may_have_any_name_and_order():
    rows = frame(_origin=[1.0, 2.0], target=[1.0, 2.0], timestamp=["2024-03-01", "2024-03-03"], item_id=["a", "a"])
    filled = fill_with_zero(rows, "D")
    assert list(filled.columns) == ["_origin", "target", "timestamp", "item_id"]
    assert filled["target"].tolist() == [1.0, 0.0, 2.0]


def test_nothing_stays_nothing():
    empty = frame(item_id=[], timestamp=[], target=[])
    assert fill_with_zero(empty, "D").equals(empty)


@given(
    st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=1, max_size=20),
    st.sampled_from(["D", "B", "MS"]),
)
@settings(max_examples=40, deadline=None)
def test_filling_adds_rows_changes_none_and_twice_is_once(cells, alias):
    grid = pd.date_range("2024-01-01", periods=13, freq=alias, unit="us")
    rows = pd.DataFrame(
        [(item, grid[n], float(n + 1), item) for item, n in cells], columns=["item_id", "timestamp", "target", "kind"]
    )
    rows["timestamp"] = rows["timestamp"].astype("datetime64[us]")
    filled = fill_with_zero(rows, alias)
    last = max(n for _, n in cells)
    firsts = [min(n for item, n in cells if item == name) for name in {item for item, _ in cells}]
    assert len(filled) == sum(last - first + 1 for first in firsts)
    assert filled["target"].sum() == rows["target"].sum()
    assert (filled["target"] != 0).sum() == len(rows)
    assert filled["kind"].notna().sum() == len(rows)
    pd.testing.assert_frame_equal(fill_with_zero(filled, alias), filled)
