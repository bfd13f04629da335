"""The point that costs least, and what errors cost."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.delivery import deliver
from mlops_assets.forecasting.evaluation.backtest import backtest
from mlops_assets.forecasting.evaluation.metrics import score
from mlops_assets.forecasting.model.baselines import SeasonalNaive
from mlops_assets.forecasting.model.task import ModelSettings, Task
from mlops_assets_tests.forecasting.panels import DAILY

COSTS = replace(DAILY, point="costs", costs=(3.0, 1.0))
BY_ITEM = replace(DAILY, point="costs", costs=("short", "long"))


def test_the_point_is_the_quantile_of_the_costs_and_nothing_else_changes(forecaster, history):
    origin = history["timestamp"].max()
    made = deliver(forecaster, COSTS, history, origin)
    plain = forecaster.predict(history, origin, quantiles=(0.1, 0.5, 0.75, 0.9))
    assert made["point"].tolist() == plain["q75"].tolist()
    assert set(made.columns) == {*plain.columns, "point", "cost_under", "cost_over"} - {"q75"}
    same = ["item_id", "timestamp", "mean", "q10", "q50", "q90", "source"]
    pd.testing.assert_frame_equal(made[same], plain[same])
    assert (made[["cost_under", "cost_over"]].drop_duplicates().to_numpy() == [[3.0, 1.0]]).all()


@pytest.mark.parametrize("naive", [False, True])
def test_costs_by_item_give_each_item_its_own_level(forecaster, history, naive):
    origin = history["timestamp"].max()
    asked = SeasonalNaive(DAILY) if naive else forecaster
    made = deliver(asked, BY_ITEM, history, origin).set_index("item_id")
    plain = asked.predict(history, origin, quantiles=(0.5, 0.75, 0.9)).set_index("item_id")
    for item, name in {"item 0": "q50", "item 1": "q75", "item 2": "q90", "item 3": "q50"}.items():
        assert made.loc[item, "point"].tolist() == plain.loc[item, name].tolist()
    assert made.loc["item 3", "cost_under"].isna().all()
    one = deliver(asked, BY_ITEM, history, origin, items=["item 1"])
    assert one["point"].tolist() == made.loc["item 1", "point"].tolist()


def test_what_errors_cost_is_the_mean_over_rows_whose_costs_are_known():
    rows = pd.DataFrame(
        {"target": [10.0, 10.0, 10.0], "point": [8.0, 13.0, 99.0], "q50": 10.0, "mase_scale": 1.0, "rmsse_scale": 1.0}
    ).assign(cost_under=[3.0, 3.0, np.nan], cost_over=[1.0, 1.0, np.nan])
    task = Task("D", 1, (7,), (0.5,), point="costs", costs=("a", "b"))
    assert score(rows, task)["cost"].iloc[0] == (2 * 3 + 3 * 1) / 2
    plain = rows.drop(columns=["cost_under", "cost_over"])
    assert np.isnan(score(plain, Task("D", 1, (7,), (0.5,)))["cost"].iloc[0])


def test_it_costs_less_than_median_and_mean_where_a_lack_is_dear():
    random = np.random.default_rng(0)
    frame = pd.concat(
        pd.DataFrame(
            {
                "item_id": f"shop {number}",
                "timestamp": pd.date_range("2024-01-01", periods=120, unit="us"),
                "target": random.gamma(2, 10, 120),
            }
        )
        for number in range(8)
    )
    small = ModelSettings(parameters={"n_estimators": 10, "n_jobs": 1}, max_training_rows=1000)
    task = Task("D", 14, (7,), costs=(9.0, 1.0), model=small)
    found = {}
    for point in ("costs", "median", "mean"):
        scores = backtest(frame, replace(task, point=point), windows=1).overall.set_index("model")["cost"]
        found[point] = scores["challenger"]
        assert scores["challenger"] < scores["seasonal_naive"]
    assert found["costs"] < 0.8 * min(found["median"], found["mean"])
