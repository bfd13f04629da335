"""One registry of kinds: names, import paths of regressors, classes of others; and states that know their kind."""

from dataclasses import replace

import pandas as pd
import pytest

from mlops_assets.forecasting.model import entry, kinds, model_file
from mlops_assets.forecasting.model.errors import MlopsAssetsError, ModelFileError
from mlops_assets.forecasting.model.forecaster import Forecaster
from mlops_assets.forecasting.model.task import ModelSettings
from mlops_assets_tests.forecasting.panels import DAILY, daily_panel

NAIVE = replace(DAILY, model=ModelSettings("seasonal_naive"))


@pytest.mark.parametrize(
    "kind", ["random_forest", "sklearn.linear_model.Ridge", "sklearn.ensemble.ExtraTreesRegressor"]
)
def test_regressors_are_asked_by_the_forecaster(kind):
    assert kinds.class_of(kind) is Forecaster


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("random_forrest", "did you mean random_forest"),
        ("sklearn.linear_model.Rigde", "did you mean sklearn.linear_model.Ridge"),
        ("no_such_package.Model", "No module named"),
        ("json.JSONDecoder", "lacks rows, fit, predict, state, from_state"),
        ("json.dumps", "lacks rows"),
    ],
)
def test_what_is_no_kind_is_refused_with_a_way_out(kind, words):
    with pytest.raises(MlopsAssetsError, match=words):
        kinds.class_of(kind)


def test_a_state_knows_its_kind():
    frame = daily_panel(items=2, days=60)
    model = kinds.fit(kinds.rows(frame, NAIVE), NAIVE)
    state = model_file.loads(model_file.dumps(kinds.state_of(model)))
    again = entry.rebuild(state)
    assert (state["kind"], again.task) == ("seasonal_naive", NAIVE)
    pd.testing.assert_frame_equal(again.predict(frame), model.predict(frame))
    assert set(again.predict(frame)["source"]) == {"model"}
    with pytest.raises(ModelFileError, match="retrain"):
        entry.rebuild({**state, "version": 99})


def test_a_recipe_is_fitted_to_another_history():
    frame = daily_panel(items=2, days=60)
    model = kinds.fit(kinds.rows(frame, NAIVE, frame["timestamp"].iloc[30]), NAIVE)
    frame.loc[40, "target"] = -5.0
    assert kinds.lowest(model) > kinds.lowest(entry.refit(model, frame)) == -5.0


def test_what_a_seasonal_naive_model_says_of_an_item_never_seen_depends_on_no_other_in_the_frame():
    frame = daily_panel(items=3, days=60)
    model = kinds.fit(kinds.rows(frame, NAIVE), NAIVE)
    alone = frame[frame["item_id"] == frame["item_id"].iloc[0]]
    pd.testing.assert_frame_equal(model.predict(alone, items=["new"]), model.predict(frame, items=["new"]))
