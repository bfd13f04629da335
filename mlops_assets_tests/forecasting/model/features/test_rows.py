import sqlite3
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.model import features
from mlops_assets.forecasting.model.baselines import recent_panel
from mlops_assets.forecasting.model.scaling import Scaling
from mlops_assets.forecasting.model.task import ModelSettings, Task
from mlops_assets_tests.forecasting.panels import DAILY, SMALL, daily_panel, with_gaps

RICH = Task("D", 10, (7,), known=("price",), past=("rain",), static=("place",), holidays="US", model=SMALL)
MOVED = pd.Timestamp("2024-03-20")
"""When an item's static covariate changes."""


def rich_panel(**options) -> pd.DataFrame:
    frame = with_gaps(daily_panel(price=1.0, rain=1.0, **options))
    place = frame["item_id"].str[-1].map({"0": "north", "1": "south"})
    moved = (frame["item_id"].str[-1] == "0") & (frame["timestamp"] >= MOVED)
    unknown = frame["timestamp"].dt.dayofyear % 3 == 0
    return frame.assign(place=place.mask(moved, "west").mask(unknown, None))


def garble(frame: pd.DataFrame, after: pd.Timestamp, seed: int) -> pd.DataFrame:
    """Change everything after a moment: targets, past covariates, which rows there are, which items."""
    random = np.random.default_rng(seed)
    later = frame["timestamp"] > after
    changed = frame[later & (random.random(len(frame)) < 0.7)].copy()
    changed["target"] = random.normal(size=len(changed)) * 1e6
    changed["rain"] = random.normal(size=len(changed)) * 1e6
    new = changed.drop_duplicates("timestamp").assign(item_id="later item")
    return pd.concat([frame[~later], changed, new]).sample(frac=1, random_state=seed)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), st.integers(60, 140))
def test_training_rows_do_not_see_what_comes_after(seed, day):
    frame = rich_panel(seed=seed)
    until = pd.Timestamp("2024-01-01") + pd.Timedelta(days=day)
    rows = features.training_rows(frame, RICH, until)
    pd.testing.assert_frame_equal(rows, features.training_rows(garble(frame, until, seed), RICH, until))
    assert rows["timestamp"].max() <= until


def forecast_matrix(frame: pd.DataFrame, task: Task, scaling: Scaling, origin: pd.Timestamp) -> pd.DataFrame:
    panel = recent_panel(frame, task, origin)
    rows = features.forecast_rows(panel, task, scaling, np.arange(len(panel.items)), task.horizon, yearly=False)
    index = {"item_id": panel.items[rows.item], "origin": panel.grid[rows.origin], "lead": rows.lead}
    return pd.DataFrame({**index, "reference": rows.reference, "scale": rows.scale, **rows.features})


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_training_and_forecasting_rows_are_the_same(seed):
    frame = rich_panel(seed=seed)
    training = features.training_rows(frame, RICH)
    training["lead"] = training["lead"].astype(np.int64)
    scaling = Scaling.from_name(training["scaling"].iloc[0])
    for origin in sorted(training["origin"].unique())[60::40]:
        seen = training[training["origin"] == origin]
        made = forecast_matrix(frame, RICH, scaling, pd.Timestamp(origin))
        both = seen[["item_id", "origin", "lead"]].merge(made, on=["item_id", "origin", "lead"])
        pd.testing.assert_frame_equal(
            both, seen[list(both.columns)].reset_index(drop=True), rtol=1e-5, atol=1e-5, check_dtype=False
        )


def test_features_say_what_they_are_called():
    days = np.arange(100)
    frame = pd.DataFrame(
        {"item_id": "a", "timestamp": pd.date_range("2024-01-01", periods=100), "target": days**2 % 37 + 0.5}
    )
    task = Task("D", 10, (7,), model=ModelSettings(max_training_rows=10_000))
    row = features.training_rows(frame, task).query("lead == 9").iloc[-1]
    y, origin = frame["target"].to_numpy(), int((row["origin"] - frame["timestamp"][0]).days)
    level = (y[origin - 6 : origin + 1].mean() + y[origin - 27 : origin + 1].mean()) / 2
    change = np.abs(y[7:] - y[:-7])[origin - 7 - 62 : origin - 6].mean()
    assert row["target"] == y[origin + 9]
    assert row["reference"] == pytest.approx(level)
    assert row["scale"] == pytest.approx(change)
    assert row["y"] == pytest.approx(np.arcsinh((y[origin + 9] - level) / change), rel=1e-5)
    assert row["recent_lag_2"] == pytest.approx((y[origin - 2] - level) / change, rel=1e-4)
    assert row["recent_mean_14"] == pytest.approx((y[origin - 13 : origin + 1].mean() - level) / change, rel=1e-4)
    assert row["recent_change_7"] == pytest.approx((y[origin] - y[origin - 7]) / change, rel=1e-4)
    slot = y[origin + 9 - 14] - y[origin - 14 - 6 : origin - 14 + 1].mean()
    assert row["season_7_slot_1"] == pytest.approx(slot / change, rel=1e-4)
    assert row["calendar_weekday"] == row["timestamp"].weekday()


