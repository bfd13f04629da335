"""Models that look at each series by itself: gaps, short series, and quantiles that hold."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.model import kinds
from mlops_assets.forecasting.model.errors import MlopsAssetsError
from mlops_assets.forecasting.model.kinds import CalibratedSeries, fit, lookback, prove, rows, series
from mlops_assets.forecasting.model.kinds.statistical import Theta
from mlops_assets.forecasting.model.task import ModelSettings, Task
from mlops_assets_tests.forecasting.model.kinds.simple import Noted
from mlops_assets_tests.forecasting.panels import DAILY, daily_panel

NAN = float("nan")


class Level(CalibratedSeries):
    """The mean of the last ten values goes on."""

    def path(self, values):
        return np.full(self.task.horizon, values[-10:].mean()), np.abs(np.diff(values)).mean()


@pytest.mark.parametrize(
    ("values", "season", "filled"),
    [
        ([1, NAN, 3], 1, [1, 2, 3]),
        ([1, 2, NAN, 4, 5, 6], 2, [1, 2, 3, 4, 5, 6]),  # (1 + 5) / 2
        ([1, 2, 3, 4, NAN, NAN, NAN], 2, [1, 2, 3, 4, 3, 4, 3]),
        ([1, NAN, NAN], 5, [1, 1, 1]),
    ],
)
def test_gaps_are_filled_by_the_season_else_on_a_line(values, season, filled):
    np.testing.assert_allclose(series.without_gaps(np.array(values, dtype=float), season), filled)


def noise(items: int, days: int) -> pd.DataFrame:
    """Series of which nothing can be known but their level and spread, items ten times apart."""
    times = pd.date_range("2024-01-01", periods=days, unit="us")
    frame = pd.MultiIndex.from_product([[f"item {n}" for n in range(items)], times], names=["item_id", "timestamp"])
    size = 10.0 ** (np.arange(len(frame)) // days % 2)
    target = size * (50 + np.random.default_rng(0).normal(size=len(frame)))
    return frame.to_frame(index=False).assign(target=target)


def test_intervals_hold_on_what_comes_after_for_large_and_small_items():
    frame = noise(40, 60)
    task = replace(DAILY, quantiles=(0.1, 0.5, 0.9))
    origin = frame["timestamp"].max() - pd.Timedelta(days=task.horizon)
    model = Level.fit(Level.rows(frame, task, origin), task)
    both = model.predict(frame, origin).merge(frame, on=["item_id", "timestamp"])
    inside = both["target"].between(both["q10"], both["q90"])
    assert 0.75 < inside.mean() < 0.85
    assert (both["q10"] > 0).all()


def test_wider_intervals_are_learnt_from_a_backtest_and_stored():
    frame = noise(8, 100)
    model = Level.fit(Level.rows(frame, DAILY), DAILY)
    wild = model.predict(frame).assign(source="model", target=0.0)
    wild = pd.concat([wild] * 10, ignore_index=True)
    wide = Level.from_state({**model.corrected(wild, 0.05).state(), "task": DAILY}).predict(frame)
    assert (wide["q50"] - wide["q10"] > 2 * (wild["q50"] - wild["q10"])[: len(wide)]).all()


def test_a_short_series_gets_the_fallback_and_one_that_never_moved_itself():
    frame = noise(3, 60)
    times = frame["timestamp"].unique()
    short = pd.DataFrame({"item_id": "short", "timestamp": times[-5:], "target": 3.0})
    flat = pd.DataFrame({"item_id": "flat", "timestamp": times, "target": 7.0})
    frame = pd.concat([frame, short, flat], ignore_index=True)
    table = Level.fit(Level.rows(frame, DAILY), DAILY).predict(frame)
    assert set(table.loc[table["source"] == "fallback", "item_id"]) == {"short"}
    assert (table.loc[table["item_id"] == "flat", ["q10", "q50", "q90"]] == 7).all().all()


def test_a_path_that_leaves_all_bounds_is_not_believed():
    class Rocket(Level):
        def path(self, values):
            return values[-1] * np.exp(np.arange(self.task.horizon)), 1.0

    frame = noise(3, 60)
    assert set(Rocket.fit(Rocket.rows(frame, DAILY), DAILY).predict(frame)["source"]) == {"fallback"}


def test_counts_have_whole_quantiles():
    frame = noise(4, 80).assign(target=lambda rows: rows["target"].round())
    table = Level.fit(Level.rows(frame, DAILY), DAILY).predict(frame)
    assert (table[["q10", "q90"]] % 1 == 0).all().all()


def test_the_history_that_is_read_is_bounded_by_seasons():
    monthly = Task("MS", 12, (12,), model=ModelSettings("theta"))
    hourly = Task("h", 24, (24, 168), model=ModelSettings("mstl"))
    assert (lookback(monthly), lookback(hourly)) == (200, 1680)
    assert lookback(replace(monthly, model=ModelSettings())) < 200


@pytest.mark.parametrize(("kind", "frequency", "season"), [("theta", "MS", 12), ("ets", "QS", 4), ("mstl", "W-SUN", 4)])
def test_statistical_kinds_find_a_season_on_grids_that_are_not_daily(kind, frequency, season):
    parameters = {"model": "ANA"} if kind == "ets" else {}
    task = Task(frequency, season, (season,), model=ModelSettings(kind, parameters))
    steps = np.arange(6 * season + 8)
    times = pd.date_range("2018-01-01", periods=len(steps), freq=frequency, unit="us")
    wave = 100 + 0.5 * steps + 20 * np.sin(2 * np.pi * steps / season)
    frame = pd.DataFrame({"item_id": "a", "timestamp": times, "target": wave})
    origin = times[-season - 1]
    table = fit(rows(frame, task, origin), task).predict(frame, origin)
    assert set(table["source"]) == {"model"}
    np.testing.assert_allclose(table["q50"], wave[-season:], atol=6)


def test_a_first_level_of_theta_that_lies_anywhere_makes_no_error_large():
    grows = np.array([59956.5, 61720.0, 63123.5, 69287.5, 72096.3, 76019.4, 80421.6, 84493.6, 89871.9])
    found = Theta(Task("YS", 6, (1,), model=ModelSettings("theta"))).path(grows)
    assert found is not None
    assert found[1] < np.abs(np.diff(grows)).max()  # the mean of all residuals is five million


@pytest.mark.parametrize(
    ("kind", "parameters", "words"),
    [
        ("theta", {"decomposition_type": "mult"}, "found 'mult'; did you mean 'multiplicative'?"),
        ("ets", {"model": "AAM"}, "model.parameters {model: AAM}: with these, ets can forecast nothing"),
        ("ets", {"phi": 7}, "a number from 0.8 to 0.98"),
        ("mstl", {"stl_kwargs": {"foo": 1}}, "foo"),
        ("tsb", {"alpha_d": 7}, "model.parameters.alpha_d: found 7; a number from 0 to 1"),
        ("random_forest", {"n_estimators": -5}, "n_estimators"),
        ("sklearn.linear_model.Ridge", {"alpha": -1}, "The 'alpha' parameter of Ridge must be"),
        ("lightgbm", {"boosting_type": "gbdtt"}, "LightGBM can do nothing with model.parameters"),
        ("auto", {"by": "volumen"}, "did you mean volume?"),
    ],
)
def test_a_parameter_that_no_series_can_be_forecast_with_is_refused(kind, parameters, words):
    task = replace(DAILY, model=ModelSettings(kind, parameters))
    with pytest.raises(MlopsAssetsError, match=re.escape(words)):
        prove(task)
    with pytest.raises(MlopsAssetsError, match=re.escape(words)):
        fit(pd.DataFrame(), task)


def test_intermittent_demand_is_a_mixture_of_none_and_the_sizes_seen():
    """Demand of 10 or 20 on one of four days: the mean is near 3.75, the median zero, and 90 % a size."""
    random = np.random.default_rng(0)
    frame = daily_panel(items=2, days=200)
    sizes = random.choice([10.0, 20.0], len(frame))
    frame["target"] = np.where(random.random(len(frame)) < 0.25, sizes, 0.0)
    task = replace(DAILY, model=ModelSettings("tsb", {"alpha_d": 0.05, "alpha_p": 0.05}))
    table = fit(rows(frame, task), task).predict(frame, quantiles=[0.5, 0.95])
    assert table["mean"].between(2.5, 5).all()
    assert (table["q50"] == 0).all()
    assert table["q95"].between(10, 20).all()


def test_a_state_without_what_a_later_release_learns_has_its_default():
    frame = noise(3, 60)
    model = Level.fit(Level.rows(frame, DAILY), DAILY)
    state = {name: part for name, part in model.state().items() if name not in ("population", "widths")}
    again = Level.from_state({**state, "task": DAILY})
    assert again.predict(frame).equals(replace(model, population=again.population).predict(frame))


class Few(Noted):
    """Measures its errors on three items."""

    SAMPLE = 3


def test_a_sample_of_items_hardly_changes_with_another_item():
    def sampled(items: int) -> set[bytes]:
        Few.ASKED.clear()
        frame = noise(items=items, days=60)
        Few.fit(Few.rows(frame, DAILY), DAILY)
        return {*Few.ASKED}

    windows = Few.WINDOWS
    for items in range(8, 14):
        few, more = sampled(items), sampled(items + 1)
        assert len(few) == len(more) == 3 * windows
        assert len(few & more) >= 2 * windows


@pytest.mark.parametrize("kind", ["theta", "ets", "mstl"])
@pytest.mark.parametrize("unit", [2.0**-12, 2.0**-40])
def test_a_share_is_forecast_like_the_same_series_in_thousands(kind, unit):
    task = replace(DAILY, model=ModelSettings(kind))
    step = np.arange(120)
    values = np.random.default_rng(0).poisson(20 * (1 + 0.4 * np.sin(2 * np.pi * step / 7))) + 0.5
    model = kinds.class_of(kind)(task)
    mean, size = model.path(values)
    small, its_size = model.path(values * unit)
    np.testing.assert_array_equal(small, mean * unit)
    assert its_size == size * unit
