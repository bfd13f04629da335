"""Rounds in weeks with weekends and nights with clock changes: every row once, no round that knows too much."""

import pandas as pd
import pytest

from mlops_assets.resources.clock import Clock
from mlops_assets_tests.worlds import World, declare, sandbox

COLUMNS = {"item_id": "shop", "timestamp": "day", "target": "sales"}
MODEL = {"parameters": {"n_estimators": 5, "n_jobs": 1}, "max_training_rows": 500}


def world_of(folder, mlflow, times, **fields):
    """Declare a forecast over two items whose value is the number of the step, from 100 and 200."""
    rows = [
        {"day": time, "shop": item, "sales": start + number}
        for item, start in (("a", 100), ("b", 200))
        for number, time in enumerate(times)
    ]
    settings = sandbox(folder, mlflow)
    fields = {"covariates": {}, "columns": COLUMNS, "model": MODEL, "backtest": {"windows": 1}, **fields}
    return World(declare(folder / "forecasts", pd.DataFrame(rows), **fields), settings)


@pytest.fixture(scope="module")
def business(tmp_path_factory, empty_mlflow):
    days = pd.bdate_range("2024-01-01", "2024-03-12")
    fields = {"frequency": "B", "partitions": {"start": "2024-01-01"}, "horizon": 5}
    world = world_of(tmp_path_factory.mktemp("business"), empty_mlflow, days, **fields)
    world.run("observations", "quarantine", partition="2024-01-01...2024-03-08")
    world.train()
    return world


ROUND = ("observations", "quarantine", "forecasts", "forecast_accuracy", "data_drift", "forecast_change")


def test_a_saturday_of_business_days_does_nothing_and_leaves_empty_tables(business):
    business.run(*ROUND, partition="2024-03-08")
    friday = {name: business.table(name, ["2024-03-08"]) for name in ROUND}
    business.run(*ROUND, partition="2024-03-09")
    for name, rows in friday.items():
        saturday = business.table(name, ["2024-03-09"])
        assert len(saturday) == 0
        assert saturday.dtypes.to_dict() == rows.dtypes.to_dict()
    assert set(friday["forecasts"]["origin"]) == {pd.Timestamp("2024-03-08")}


def test_monday_is_forecast_from_and_compared_with_friday(business):
    business.run(*ROUND, partition="2024-03-08...2024-03-11")
    made = business.table("forecasts", ["2024-03-11"])
    assert set(made["origin"]) == {pd.Timestamp("2024-03-11")}
    assert len(made) == 2 * 5
    assert sorted(made["timestamp"].unique())[0] == pd.Timestamp("2024-03-12")
    assert len(business.table("forecast_accuracy", ["2024-03-11"])) == 2
    change = business.table("forecast_change", ["2024-03-11"])
    assert set(change["previous_origin"]) == {pd.Timestamp("2024-03-08")}


def test_a_week_that_is_not_over_cannot_be_ingested_by_hand(tmp_path, empty_mlflow):
    mondays = pd.date_range("2024-03-04", "2024-05-06", freq="W-MON")
    fields = {"frequency": "W-MON", "partitions": {"start": "2024-03-03"}, "horizon": 2}
    world = world_of(tmp_path, empty_mlflow, mondays, **fields)
    sunday, monday = "2024-05-05T06:00:00Z", "2024-05-06T00:00:00Z"
    world.resources["clock"] = Clock(fixed=sunday)
    early = world.run("observations", "quarantine", partition="2024-04-28", raise_on_error=False)
    (failed,) = [event for event in early.all_events if event.is_step_failure]
    assert "the last period of frequency W-MON in 2024-04-28 is not over yet" in str(failed.step_failure_data.error)
    world.resources["clock"] = Clock(fixed=monday)
    world.run("observations", "quarantine", partition="2024-04-28")
    assert set(world.table("observations", ["2024-04-28"])["timestamp"]) == {pd.Timestamp("2024-04-29")}


NIGHT = {"frequency": "h", "time_zone": "Europe/Berlin", "horizon": 6, "season_lengths": [24]}


def test_each_hour_of_the_night_the_clocks_go_back_is_stored_once(tmp_path, empty_mlflow):
    hours = pd.date_range("2024-10-25", "2024-10-27 23:00", freq="h")
    fields = {**NIGHT, "partitions": {"kind": "hourly", "start": "2024-10-25"}}
    world = world_of(tmp_path, empty_mlflow, hours, **fields)
    world.run("observations", "quarantine", partition="2024-10-25-00:00...2024-10-27-23:00")
    keys = [key for key in world.tables.partitions(["demo", "observations"]) if key.startswith("2024-10-27")]
    assert len(keys) == 25
    rows = {key: world.table("observations", [key]) for key in keys}
    assert len(rows.pop("2024-10-27-02:00")) == 0
    assert {len(found) for found in rows.values()} == {2}
    assert set(rows["2024-10-27-02:00+0100"]["timestamp"]) == {pd.Timestamp("2024-10-27 02:00")}
    assert len(world.table("observations")) == 2 * 72
    world.train(until="2024-10-27-00:00")
    world.run("forecasts", partition="2024-10-27-01:00...2024-10-27-03:00")
    made = world.table("forecasts")
    assert made.groupby("origin").size().to_dict() == {pd.Timestamp(f"2024-10-27 0{hour}:00"): 12 for hour in (1, 2, 3)}
    assert not made.duplicated(["item_id", "origin", "timestamp"]).any()


def test_an_hour_that_the_clocks_skip_is_not_forecast(tmp_path, empty_mlflow):
    hours = [
        hour for hour in pd.date_range("2024-03-27", "2024-03-31 23:00", freq="h") if str(hour) != "2024-03-31 02:00:00"
    ]
    world = world_of(tmp_path, empty_mlflow, hours, **NIGHT, partitions={"start": "2024-03-27"}, fill="zero")
    world.run("observations", "quarantine", partition="2024-03-27...2024-03-30")
    world.train()
    world.run("forecasts", partition="2024-03-30")
    made = world.table("forecasts", ["2024-03-30"])
    assert sorted(made["lead"].unique()) == [1, 2, 4, 5, 6]
    assert pd.Timestamp("2024-03-31 02:00") not in set(made["timestamp"])
    world.run("observations", "quarantine", "forecast_accuracy", partition="2024-03-31")
    scored = world.table("forecast_accuracy", ["2024-03-31"])
    assert len(scored) == 2 * 5
    assert scored["target"].notna().all()
    assert (scored["target"] >= 100).all()


def test_a_day_whose_midnight_does_not_exist_is_a_day_like_others(tmp_path, empty_mlflow):
    days = pd.date_range("2018-09-01", "2018-11-08")
    fields = {"time_zone": "America/Sao_Paulo", "partitions": {"start": "2018-09-01"}, "horizon": 7}
    world = world_of(tmp_path, empty_mlflow, days, **fields)
    world.run("observations", "quarantine", partition="2018-09-01...2018-11-08")
    for day in ("2018-11-03", "2018-11-04", "2018-11-05"):
        assert set(world.table("observations", [day])["timestamp"]) == {pd.Timestamp(day)}
    world.train(until="2018-11-01")
    world.run("forecasts", partition="2018-11-02...2018-11-05")
    made = world.table("forecasts")
    assert made.groupby("origin").size().to_dict() == {pd.Timestamp(f"2018-11-0{day}"): 14 for day in (2, 3, 4, 5)}
    assert (made["timestamp"] > made["origin"]).all()
