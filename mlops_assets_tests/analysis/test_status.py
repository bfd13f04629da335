"""status and report on the command line, over files."""

import json
import shutil

import pytest
from click.testing import CliRunner

from mlops_assets.commands.main import main
from mlops_assets_tests.worlds import declare, panel, sandbox


@pytest.fixture
def cli(tmp_path, empty_mlflow, monkeypatch):
    """Call the command line over two forecasts; of one of them a day is stored."""
    import dagster as dg

    from mlops_assets.assets import build_assets
    from mlops_assets.definitions import build_environment, faced

    spec = declare(tmp_path / "forecasts")
    declare(tmp_path / "forecasts", name="other")
    settings = sandbox(tmp_path, empty_mlflow, "local")
    (tmp_path / "forecasts" / "sales.csv").write_text(panel().to_csv(index=False) + "2024-03-05,shop 1,many,0.5\n")
    ingested = [dg.AssetKey(["demo", name]) for name in ("observations", "quarantine")]
    with dg.DagsterInstance.ephemeral() as instance:
        resources = faced(build_environment(settings).resources)
        dg.materialize(
            build_assets(spec),
            instance=instance,
            resources=resources,
            selection=ingested,
            partition_key="2024-03-04",
        )
    values = {"MLOPS_ENV": "local", "MLOPS_DATA": settings.data, "MLOPS_FORECASTS": settings.forecasts}
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "nowhere"))
    return lambda *words: CliRunner().invoke(main, list(words))


def test_every_forecast_has_its_line(cli):
    shown = cli("status")
    assert shown.exit_code == 0, shown.output
    assert all(name in shown.output for name in ("demo", "other", "nothing is stored yet"))
    found = json.loads(cli("status", "--json").stdout)
    assert [one["forecast"] for one in found] == ["demo", "other"]
    assert found[1]["problems"] == ["nothing is stored yet: mlops-assets run other"]


def test_one_forecast_is_told_whole_and_nothing_is_made_by_looking(cli, tmp_path):
    found = json.loads(cli("status", "demo", "--json").stdout)
    assert {"name": "observations", "partitions": 1, "last": "2024-03-04"} in found["assets"]
    assert list(found) == [
        "forecast", "description", "at", "champion", "waiting", "assets", "accuracy", "policies", "drift", "quarantine",
        "next_round", "failed_runs", "ingestion", "unobserved", "unforecast", "unreachable", "standing", "outliers",
        "missing_ahead", "silent_point", "anomalies", "changed_spec", "aside", "external", "spent", "revised",
        "rolled_back", "backtest", "refused", "refused_rows", "unstored", "problems", "warnings", "policy",
    ]  # fmt: skip
    assert found["quarantine"] is None
    assert found["champion"] is None
    assert "there is no champion" in found["problems"][0]
    assert "no champion" in cli("status", "demo").output
    assert not (tmp_path / "nowhere").exists()


def test_a_wrong_name_is_wrong_usage(cli):
    wrong = cli("status", "demi")
    assert wrong.exit_code == 2
    assert "did you mean demo?" in wrong.output
    assert cli("report", "demi").exit_code == 2


def test_the_report_is_written_where_it_is_asked_for(cli, tmp_path):
    file = tmp_path / "page.html"
    done = cli("report", "demo", "--output", str(file))
    assert done.exit_code == 0, done.output
    assert file.name in done.output
    assert "Data quality" in file.read_text(encoding="utf-8")


def test_each_store_that_does_not_answer_is_a_line_and_the_rest_is_told(cli, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2planted@127.0.0.1:9")
    found = json.loads(cli("status", "demo", "--json").stdout)
    assert found["assets"][0]["last"] == "2024-03-04"
    assert found["next_round"] is not None
    (silent,) = found["unreachable"]
    assert silent.startswith("MLflow cannot be read: MLflow at http://127.0.0.1:9 does not answer")
    assert found["problems"][0] == silent
    assert not any("there is no champion" in words for words in found["problems"])
    monkeypatch.setenv("MLOPS_TABLES", "sql")
    monkeypatch.setenv("MLOPS_DATABASE_URL", "postgresql://me:hunter2planted@127.0.0.1:9/none")
    shown = cli("status")
    assert shown.exit_code == 0
    assert "tables cannot be" in shown.output
    assert "nothing is stored yet" not in shown.output
    assert "hunter2planted" not in shown.output


def test_a_dagster_home_that_cannot_be_read_is_a_line(cli, tmp_path):
    assert "Dagster" not in cli("status", "demo").output
    shutil.rmtree(tmp_path / "data" / "tables" / "demo" / "latest_facts")  # an earlier release has none
    (tmp_path / "nowhere").mkdir()
    (tmp_path / "nowhere" / "dagster.yaml").write_text("storage: {sqlite: {base_dir: /proc/nothing}}")
    shown = cli("status", "demo")
    assert shown.exit_code == 0
    assert "Dagster's runs cannot be read: " in shown.output
    assert "observations" in shown.output


def test_a_broken_spec_is_a_line_of_its_own(cli, tmp_path):
    (tmp_path / "forecasts" / "other.yaml").write_text("name: other\nhorizon: 0\n")
    found = {one["forecast"]: one for one in json.loads(cli("status", "--json").stdout)}
    assert found["other"]["problems"][0].startswith(f"broken spec: {tmp_path}/forecasts/other.yaml: ")
    assert found["demo"]["assets"]
    assert cli("status", "other").exit_code == 2
