"""Forecasting from an origin: the rows of the ledger, and what is said where nothing can be forecast."""

import pandas as pd
import pytest

from mlops_assets.catalog.graph import Graph
from mlops_assets.errors import DataError
from mlops_assets.forecasting.evaluation.metrics import seasonal_scale
from mlops_assets.forecasting.model.baselines import seasonal_naive
from mlops_assets.stages import predict, train
from mlops_assets.stages.predict import Maker
from mlops_assets.tracking.registry import Version
from mlops_assets_tests.stages.origins import forecast
from mlops_assets_tests.worlds import declare, panel, portable

KEY, ORIGIN = "2024-05-10", pd.Timestamp("2024-05-10")
VERSION = Version("demo", 4, "run", {"trained_until": "2024-05-01 00:00:00"})


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Graph:
    return Graph(declare(tmp_path_factory.mktemp("predict")))


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    return panel().rename(columns={"day": "timestamp", "shop": "item_id", "sales": "target"})


@pytest.fixture(scope="module")
def forecaster(graph, history):
    return train.fit(train.training_set(graph, history, "2024-05-01"), train.Fitting(graph.spec.task))[0]


def test_rows_of_the_ledger_hold_what_they_are_scored_against_and_who_made_them(graph, history, forecaster):
    made = forecast(graph, KEY, history, None, Maker(portable(forecaster), VERSION))
    assert len(made.rows) == 4 * 7
    assert made.rows["model_version"].unique().tolist() == [4]
    assert made.rows["trained_until"].unique().tolist() == [pd.Timestamp("2024-05-01")]
    known = history[history["timestamp"] <= ORIGIN]
    naive = seasonal_naive(known, graph.spec.task, ORIGIN)
    both = made.rows.merge(naive, on=["item_id", "lead"], suffixes=("", "_expected"))
    pd.testing.assert_series_equal(both["naive"], both["mean_expected"], check_names=False)
    scale = seasonal_scale(known, graph.spec.task).set_index("item_id")["mase_scale"]
    assert made.rows["mase_scale"].tolist() == scale[made.rows["item_id"]].tolist()
    assert made.warnings == made.left_out == []


def test_one_run_stores_its_rows_under_its_name(graph, history, forecaster):
    parts = [
        forecast(graph, key, history, None, Maker(portable(forecaster), VERSION)).rows for key in ("2024-05-09", KEY)
    ]
    rows = predict.ledger_of(pd.concat(parts), "this run", pd.Timestamp("2024-05-11 07:00"))
    assert len(rows) == 2 * 4 * 7
    assert set(rows["source"]) == {"champion"}
    assert set(rows["run_id"]) == {"this run"}
    assert rows["created_at"].unique().tolist() == [pd.Timestamp("2024-05-11 07:00")]


def test_old_observations_are_said_and_items_without_any_are_left_out(graph, history, forecaster):
    stale = history[
        (history["timestamp"] < "2024-05-09")
        & ((history["item_id"] != "shop 3") | (history["timestamp"] < "2024-03-20"))
    ]
    made = forecast(graph, KEY, stale, None, Maker(portable(forecaster), VERSION))
    assert any("the latest observation is of 2024-05-08" in words for words in made.warnings)
    assert made.left_out == ["shop 3"]


def test_without_history_nothing_is_forecast(graph, history, forecaster):
    with pytest.raises(DataError, match=r"no observation is stored for the .* steps up to the origin"):
        forecast(graph, KEY, history[history["timestamp"] > ORIGIN], None, Maker(portable(forecaster), VERSION))


def test_beyond_the_horizon_of_a_model_seasonal_naive_forecasts(graph, history, forecaster, tmp_path):
    longer = Graph(declare(tmp_path, horizon=9))
    rows = forecast(longer, KEY, history, None, Maker(portable(forecaster), VERSION, beyond="refused")).rows
    near, far = rows[rows["lead"] <= 7], rows[rows["lead"] > 7]
    whole = forecast(graph, KEY, history, None, Maker(portable(forecaster), VERSION)).rows
    same = ["item_id", "lead", "mean", "q10", "q50", "q90", "source", "model_version", "delivered_because"]
    pd.testing.assert_frame_equal(near[same].reset_index(drop=True), whole[same])
    assert len(far) == 4 * 2
    assert set(far["source"]) == {"seasonal_naive"}
    assert (set(far["delivered_because"]), set(far["model_version"])) == ({"refused"}, {0})
    assert far["trained_until"].isna().all()
