"""MLflow's SQLite file is made whole or not at all, whoever dies or comes at the same time."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from mlops_assets.tracking import local_database
from mlops_assets.tracking.errors import TrackingError
from mlops_assets.tracking.local_database import is_made
from mlops_assets.tracking.tracking import Tracking

PING = "import sys; from mlops_assets.tracking.tracking import Tracking; print(Tracking(uri=sys.argv[1]).ping())"
BARE = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments(max_results=1)"


def start(code: str, file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, f"sqlite:///{file}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def half(file: Path, empty: Path) -> None:
    """Make a database as a process leaves it that was killed while MLflow made its tables."""
    shutil.copy(empty, file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM experiments")
        connection.execute("DROP TABLE trace_info")
        connection.execute("UPDATE alembic_version SET version_num = 'acf3f17fdcc7'")
    file.with_name(file.name + "-journal").write_bytes(b"")


def grow_old(file: Path) -> None:
    os.utime(file, (time.time() - 60, time.time() - 60))


@pytest.mark.parametrize("left", ["half", "nothing"])
def test_what_a_killed_process_left_half_made_is_set_aside_and_made_anew(tmp_path, empty_mlflow, monkeypatch, left):
    file = tmp_path / "mlflow.db"
    if left == "half":
        half(file, empty_mlflow)
    else:
        file.write_bytes(b"")
    grow_old(file)
    monkeypatch.setattr(local_database, "_make", lambda new: shutil.copy(empty_mlflow, new))
    assert Tracking(uri=f"sqlite:///{file}").ping() == f"sqlite:///{file} answers, 0 registered models"
    assert (tmp_path / "mlflow.db.unfinished").exists()
    assert not (tmp_path / "mlflow.db-journal").exists()


def test_a_half_made_file_of_before_the_clock_was_set_back_is_not_waited_for(tmp_path, empty_mlflow, monkeypatch):
    file = tmp_path / "mlflow.db"
    half(file, empty_mlflow)
    os.utime(file, (time.time() + 7 * 86400, time.time() + 7 * 86400))
    monkeypatch.setattr(
        local_database.time, "sleep", lambda seconds: pytest.fail("waits until the clock is there again")
    )
    monkeypatch.setattr(local_database, "_make", lambda new: shutil.copy(empty_mlflow, new))
    local_database.ensure_made(file)
    assert is_made(file)
    assert (tmp_path / "mlflow.db.unfinished").exists()


def test_a_database_that_is_being_made_is_waited_for(tmp_path, empty_mlflow, monkeypatch):
    file = tmp_path / "mlflow.db"
    half(file, empty_mlflow)
    pauses = []

    def finish(seconds: float) -> None:
        pauses.append(seconds)
        shutil.copy(empty_mlflow, file)

    monkeypatch.setattr(local_database.time, "sleep", finish)
    local_database.ensure_made(file)
    assert len(pauses) == 1
    assert not (tmp_path / "mlflow.db.unfinished").exists()


def test_a_database_with_something_in_it_is_left_alone(tmp_path, empty_mlflow):
    file = tmp_path / "mlflow.db"
    shutil.copy(empty_mlflow, file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'acf3f17fdcc7'")
    grow_old(file)
    with pytest.raises(TrackingError, match="was written by another release of MLflow") as raised:
        Tracking(uri=f"sqlite:///{file}").ping()
    assert "mlflow db upgrade" in raised.value.message
    assert not (tmp_path / "mlflow.db.unfinished").exists()


def test_a_file_of_another_kind_is_named(tmp_path):
    file = tmp_path / "mlflow.db"
    file.write_text("these are notes on shops, and no database at all" * 50)
    with pytest.raises(TrackingError, match="is not a database of MLflow") as raised:
        Tracking(uri=f"sqlite:///{file}").ping()
    assert str(file) in raised.value.message


@pytest.mark.process
def test_a_first_run_that_is_killed_does_not_stop_the_next_and_two_at_once_both_work(tmp_path):
    file = tmp_path / "data" / "mlflow.db"
    killed = start(PING, file)
    new = file.with_name("mlflow.db.new")
    deadline = time.monotonic() + 90
    while not (new.exists() and new.stat().st_size):
        assert killed.poll() is None, killed.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not file.exists(), "what is not whole is not in its place"
    both = [start(PING, file), start(PING, file)]
    for process in both:
        said = process.communicate(timeout=120)[0]
        assert process.returncode == 0, said
        assert said.strip().endswith("answers, 0 registered models")
    assert is_made(file)
    assert sorted(path.name for path in file.parent.iterdir()) == ["mlflow.db", "mlflow.lock"]


def logged(folder: Path, text: str) -> mlflow.MlflowClient:
    """Log a run with a model's file, and register it, in the store of a folder."""
    tracking = Tracking(uri=f"sqlite:///{folder / 'mlflow.db'}", artifact_root=str(folder / "artifacts"))
    _, experiment = tracking.experiment("exp")
    client = mlflow.MlflowClient(tracking.uri)
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, text, "note.txt")
    model = client.create_logged_model(experiment, name="model", source_run_id=run.info.run_id)
    (folder / f"{text}.txt").write_text(text)
    client.log_model_artifact(model.model_id, str(folder / f"{text}.txt"))
    client.finalize_logged_model(model.model_id, "READY")
    if not client.search_registered_models():
        client.create_registered_model("exp")
    client.create_model_version("exp", model.artifact_location, run.info.run_id, model_id=model.model_id)
    return client


