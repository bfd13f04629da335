import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.model import features, fitting, forecaster, kinds
from mlops_assets.forecasting.model.baselines import seasonal_naive
from mlops_assets.forecasting.model.scaling import Scaling
from mlops_assets.forecasting.model.task import Task
from mlops_assets_tests.forecasting.model.features.test_rows import RICH, garble, rich_panel
from mlops_assets_tests.forecasting.panels import DAILY, SMALL, daily_panel, with_gaps


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), day=st.integers(100, 148))
def test_forecasts_do_not_see_what_comes_after(rich, seed, day):
    frame = rich_panel(seed=seed)
    origin = pd.Timestamp("2024-01-01") + pd.Timedelta(days=day)
    future = frame.loc[frame["timestamp"] > origin, ["item_id", "timestamp", "price"]]
    changed = garble(frame, origin, seed)
    pd.testing.assert_frame_equal(
        rich.predict(frame, origin, future=future), rich.predict(changed, origin, future=future)
    )


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_lookback_is_enough(rich, seed):
    frame = rich_panel(seed=seed, days=200)
    origin = frame["timestamp"].max()
    recent = frame[frame["timestamp"] > origin - pd.Timedelta(days=features.lookback(RICH))]
    pd.testing.assert_frame_equal(rich.predict(frame, origin), rich.predict(recent, origin))


def test_every_item_and_lead_is_there_with_ordered_quantiles(rich):
    table = rich.predict(rich_panel(), quantiles=[0.05, 0.95, 0.5, 0.3])
    assert table.groupby("item_id")["lead"].apply(list).tolist() == [list(range(1, 11))] * 4
    assert list(table.columns) == [
        "item_id",
        "origin",
        "timestamp",
        "lead",
        "mean",
        "q5",
        "q30",
        "q50",
        "q95",
        "source",
    ]
    assert (np.diff(table[["q5", "q30", "q50", "q95"]], axis=1) >= 0).all()
    assert (table["source"] == "model").all()
    assert (table["timestamp"] == table["origin"] + pd.to_timedelta(table["lead"], unit="D")).all()


def test_it_beats_seasonal_naive_on_noisy_seasons():
    frame = daily_panel(items=8, days=220, seed=5)
    origin = frame["timestamp"].max() - pd.Timedelta(days=10)
    came = frame[["item_id", "timestamp", "target"]]
    model = fitting.fit(features.training_rows(frame, DAILY, origin), DAILY)
    errors = []
    for table in (model.predict(frame, origin), seasonal_naive(frame, DAILY, origin)):
        both = table.merge(came, on=["item_id", "timestamp"])
        errors.append(((both["q50"] - both["target"]).abs() / both["target"]).mean())
    assert errors[0] < 0.85 * errors[1]


def test_a_shorter_horizon_is_a_part_of_the_longer(rich):
    frame = rich_panel()
    whole, part = rich.predict(frame), rich.predict(frame, horizon=4)
    pd.testing.assert_frame_equal(part, whole[whole["lead"] <= 4].reset_index(drop=True))
    with pytest.raises(ValueError, match=r"horizon 11 is not within 1\.\.10"):
        rich.predict(frame, horizon=11)


def test_the_state_comes_back_through_skops_without_trust(rich, tmp_path):
    skops.io.dump(kinds.state_of(rich), tmp_path / "model.skops", compression=zipfile.ZIP_DEFLATED)
    assert skops.io.get_untrusted_types(file=tmp_path / "model.skops") == []
    again = kinds.rebuild(skops.io.load(tmp_path / "model.skops", trusted=[]))
    frame = rich_panel()
    pd.testing.assert_frame_equal(again.predict(frame), rich.predict(frame))
    pd.testing.assert_frame_equal(again.importances(), rich.importances())
    with pytest.raises(ValueError, match="version 99"):
        kinds.rebuild({**kinds.state_of(rich), "version": 99})


