"""Our engine on tasks of fev: what it makes of a task and its data; with `make test-fev` the whole, by fev itself."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.fev_adapter import canonical, forecast, main, records, task_of


def task(**fields: Any) -> Any:
    """A task as fev has it once its data are loaded."""
    usual = {
        "freq": "D",
        "horizon": 3,
        "seasonality": 7,
        "eval_metric": "SQL",
        "quantile_levels": [0.1, 0.9],
        "id_column": "id",
        "timestamp_column": "timestamp",
        "target_columns": ["sales"],
        "known_dynamic_columns": ["promo"],
        "past_dynamic_columns": ["weather"],
        "static_columns": ["target"],
    }
    return SimpleNamespace(**{**usual, **fields})


def window(ends: tuple[int, ...] = (60, 60)) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Past, future and static data of a window, as fev's pandas adapter has them."""
    past, future = [], []
    for number, end in enumerate(ends):
        days = pd.date_range("2024-01-01", periods=end + 3)
        sales = 10.0 * (number + 1) + days.dayofweek + np.sin(np.arange(end + 3) ** 2)
        rows = pd.DataFrame({"id": f"s{number}", "timestamp": days, "sales": sales, "promo": days.day % 2 == 0})
        rows["weather"] = np.where(days.day % 3 == 0, "rain", "sun")
        past.append(rows[:end])
        future.append(rows[end:][["id", "timestamp", "promo"]])
    static = pd.DataFrame({"id": [f"s{n}" for n in range(len(ends))], "target": ["big", "small"][: len(ends)]})
    return pd.concat(past, ignore_index=True), pd.concat(future, ignore_index=True), static


def test_a_task_is_told_in_the_engines_words():
    ours = task_of(task(), "extra_trees", 3)
    assert (ours.frequency, ours.horizon, ours.season_lengths, ours.quantiles) == ("D", 3, (7,), (0.1, 0.5, 0.9))
    assert (ours.known, ours.past, ours.static) == (("x_promo",), ("x_weather",), ("x_target",))
    assert (ours.model.kind, ours.model.seed, ours.point_column) == ("extra_trees", 3, "q50")
    assert task_of(task(eval_metric={"name": "RMSE"})).point_column == "mean"
    assert task_of(task(freq="h", seasonality=1)).season_lengths == (24, 168)
    assert task_of(task(freq="YS", seasonality=1)).season_lengths == (1,)


def test_data_are_laid_out_as_the_engine_wants_them():
    history, future = canonical(*window(), task(), "sales")
    assert list(history.columns) == ["item_id", "timestamp", "target", "x_promo", "x_weather", "x_target"]
    assert list(future.columns) == ["item_id", "timestamp", "x_promo"]
    assert history["x_weather"].unique().tolist() == [0, 1], "texts became numbers"
    assert history["x_target"].unique().tolist() == ["big", "small"]
    assert len(future) == 6


def test_each_item_is_forecast_from_its_own_end_in_the_format_of_fev():
    data, seconds = window((60, 50)), {"training": 0.0, "inference": 0.0}
    ours = task_of(task())
    made = forecast(*canonical(*data, task(), "sales"), ours, seconds)
    assert made.groupby("item_id")["timestamp"].min().dt.strftime("%m-%d").tolist() == ["03-01", "02-20"]
    found = records(made, ["s1", "nobody", "s0"], ours, [0.1, 0.9])
    assert [sorted(one) for one in found] == [["0.1", "0.9", "predictions"]] * 3
    assert [len(values) for one in found for values in one.values()] == [3] * 9
    assert found[1]["predictions"] == [0, 0, 0]
    actual = 20 + pd.date_range("2024-02-20", periods=3).dayofweek
    assert np.allclose(found[0]["predictions"], actual, atol=3)
    assert min(seconds.values()) > 0


def test_too_little_history_gets_seasonal_naive():
    made = forecast(*canonical(*window((3, 2)), task(), "sales"), task_of(task()), {"training": 0.0, "inference": 0.0})
    assert len(made) == 6
    assert made["mean"].notna().all()


if os.environ.get("MLOPS_TEST_FEV"):

    def test_fev_scores_a_benchmark_of_made_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        past, _, static = window((80, 70))
        file = tmp_path / "data.parquet"
        past.assign(other=past["sales"] * 2).merge(static, on="id").to_parquet(file, index=False)
        (tmp_path / "tasks.yaml").write_text(
            f"""tasks:
- {{dataset_path: {file}, task_name: made, horizon: 3, num_windows: 2, seasonality: 7, eval_metric: SQL,
   quantile_levels: [0.1, 0.5, 0.9], target: sales, known_dynamic_columns: [promo], static_columns: [target]}}
- {{dataset_path: {file}, task_name: two, horizon: 3, eval_metric: RMSE, target: [sales, other]}}
"""
        )
        output = tmp_path / "summaries.csv"
        assert main([str(tmp_path / "tasks.yaml"), "--output", str(output)]) == 0
        summaries = pd.read_csv(output)
        assert summaries["task_name"].tolist() == ["made", "two"]
        assert summaries["num_forecasts"].tolist() == [4, 4]
        assert (summaries["test_error"] < 3).all()
        assert "made: SQL" in capsys.readouterr().out
