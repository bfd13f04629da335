"""Explanations: what is shuffled is missed, and a forecast is the weighted past that it names."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.evaluation import importance as explain
from mlops_assets.forecasting.model import features, fitting
from mlops_assets.forecasting.model.task import ModelSettings, Task
from mlops_assets_tests.forecasting.model.features.test_rows import RICH, rich_panel
from mlops_assets_tests.forecasting.model.test_fitting import climbing
from mlops_assets_tests.forecasting.panels import DAILY, SMALL, daily_panel


def promoted() -> tuple[pd.DataFrame, Task]:
    frame = daily_panel(items=8, days=160)
    random = np.random.default_rng(0)
    frame["promotion"] = (random.random(len(frame)) < 0.3).astype(float)
    frame["target"] *= np.where(frame["promotion"] > 0, 3, 1)
    return frame, Task("D", 10, (7,), known=("promotion",), model=SMALL)


def test_groups_add_up():
    model = fitting.fit(features.training_rows(rich_panel(), RICH), RICH)
    table = explain.by_group(model.importances())
    assert table["importance"].sum() == pytest.approx(1)
    assert table["importance"].is_monotonic_decreasing
    assert set(table["group"]) == {"season", "recent", "calendar", "covariates", "static", "lead", "history"}


def test_the_group_that_decides_is_missed_most():
    frame, task = promoted()
    table = explain.permutation_importance(frame, task, windows=2, metric="wql", repeats=2)
    assert table["group"].iloc[0] == "none"
    assert table["group"].iloc[1] == "covariates"
    assert table["wql"].iloc[1] > 1.5 * table["wql"].iloc[0]
    assert table["share"].sum() == pytest.approx(1)
    again = explain.permutation_importance(frame, task, windows=2, metric="wql", repeats=2)
    pd.testing.assert_frame_equal(table, again)


def test_the_weights_are_the_forest():
    """All training rows by their weights give the mean of the leaves, and the quantiles of the forecast nearly."""
    frame = daily_panel(items=6, days=200)
    task = replace(DAILY, model=ModelSettings(parameters={"n_estimators": 20, "bootstrap": False, "n_jobs": 1}))
    training = features.training_rows(frame, task)
    model = fitting.fit(training, task)
    place, rows = model.feature_rows(frame)
    table = model.predict(frame)
    assert len(place) == len(table)
    leaves = model.model.mean[model.model.locate(model.encoding.matrix({**rows.features, "lead": rows.lead}))]
    for row in (0, 17, 42):
        like = explain.resemblance(model, training, rows, row)
        assert like["weight"].sum() == pytest.approx(1)
        assert like["weight"].is_monotonic_decreasing
        scaled = training.set_index(["item_id", "origin", "lead"])["y"]
        y = scaled.loc[list(zip(like["item_id"], like["origin"], like["lead"], strict=True))].to_numpy()
        assert (y * like["weight"]).sum() == pytest.approx(leaves[row].mean(), abs=1e-4)
        ordered = like.sort_values("outcome")
        median = ordered["outcome"].iloc[np.searchsorted(ordered["weight"].cumsum(), 0.5)]
        width = table["q90"].iloc[row] - table["q10"].iloc[row]
        assert abs(median - table["q50"].iloc[row]) < 0.2 * width


def test_outcomes_stand_at_the_reference_that_they_were_learnt_from():
    frame, training, model = climbing("reference_7_change")
    place, rows = model.feature_rows(frame)
    row = int(place.index[place["lead"] == 4][0])
    like = explain.resemblance(model, training, rows, row)
    assert len(like) > 10
    near = like[like["lead"] <= 7]
    np.testing.assert_allclose(near["outcome"], frame["target"].iloc[-4] + 14, rtol=1e-4)


def test_the_past_that_is_named_is_like_the_day():
    frame, task = promoted()
    training = features.training_rows(frame, task)
    model = fitting.fit(training, task)
    days = pd.date_range(frame["timestamp"].max(), periods=11)[1:]
    future = pd.DataFrame({"timestamp": days, "promotion": [1.0] * 5 + [0.0] * 5})
    place, rows = model.feature_rows(frame, future=future, items=["item 1"])
    shares = []
    for lead in (3, 8):
        like = explain.resemblance(model, training, rows, int(place.index[place["lead"] == lead][0]))
        there = like.merge(frame, on=["item_id", "timestamp"])
        shares.append((there["promotion"] * there["weight"]).sum())
    assert shares[0] > 0.7
    assert shares[1] < 0.1


def test_only_forests_rest_on_rows_and_old_features_are_named():
    frame = daily_panel()
    boosting = replace(DAILY, model=ModelSettings("hist_gradient_boosting", {"max_iter": 5}, max_training_rows=1500))
    training = features.training_rows(frame, boosting)
    model = fitting.fit(training, boosting)
    _, rows = model.feature_rows(frame)
    with pytest.raises(ValueError, match="hist_gradient_boosting does not"):
        explain.resemblance(model, training, rows, 0)
    plain = fitting.fit(training, DAILY)
    with pytest.raises(ValueError, match=r"no longer made \(recent_lag_0\): retrain"):
        explain.resemblance(plain, training.drop(columns="recent_lag_0"), rows, 0)
