"""Models in order of their error."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.evaluation.metrics import score
from mlops_assets.forecasting.evaluation.ranking import best_by_segment, ranking
from mlops_assets.forecasting.model.task import Task

TASK = Task("D", 5, (7,))


def forecasts(model: str, error: np.ndarray) -> pd.DataFrame:
    items = np.repeat([f"item {number}" for number in range(20)], 5)
    days = np.tile(pd.date_range("2024-01-02", periods=5, unit="us"), 20)
    point = 100 + error
    rows = pd.DataFrame({"model": model, "window": 0, "item_id": items, "timestamp": days, "target": 100.0})
    rows["origin"] = pd.Timestamp("2024-01-01")
    return rows.assign(mean=point, q10=point - 10, q50=point, q90=point + 10, mase_scale=10.0, rmsse_scale=10.0)


@pytest.fixture
def predictions():
    random = np.random.default_rng(0)
    noise = random.normal(size=100)
    errors = {"seasonal_naive": 40 + noise, "like": 10 + random.normal(size=100) * 9, "best": 9.9 + noise * 9}
    return pd.concat([forecasts(model, error) for model, error in errors.items()], ignore_index=True)


def test_the_best_is_first_and_who_is_not_behind_beyond_doubt_is_told_apart(predictions):
    costs = {"fit_seconds": [0.0, 1.0, 2.0], "predict_seconds": 0.5, "memory_mb": 3.0}
    models = score(predictions, TASK, by=["model"]).assign(**costs)
    found = ranking(predictions, models, TASK, "mase").set_index("model")
    assert set(found.index[:2]) == {"best", "like"}
    assert found["behind"].to_dict() == {"best": False, "like": False, "seasonal_naive": True}
    assert found["to_best"].iloc[0] == 1
    assert found.loc["seasonal_naive", "to_naive"] == 1
    assert found["mase"].is_monotonic_increasing
    assert (
        found.loc["seasonal_naive", "cpu_seconds"]
        == models.set_index("model").loc["seasonal_naive"].filter(like="_seconds").sum()
    )


def test_each_segment_names_its_best_beside_the_second():
    rows = [["city", "east", "a", 2.0], ["city", "east", "b", 1.0], ["city", "west", "a", 1.0]]
    rows += [["city", "west", "b", np.nan], ["city", "north", "a", np.nan]]
    found = best_by_segment(pd.DataFrame(rows, columns=["segment", "value", "model", "mase"]), "mase")
    assert found[["value", "best", "second"]].to_numpy().tolist() == [["east", "b", "a"], ["west", "a", None]]
    assert found["to_second"].iloc[0] == 0.5
