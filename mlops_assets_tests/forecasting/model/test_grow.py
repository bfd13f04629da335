"""Growing a forest: which trees stay, which come, and when it cannot be done."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.model import features, fitting, kinds
from mlops_assets.forecasting.model.encoding import plain_columns
from mlops_assets.forecasting.model.forecaster import LEVEL, Forecaster
from mlops_assets.forecasting.model.grow import grow, why_not
from mlops_assets.forecasting.model.task import ModelSettings, Task
from mlops_assets.forecasting.model.trees import Trees, join
from mlops_assets_tests.worlds import DAYS, panel

TASK = Task(
    "D",
    7,
    (7,),
    past=("rain",),
    model=ModelSettings(parameters={"n_estimators": 8, "n_jobs": 1}, max_training_rows=2000),
)
FRAME = panel().rename(columns={"shop": "item_id", "day": "timestamp", "sales": "target"})
THEN, NOW = DAYS[75], DAYS[85]


@pytest.fixture(scope="module")
def old() -> Forecaster:
    return fitting.fit(features.training_rows(FRAME, TASK, until=THEN), TASK)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return features.training_rows(FRAME, TASK, until=NOW)


def sizes(trees: Trees) -> list[int]:
    return list(np.diff(trees.start))


def test_the_oldest_trees_go_and_new_ones_come_in_their_place(old, rows):
    grown = grow(old, rows, THEN)
    assert sizes(grown.model)[:6] == sizes(old.model)[2:]
    assert len(sizes(grown.model)) == 8
    assert grown.importance.sum() == pytest.approx(1)
    assert grown.encoding is old.encoding


def test_it_forecasts_like_any_other_and_survives_its_state(old, rows):
    grown = grow(old, rows, THEN)
    made = grown.predict(FRAME, NOW)
    assert len(made) == 4 * 7
    assert (made["q10"] <= made["q90"]).all()
    again = kinds.rebuild(kinds.state_of(grown))
    pd.testing.assert_frame_equal(again.predict(FRAME, NOW), made)
    assert not made["mean"].equals(old.predict(FRAME, NOW)["mean"])


def test_the_same_rows_grow_the_same_forest_and_others_another(old, rows):
    first, second = grow(old, rows, THEN), grow(old, rows, THEN)
    np.testing.assert_array_equal(first.model.threshold, second.model.threshold)
    earlier = grow(old, features.training_rows(FRAME, TASK, until=DAYS[80]), THEN)
    assert sizes(earlier.model) != sizes(first.model)


def test_after_enough_growths_no_old_tree_is_left(old, rows):
    grown = old
    for _ in range(4):
        grown = grow(grown, rows, THEN)
    assert len(sizes(grown.model)) == 8
    assert sizes(grown.model)[0] == sizes(grow(old, rows, THEN).model)[6]


def test_a_tree_is_followed_by_one_of_the_same_reference(old, rows):
    sample = fitting.Sample.of(rows, old.encoding)
    trees, bases, _ = fitting.fit_mixture(TASK.model, sample, {LEVEL: 5, "reference_7_last": 3})
    grown = replace(old, model=trees, bases=bases)
    for _ in range(4):
        grown = grow(grown, rows, THEN)
        assert Counter(grown.bases) == Counter(bases)
    again = grow(replace(old, model=trees.part(4, 8), bases=bases[4:]), rows, THEN, share=0.5)
    assert again.bases == ("reference_7_last", "reference_7_last", LEVEL, "reference_7_last")
    assert "no longer made" in why_not(grown, rows.drop(columns="reference_7_last"), TASK)


def test_taking_trees_apart_and_together_changes_nothing(old, rows):
    X = old.encoding.matrix(plain_columns(rows, old.encoding.names))
    last = old.model.part(5, 8)
    np.testing.assert_array_equal(last.outcomes(last.locate(X)), old.model.outcomes(old.model.locate(X)[:, 5:]))
    both = join([old.model, last])
    assert sizes(both) == sizes(old.model) + sizes(last)
    np.testing.assert_array_equal(both.part(8, 11).samples, last.samples)


def test_it_says_when_a_forest_cannot_be_grown(old, rows):
    assert why_not(old, rows, TASK) == ""
    assert "task has changed" in why_not(old, rows, replace(TASK, horizon=5))
    assert "features" in why_not(old, rows.assign(recent_more=1.0), TASK)
    assert "scaling" in why_not(old, rows.assign(scaling="linear whole"), TASK)
    ridge = replace(TASK, model=ModelSettings("sklearn.linear_model.Ridge"))
    assert "only forests grow" in why_not(fitting.fit(rows, ridge), rows, ridge)
    with pytest.raises(ValueError, match="cannot be grown"):
        grow(old, rows.assign(recent_more=1.0), THEN)
