"""export: our tables as files, and the columns of the hubverse."""

import json

import pandas as pd
import pytest

from mlops_assets.forecasting.evaluation import ledger
from mlops_assets_tests.reading.stored import MORNING


def test_hubverse_has_model_output_target_data_and_scores(call, stored_files, tmp_path):
    hub = tmp_path / "hub"
    said = call("export", "demo", "--format", "hubverse", "--output", str(hub)).output
    files = sorted(str(file.relative_to(hub)) for file in hub.rglob("*.csv"))
    assert files == [
        *(f"model-output/mlops-demo/2024-03-0{day}-mlops-demo.csv" for day in range(1, 5)),
        "scores.csv",
        "target-data/oracle-output.csv",
        "target-data/time-series.csv",
    ]
    assert "7 files" in said
    made = pd.read_csv(hub / files[3])
    assert list(made) == [
        "reference_date", "target", "horizon", "location", "target_end_date", "output_type", "output_type_id", "value",
    ]  # fmt: skip
    own = made[(made["location"] == "shop 1") & (made["horizon"] == 2)]
    row = stored_files.reader.forecasts("shop 1", start="2024-03-06", end="2024-03-06").iloc[0]
    assert own["output_type"].tolist() == ["mean", "median", "quantile", "quantile", "quantile"]
    assert own["output_type_id"].fillna(0).tolist() == [0, 0, 0.1, 0.5, 0.9]
    assert own["value"].tolist() == pytest.approx([row["mean"], row["q50"], row["q10"], row["q50"], row["q90"]])
    series = pd.read_csv(hub / "target-data/time-series.csv")
    assert list(series) == ["as_of", "target_end_date", "target", "location", "observation"]
    assert series.iloc[0].tolist()[:4] == ["2024-03-02", "2024-03-01", "sales", "shop 0"]
    assert list(pd.read_csv(hub / "target-data/oracle-output.csv"))[-1] == "oracle_value"
    scores = pd.read_csv(hub / "scores.csv")
    rows = ledger.honest(stored_files.tables.read(["demo", "forecast_accuracy"]))
    expected = ledger.compared(rows, stored_files.spec.task, ["origin", "lead"])
    assert scores["wis"].tolist() == pytest.approx(expected["wis"].tolist())
    assert "interval_coverage_80" in scores


def test_as_of_exports_what_was_known(call, stored_files, tmp_path):
    day = stored_files.days[1]
    stored_files.observe(day, at=day + MORNING + pd.Timedelta(days=9))
    hub = tmp_path / "hub"
    answer = json.loads(
        call(
            "export", "demo", "--format", "hubverse", "--output", str(hub), "--as-of", "2024-03-04T12:00", "--json"
        ).output
    )
    assert [path for path in answer["rows"] if path.startswith("model-output")] == [
        f"model-output/mlops-demo/2024-03-0{day}-mlops-demo.csv" for day in (1, 2, 3)
    ]
    series = pd.read_csv(hub / "target-data/time-series.csv")
    assert series["as_of"].max() <= "2024-03-04"
    assert "2024-03-02" not in set(series["target_end_date"])  # it is known since later


def test_own_tables_as_parquet(call, stored_files, tmp_path):
    call("export", "demo", "--format", "parquet", "--output", str(tmp_path / "out"), "--item", "shop 1")
    made = pd.read_parquet(tmp_path / "out" / "forecasts" / "2024-03-02.parquet")
    pd.testing.assert_frame_equal(made, stored_files.reader.forecasts("shop 1", origin="2024-03-02"))
    assert set(pd.read_parquet(tmp_path / "out" / "accuracy.parquet")["item_id"]) == {"shop 1"}
    assert call("export", "demo", "--item", "shop 9").exit_code == 2
