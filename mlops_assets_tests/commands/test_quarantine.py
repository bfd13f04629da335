"""Rows that break the contract: the same words from check, evaluate, run and quarantine, and the way out."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from mlops_assets.commands.main import main
from mlops_assets_tests.worlds import declare, sandbox

HINT = "All 44 rows are Mondays: frequency: W-MON?"


@pytest.fixture
def call(tmp_path, empty_mlflow, monkeypatch):
    """Call the command line over weeks stamped with their Mondays, declared as weeks of Sundays."""
    sandbox(tmp_path, empty_mlflow)
    mondays = pd.date_range("2023-01-02", periods=22, freq="W-MON")
    data = pd.concat([pd.DataFrame({"day": mondays, "shop": shop, "sales": range(22)}) for shop in "ab"])
    declare(
        tmp_path / "forecasts",
        data,
        frequency="W-SUN",
        partitions={"start": "2023-01-01"},
        covariates=None,
        horizon=2,
        schedule=None,
        retraining=None,
    )
    monkeypatch.setenv("MLOPS_ENV", "local")
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))
    monkeypatch.setenv("MLOPS_NOW", "2023-06-06")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "data" / "dagster"))
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def test_all_doors_say_the_same_of_rows_that_break_the_contract(call, tmp_path):
    for arguments in (("check",), ("evaluate", "demo"), ("run", "demo")):
        result = call(*arguments)
        assert result.exit_code == 1
        assert HINT in result.output
        assert "{" not in result.output

    shown = call("quarantine", "demo", "--limit", "1")
    assert shown.exit_code == 0
    assert "44 rows in quarantine, of 22 partitions from 2023-01-01 to 2023-05-28" in shown.output
    assert f"! {HINT}" in shown.output
    assert "mlops-assets reingest demo --from 2023-01-01" in shown.output
    found = json.loads(call("quarantine", "demo", "--partition", "2023-01-01", "--json").output)
    assert found["reasons"] == {"off_grid": 2}
    assert [row["source_row"] for row in found["rows"]] == [1, 23]
    assert call("quarantine", "demo", "--reason", "malformed_row").output == "demo: no row in quarantine\n"
    refused = call("quarantine", "demo", "--partition", "2022-01-01")
    assert refused.exit_code == 2
    assert "there are 2023-01-01 to 2023-05-28" in refused.output

    spec = tmp_path / "forecasts" / "demo.yaml"
    spec.write_text(spec.read_text().replace("W-SUN", "W-MON"))
    mended = call("check")
    assert "✓ rows of demo: of the first 44 rows 44 are good, 0 rejected." in mended.output


def test_before_the_first_run_nothing_is_in_quarantine(call):
    assert call("quarantine", "demo").output == "demo: no row in quarantine\n"
    assert "none has been yet" in call("quarantine", "demo", "--partition", "2023-01-01").output
