"""Laws of the engine over panels: nothing leaks from the future, one code makes all rows, no item minds others."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.evaluation.metrics import seasonal_scale
from mlops_assets.forecasting.model import features, fitting
from mlops_assets.forecasting.model.baselines import recent_panel, seasonal_naive
from mlops_assets.forecasting.model.features.as_known import YEARLY
from mlops_assets.forecasting.model.panel import Panel
from mlops_assets.forecasting.model.scaling import Scaling
from mlops_assets.forecasting.model.task import ModelSettings, Task

FREQUENCIES = [("D", (7,), 30), ("h", (24,), 60), ("W-SUN", (4,), 30), ("MS", (12,), 40), ("30min", (2, 6), 40)]
ONE_TREE = ModelSettings(parameters={"n_estimators": 2, "n_jobs": 1}, max_training_rows=300)


@st.composite
def worlds(draw) -> tuple[pd.DataFrame, Task, pd.Timestamp]:
    """A panel with gaps, late starts and early ends, what to forecast of it, and a cut in time."""
    frequency, seasons, steps = draw(st.sampled_from(FREQUENCIES))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    times = pd.date_range("2023-01-01", periods=steps, freq=frequency, unit="us")
    parts = []
    for number in range(draw(st.integers(1, 4))):
        first = int(random.integers(0, steps // 3)) if number else 0
        last = int(random.integers(2 * steps // 3, steps + 1)) if number else steps
        level = 10.0 ** random.integers(-3, 7)
        part = pd.DataFrame({"item_id": f"i{number}", "timestamp": times[first:last]})
        part["target"] = level * (1 + 0.3 * random.normal(size=len(part))) * random.choice([1.0, 0.0], p=[0.9, 0.1])
        parts.append(part[(random.random(len(part)) > 0.15) | (part["timestamp"] == times[0])])
    frame = pd.concat(parts, ignore_index=True)
    frame["known"], frame["past"] = random.normal(size=(2, len(frame)))
    frame["place"] = frame["item_id"].map({"i0": "north", "i2": "south", "i3": "north"})
    frame.loc[random.random(len(frame)) < 0.1, ["target", "past"]] = np.nan
    task = Task(
        frequency,
        draw(st.integers(1, 6)),
        seasons,
        known=("known",),
        past=("past",),
        static=("place",),
        holidays=draw(st.sampled_from([None, "US"])),
        model=ONE_TREE,
    )
    return frame, task, times[draw(st.integers(steps // 2, steps - 2))]


def changed(frame: pd.DataFrame, after: pd.Timestamp, seed: int) -> pd.DataFrame:
    """Another future: other targets and past covariates, rows gone, an item that nobody has heard of."""
    random = np.random.default_rng(seed)
    later = frame["timestamp"] > after
    other = frame[later & (random.random(len(frame)) < 0.7)].copy()
    other["target"], other["past"] = random.normal(size=(2, len(other))) * 1e9
    stranger = other.drop_duplicates("timestamp").assign(item_id="stranger", place="elsewhere")
    return pd.concat([frame[~later], other, stranger]).sample(frac=1, random_state=seed)


@settings(max_examples=25, deadline=None)
@given(worlds(), st.integers(0, 1000))
def test_nothing_after_the_cut_changes_rows_or_forecasts(world, seed):
    frame, task, cut = world
    try:
        rows = features.training_rows(frame, task, cut)
    except ValueError as error:
        assert "nothing to learn" in str(error)  # noqa: PT017 - too little before the cut to test anything
        return
    garbled = changed(frame, cut, seed)
    pd.testing.assert_frame_equal(rows, features.training_rows(garbled, task, cut))
    model = fitting.fit(rows, task)
    future = frame.loc[frame["timestamp"] > cut, ["item_id", "timestamp", "known"]]
    pd.testing.assert_frame_equal(
        model.predict(frame, cut, future=future), model.predict(garbled, cut, future=future), check_exact=True
    )


@settings(max_examples=40, deadline=None)
@given(worlds())
def test_one_code_makes_training_and_forecasting_rows(world):
    frame, task, cut = world
    try:
        training = features.training_rows(frame, task)
    except ValueError as error:
        assert "nothing to learn" in str(error)  # noqa: PT017
        return
    scaling = Scaling.from_name(training["scaling"].iloc[0])
    yearly = bool({"calendar_day_of_year", "calendar_month"} & {*training.columns})
    panel: Panel = recent_panel(frame, task, cut)
    rows = features.forecast_rows(panel, task, scaling, np.arange(len(panel.items)), task.horizon, yearly=yearly)
    made = pd.DataFrame(
        {
            "item_id": panel.items[rows.item],
            "origin": panel.grid[rows.origin],
            "lead": rows.lead.astype(np.int32),
            "reference": rows.reference,
            "scale": rows.scale,
            **rows.features,
        }
    )
    both = training.merge(made, on=["item_id", "origin", "lead"], suffixes=("", "_made"))
    for name in [*features.feature_columns(training)[1:], "reference", "scale"]:
        ours, theirs = both[name], both[f"{name}_made"]
        if ours.dtype == object:
            assert ours.equals(theirs), name
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=name)


KINDS = {
    "real": lambda random, steps: 10.0 ** random.integers(-3, 7) * (1 + 0.3 * random.normal(size=steps)),
    "whole": lambda random, steps: random.poisson(10.0 ** random.integers(0, 5), steps).astype(float),
    "intermittent": lambda random, steps: random.poisson(2, steps) * (random.random(steps) < 0.2).astype(float),
    "constant": lambda random, steps: np.full(steps, random.normal() * 1000),
    "below zero": lambda random, steps: random.normal(size=steps) - 1,
    "short": lambda random, steps: np.where(np.arange(steps) < steps - 2, np.nan, random.normal(size=steps) ** 2),
}


@st.composite
def crowds(draw) -> tuple[pd.DataFrame, Task, list[str]]:
    """Items of all kinds in one frame, what to forecast of them, and some of the items."""
    frequency, seasons, steps = draw(st.sampled_from(FREQUENCIES))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    times = pd.date_range("2023-01-01", periods=steps, freq=frequency, unit="us")
    kinds = draw(st.lists(st.sampled_from([*KINDS]), min_size=2, max_size=8))
    parts = []
    for number, kind in enumerate(kinds):
        part = pd.DataFrame({"item_id": f"{kind} {number}", "timestamp": times, "target": KINDS[kind](random, steps)})
        part["known"], part["past"] = random.normal(size=(2, steps))
        part["place"] = str(random.choice(["north", "south"]))
        first = 0 if not number else int(random.integers(0, steps // 3))
        parts.append(part[(np.arange(steps) >= first) & (part["target"].notna())])
    frame = pd.concat(parts, ignore_index=True)
    some = draw(st.lists(st.sampled_from(sorted({*frame["item_id"]})), min_size=1, unique=True))
    model = ModelSettings(parameters={"n_estimators": 3, "n_jobs": 1}, recency=draw(st.sampled_from([None, 9.0])))
    task = Task(
        frequency, draw(st.integers(1, 6)), seasons, known=("known",), past=("past",), static=("place",), model=model
    )
    return frame, task, some


@settings(max_examples=30, deadline=None)
@given(crowds(), st.integers(0, 1000))
def test_an_item_minds_no_others(crowd, seed):
    """Its features, its training rows, its forecasts and its scale, to the last bit."""
    frame, task, some = crowd
    cut = frame["timestamp"].max() - task.horizon * pd.tseries.frequencies.to_offset(task.frequency)
    alone = frame[frame["item_id"].isin(some)].sample(frac=1, random_state=seed)
    history = frame[frame["timestamp"] <= cut]
    try:
        rows = features.training_rows(frame, task, cut)
    except ValueError as error:
        assert "nothing to learn" in str(error)  # noqa: PT017
        return
    model = fitting.fit(rows, task)
    _assert_equal(
        model.predict(frame, cut, items=some),
        model.predict(alone, cut, items=some) if (alone["timestamp"] <= cut).any() else None,
    )
    naive = seasonal_naive(history, task, cut)
    its = alone[alone["timestamp"] <= cut]
    if its.empty:
        return
    _assert_equal(naive[naive["item_id"].isin(some)], seasonal_naive(its, task, cut))
    scales = seasonal_scale(history, task)
    _assert_equal(scales[scales["item_id"].isin(some)], seasonal_scale(its, task))
    try:
        drawn = features.training_rows(alone, task, cut)
    except ValueError:
        assert not rows["item_id"].isin(some).any()
        return
    assert {*rows.columns} ^ {*drawn.columns} <= YEARLY  # a model of two years or more knows where in the year it is
    shared = [name for name in rows.columns if name in drawn.columns]
    if drawn["scaling"].iloc[0] == rows["scaling"].iloc[0]:  # one transformation for all items is the model's choice
        _assert_equal(rows.loc[rows["item_id"].isin(some), shared], drawn)


def _assert_equal(among: pd.DataFrame, alone: pd.DataFrame | None) -> None:
    if alone is not None:
        pd.testing.assert_frame_equal(among.reset_index(drop=True), alone.reset_index(drop=True), check_exact=True)


@settings(max_examples=25, deadline=None)
@given(crowds(), st.sampled_from([1, 2, 3, 17]), st.sampled_from([3, 60, 100_000]))
def test_training_rows_do_not_know_shards(crowd, shards, most):
    frame, task, _ = crowd
    task = replace(task, model=replace(task.model, max_training_rows=most))
    until = frame["timestamp"].max()
    items = np.array_split(sorted({*frame["item_id"]}), shards)
    parts = [frame[frame["item_id"].isin(some)].sample(frac=1, random_state=0) for some in items if len(some)]
    try:
        rows = features.training_rows(frame, task)
    except ValueError as error:
        assert "nothing to learn" in str(error)  # noqa: PT017
        with pytest.raises(ValueError, match="nothing to learn"):
            features.Plan.of([one for part in parts for one in features.survey(part, task, until)], task)
        return
    plan = features.Plan.of([one for part in parts for one in features.survey(part, task, until)], task)
    assert len(rows) == plan.count.sum() <= most
    _assert_equal(pd.concat([one for part in parts for one in features.draw(part, task, until, plan)]), rows)
