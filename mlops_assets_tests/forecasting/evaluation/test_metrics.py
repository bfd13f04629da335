from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from mlops_assets.forecasting.evaluation import metrics
from mlops_assets.forecasting.model.task import Task
from mlops_assets_tests.forecasting.decisions import duels
from mlops_assets_tests.forecasting.panels import daily_panel

TASK = Task("D", 10, (7,), (0.1, 0.4, 0.5, 0.9))


@pytest.fixture(scope="module")
def world() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A history and made-up forecasts of the ten days after it, with what came."""
    frame = daily_panel(items=5, days=120).sort_values(["item_id", "timestamp"], ignore_index=True)
    origin = pd.Timestamp("2024-01-01") + pd.Timedelta(days=109)
    history, after = frame[frame["timestamp"] <= origin], frame[frame["timestamp"] > origin].copy()
    random = np.random.default_rng(1)
    after["q50"] = after["target"] * random.normal(1, 0.1, len(after))
    for name, factor in (("q10", 0.9), ("q40", 0.99), ("q90", 1.06)):
        after[name] = after["q50"] * factor
    after["mean"] = after["q50"]
    after["origin"] = origin
    return history, after.merge(metrics.seasonal_scale(history, TASK), on="item_id")


def test_scores_equal_the_reference_implementation(world):
    history, forecasts = world
    names = {"item_id": "unique_id", "timestamp": "ds", "target": "y", "q50": "m", "q10": "m-lo-80", "q90": "m-hi-80"}
    theirs, train = forecasts.rename(columns=names), history.rename(columns=names)
    ours = metrics.score(forecasts, TASK, by=["item_id"]).set_index("item_id")
    quantiles = {"m": ["m-lo-80", "q40", "m", "m-hi-80"]}
    expected = {
        "mase": losses.mase(theirs, ["m"], 7, train),
        "rmsse": losses.rmsse(theirs, ["m"], 7, train),
        "smape": losses.smape(theirs, ["m"]),
        "wape": losses.nd(theirs, ["m"]),
        "wql": losses.scaled_crps(theirs, quantiles, np.array(TASK.quantiles)),
        "coverage": losses.coverage(theirs, ["m"], 80),
    }
    for name, table in expected.items():
        np.testing.assert_allclose(ours[name], table.set_index("unique_id")["m"], rtol=1e-9, err_msg=name)
    size = forecasts.groupby("item_id")["target"].mean()
    bias = losses.bias(theirs, ["m"]).set_index("unique_id")["m"]
    np.testing.assert_allclose(ours["bias"] * size, bias, rtol=1e-9)
    assert (ours["interval"] == 0.8).all()


def test_the_scaled_quantile_loss_is_twice_the_scaled_pinball_loss_of_the_reference(world):
    history, forecasts = world
    names = {"item_id": "unique_id", "timestamp": "ds", "target": "y"}
    theirs, train = forecasts.rename(columns=names), history.rename(columns=names)
    expected = losses.scaled_mqloss(theirs, {"m": ["q10", "q40", "q50", "q90"]}, np.array(TASK.quantiles), 7, train)
    ours = metrics.score(forecasts, TASK, by=["item_id"]).set_index("item_id")["sql"]
    np.testing.assert_allclose(ours, 2 * expected.set_index("unique_id")["m"], rtol=1e-9)
    median = metrics.score(forecasts, replace(TASK, quantiles=(0.5,))).iloc[0]
    assert median["sql"] == pytest.approx(median["mase"])


def test_the_weighted_interval_score_is_that_of_its_definition(world):
    _, forecasts = world
    task = replace(TASK, quantiles=(0.1, 0.25, 0.4, 0.5, 0.6, 0.9))
    rows = forecasts.assign(q25=forecasts["q10"] + 1, q60=forecasts["q50"] * 1.01)
    y, total = rows["target"], (rows["target"] - rows["q50"]).abs() / 2
    for low, high, significance in (("q10", "q90", 0.2), ("q40", "q60", 0.8)):  # q25 has no counterpart
        outside = (rows[low] - y).clip(lower=0) + (y - rows[high]).clip(lower=0)
        total += significance / 2 * (rows[high] - rows[low] + 2 / significance * outside)
    assert metrics.score(rows, task)["wis"].iloc[0] == pytest.approx((total / 2.5).mean())
    assert np.isnan(metrics.score(rows, replace(task, quantiles=(0.5, 0.9)))["wis"].iloc[0])


def test_scaled_errors_are_averaged_over_series(world):
    _, forecasts = world
    each = metrics.score(forecasts, TASK, by=["item_id"])
    overall = metrics.score(forecasts, TASK).iloc[0]
    for name in ("mase", "rmsse", "smape"):
        assert overall[name] == pytest.approx(each[name].mean())
    assert overall["rows"] == len(forecasts)


def test_rows_without_a_target_count_for_nothing(world):
    _, forecasts = world
    missing = forecasts.copy()
    missing["target"] = np.nan
    both = pd.concat([forecasts, missing.assign(origin=pd.Timestamp("2025-01-01"))])
    pd.testing.assert_frame_equal(metrics.score(both, TASK), metrics.score(forecasts, TASK))
    assert metrics.score(missing, TASK).empty


def test_a_flat_history_has_no_scale():
    frame = daily_panel(items=1).assign(target=3.0)
    assert metrics.seasonal_scale(frame, TASK)[["mase_scale", "rmsse_scale"]].isna().all().all()


@pytest.mark.parametrize(
    ("levels", "pair"),
    [((0.1, 0.5, 0.9), (0.1, 0.9)), ((0.05, 0.1, 0.9), (0.1, 0.9)), ((0.1, 0.5), None), ((0.5,), None)],
)
def test_the_interval_is_the_widest_symmetric_one(levels, pair):
    assert metrics.outer_pair(levels) == pair


@pytest.mark.parametrize("by", [(), ("model",), ("model", "window"), ("lead",), ("model", "item_id"), ("version",)])
def test_scores_do_not_know_the_parts_that_forecasts_come_in(by):
    rows = pd.concat([duels.model_rows("a", 1), duels.model_rows("b", 2)]).sort_values(
        ["item_id", "window"], kind="stable"
    )
    rows["target"] = rows["target"].where(rows["lead"] != 3)
    rows["version"] = pd.array(rows["window"], dtype="Int64")
    rows["version"] = rows["version"].where(rows["model"] == "a")
    whole = metrics.score(rows, duels.TASK, by)
    for parts in (3, 17):
        scoring = metrics.Scoring(duels.TASK, by)
        for items in np.array_split(sorted({*rows["item_id"]}), parts):
            scoring.add(rows[rows["item_id"].isin(items)])
        pd.testing.assert_frame_equal(scoring.table(), whole, check_exact=True)
