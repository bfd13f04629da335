"""The command line: what it prints and its exit codes."""

import json

import pytest

from mlops_assets_tests.worlds import declare, panel


def test_list_shows_the_forecasts(call):
    result = call("list")
    assert result.exit_code == 0
    assert "demo" in result.output


def test_an_unknown_name_is_wrong_usage_with_the_nearest_right_one(call):
    result = call("run", "demi")
    assert result.exit_code == 2
    assert "did you mean demo?" in result.output


def test_an_unknown_partition_is_wrong_usage(call):
    result = call("run", "demo", "--partition", "2023-01-01")
    assert result.exit_code == 2
    assert "2024-03-01 to 2024-05-31" in result.output


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ("2024-05-10T06:00Z", "partition 2024-05-10 of demo is complete at 2024-05-11 00:00 (UTC)"),
        ("2024-03-01T06:00Z", "demo: the first partition, from 2024-03-01, has not ended yet"),
    ],
)
def test_a_partition_that_has_not_ended_is_not_there_yet(call, monkeypatch, now, words):
    monkeypatch.setenv("MLOPS_NOW", now)
    result = call("run", "demo", "--partition", "2024-05-10", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout) == {"error": words, "advice": [], "exit_code": 3}
    assert call("run", "demo", "--partition", "2025-05-10").exit_code == (2 if "2024-05-10" in now else 3)


def test_a_broken_spec_is_a_line_beside_the_others(call, tmp_path):
    (tmp_path / "forecasts" / "broken.yaml").write_text("name: Broken Name\n")
    for command in ("list", "status"):
        result = call(command)
        assert result.exit_code == 0, result.output
        assert "demo" in result.output
        assert "broken.yaml" in result.output
        assert "Broken Name" in result.output
    broken = call("run", "broken")
    assert broken.exit_code == 2
    assert "name (line 1): found 'Broken Name'" in broken.output


def test_a_run_does_the_whole_round_and_again_changes_nothing(call, tmp_path):
    first = call("run", "demo", "--partition", "2024-05-09...2024-05-10")
    assert first.exit_code == 0, first.output
    assert "random_forest: fitting the forest … " in first.output
    assert "4 items × 7 leads = 28 rows" in first.output
    assert "Champion: version 1" in first.output
    again = call("run", "demo", "--partition", "2024-05-09...2024-05-10")
    assert again.exit_code == 0, again.output
    assert "random_forest: fitting" not in again.output
    assert "Champion: version 1" in again.output
    retrained = call("run", "demo", "--partition", "2024-05-09...2024-05-10", "--retrain", "--json")
    said = json.loads(retrained.stdout)
    assert retrained.stdout.count("\n") == 1
    assert "random_forest: fitting the forest … " in retrained.stderr
    assert said == {
        "forecast": "demo",
        "partitions": ["2024-05-09", "2024-05-10"],
        "decision": None,
        "delivered_because": "champion",
        "source": "champion",
        "version": 1,
        "rows": 28,
        "score": {**said["score"], "rows": 4},
        "waits_for": "",
        "undecided": [],
        "advice": [],
    }
    from mlops_assets.io_managers.objects import ObjectTables

    tables = ObjectTables(base=str(tmp_path / "data" / "tables"))
    assert len(tables.read(["demo", "forecasts"])) == 2 * 28
    assert len(tables.read(["demo", "observations"])) == 4 * 71


def test_a_changed_spec_trains_anew(call, tmp_path):
    assert call("run", "demo", "--partition", "2024-05-10").exit_code == 0
    declare(tmp_path / "forecasts", horizon=5)
    again = call("run", "demo", "--partition", "2024-05-11")
    assert again.exit_code == 0, again.output
    assert "4 items × 5 leads = 20 rows" in again.output
    assert "random_forest" in again.output


def test_a_failed_run_says_where_and_why(call, tmp_path):
    declare(tmp_path / "forecasts", panel().rename(columns={"rain": "snow"}))
    result = call("run", "demo", "--partition", "2024-05-10")
    assert result.exit_code == 1
    assert "ingest failed" in result.output
    assert "'rain'" in result.output


def test_check_ticks_what_is_right(call):
    result = call("check")
    assert result.exit_code == 0, result.output
    assert "✗" not in result.output
    for name in ("settings", "specs", "source of demo", "tables", "models", "mlflow", "dagster"):
        assert f"✓ {name}" in result.output


def test_check_names_what_is_wrong_and_goes_on(call, tmp_path, monkeypatch):
    (tmp_path / "forecasts" / "sales.csv").unlink()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:hunter2@127.0.0.1:9")
    result = call("check")
    assert result.exit_code == 1
    assert "✗ source of demo" in result.output
    assert "✗ mlflow" in result.output
    assert "✓ dagster" in result.output
    assert "hunter2" not in result.output