def test_known_covariates_move_the_forecast():
    task = Task("D", 10, (7,), known=("promotion",), model=SMALL)
    frame = daily_panel(days=200)
    random = np.random.default_rng(0)
    frame["promotion"] = random.random(len(frame)) < 0.2
    frame["target"] *= np.where(frame["promotion"], 2, 1)
    model = fitting.fit(features.training_rows(frame, task), task)
    days = pd.date_range(frame["timestamp"].max(), periods=11)[1:]
    plain, promoted = (
        model.predict(frame, future=pd.DataFrame({"timestamp": days, "promotion": on}))["q50"].sum() for on in (0, 1)
    )
    assert promoted > 1.3 * plain


def test_items_with_hardly_any_history_fall_back_and_say_so():
    frame = daily_panel()
    newcomer = frame[frame["item_id"] == "item 0"].nlargest(2, "timestamp").assign(item_id="new")
    model = fitting.fit(features.training_rows(frame, DAILY), DAILY)
    table = model.predict(pd.concat([frame, newcomer]))
    source = table.groupby("item_id")["source"].first()
    assert source["new"] == "fallback"
    assert source.drop("new").eq("model").all()
    asked = model.predict(frame, items=["item 0", "never seen"])
    assert asked.groupby("item_id")["source"].first().to_dict() == {"item 0": "model", "never seen": "fallback"}
    assert asked.notna().all().all()


def test_whole_numbers_stay_whole_and_above_zero():
    frame = daily_panel(items=6)
    frame["target"] = np.random.default_rng(0).poisson(0.7, len(frame)).astype(float)
    task = replace(DAILY, non_negative=True)
    table = fitting.fit(features.training_rows(frame, task), task).predict(frame)
    quantiles = table[task.quantile_columns].to_numpy()
    assert (quantiles == np.rint(quantiles)).all()
    assert quantiles.min() >= 0
    assert (table["mean"] % 1 > 0).any()


def test_constant_and_missing_series_stay_sane():
    frame = with_gaps(daily_panel(items=5), share=0.4)
    frame.loc[frame["item_id"] == "item 1", "target"] = 7.0
    frame.loc[frame["item_id"] == "item 2", "target"] = 0.0
    table = fitting.fit(features.training_rows(frame, DAILY), DAILY).predict(frame)
    assert table.notna().all().all()
    flat = table.set_index("item_id")
    assert flat.loc["item 1", ["mean", "q10", "q50", "q90"]].to_numpy() == pytest.approx(7.0, rel=0.05)
    assert flat.loc["item 2", ["mean", "q10", "q50", "q90"]].to_numpy() == pytest.approx(0.0, abs=1e-6)


def test_the_first_jump_of_items_that_never_moved_does_not_rule_the_means_of_others():
    frame = daily_panel(items=12)
    still = frame["item_id"].isin([f"item {number}" for number in range(6, 12)])
    frame.loc[still & (frame["timestamp"] < "2024-05-10"), "target"] = 0.0
    training = features.training_rows(frame, DAILY)
    table = fitting.fit(training, DAILY).predict(frame)
    most = table["item_id"].map(frame.groupby("item_id")["target"].max())
    assert training["y"].max() > 15
    assert (table["mean"] < 3 * most).all()
    seven, tenth = np.array([[7.0]]), np.array([[0.1]])
    assert Scaling(log=True).outcomes(seven, tenth, np.array([[-30.0, 0.0, 30.0]])) == pytest.approx(
        np.expm1(7) * np.array([[0.01, 1, 100]]), rel=0.1
    )


def test_unseen_categories_are_missing_and_swapped_types_are_refused(rich):
    frame = rich_panel()
    assert rich.predict(frame.assign(place="elsewhere")).notna().all().all()
    with pytest.raises(ValueError, match="'static_place' was text"):
        rich.predict(frame.assign(place=1.0))
    with pytest.raises(ValueError, match="past covariate 'rain' is of type object"):
        rich.predict(frame.assign(rain="much"))
    with pytest.raises(ValueError, match="lacks 'price'"):
        rich.predict(frame.drop(columns="price"))


def test_levels_outside_0_and_1_are_refused(rich):
    with pytest.raises(ValueError, match=r"between 0 and 1, such as 0.9, not \[90\]"):
        rich.predict(rich_panel(), quantiles=[90, 0.5])


