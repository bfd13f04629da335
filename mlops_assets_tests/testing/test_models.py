"""The kit that holds a model to its promises: our own kinds keep them, and a model that does not is found out."""

from typing import ClassVar

import numpy as np
import pytest

from mlops_assets.forecasting.model.kinds import KINDS, CalibratedSeries
from mlops_assets.forecasting.model.kinds.values import between
from mlops_assets.testing import ModelCheckError, check_model

QUICK = {
    "random_forest": {"n_estimators": 5, "n_jobs": 1},
    "extra_trees": {"n_estimators": 5, "n_jobs": 1},
    "hist_gradient_boosting": {"max_iter": 5},
    "lightgbm": {"n_estimators": 5, "n_jobs": 1},
    "ets": {"model": "ANN"},
}
MEMBERS = {"ensemble": ("theta", "seasonal_naive"), "auto": ("tsb", "seasonal_naive")}


@pytest.mark.parametrize("kind", [*KINDS, "sklearn.linear_model.Ridge"])
def test_every_kind_of_ours_keeps_what_a_model_promises(kind):
    check_model(kind, QUICK.get(kind, {}), members=MEMBERS.get(kind, ()))


class Last(CalibratedSeries):
    """The last value goes on."""

    def path(self, values):
        return values[-1:].repeat(self.task.horizon), abs(values[1:] - values[:-1]).mean()


class Hindsight(Last):
    """Knows the end of the history whatever the origin."""

    def predict(self, history, origin=None, **asked):
        made = super().predict(history, origin, **asked)
        return made.assign(mean=history["target"].iloc[-1])


class Closed(Last):
    """Forecasts the items that it has learnt from, and nearly the same when it is asked again."""

    def predict(self, history, origin=None, **asked):
        made = super().predict(history[history["item_id"] != "stranger"], origin, **asked)
        object.__setattr__(self, "calls", getattr(self, "calls", 0) + 1)
        return made.assign(mean=made["mean"] * (1 + 1e-9 * self.calls))


class Forgetful(Last):
    """Stores nothing that it has learnt, and leaves a row out."""

    def state(self):
        return {**super().state(), "errors": super().state()["errors"] * 0}

    def predict(self, history, origin=None, **asked):
        return super().predict(history, origin, **asked).iloc[1:]


def test_a_class_of_ones_own_is_a_path():
    check_model(Last)


@pytest.mark.parametrize(
    ("model", "promises"),
    [
        (Hindsight, ["No target after the origin", "Other items in the history"]),
        (Closed, ["An item that the model has not learnt from gets a forecast", "No target after the origin"]),
        (Forgetful, ["a row for each living item and lead", "`from_state` makes the same model"]),
    ],
)
def test_a_broken_promise_is_named(model, promises):
    with pytest.raises(ModelCheckError) as said:
        check_model(model)
    assert all(promise in str(said.value) for promise in promises)
    assert len(str(said.value).splitlines()) < 8


class Short(Last):
    """A step too few."""

    def path(self, values):
        mean, size = super().path(values)
        return mean[1:], size


class Shrinking(Last):
    """Calls the size of its errors negative."""

    def path(self, values):
        mean, size = super().path(values)
        return mean, -size


class Nameless(Last):
    """Gives a path alone."""

    def path(self, values):
        return super().path(values)[0].tolist()


class Broken(Last):
    """Fails."""

    def path(self, values):
        raise KeyError("week")


class Scribbling(Last):
    """Writes into the history that it is given."""

    def predict(self, history, origin=None, **asked):
        history["target"] += 1
        return super().predict(history, origin, **asked)


class Dice(Last):
    """Says another thing each time."""

    def path(self, values):
        mean, size = super().path(values)
        return mean + np.random.default_rng().random(), size


class Methodless:
    """Has no method at all."""


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Short, r"Short': path gives a mean of shape \(5,\), not \(6,\)"),
        (Shrinking, "Shrinking': path gives a size of error of -"),
        (Nameless, "Nameless': path gives a mean of shape"),
        (Broken, r"Broken' failed: KeyError: 'week' \(.*test_models.py, line \d+\)"),
        (Scribbling, "predict changes the history: target of item_id busy timestamp 2024-01-01 .* is 1"),
        (Dice, "asked for the same again, mean of item_id busy timestamp 2024-04-24 .* is .*, and not"),
        (Methodless, "Methodless lacks rows, fit, predict, state, from_state; a model has the methods"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(model, words):
    with pytest.raises(ModelCheckError, match=words) as said:
        check_model(model)
    assert [words for words in str(said.value).splitlines()[1:] if "more promise" in words] == (
        str(said.value).splitlines()[1:] if model in (Short, Shrinking, Nameless, Broken) else []
    )


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"windw": 3}, "has no parameter windw: its PARAMETERS are window"),
        ({"window": 0}, "window is 0; a whole number"),
    ],
)
def test_parameters_are_held_to_what_the_class_says_of_them(parameters, words):
    class Windowed(Last):
        PARAMETERS: ClassVar = {"window": between(1, 520, whole=True)}

    with pytest.raises(ModelCheckError, match=words):
        check_model(Windowed, parameters)
