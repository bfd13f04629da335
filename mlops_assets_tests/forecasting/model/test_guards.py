import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.model import features, fitting, guards, kinds
from mlops_assets.forecasting.model.forecaster import Forecaster
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.model.task import Task
from mlops_assets_tests.forecasting.panels import SMALL, daily_panel

TASK = Task("D", 10, (7,), known=("price",), past=("rain", "heat"), static=("place", "kind"), model=SMALL)


def weather() -> pd.DataFrame:
    frame = daily_panel(items=5, days=200, price=1.0, rain=1.0)
    frame["place"] = frame["item_id"].map({"item 0": "north", "item 1": "south", "item 2": "south"})
    frame["kind"] = frame["item_id"].map(lambda item: f"kind {item[-1]}")
    return frame.assign(heat=300 + 10 * np.random.default_rng(1).random(len(frame)))


@pytest.fixture(scope="module")
def model() -> Forecaster:
    return fitting.fit(features.training_rows(weather(), TASK), TASK)


def future(frame: pd.DataFrame, price: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame({"timestamp": pd.date_range(frame["timestamp"].max(), periods=11)[1:], "price": price})


def test_usual_input_is_not_remarked_on(model):
    frame = weather()
    frame["rain"] = frame["rain"].clip(lower=0.0)  # half of it at the edge of the range
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(frame, future=future(frame))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda frame: frame.assign(heat=frame["rain"], rain=frame["heat"]),
            "covariate 'heat' lies far outside .* in 100%",
        ),
        (lambda frame: frame.assign(rain=np.nan), "past covariate 'rain' is missing in every row"),
        (lambda frame: frame.assign(place=None), "static covariate 'place' is missing in every row"),
        (
            lambda frame: frame.assign(place=frame["kind"], kind=frame["place"]),
            "'place' has values that were not in training in 100% .*; the static covariate 'kind' has values .* in 60%",
        ),
        (
            lambda frame: frame.assign(
                target=np.where(frame["item_id"] == "item 2", frame["target"] * 1e4, frame["target"])
            ),
            "level of 1 items is far from any seen in training: item 2",
        ),
    ],
)
def test_what_was_never_seen_is_remarked_on_and_still_forecast(model, change, words):
    frame = change(weather())
    with pytest.warns(UnusualInput, match=words):
        table = model.predict(frame, future=future(frame))
    assert table.notna().all().all()
    assert (table["source"] == "model").all()


def test_many_categories_are_looked_at_as_text():
    frame = daily_panel(items=30, days=40)
    task = Task("D", 2, (7,), static=("name",), model=SMALL)
    model = fitting.fit(features.training_rows(frame.assign(name=frame["item_id"]), task), task)
    with pytest.warns(UnusualInput, match="'name' has values that were not in training in 100%"):
        model.predict(frame.assign(name="x"))


def test_a_forecast_without_the_known_future_says_so(model):
    with pytest.warns(UnusualInput, match="known covariate 'price' is missing in every row"):
        model.predict(weather())


def test_numbers_as_text_are_refused(model):
    with pytest.raises(ValueError, match="past covariate 'heat' is of type object"):
        model.predict(weather().assign(heat="300"))


def test_it_is_still_said_after_the_model_was_stored(model):
    frame = weather().assign(target=lambda frame: frame["target"] * 1e4)
    with pytest.warns(UnusualInput, match="level of 5 items is far from any seen in training: item 0, item 1"):
        kinds.rebuild(kinds.state_of(model)).predict(frame, future=future(frame))


def test_counts_of_parts_say_what_the_whole_says(model):
    frame = weather().assign(
        rain=lambda rows: rows["rain"].where(rows["item_id"] == "item 1"),
        place=lambda rows: rows["place"].where(rows["item_id"] < "item 2", "nowhere"),
        heat=lambda rows: rows["heat"] * np.where(rows["item_id"] > "item 1", -9, 1),
        target=lambda rows: rows["target"] * np.where(rows["item_id"] == "item 3", 1e4, 1),
    )
    with pytest.warns(UnusualInput) as told:
        model.predict(frame, future=future(frame))
    with guards.counted() as found:
        for _, part in frame.groupby("item_id"):
            model.predict(part, future=future(frame))
    (whole,) = guards.added_up(pickle.loads(pickle.dumps(found)))
    assert whole.sentence() == str(told[0].message)
    assert "'place'" in whole.sentence()
    assert "'heat'" in whole.sentence()
    assert "item 3" in whole.sentence()
