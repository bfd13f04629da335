"""What is read from MLflow's file without MLflow is what MLflow says; what is not there, MLflow says."""

import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest

from mlops_assets.tracking.local_client import RUNNING, LocalClient
from mlops_assets.tracking.tracking import Tracking
from mlops_assets_tests.tracking.planted import plant


@pytest.fixture
def both(tmp_path, empty_mlflow):
    """A local client that has no other, and MLflow's, over three versions of which one is deleted."""
    file = tmp_path / "mlflow.db"
    file.write_bytes(empty_mlflow.read_bytes())
    tracking = Tracking(uri=f"sqlite:///{file}")
    for number in range(3):
        plant(tracking, tmp_path / "planted", note=f"it's {number}")
    client = mlflow.MlflowClient(tracking.uri)
    client.set_registered_model_alias("demo", "champion", "2")
    client.delete_model_version("demo", "3")
    run_id = client.get_model_version("demo", "2").run_id
    for step, value in enumerate([0.5, 0.25]):
        client.log_metric(run_id, "wql", value, step=step)
    client.log_metric(run_id, "unknown", float("nan"))
    return LocalClient(file, lambda: pytest.fail("MLflow was asked")), client


def told(version) -> tuple:
    return version.name, int(version.version), version.run_id, dict(version.tags), list(version.aliases)


def test_it_says_what_mlflow_says(both):
    local, client = both
    for number in "12":
        assert told(local.get_model_version("demo", number)) == told(client.get_model_version("demo", number))
    ours, theirs = (one.search_model_versions("name = 'demo'") for one in both)
    assert sorted(told(one)[:4] for one in ours) == sorted(told(one)[:4] for one in theirs)
    assert [one.get_registered_model("demo").aliases for one in both] == [{"champion": 2}] * 2
    assert [[model.name for model in one.search_registered_models(max_results=100)] for one in both] == [["demo"]] * 2
    ours, theirs = (one.get_experiment_by_name("demo") for one in both)
    assert (ours.experiment_id, ours.lifecycle_stage) == (theirs.experiment_id, theirs.lifecycle_stage)
    assert [list(one.search_runs([ours.experiment_id], RUNNING)) for one in both] == [[], []]
    run_id = local.get_model_version("demo", "2").run_id
    ours, theirs = (one.get_run(run_id).data.metrics for one in both)
    assert ours == pytest.approx(theirs, nan_ok=True)


def test_a_text_that_one_writes_the_other_reads(both, tmp_path):
    local, client = both
    run_id = client.get_model_version("demo", "1").run_id
    local.log_text(run_id, "ä", "notes/ours.txt")
    client.log_text(run_id, "ö", "notes/theirs.txt")
    assert Path(client.download_artifacts(run_id, "notes/ours.txt", str(tmp_path))).read_text(encoding="utf-8") == "ä"
    assert Path(local.download_artifacts(run_id, "notes/theirs.txt")).read_text(encoding="utf-8") == "ö"


def test_what_is_not_there_and_what_cannot_be_read_is_asked_of_mlflow(both, tmp_path):
    local, client = both
    asked = {
        "get_model_version": ("demo", "3"),
        "get_registered_model": ("nobody",),
        "get_experiment_by_name": ("nobody",),
        "search_model_versions": ("run_id = 'x'",),
        "get_run": (client.get_model_version("demo", "1").run_id,),
        "log_text": ("no run", "text", "file.txt"),
        "download_artifacts": (client.get_model_version("demo", "1").run_id, "gone.txt"),
        "search_runs": (["1"], "attributes.status = 'FAILED'"),
        "set_tag": ("run", "key", "value"),
    }
    heard = []
    known = SimpleNamespace(**{name: lambda *_, said=name: heard.append(said) or said for name in asked})
    local = LocalClient(tmp_path / "mlflow.db", lambda: known)
    for name, values in asked.items():
        getattr(local, name)(*values)
    assert heard == list(asked)
    client.create_run(client.get_experiment_by_name("demo").experiment_id)
    assert local.search_runs([client.get_experiment_by_name("demo").experiment_id], RUNNING) == "search_runs"
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as file, file:
        file.execute("ALTER TABLE model_versions RENAME TO versions_of_a_later_release")
    assert local.get_model_version("demo", "1") == "get_model_version"
