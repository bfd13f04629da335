from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.model import features, fitting
from mlops_assets.forecasting.model.forecaster import LEVEL, Forecaster
from mlops_assets.forecasting.model.quantiles import NOMINAL
from mlops_assets.forecasting.model.task import ModelSettings
from mlops_assets_tests.forecasting.model.features.test_rows import RICH, rich_panel
from mlops_assets_tests.forecasting.panels import DAILY, SMALL, daily_panel


def test_training_rows_may_come_back_from_storage(rich, tmp_path):
    rows = features.training_rows(rich_panel(), RICH)
    rows.to_parquet(tmp_path / "rows.parquet")
    again = fitting.fit(pd.read_parquet(tmp_path / "rows.parquet"), RICH)
    pd.testing.assert_frame_equal(again.predict(rich_panel()), rich.predict(rich_panel()))


@pytest.mark.filterwarnings("error")
def test_a_handful_of_rows_is_learnt_from_without_a_warning():
    frame = daily_panel(items=1, days=7)
    assert (fitting.fit(features.training_rows(frame, DAILY), DAILY).predict(frame)["source"] == "model").all()


def test_the_seed_decides_and_extra_trees_are_a_choice():
    frame = daily_panel()
    rows = features.training_rows(frame, DAILY)
    first, again = (fitting.fit(rows, DAILY).predict(frame) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    extra = replace(DAILY, model=replace(SMALL, kind="extra_trees"))
    assert not fitting.fit(rows, extra).predict(frame)["q50"].equals(first["q50"])


@pytest.mark.parametrize(
    ("settings_", "words"),
    [(ModelSettings(kind="oracle"), "'oracle' is not known"), (ModelSettings(parameters={"trees": 3}), "trees")],
)
def test_unknown_models_and_parameters_are_refused(settings_, words):
    rows = features.training_rows(daily_panel(), DAILY)
    with pytest.raises(ValueError, match=words):
        fitting.fit(rows, replace(DAILY, model=settings_))


def test_quantiles_are_moved_to_where_later_origins_wanted_them(rich):
    assert len(rich.anchors) == 3
    assert sorted(rich.anchors) == list(rich.anchors)
    frame = daily_panel(items=6, days=300)
    late = (frame["timestamp"] - pd.Timestamp("2024-08-28")).dt.days.clip(lower=0)
    drift = frame.assign(target=frame["target"] * 1.01**late)
    steady, drifting = (fitting.fit(features.training_rows(f, DAILY), DAILY).anchors for f in (frame, drift))
    assert drifting[2] > steady[2]
    assert drifting[1] > 0.5
    few = features.training_rows(frame, DAILY).head(150)
    assert fitting.fit(few, DAILY).anchors == (0.1, 0.5, 0.9)


def test_forecasts_are_drawn_to_what_later_targets_prefer():
    random = np.random.default_rng(0)
    target = random.normal(size=2000)
    middle, right, wrong = (target + random.normal(size=2000) for _ in range(3))
    unknown = np.where(random.random(2000) < 0.1, np.nan, right)
    assert fitting.blend(middle, {"wrong": wrong + 3, "right": unknown}, target) == {"right": pytest.approx(0.5)}
    assert fitting.blend(middle, {"perfect": target}, target) == {"perfect": pytest.approx(fitting.MOST_BLENDED)}
    assert fitting.blend(target, {"wrong": wrong}, target) == {}


def test_a_median_lies_between_the_forest_and_what_it_is_drawn_to():
    frame = daily_panel(items=3, days=200)
    alone = replace(fitting.fit(features.training_rows(frame, DAILY), DAILY), blend={}, anchors=NOMINAL)
    drawn = replace(alone, blend={"season_7_trend": 0.4})
    _, rows = alone.feature_rows(frame)
    trend = rows.reference + rows.scale * rows.features["season_7_trend"]
    own, found = (model.predict(frame) for model in (alone, drawn))
    np.testing.assert_allclose(found["q50"], 0.6 * own["q50"] + 0.4 * trend, rtol=1e-3)
    np.testing.assert_allclose(found["q90"] - found["q50"], own["q90"] - own["q50"], rtol=1e-3)
    pd.testing.assert_frame_equal(Forecaster.from_state({**drawn.state(), "task": DAILY}).predict(frame), found)


def test_trees_give_way_to_a_reference_that_later_targets_prefer():
    random = np.random.default_rng(0)
    target = random.normal(size=500)

    def guesses(trees: int, noise: float) -> np.ndarray:
        return target[:, None, None] + noise * random.normal(size=(500, trees, 6))

    level, better, worse = guesses(8, 3.0), guesses(4, 0.5), guesses(4, 20.0)
    assert fitting.mixture({LEVEL: level, "worse": worse, "better": better}, target) == {LEVEL: 4, "better": 4}
    assert fitting.mixture({LEVEL: better, "worse": worse}, target) == {LEVEL: 4}
    assert fitting.mixture({LEVEL: level[:, :1]}, target) == {LEVEL: 1}


def test_of_each_season_one_reference_is_tried():
    target = np.arange(9.0)
    away = {"reference_7_last": target - 3, "reference_7_change": target + 1, "reference_28_last": target * 9}
    assert fitting.nearest(away, target) == ["reference_7_change", "reference_28_last"]


def climbing(base: str) -> tuple[pd.DataFrame, pd.DataFrame, Forecaster]:
    """A series with a season that grows by 14 in each, its training rows, and trees that learn it from a reference."""
    days = np.arange(120)
    target = 1000 + np.array([9.0, -3, 0, 2, -8, 4, -4])[days % 7] + 2 * days
    frame = pd.DataFrame({"item_id": "one", "timestamp": pd.date_range("2024-01-01", periods=120), "target": target})
    rows = features.training_rows(frame, DAILY)
    plain = fitting.fit(rows, DAILY)
    trees, bases, _ = fitting.fit_mixture(SMALL, fitting.Sample.of(rows, plain.encoding), {base: 8})
    return frame, rows, replace(plain, model=trees, bases=bases, blend={}, anchors=NOMINAL)


def test_trees_that_learn_seasonal_changes_forecast_what_has_no_other_exactly():
    frame, _, model = climbing("reference_7_change")
    found = model.predict(frame, horizon=5)
    coming = frame["target"].to_numpy()[-7:-2] + 14
    np.testing.assert_allclose(found["q50"], coming, rtol=1e-5)
    again = Forecaster.from_state({**model.state(), "task": DAILY})
    pd.testing.assert_frame_equal(again.predict(frame, horizon=5), found)


def test_a_state_without_references_has_all_trees_learnt_from_the_level():
    model = climbing(LEVEL)[2]
    state = {name: value for name, value in model.state().items() if name != "bases"}
    assert Forecaster.from_state({**state, "task": DAILY}).bases == model.bases == (LEVEL,) * 8
