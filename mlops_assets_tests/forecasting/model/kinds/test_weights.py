"""Weights of an average, learnt from what its members forecast."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.forecasting.model.kinds import weights as weighing
from mlops_assets.forecasting.model.kinds.auto import Auto
from mlops_assets.forecasting.model.kinds.trials import Trial, average, evened, segments, steps_back
from mlops_assets.forecasting.model.task import ModelSettings, Task

LEVELS = np.array([0.1, 0.5, 0.9])


def trial(errors: list[np.ndarray], items: int = 20, width: float = 1.0, horizons: float = 8) -> Trial:
    """Members whose medians are off by these errors, all with the same width."""
    spread = width * np.array([-1.0, 0.0, 1.0])
    rows = len(errors[0])
    quantiles = np.stack([error[:, None] + spread for error in errors])
    item = np.array([f"item {number % items:02}" for number in range(rows)], dtype=object)
    return Trial(quantiles, np.zeros(rows), np.ones(rows), item, LEVELS, 2, horizons)


def noise(seed: int, rows: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=rows)


EQUAL = np.array([0.5, 0.5])


def learnt(made: Trial, start: np.ndarray, usual: np.ndarray | None = None) -> np.ndarray:
    return weighing.by_loss(weighing.ratios(made, usual), start, made.horizons)


@given(seed=st.integers(0, 1000), members=st.integers(1, 4), horizons=st.floats(1, 1000))
def test_weights_are_shares_and_cost_no_more_than_those_before(seed, members, horizons):
    made = trial([noise(seed + number, 60) * (1 + number) for number in range(members)], horizons=horizons)
    start = np.full(members, 1 / members)
    found = learnt(made, start)
    losses = made.losses().mean(axis=1)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1)
    assert found @ losses <= start @ losses + 1e-12
    assert (np.diff(found[np.argsort(losses)]) <= 1e-12).all(), "who lost less weighs more"


def test_equals_stay_equal_and_a_useless_member_gets_nothing():
    shared = noise(0)
    found = learnt(trial([shared, -shared, 30 + noise(2)], horizons=100), np.full(3, 1 / 3))
    assert found == pytest.approx([0.5, 0.5, 0.0], abs=0.02)


def test_a_member_that_never_errs_has_all_the_weight():
    made = trial([np.zeros(400), noise(1)], width=0)
    assert learnt(made, EQUAL).tolist() == [1.0, 0.0]
    assert learnt(trial([np.zeros(400)] * 2, width=0), EQUAL).tolist() == EQUAL.tolist()


def test_the_fewer_series_a_segment_has_the_nearer_it_is_to_all():
    errors = [0.3 * noise(1), noise(1)]
    usual = np.array([1.5, 1.0])
    none = weighing.by_loss(usual, EQUAL, 8)
    few, many = (learnt(trial(errors, items=items), EQUAL, usual) for items in (1, 200))
    assert none[0] < few[0] < many[0]
    unknown = learnt(trial(errors, items=1), EQUAL, np.array([1.0, np.nan]))
    assert unknown.tolist() == pytest.approx(learnt(trial(errors), EQUAL).tolist(), abs=0.1)


def test_without_a_row_a_segment_has_the_weights_of_all_members_that_were_tried():
    none, usual = trial([np.zeros(0)] * 3), np.array([1.0, 2.0, np.nan])
    third = np.full(3, 1 / 3)
    assert learnt(none, third, usual).tolist() == weighing.by_loss(usual, third, 8).tolist()
    assert learnt(none, third, usual)[2] == 0
    assert learnt(none, third).tolist() == third.tolist()


def test_a_window_of_large_losses_counts_like_the_others():
    first, second = np.r_[np.ones(100), np.full(100, 90.0)], np.r_[np.full(100, 2.0), np.full(100, 80.0)]
    made = trial([first, second], width=0.0)
    assert made.losses().mean(axis=1).argmin() == 1
    even = evened(made, np.repeat([0, 1], 100)).losses()
    assert even[:, :100].mean() == pytest.approx(even[:, 100:].mean())
    assert even.mean(axis=1).argmin() == 0
    assert even.mean() == pytest.approx(made.losses().mean())


def test_windows_within_one_horizon_prove_less_than_many_horizons():
    errors = [0.3 * noise(1), noise(1)]
    near, far = (learnt(trial(errors, horizons=horizons), EQUAL) for horizons in (1, 8))
    assert 0.5 < near[0] < far[0]


@pytest.mark.parametrize(
    ("kinds", "usable", "weights"),
    [
        (["theta", "random_forest", "ets"], [1, 1, 1], [0.25, 0.5, 0.25]),
        (["theta", "random_forest", "tsb"], [1, 1, 0], [0.5, 0.5, 0]),
        (["theta", "random_forest", "ets"], [1, 0, 1], [0.5, 0, 0.5]),
        (["theta", "random_forest"], [0, 1], [0, 1]),
        (["theta", "ets", "mstl", "lightgbm"], [1, 1, 1, 1], [0.25, 0.25, 0.25, 0.25]),
    ],
)
def test_before_anything_is_tried_the_default_kind_has_half(kinds, usable, weights):
    assert weighing.prior(kinds, np.array(usable, dtype=bool)).tolist() == weights


def test_the_fewer_horizons_were_tried_the_better_must_a_kind_be_to_forecast_alone():
    errors = [noise(1), 1.4 * noise(1)]  # a sixth better than the average
    items = np.array(["item 00"], dtype=object)
    few, many = (Auto.settle(trial(errors, horizons=horizons), ["a", "b"], items, EQUAL)[0] for horizons in (1, 8))
    assert 0 < few.min() < few.max() < 1
    assert many.tolist() == [[1.0, 0.0]]


def test_a_member_that_was_not_asked_everywhere_has_no_weight():
    made = trial([noise(1), noise(2)])
    made.quantiles[1, 3] = np.nan
    assert learnt(made, EQUAL).tolist() == [1.0, 0.0]
    assert not np.isnan(average(made.quantiles, np.array([1.0, 0.0]))).any()


def test_an_item_leans_to_the_member_that_is_better_on_it():
    first, second = noise(1), noise(2)
    made = trial([first, second])
    own = made.item == "item 00"
    made.quantiles[0, own] = made.quantiles[0, own] * 0.1
    found = weighing.tilted(made, np.array(["item 00", "item 01", "stranger"], dtype=object), EQUAL)
    assert found[0, 0] > 0.7 > found[1, 0]
    assert found[2].tolist() == EQUAL.tolist()
    assert found.sum(axis=1) == pytest.approx(1)


def test_items_are_intermittent_by_their_mean_interval_between_demands():
    rows = [("often", [1.0, 2, 0, 3, 4]), ("rare", [0.0, 2, 0, 0, 1]), ("new", [np.nan, np.nan, np.nan, 1, 1])]
    frame = pd.concat([pd.DataFrame({"item_id": name, "target": values, "shop": "a"}) for name, values in rows])
    frame["timestamp"] = pd.Timestamp("2024-01-01")
    assert segments(frame, "intermittent", ()).to_dict() == {
        "new": "regular",
        "often": "regular",
        "rare": "intermittent",
    }
    assert segments(frame, "volume", ()).to_dict() == {
        "new": "middle volume",
        "often": "high volume",
        "rare": "low volume",
    }
    assert set(segments(frame, "shop", ["shop"])) == {"shop=a"}
    with pytest.raises(LookupError, match="volume"):
        segments(frame, "volumes", ())


@pytest.mark.parametrize(
    ("steps", "items", "parameters", "back"),
    [
        (60, 1, {}, [12, 15, 18, 21, 24]),
        (240, 1, {}, [12, 24, 36, 48, 60]),
        (5000, 1, {}, [12, 33, 54, 75, 96]),
        (5000, 1, {"windows": 2}, [12, 24]),
        (60, 100, {}, [12, 18, 24]),
        (60, 1000, {}, [12, 24]),
    ],
)
def test_members_are_tried_over_as_many_horizons_as_the_history_allows(steps, items, parameters, back):
    times = np.tile(pd.date_range("1600-01-01", periods=steps, freq="MS", unit="us"), items)
    rows = pd.DataFrame({"item_id": np.repeat(np.arange(items), steps), "timestamp": times, "target": 1.0})
    task = Task("MS", 12, (12,), model=ModelSettings("ensemble", parameters))
    assert steps_back(rows, task).tolist() == back
