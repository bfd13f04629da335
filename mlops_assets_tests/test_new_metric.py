"""A metric is one class: where it is written, it is computed, stored, logged, chosen and shown everywhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlops_assets.commands.main import main
from mlops_assets_tests.worlds import declare, sandbox


@pytest.mark.process
def test_a_new_metric_arrives_everywhere_also_in_tables_that_are_there(tmp_path, empty_mlflow, monkeypatch):
    sandbox(tmp_path, empty_mlflow)
    declare(tmp_path / "forecasts", gate={"metric": "wql"}, backtest={"windows": 1})
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "data" / "dagster"))
    before = CliRunner().invoke(main, ["run", "demo", "--partition", "2024-05-09...2024-05-10"], catch_exceptions=False)
    assert before.exit_code == 0, before.output
    assert "msis" not in before.output

    spec = tmp_path / "forecasts" / "demo.yaml"
    spec.write_text(spec.read_text().replace("metric: wql", "metric: msis"))
    done = subprocess.run(
        [sys.executable, "-m", "mlops_assets_tests.new_metric", "2024-05-11"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert "msis" in found["run"]
    assert ", MSIS " in found["run"].partition("past forecasts: ")[2]
    assert ", MSIS " in found["status"]
    assert "msis" in found["evaluate"]
    assert found["scores"]["2024-05-11"] > 0
    assert found["mlflow"]["msis"] > 0
    assert "msis" in found["gate"]
    assert {"msis", "MSIS"} <= set(re.findall(r"\w+", found["report"]))
    assert "Mean scaled interval score" in found["tables.md"]
    assert '["wql", "mase", "rmsse", "smape", "wape", "sql", "wis", "cost", "msis"]' in found["schema"]