def test_importances_add_up_and_have_groups(rich):
    table = rich.importances()
    assert table["importance"].sum() == pytest.approx(1)
    assert table["importance"].is_monotonic_decreasing
    assert {"season", "recent", "calendar", "covariates", "static", "lead", "history"} == set(table["group"])


def test_items_in_parts_give_the_same_forecasts(rich, monkeypatch):
    frame = rich_panel()
    future = frame.loc[frame["timestamp"] > frame["timestamp"].max() - pd.Timedelta(days=20)]
    future = future.assign(timestamp=future["timestamp"] + pd.Timedelta(days=20))[["item_id", "timestamp", "price"]]
    asked = [None, ["item 3", "item 0"]]
    whole = [rich.predict(frame, future=future, items=items) for items in asked]
    monkeypatch.setattr(forecaster, "ITEMS_AT_ONCE", 1)
    for items, table in zip(asked, whole, strict=True):
        pd.testing.assert_frame_equal(rich.predict(frame, future=future, items=items), table)
    stranger = rich.predict(frame, future=future, items=["item 1", "stranger"])
    assert stranger.groupby("item_id")["source"].first().to_dict() == {"item 1": "model", "stranger": "fallback"}


def test_an_item_with_hardly_any_history_has_the_relative_spread_of_the_training_rows_whoever_is_there():
    frame = daily_panel(items=3)
    model = fitting.fit(features.training_rows(frame, DAILY), DAILY)
    new = pd.DataFrame({"item_id": "new", "timestamp": [frame["timestamp"].max()], "target": [5000.0]})
    among = model.predict(pd.concat([frame, new]), items=["new", "stranger"])
    pd.testing.assert_frame_equal(among, model.predict(new, items=["new", "stranger"]))
    made, stranger = (rows for _, rows in among.groupby("item_id"))
    assert made["q50"].eq(5000).all()
    width = (made["q90"] - made["q10"]) / 2 / 5000
    np.testing.assert_allclose(width, 1.2816 * 2**0.5 * model.population.spread, rtol=0.01)
    assert stranger["q50"].iloc[0] == pytest.approx(frame["target"].median(), rel=0.15)
    again = kinds.rebuild(kinds.state_of(model))
    assert again.population == model.population


@pytest.mark.parametrize("level", [0.6, 8.0], ids=["intermittent", "steady"])
def test_intervals_of_items_with_hardly_any_history_are_of_honest_width(level):
    random = np.random.default_rng(0)
    items, days = 110, 100
    sizes = level * np.exp(0.7 * random.normal(size=(items, 1)))
    season = 1 + 0.4 * np.sin(2 * np.pi * np.arange(days) / 7)
    rows = np.where(np.arange(items) < 30, days, np.arange(items) % 8 + 3)
    frame = pd.DataFrame(
        {
            "item_id": np.repeat([f"item {number:03}" for number in range(items)], days),
            "timestamp": np.tile(pd.date_range("2024-01-01", periods=days, unit="us"), items),
            "target": random.poisson(sizes * season).astype(float).ravel(),
            "rows": np.repeat(rows, days),
        }
    )
    origin = frame["timestamp"].max() - pd.Timedelta(days=DAILY.horizon)
    known = frame[(frame["timestamp"] <= origin) & (frame["timestamp"] > origin - pd.to_timedelta(frame["rows"], "D"))]
    model = fitting.fit(features.training_rows(known, DAILY), DAILY)
    made = model.predict(known, origin, items=[*frame["item_id"].unique(), *(f"new {n}" for n in range(3))])
    assert made.notna().all().all()
    made = made.merge(frame, on=["item_id", "timestamp"], how="left")
    fallback = made["source"] == "fallback"
    assert set(made.loc[fallback, "rows"].dropna()) == {3}
    assert fallback[made["rows"].isna()].all()
    short = made[made["rows"] <= 10]
    within = short["target"].between(short["q10"], short["q90"])
    assert len(short) == 800
    assert 0.65 < within.mean() < 0.95
    assert within.groupby(short["rows"]).mean().between(0.5, 0.97).all()
    strangers, of_all = made[made["rows"].isna()].iloc[0], frame["target"].to_numpy()
    assert 0.6 < ((of_all >= strangers["q10"]) & (of_all <= strangers["q90"])).mean() < 0.97
