"""status and report on the command line, over files."""

import json

import pytest
from click.testing import CliRunner

from mlops_assets.commands.main import main
from mlops_assets_tests.worlds import declare, panel, sandbox


@pytest.fixture
def cli(tmp_path, empty_mlflow, monkeypatch):
    """Call the command line over two forecasts; of one of them a day is stored."""
    import dagster as dg

    from mlops_assets.assets import build_assets
    from mlops_assets.environments import build_environment

    spec = declare(tmp_path / "forecasts")
    declare(tmp_path / "forecasts", name="other")
    settings = sandbox(tmp_path, empty_mlflow, "local")
    (tmp_path / "forecasts" / "sales.csv").write_text(panel().to_csv(index=False) + "2024-03-05,shop 1,many,0.5\n")
    ingested = [dg.AssetKey(["demo", name]) for name in ("observations", "quarantine")]
    with dg.DagsterInstance.ephemeral() as instance:
        resources = build_environment(settings).resources
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
        "forecast", "description", "at", "champion", "waiting", "assets", "accuracy", "policy", "drift", "quarantine",
        "next_round", "failed_runs", "problems",
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
