"""Fixtures of all tests: a clean environment, pictures that cost nothing, worlds to run a forecast in (`worlds.py`)."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import settings

from mlops_assets_tests.channels import Hook, Inbox
from mlops_assets_tests.foreign_package import installed
from mlops_assets_tests.worlds import HISTORY, World, declare, sandbox

# An example may take as long as a busy machine makes it.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SLOW_FILES = (
    *("test_contract.py", "test_evolution.py", "test_turns.py", "test_changing.py", "test_new_metric.py"),
    *("test_fidelity.py", "test_sensors.py", "test_lifecycle.py", "test_round.py", "test_logged_model.py"),
    *("test_report.py", "test_gate.py", "test_reingest.py", "test_advice.py", "test_staging.py", "test_crashes.py"),
    *("test_rounds.py", "test_dask.py", "test_chaos.py", "test_statements.py", "test_foreign_life.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.path.name not in SLOW_FILES)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take our variables out of the environment: what the user has set, and the address that MLflow itself sets."""
    for name in list(os.environ):
        if name == "MLFLOW_TRACKING_URI" or (name.startswith("MLOPS_") and not name.startswith("MLOPS_TEST_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def disk() -> Iterator[None]:
    """Let nothing wait for the disk, which is half of a small round: tests kill processes, not machines."""
    from sqlalchemy import event
    from sqlalchemy.pool import Pool

    def relax(connection: Any, record: Any, _: Any) -> None:
        if isinstance(connection, sqlite3.Connection) and "relaxed" not in record.info:
            connection.execute("PRAGMA synchronous=OFF")
            record.info["relaxed"] = True  # once for each connection, before its first transaction

    event.listen(Pool, "checkout", relax)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield
    event.remove(Pool, "checkout", relax)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let steps that meet a server which does not answer be tried again as often as ever, but at once."""
    monkeypatch.setattr("mlops_assets.resources.patience.FIRST_WAIT", 0.01)


@pytest.fixture(scope="session", autouse=True)
def renderer() -> Iterator[Any]:
    """Draw pictures but render none, which is a third of a small training; return what renders them."""
    from mlops_assets.forecasting.charts import render

    real = render.to_png
    render.to_png = lambda figure, dpi=100: b"\x89PNG\r\n\x1a\n"
    yield real
    render.to_png = real


@pytest.fixture(autouse=True)
def pictures(request: pytest.FixtureRequest, renderer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Render pictures in a test that is marked so (fixtures of its module aside)."""
    if request.node.get_closest_marker("pictures") is not None:
        monkeypatch.setattr("mlops_assets.forecasting.charts.render.to_png", renderer)


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables and nothing in it: making one costs seconds, copying it nothing."""
    from mlops_assets.tracking.tracking import Tracking

    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    Tracking(uri=f"sqlite:///{file}").ping()
    return file


@pytest.fixture
def world(tmp_path: Path, empty_mlflow: Path) -> Callable[..., World]:
    """Make a `World`; keyword arguments replace fields of the spec."""

    def make(data: pd.DataFrame | None = None, **changes: Any) -> World:
        return World(declare(tmp_path / "forecasts", data, **changes), sandbox(tmp_path, empty_mlflow))

    return make


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> World:
    """A world with a champion, trained until the end of `HISTORY`, shared by the tests of a file."""
    folder = tmp_path_factory.mktemp("trained")
    made = World(declare(folder / "forecasts"), sandbox(folder, empty_mlflow))
    made.run("observations", "quarantine", partition=HISTORY)
    made.train()
    return made


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A web hook on this machine."""
    made = Hook()
    yield made
    made.stop()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A mail server on this machine."""
    made = Inbox()
    yield made
    made.stop()


@pytest.fixture
def acme() -> Iterator[None]:
    """Install a package of somebody else, entry points and all, for a test."""
    with installed():
        yield
