"""Tuning: a seeded search on windows of its own, logged trial by trial, a change of the spec that keeps the rest."""

import json

import pytest
from click.testing import CliRunner

from mlops_assets.analysis.tune import TuningResult, TuningTrial
from mlops_assets.commands.main import main
from mlops_assets.forecasting.model.task import ModelSettings
from mlops_assets_tests.worlds import declare, panel, sandbox

pytest.importorskip("optuna", reason="the extra `tune` is not installed")
BAD = {"kind": "random_forest", "parameters": {"n_estimators": 10, "n_jobs": 1, "min_samples_leaf": 400}}


@pytest.fixture
def tune(tmp_path, empty_mlflow, monkeypatch):
    """Tune the small panel's forecast; its settings are bad ones."""
    sandbox(tmp_path, empty_mlflow)
    spec = declare(tmp_path / "forecasts", model={**BAD, "max_training_rows": 1000})
    file = tmp_path / "forecasts" / "demo.yaml"
    file.write_text(file.read_text().replace("min_samples_leaf: 400", "min_samples_leaf: 400  # a guess"))
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))

    def run(*arguments: str, code: int = 0):
        result = CliRunner().invoke(main, ["tune", str(file), *arguments], catch_exceptions=False)
        assert result.exit_code == code, result.output
        if "--json" not in arguments:
            return result.output
        (line,) = result.stdout.splitlines()
        return json.loads(line)

    return run, file, spec


def test_what_is_found_is_better_on_windows_that_the_search_has_not_seen(tune):
    run, file, _ = tune
    before = file.read_text()
    said = run("--minutes", "5", "--trials", "3", "--json")
    assert said["held_out"]
    assert said["search_until"] <= "2024-05-17"  # two windows of a week before the end of May
    assert said["after"] < said["before"]
    assert said["better"]
    assert len(said["trials"]) == 3
    assert set(said) == {
        "forecast", "metric", "trials", "search_until", "held_out", "best", "before", "after", "better", "change",
        "written", "run_id",
    }  # fmt: skip
    assert {"number", "score", "seconds", "message", "model.kind", "model.parameters.min_samples_leaf"} <= set(
        said["trials"][1]
    )
    assert "-    min_samples_leaf: 400  # a guess" in said["change"]
    assert file.read_text() == before
    again = run("--minutes", "5", "--trials", "3", "--json")
    assert [trial["score"] for trial in again["trials"]] == [trial["score"] for trial in said["trials"]]


def test_it_is_written_where_it_stood_and_logged_trial_by_trial(tune, tmp_path):
    import mlflow

    from mlops_assets.spec import load_spec

    run, file, old = tune
    said = run("--minutes", "5", "--trials", "2", "--write")
    assert "written" in said
    assert "-    min_samples_leaf: 400  # a guess" in said
    text = file.read_text()
    assert "# a guess" in text
    assert "400" not in text
    new = load_spec(file)
    assert new.model.parameters["n_jobs"] == 1
    assert new.model_copy(update={"model": old.model}) == old
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'data' / 'mlflow' / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("demo_tuning").experiment_id])
    parents = {found.data.tags.get("mlflow.parentRunId") for found in runs}
    [study] = [found for found in runs if "mlflow.parentRunId" not in found.data.tags]
    assert len(runs) == 3
    assert parents == {None, study.info.run_id}
    assert {found.info.status for found in runs} == {"FINISHED"}
    assert study.data.metrics["wql_after"] < study.data.metrics["wql_before"]
    [first] = [found for found in runs if found.info.run_name == "trial 0"]
    assert first.data.params["model.parameters.min_samples_leaf"] == "400"


def test_a_spent_budget_ends_with_the_spec_as_it_stands(tune):
    run, file, _ = tune
    before = file.read_text()
    said = run("--minutes", "0", "--write", "--json")
    assert len(said["trials"]) == 1
    assert not said["better"]
    assert said["change"] == ""
    assert file.read_text() == before


def test_a_metric_that_is_not_defined_cannot_be_tuned_for(tune):
    run, file, _ = tune
    declare(file.parent, panel(items=1).assign(sales=0.0), model={**BAD, "max_training_rows": 200})
    assert "wql is not defined on the windows" in run("--minutes", "1", code=1)


def test_trials_are_a_frame():
    model = ModelSettings(parameters={"n_estimators": 10})
    tried = (TuningTrial(0, model, 0.25, 1.5), TuningTrial(1, model, float("nan"), 0.5, "too little history"))
    found = TuningResult("demo", "wql", tried, None, 0, 0.25, 0.25, "", False, "run")
    table = found.to_frame()
    assert list(table)[:4] == ["number", "score", "seconds", "message"]
    assert table["model.parameters.n_estimators"].tolist() == [10, 10]
    assert not found.better
    assert not found.held_out
    assert [trial["score"] for trial in found.to_json()["trials"]] == [0.25, None]


def test_a_model_without_anything_to_tune_is_wrong_usage(tune):
    run, file, _ = tune
    file.write_text(file.read_text().replace("kind: random_forest", "kind: sklearn.linear_model.LinearRegression"))
    text = file.read_text()
    file.write_text(text[: text.index("  parameters:")] + text[text.index("  max_training_rows") :])
    assert "nothing is known to tune" in run("--minutes", "1", code=2)