def everything(client: mlflow.MlflowClient) -> list[str]:
    """Return what the artifacts of all versions and of their runs hold, the oldest first."""
    versions = sorted(client.search_model_versions("name = 'exp'"), key=lambda one: int(one.version))
    notes = [mlflow.artifacts.load_text(f"runs:/{one.run_id}/note.txt") for one in versions]
    folders = [Path(mlflow.artifacts.download_artifacts(f"models:/exp/{one.version}")) for one in versions]
    return notes + [file.read_text() for folder in folders for file in sorted(folder.glob("*.txt"))]


@pytest.mark.parametrize("original", ["gone", "kept"])
def test_a_copied_folder_has_its_artifacts_and_leaves_the_original_alone(tmp_path, empty_mlflow, original):
    first, copy = tmp_path / "first" / "mlflow", tmp_path / "copy" / "mlflow"
    first.mkdir(parents=True)
    shutil.copy(empty_mlflow, first / "mlflow.db")
    logged(first, "one")
    shutil.copytree(first, copy)
    if original == "gone":
        shutil.rmtree(first)
    before = sorted(first.rglob("*"))
    assert everything(logged(copy, "two")) == ["one", "two"] * 2
    assert sorted(first.rglob("*")) == before
    with closing(sqlite3.connect(copy / "mlflow.db")) as connection:
        assert not [line for line in connection.iterdump() if str(first) in line and "INSERT INTO" in line]


def test_artifacts_elsewhere_stay_there(tmp_path, empty_mlflow):
    """An experiment that a person has put anywhere else, or whose folder is not beside the database, is not moved."""
    file, root = tmp_path / "mlflow.db", tmp_path / "artifacts"
    shutil.copy(empty_mlflow, file)
    client = mlflow.MlflowClient(f"sqlite:///{file}")
    for name, place in (("bucket", "s3://bucket/bucket"), ("far", "/far/artifacts/far"), ("own", "/far/else/own")):
        client.create_experiment(name, artifact_location=place)
    (root / "own").mkdir(parents=True)
    local_database.take_along(file, root)
    assert {one.name: one.artifact_location for one in client.search_experiments()}["far"] == "/far/artifacts/far"
    assert {one.name: one.artifact_location for one in client.search_experiments()}["own"] == "/far/else/own"
    assert {one.name: one.artifact_location for one in client.search_experiments()}["bucket"] == "s3://bucket/bucket"
