import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.evaluation.backtest import backtest, origins, with_names_of_today
from mlops_assets.forecasting.evaluation.metrics import seasonal_scale
from mlops_assets.forecasting.model import baselines
from mlops_assets_tests.forecasting.panels import DAILY, daily_panel, with_gaps

FRAME = with_gaps(daily_panel(items=3, days=160))


@pytest.fixture(scope="module")
def result():
    return backtest(FRAME, DAILY, windows=2)


def test_both_models_are_scored_on_the_same_rows(result):
    rows = result.predictions.set_index(["item_id", "origin", "lead"]).sort_index()
    parts = [rows[rows["model"] == model] for model in ("challenger", "seasonal_naive")]
    assert parts[0].index.equals(parts[1].index)
    pd.testing.assert_series_equal(parts[0]["target"], parts[1]["target"])
    assert len(parts[0]) == 2 * 3 * 10
    assert result.overall["rows"].nunique() == 1


def test_windows_are_horizons_apart_and_end_with_the_data(result):
    last = FRAME.loc[FRAME["target"].notna(), "timestamp"].max() - pd.Timedelta(days=10)
    assert sorted(result.predictions["origin"].unique()) == [last - pd.Timedelta(days=10), last]
    assert result.predictions.groupby("window")["origin"].first().tolist() == origins(FRAME, DAILY, 2)


def test_naive_rows_and_scales_are_those_of_the_past_alone(result):
    for origin, rows in result.predictions.query("model == 'seasonal_naive'").groupby("origin"):
        seen = FRAME[FRAME["timestamp"] <= origin]
        expected = baselines.seasonal_naive(seen, DAILY, origin)
        np.testing.assert_array_equal(rows["q90"], expected["q90"])
        scale = seasonal_scale(seen, DAILY).set_index("item_id")["mase_scale"]
        np.testing.assert_array_equal(rows["mase_scale"], scale[rows["item_id"]])


def test_what_comes_after_changes_no_forecast(result):
    until = FRAME["timestamp"].max() - pd.Timedelta(days=10)
    changed = FRAME.assign(target=FRAME["target"].where(FRAME["timestamp"] <= until, -1e6))
    again = backtest(changed, DAILY, windows=1, models=["challenger"]).predictions
    same = result.predictions.query("model == 'challenger' and window == 1")
    np.testing.assert_array_equal(again["q50"], same["q50"])
    assert (again["target"].dropna() == -1e6).all()


def test_windows_models_and_items_are_all_there(result):
    rows = result.predictions
    assert rows.groupby("model")["window"].unique().map(list).tolist() == [[0, 1]] * 2
    assert rows.groupby(["model", "item_id"]).ngroups == 6
    assert rows.groupby(["model", "lead"]).ngroups == 20
    assert set(result.seconds["model"]) == {"challenger", "seasonal_naive"}
    assert (result.seconds.set_index("model").loc["challenger"] > 0).all()


def test_until_ends_the_data():
    until = pd.Timestamp("2024-05-01")
    assert (
        backtest(FRAME, DAILY, windows=1, models=["seasonal_naive"], until=until).predictions["timestamp"].max()
        <= until
    )


def test_too_many_windows_and_unknown_models_are_refused():
    with pytest.raises(ValueError, match="use fewer windows"):
        backtest(FRAME, DAILY, windows=20)
    with pytest.raises(ValueError, match="unknown models \\['oracle'\\]"):
        backtest(FRAME, DAILY, models=["oracle"])


def test_the_models_of_a_stored_backtest_have_the_names_of_today(result):
    stored = result.predictions.assign(model=result.predictions["model"].replace({"challenger": "forest"}))
    pd.testing.assert_frame_equal(with_names_of_today(stored), result.predictions)
    pd.testing.assert_frame_equal(with_names_of_today(result.predictions), result.predictions)
