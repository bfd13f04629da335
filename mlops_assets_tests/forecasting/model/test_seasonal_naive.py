"""Seasonal naive is seasonal naive: against published figures, and by the laws that make it a yardstick."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.evaluation.metrics import score, seasonal_scale
from mlops_assets.forecasting.model import baselines
from mlops_assets.forecasting.model.baselines import OWN_ERRORS
from mlops_assets.forecasting.model.task import Task

# Australian quarterly beer production in megalitres, 1992 Q1 to 2010 Q2: Australian Bureau of Statistics, catalogue
# 8301.0.55.001, the set `ausbeer` of the R package fpp2.
BEER = [
    443, 410, 420, 532, 433, 421, 410, 512, 449, 381, 423, 531, 426, 408, 416, 520, 409, 398, 398, 507,
    432, 398, 406, 526, 428, 397, 403, 517, 435, 383, 424, 521, 421, 402, 414, 500, 451, 380, 416, 492,
    428, 408, 406, 506, 435, 380, 421, 490, 435, 390, 412, 454, 416, 403, 408, 482, 438, 386, 405, 491,
    427, 383, 394, 473, 420, 390, 410, 488, 415, 398, 419, 488, 414, 374,
]  # fmt: skip
HELD_OUT = 10
PUBLISHED = {"mae": 13.40, "rmse": 14.31, "mape": 3.17, "mase": 0.94}
"""Seasonal naive of the last ten quarters: Hyndman and Athanasopoulos, "Forecasting: principles and practice", second
edition (2018), section 3.4."""


def series(values: list[float] | np.ndarray, frequency: str = "D", item: str = "a") -> pd.DataFrame:
    times = pd.date_range("2024-01-01", periods=len(values), freq=frequency, unit="us")
    return pd.DataFrame({"item_id": item, "timestamp": times, "target": np.asarray(values, dtype=float)})


@pytest.mark.parametrize("quantiles", [(0.5,), (0.1, 0.5, 0.9), (0.05, 0.25, 0.5, 0.75, 0.95), (0.5, 0.9, 0.99)])
def test_its_accuracy_is_the_published_one_whichever_quantiles_are_asked_for(quantiles):
    task = Task("QS", HELD_OUT, (4,), quantiles=quantiles)
    whole = series(BEER, "QS")
    history, came = whole[:-HELD_OUT], whole[-HELD_OUT:]
    made = baselines.seasonal_naive(history, task).merge(came, on=["item_id", "timestamp"])
    made = made.merge(seasonal_scale(history, task), on="item_id")
    error = made["q50"] - made["target"]
    found = {
        "mae": error.abs().mean(),
        "rmse": (error**2).mean() ** 0.5,
        "mape": 100 * (error.abs() / made["target"]).mean(),
        "mase": score(made, task)["mase"].iloc[0],
    }
    assert {name: round(value, 2) for name, value in found.items()} == PUBLISHED
    assert made["mean"].equals(made["q50"])


def test_on_the_very_data_of_its_scale_its_mase_is_one():
    """By its definition: the error of one season ahead, over the whole history, is what MASE is measured in."""
    values = np.random.default_rng(1).normal(100, 10, 70).cumsum()
    history, task = series(values), Task("D", 7, (7,))
    errors = []
    for last in range(6, 69, 7):
        made = baselines.seasonal_naive(history[: last + 1], task)
        errors.append((made["q50"].to_numpy() - values[last + 1 : last + 8])[: len(values) - last - 1])
    scale = seasonal_scale(history, task)["mase_scale"].iloc[0]
    assert np.abs(np.concatenate(errors)).mean() / scale == pytest.approx(1)


LEVELS = st.lists(st.sampled_from([0.01, 0.05, 0.1, 0.25, 0.4, 0.6, 0.75, 0.9, 0.95, 0.99]), max_size=6, unique=True)
VALUES = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6).map(lambda x: round(x, 3))), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(values=VALUES, levels=LEVELS, season=st.integers(1, 5), growth=st.floats(-100, 100))
def test_its_median_is_its_point_and_its_quantiles_are_monotone_and_independent_of_each_other(
    values, levels, season, growth
):
    target = np.array([np.nan if value is None else value for value in values]) + growth * np.arange(len(values))
    history = pd.concat([series(target), series(np.arange(20.0), item="b")])
    task = Task("D", 6, (season,), quantiles=tuple(sorted({*levels, 0.5})))
    origin = history["timestamp"].max()
    made = baselines.seasonal_naive(history, task, origin, items=["a", "b"])
    assert made["q50"].equals(made["mean"])
    table = made[task.quantile_columns].to_numpy()
    assert not np.isnan(table).any()
    assert (np.diff(table, axis=1) >= 0).all()
    alone = baselines.seasonal_naive(history, Task("D", 6, (season,)), origin, items=["a", "b"])
    for column in {*alone} & {*made}:
        assert alone[column].equals(made[column]), column


def test_with_growth_the_quantiles_of_the_other_side_are_the_point():
    made = baselines.seasonal_naive(series(10.0 * np.arange(60)), Task("D", 3, (7,)))
    assert made["q50"].tolist() == [530, 540, 550]
    assert made["q10"].tolist() == made["q50"].tolist()
    assert made["q90"].tolist() == [600, 610, 620]


@pytest.mark.parametrize(
    ("values", "deviation"),
    [([100.0], 50 * 2**0.5), ([90.0, 110.0], ((200 + 50**2) / 2 * 1.5) ** 0.5), ([0.0, 0.0], (0.25 / 2 * 1.5) ** 0.5)],
)
def test_a_new_item_has_a_spread_by_its_level_and_what_it_has_seen(values, deviation):
    made = baselines.seasonal_naive(series(values), Task("D", 2, (7,), quantiles=(0.1, 0.5, 0.9)))
    np.testing.assert_allclose(made["q90"] - made["q50"], 1.28155 * deviation, rtol=1e-4)


@pytest.mark.parametrize("values", [[50.0], [50.0, 50.0], [3.0, 4.0, 5.0], [0.0], [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("others", [True, False])
def test_no_new_item_has_an_interval_of_width_zero(values, others):
    parts = [series(values, item="new")]
    if others:
        parts.append(series(np.tile([5.0, 8.0, 6.0, 9.0], 15), item="old"))
    history = pd.concat(parts)
    history.loc[history["item_id"] == "new", "timestamp"] += history["timestamp"].max() - parts[0]["timestamp"].max()
    made = baselines.seasonal_naive(history, Task("D", 5, (7,)), items=["new"])
    assert (made["q90"] > made["q50"]).all()
    assert (made["q10"] >= 0).all(), "no observation was ever below zero"
    assert len(values) < OWN_ERRORS


def test_an_item_with_a_long_history_of_zeros_stays_at_zero():
    made = baselines.seasonal_naive(
        pd.concat([series(np.zeros(60)), series(np.arange(60.0), item="b")]), Task("D", 5, (7,))
    )
    assert made.loc[made["item_id"] == "a", ["q10", "q50", "q90"]].eq(0).all().all()


@pytest.mark.parametrize(
    ("lowest", "may_be_negative", "below"), [(0.0, False, False), (0.0, True, True), (-1.0, False, True)]
)
def test_what_was_never_below_zero_is_not_forecast_below_it_unless_that_is_asked_for(lowest, may_be_negative, below):
    values = np.tile([0.0, 9.0, 0.0, 1.0, 7.0], 12)
    values[3] = lowest
    task = Task("D", 5, (7,), may_be_negative=may_be_negative)
    made = baselines.seasonal_naive(series(values), task)
    assert (made["q10"] < 0).any() == below
    assert (made["q10"] <= made["q50"]).all()


def test_what_is_delivered_is_no_part_of_what_is_learnt():
    assert Task("D", 5, (7,), may_be_negative=True) == Task("D", 5, (7,))
    assert Task("D", 5, (7,), may_be_negative=True).to_dict() == Task("D", 5, (7,)).to_dict()
