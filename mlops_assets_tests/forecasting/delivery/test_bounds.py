"""Nothing is forecast beyond what is declared, and observations beyond it are told."""

from dataclasses import replace

import numpy as np
import pandas as pd

from mlops_assets.forecasting.delivery import bounds, deliver
from mlops_assets.forecasting.evaluation.backtest import backtest
from mlops_assets.forecasting.model.baselines import SeasonalNaive
from mlops_assets_tests.forecasting.panels import DAILY

VALUES = ["mean", "q10", "q50", "q90"]


def test_numbers_bound_every_mean_and_quantile_of_any_model(forecaster, history):
    task, origin = replace(DAILY, minimum=9.5, maximum=40), history["timestamp"].max()
    for asked in (forecaster, SeasonalNaive(DAILY)):
        made = deliver(asked, task, history, origin)
        assert made[VALUES].min().min() == 9.5
        assert made[VALUES].max().max() == 40


def test_a_capacity_by_item_bounds_that_item_only(forecaster, history):
    origin = history["timestamp"].max()
    free = deliver(forecaster, DAILY, history, origin)
    made = deliver(forecaster, replace(DAILY, maximum="room"), history, origin)
    room = made["item_id"].map({"item 0": 11.0, "item 1": 1000.0, "item 2": 900.0})
    for name in VALUES:
        assert made[name].tolist() == np.fmin(free[name], room).tolist()
    assert (free["q90"] > room).any()


def test_whole_quantiles_stay_within_bounds_that_are_not(forecaster, history):
    task = replace(DAILY, whole=True, minimum=9.5, maximum=40.5)
    made = deliver(forecaster, task, history, history["timestamp"].max())
    quantiles = made[["q10", "q50", "q90"]]
    assert (quantiles == quantiles.round()).all(axis=None)
    assert (quantiles.min().min(), quantiles.max().max()) == (10, 40)


def test_the_costs_point_is_bounded_too(forecaster, history):
    task = replace(DAILY, point="costs", costs=(20.0, 1.0), maximum=12.0)
    assert deliver(forecaster, task, history, history["timestamp"].max())["point"].max() == 12.0


def test_a_backtest_is_of_what_would_be_delivered(history):
    made = backtest(history, replace(DAILY, maximum="room"), windows=1).predictions
    assert made.loc[made["item_id"] == "item 0", VALUES].max().max() == 11.0


def test_observations_beyond_the_bounds_are_told():
    frame = pd.DataFrame(
        {
            "item_id": ["a", "a", "b", "b", "b"],
            "timestamp": pd.date_range("2024-01-01", periods=5, unit="us"),
            "target": [1.0, 8.0, 7.5, np.nan, -1.0],
            "room": [5.0, 5.0, np.nan, np.nan, np.nan],
        }
    )
    found = bounds.misfits(frame, replace(DAILY, maximum="room", minimum=0.0, whole=True))
    assert found[["item_id", "target", "why"]].to_numpy().tolist() == [
        ["a", 8.0, "above the maximum of 5"],
        ["b", 7.5, "no whole number"],
        ["b", -1.0, "below the minimum of 0"],
    ]
    assert bounds.misfits(frame, DAILY).empty
