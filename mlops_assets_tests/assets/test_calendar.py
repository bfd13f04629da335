"""Rounds in weeks with weekends and nights with clock changes: every row once, no round that knows too much."""

import pandas as pd
import pytest

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
