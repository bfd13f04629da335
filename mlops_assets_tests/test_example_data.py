"""The example's table is what its page says, and the rules that make it do what the page says."""

import re
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.catalog.partitions import complete_keys
from mlops_assets.forecasts import build_nyc_departures as script
from mlops_assets.spec import load_spec
from mlops_assets_tests.io_managers.servers import ROOT

KEY = ["date", "origin", "carrier"]
WEATHER = ["temperature", "wind_speed", "precipitation", "visibility"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(script.SHIPPED, parse_dates=["date"])


@pytest.fixture(scope="module")
def page() -> str:
    return script.SHIPPED.with_suffix(".md").read_text(encoding="utf-8")


def test_columns_and_types(table):
    assert table.columns.tolist() == [*KEY, "departures", *WEATHER]
    assert table["departures"].dtype == "int64"
    assert (table[WEATHER].dtypes == "float64").all()


def test_key_is_unique_and_sorted(table):
    assert not table.duplicated(KEY).any()
    pd.testing.assert_frame_equal(table, table.sort_values(KEY))


def test_counts_are_the_documented_ones(table, page):
    series = table.groupby(["origin", "carrier"]).ngroups
    dates = table["date"].nunique()
    for stated in (
        f"{len(table):,} rows",
        f"{series} series",
        f"{dates} dates",
        f"{table['departures'].sum():,} departures",
        f"{(table['departures'] == 0).sum()} rows, 12 of them",
        f"{series * dates - len(table)} of the {series} × {dates} possible rows are absent",
        f"{table['temperature'].isna().sum()} rows of the\n  last day",
    ):
        assert stated in page


def test_dates_are_every_day_of_2013(table):
    expected = pd.date_range("2013-01-01", "2013-12-31")
    assert pd.DatetimeIndex(table["date"].unique()).equals(expected)


def test_weather_is_one_per_airport_and_day_and_physical(table):
    assert (table.groupby(["date", "origin"])[WEATHER].nunique() <= 1).all(axis=None)
    assert table.loc[table[WEATHER].isna().any(axis=1), "date"].unique() == pd.Timestamp("2013-12-31")
    seen = table.dropna()
    assert seen["temperature"].between(0, 100).all()
    assert seen["wind_speed"].between(0, 40).all()
    assert seen["precipitation"].between(0, 5).all()
    assert seen["visibility"].between(0, 10).all()


def test_short_and_starting_series_stay_in(table):
    days = table.groupby(["origin", "carrier"])["date"].agg(["min", "size"])
    assert days.loc[("EWR", "OO"), "size"] == 6
    assert days.loc[("EWR", "VX"), "min"] == pd.Timestamp("2013-04-02")


def test_table_is_small():
    assert Path(script.SHIPPED).stat().st_size < 600_000


def test_a_cancelled_day_counts_zero_and_an_unscheduled_one_has_no_row():
    flights = pd.DataFrame(
        {
            "date": pd.to_datetime(["2013-01-01", "2013-01-01", "2013-01-03"]),
            "origin": "EWR",
            "carrier": "UA",
            "dep_time": [517.0, None, None],
        }
    )
    counted = script.count_departures(flights)
    assert counted["date"].dt.day.tolist() == [1, 3]
    assert counted["departures"].tolist() == [1, 0]


def test_weather_is_summarised_over_the_readings_there_are():
    hourly = pd.DataFrame(
        {
            "date": pd.to_datetime(["2013-01-01"] * 2 + ["2013-01-02"]),
            "origin": "EWR",
            "temp": [30.0, None, None],
            "wind_speed": [4.0, 8.0, None],
            "precip": [0.1, 0.2, None],
            "visib": [10.0, 5.0, None],
        }
    )
    daily = script.daily_weather(hourly)
    assert daily.loc[0, WEATHER].tolist() == pytest.approx([30.0, 6.0, 0.3, 7.5])
    assert daily.loc[1, WEATHER].isna().all()


def test_impossible_readings_are_blanked_only_where_they_are_as_listed():
    readings = pd.DataFrame(
        [
            {"origin": origin, "date": pd.Timestamp(date), "hour": hour, "temp": 50.0, "wind_speed": 9.0}
            | {column: value}
            for origin, date, hour, column, value in script.IMPOSSIBLE_READINGS
        ]
    )
    blanked = script.blank_impossible(readings)
    assert blanked["wind_speed"].isna().tolist() == [True, False]
    assert blanked["temp"].isna().tolist() == [False, True]
    with pytest.raises(ValueError, match="temp of JFK at 2013-05-08 hour 22"):
        script.blank_impossible(readings.replace(13.10, 56.0))


def test_the_demo_forecasts_from_every_partition():
    """Dagster draws an asset green where none of its partitions is missing."""
    spec = load_spec(script.SHIPPED.with_suffix(".yaml"))
    keys = complete_keys(spec, datetime.now(timezone.utc))
    demo = re.search(r"run nyc_departures --partition (\S+)\n", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert demo is not None
    assert demo[1] == f"{keys[0]}...{keys[-1]}"