@pytest.mark.parametrize(
    ("frequency", "horizon", "seasons", "most"),
    [
        ("D", 14, (7,), 120),
        ("h", 48, (24, 168), 840),
        ("W-SUN", 8, (52,), 260),
        ("MS", 12, (12,), 120),
        ("YS", 3, (1,), 20),
    ],
)
def test_the_lookback_is_bounded(frequency, horizon, seasons, most):
    assert features.lookback(Task(frequency, horizon, seasons)) <= most


def test_the_number_of_rows_is_bounded_and_the_draw_is_seeded():
    frame = daily_panel(items=8)
    rows = features.training_rows(frame, DAILY)
    assert 1400 <= len(rows) <= 1500
    pd.testing.assert_frame_equal(rows, features.training_rows(frame.sample(frac=1), DAILY))
    assert set(rows["lead"]) == set(range(1, 11))


def test_recency_draws_half_as_many_rows_of_origins_a_half_life_older():
    frame = daily_panel(items=8)
    task = replace(DAILY, model=replace(DAILY.model, recency=30))
    rows = features.training_rows(frame, task)
    age = (rows["origin"].max() - rows["origin"]).dt.days
    young, old = (((age >= start) & (age < start + 30)).sum() for start in (10, 40))
    assert 1.7 < young / old < 2.4
    assert len(rows) > 1400
    assert Task.from_dict(task.to_dict()) == task
    assert "recency" not in DAILY.to_dict()["model"], "states written without it are read by older releases"


def test_rows_survive_parquet_and_sql(tmp_path):
    rows = features.training_rows(rich_panel(), RICH)
    rows.to_parquet(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "rows.parquet"), rows)
    with sqlite3.connect(tmp_path / "rows.db") as database:
        rows.to_sql("rows", database, index=False)
        back = pd.read_sql("select * from rows", database)
    names = features.feature_columns(rows)
    assert features.feature_columns(back) == names
    numbers = [name for name in names if rows[name].dtype == np.float32]
    np.testing.assert_array_equal(back[numbers].to_numpy(np.float32), rows[numbers].to_numpy())
    assert back["static_place"].isna().equals(rows["static_place"].isna())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("recency", [None, 30])
def test_nothing_to_learn_from_is_said(recency):
    task = replace(DAILY, model=replace(DAILY.model, recency=recency))
    with pytest.raises(ValueError, match="nothing to learn from"):
        features.training_rows(daily_panel(items=1, days=3), task)


def test_growing_spread_asks_for_logarithms_and_constant_spread_does_not():
    random = np.random.default_rng(0)
    month = np.arange(240)
    season = np.sin(2 * np.pi * month / 12)
    times = pd.date_range("2000-01-01", periods=240, freq="MS")
    task = Task("MS", 12, (12,), model=SMALL)
    growing = np.exp(0.015 * month) * (10 + 3 * season) * np.exp(0.1 * random.normal(size=240))
    steady = 100 + month + 10 * season + 3 * random.normal(size=240)
    chosen = []
    for target in (growing, steady, growing - growing.mean()):
        frame = pd.DataFrame({"item_id": "a", "timestamp": times, "target": target})
        chosen.append(features.training_rows(frame, task)["scaling"].iloc[0])
    assert chosen == ["log1p real", "linear real", "linear real"]


def test_ten_years_are_enough_for_logarithms_and_noise_around_a_level_is_not():
    month = np.arange(120)
    season = 10 + 3 * np.sin(2 * np.pi * month / 12)
    task = Task("MS", 12, (12,), model=SMALL)
    for seed in range(6):
        noise = np.random.default_rng(seed).normal(size=120)
        targets = {"log1p real": season * np.exp(0.015 * month + 0.05 * noise), "linear real": season + noise}
        for scaling, target in targets.items():
            times = pd.date_range("2000-01-01", periods=120, freq="MS")
            frame = pd.DataFrame({"item_id": "a", "timestamp": times, "target": target})
            assert features.training_rows(frame, task)["scaling"].iloc[0] == scaling, seed
