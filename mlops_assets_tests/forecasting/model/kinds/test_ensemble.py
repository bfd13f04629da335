"""Averages of models, and the choice among them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.model import kinds, model_file
from mlops_assets.forecasting.model.errors import UsageError
from mlops_assets.forecasting.model.kinds.auto import Auto
from mlops_assets.forecasting.model.kinds.ensemble import Ensemble, averaged
from mlops_assets.forecasting.model.task import ModelSettings, Task
from mlops_assets_tests.forecasting.model.kinds.simple import Noted

HERE = "mlops_assets_tests.forecasting.model.kinds.simple"
DAYS = pd.date_range("2024-01-01", periods=90, unit="us")


def task(kind: str, *members: str, **parameters) -> Task:
    settings = ModelSettings(kind, parameters, members=tuple(f"{HERE}.{name}" for name in members))
    return Task("D", 7, (7,), model=settings)


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(0)
    week = 100 + 30 * np.sin(np.arange(90) * 2 * np.pi / 7)
    parts = [
        pd.DataFrame({"item_id": f"item {number}", "timestamp": DAYS, "target": week + random.normal(size=90)})
        for number in range(6)
    ]
    return pd.concat(parts, ignore_index=True)


def fitted(frame: pd.DataFrame, task: Task, until: int = -1) -> Ensemble:
    made = kinds.fit(kinds.rows(frame, task, DAYS[until]), task)
    assert isinstance(made, Ensemble)
    return made


def test_members_that_err_to_both_sides_are_averaged(frame):
    model = fitted(frame, task("ensemble", "High", "Low"))
    assert model.general == pytest.approx([0.5, 0.5], abs=0.03)
    made = model.predict(frame)
    plain = kinds.fit(kinds.rows(frame, task("seasonal_naive")), task("seasonal_naive")).predict(frame)
    assert made["mean"].to_numpy() == pytest.approx(plain["mean"].to_numpy(), rel=0.02)
    assert list(made) == list(plain)
    assert (made["q10"] <= made["q90"]).all()


def test_a_member_that_weighs_nothing_is_not_kept(frame):
    model = fitted(frame, task("ensemble", "Level", "High"))
    assert list(model.members) == [f"{HERE}.Level"]
    assert model.record.set_index("member")["weight"].to_dict() == {
        f"{HERE}.Level": 1,
        f"{HERE}.High": 0,
        "ensemble": 1,
    }


def test_weights_come_from_windows_before_the_present_only(frame):
    later = frame.assign(target=frame["target"].where(frame["timestamp"] <= DAYS[60], 7.0))
    before, after = (fitted(rows, task("ensemble", "High", "Low", "Level"), 60) for rows in (frame, later))
    assert before.general.tolist() == after.general.tolist()


def test_it_is_stored_without_pickle_and_forecasts_the_same(frame):
    for kind in ("ensemble", "auto"):
        model = fitted(frame, task(kind, "High", "Low"))
        again = kinds.rebuild(model_file.loads(model_file.dumps(kinds.state_of(model))))
        assert isinstance(again, Ensemble)
        pd.testing.assert_frame_equal(again.predict(frame), model.predict(frame))
        assert again.reasons() == model.reasons()
        assert again.task == model.task


def test_an_unknown_item_gets_the_weights_of_all(frame):
    model = fitted(frame, task("auto", "High", "Low"))
    assert model.weights_of(["item 1", "stranger"])[1].tolist() == model.general.tolist()
    assert set(model.predict(frame, items=["item 1", "stranger"])["item_id"]) == {"item 1", "stranger"}


def test_fresh_data_renew_the_weights_and_no_member_is_fitted(frame, monkeypatch):
    old = fitted(frame, task("ensemble", "High", "Low"), 60)
    changed = frame.assign(target=frame["target"] * np.where(frame["timestamp"] > DAYS[60], 1.2, 1.0))
    changed = changed[changed["timestamp"] <= DAYS[67]]
    monkeypatch.setattr("mlops_assets.forecasting.model.kinds.registry.fit", None)
    new = old.reweighed(changed, DAYS[60])
    assert new.general[0] > old.general[0] + 0.1
    assert new.members == old.members
    with pytest.raises(ValueError, match="no target is observed after"):
        old.reweighed(frame, DAYS[-1])


def test_auto_chooses_one_kind_where_an_average_gains_nothing_and_says_why(frame):
    model = fitted(frame, task("auto", "Level", "High"))
    assert list(model.members) == [f"{HERE}.Level"]
    (why,) = model.reasons()
    assert why.startswith(f"{HERE}.Level for 6 items (regular): ")
    assert f" of {HERE}.High" in why


def test_auto_leans_item_by_item(frame):
    model = fitted(frame, task("auto", "HighForSome", "Low"))
    weights = model.weights_of(["item 0", "item 1"])
    place = list(model.members).index(f"{HERE}.HighForSome")
    assert weights[0, place] > weights[1, place]


def test_with_too_little_history_auto_is_the_default_kind_and_an_ensemble_equal(frame):
    short = frame[frame["timestamp"] <= DAYS[5]]
    even = fitted(short, task("ensemble", "High", "Low"), 5)
    assert even.general.tolist() == [0.5, 0.5]
    alone = fitted(short, task("auto", "High", "Low"), 5)
    assert list(alone.members) == [f"{HERE}.High"]
    assert alone.reasons() == [f"{HERE}.High for 6 items (regular): too little history to compare"]


def test_intermittent_items_have_weights_of_their_own(frame):
    rare = frame["item_id"].isin(["item 4", "item 5"]) & (frame["timestamp"].dt.day % 7 > 0)
    model = fitted(frame.assign(target=frame["target"].mask(rare, 0.0)), task("ensemble", "High", "Low"))
    assert set(model.record["segment"]) == {"regular", "intermittent"}
    assert model.record.groupby("segment")["items"].first().to_dict() == {"regular": 4, "intermittent": 2}


def test_who_has_no_say_about_an_item_leaves_it_to_the_others(frame):
    both = task("ensemble", "Silent", "High")
    members = {kind: kinds.fit(frame, replace(both, model=ModelSettings(kind))) for kind in both.model.members}
    even = np.array([0.5, 0.5])
    model = Ensemble(both, members, np.array([], dtype=object), np.zeros((0, 2)), even, pd.DataFrame())
    made = model.predict(frame).groupby("item_id")["mean"].sum()
    plain = members[f"{HERE}.High"].predict(frame).groupby("item_id")["mean"].sum()
    assert (made / plain).round(6).tolist() == [1.0, *[round(1.1 / 1.2, 6)] * 5]


def test_fallbacks_alone_stay_fallbacks():
    rows = pd.DataFrame({"item_id": "a", "origin": DAYS[0], "timestamp": DAYS[1], "lead": 1, "mean": [1.0, 3.0]})
    made = averaged(rows.assign(source="fallback", weight=[0.25, 0.75]))
    assert made[["mean", "source"]].to_numpy().tolist() == [[2.5, "fallback"]]


def test_members_are_single_kinds():
    with pytest.raises(UsageError, match="auto cannot be a member"):
        Ensemble.members_of(replace(task("ensemble"), model=ModelSettings("ensemble", members=("auto",))))


def test_what_is_made_of_others_is_known_by_what_it_has(frame):
    single = kinds.fit(kinds.rows(frame, task("seasonal_naive")), task("seasonal_naive"))
    assert not isinstance(single, kinds.Combined)
    assert isinstance(fitted(frame, task("auto", "Level", "High")), kinds.Combined)
    assert kinds.COMBINING == ("ensemble", "auto")


def test_only_a_choice_has_a_member_for_intermittent_series_unasked():
    pytest.importorskip("statsforecast")
    assert Auto.members_of(task("auto")) == (*Ensemble.members_of(task("ensemble")), "tsb")


def test_no_member_is_fitted_twice_to_the_same_values(frame):
    Noted.ASKED.clear()
    model = fitted(frame, task("ensemble", "Noted"))
    assert len(Noted.ASKED) == len({*Noted.ASKED})
    within = len(Noted.ASKED)
    model.predict(frame, DAYS[-8])
    assert len(Noted.ASKED) == within + 6, "what a fit has asked is forgotten after it"
