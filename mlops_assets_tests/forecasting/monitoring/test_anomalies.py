"""Anomalies: what was hardly possible is found, and clean data are hardly called so."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.model.task import Task
from mlops_assets.forecasting.monitoring import anomalies

TASK = Task("D", 7, (7,))
ORIGIN = pd.Timestamp("2024-03-31")


def series(values, item="a") -> pd.DataFrame:
    times = pd.date_range(end=ORIGIN + pd.Timedelta(days=1), periods=len(values), unit="us")
    return pd.DataFrame({"item_id": item, "timestamp": times, "target": np.asarray(values, dtype=float)})


def forecast(q10=8.0, q50=10.0, q90=12.0, item="a", **changes) -> pd.DataFrame:
    row = {"item_id": item, "timestamp": ORIGIN + pd.Timedelta(days=1), "origin": ORIGIN, "mean": q50, "q10": q10}
    row |= {"q50": q50, "q90": q90, "mase_scale": 1.0, "trained_until": ORIGIN - pd.Timedelta(days=9)}
    return pd.DataFrame([row | changes])


NOISE = np.random.default_rng(0).normal(10, 1.5, 90)


@pytest.mark.parametrize(("value", "kind"), [(12.5, None), (19.0, None), (20.0, "above"), (0.5, "below"), (1.0, None)])
def test_what_lies_six_deviations_away_was_hardly_expected(value, kind):
    found = anomalies.find(series([*NOISE, value]), forecast(), TASK)
    assert found["kind"].tolist() == ([kind] if kind else [])
    if kind == "above":
        row = found.iloc[0]
        assert (row["high"], row["low"]) == pytest.approx((10 + 2 * 6 / 1.2816, 10 - 2 * 6 / 1.2816), abs=1e-3)
        assert row["reason"] == (
            "20 where 0.6364 to 19.36 was expected: the 80% interval of the forecast from 2024-03-31, widened 4.7-fold"
        )


def test_the_latest_forecast_that_had_not_seen_the_value_counts():
    before = forecast(60.0, 70.0, 80.0, origin=ORIGIN - pd.Timedelta(days=3))
    seen = forecast(60.0, 70.0, 80.0, origin=ORIGIN, trained_until=ORIGIN + pd.Timedelta(days=2))
    rows = pd.concat([before, forecast(origin=ORIGIN - pd.Timedelta(days=1)), seen])
    assert anomalies.find(series([*NOISE, 11.0]), rows, TASK).empty
    assert anomalies.find(series([*NOISE, 70.0]), rows, TASK)["kind"].tolist() == ["above"]
    assert anomalies.find(series([*NOISE, 70.0]), seen, TASK).empty


def test_an_intermittent_item_may_have_again_what_it_has_had():
    values = [0, 0, 0, 9, 0, 0, 0, 0, 2, 0, 0, 0] * 6
    nothing = forecast(0.0, 0.0, 0.0, mase_scale=0.8)
    assert anomalies.find(series([*values, 9]), nothing, TASK).empty
    assert anomalies.find(series([*values, 40]), nothing, TASK)["kind"].tolist() == ["above"]


def test_without_an_interval_only_flat_lines_are_found():
    assert anomalies.find(series([*NOISE, 99.0]), forecast(), Task("D", 7, (7,), (0.5,))).empty


def test_a_flat_line_is_longer_than_any_before_and_than_chance():
    found = anomalies.find(series([*NOISE, *[7.7] * 6]), forecast().iloc[:0], TASK)
    assert found["kind"].tolist() == ["flat", "flat"]  # the fifth and the sixth
    assert found["reason"].iloc[0] == "7.7, 5 times in a row, until then at most 1 time"
    counts = np.random.default_rng(1).poisson(0.3, 300)
    assert anomalies.find(series(counts), forecast().iloc[:0], TASK).empty
    nights = np.tile([*[0.0] * 8, *range(5, 21)], 10)
    assert anomalies.find(series([*nights, *[0.0] * 8]), forecast().iloc[:0], TASK).empty
    assert len(anomalies.find(series([*nights, *[0.0] * 24]), forecast().iloc[:0], TASK)) == 6


@pytest.mark.filterwarnings("error::FutureWarning")
def test_both_kinds_stand_in_one_table():
    forecasts = forecast().astype({"origin": "datetime64[us]"})
    found = anomalies.find(pd.concat([series([*NOISE, 20.0]), series([*NOISE, *[5.0] * 6], "b")]), forecasts, TASK)
    assert set(found["kind"]) == {"above", "flat"}
    assert found["origin"].dtype == "datetime64[us]"


def test_clean_data_are_hardly_called_anomalous():
    random = np.random.default_rng(2)
    items = [f"item {number}" for number in range(400)]
    past = pd.concat(
        series([*random.normal(10, 1.5, 30), value], item)
        for item, value in zip(items, 10 + 1.5 * random.standard_t(5, len(items)), strict=True)
    )
    told = pd.concat(forecast(item=item) for item in items)
    assert len(anomalies.find(past, told, TASK)) <= 1
