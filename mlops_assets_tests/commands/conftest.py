"""A command line over a sandbox, for the tests of commands."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlops_assets.commands.main import main
from mlops_assets_tests.worlds import declare, sandbox


@pytest.fixture
def call(tmp_path: Path, empty_mlflow: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Call the command line over a sandbox with the small panel, in the local environment."""
    sandbox(tmp_path, empty_mlflow)
    declare(tmp_path / "forecasts")
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "data" / "dagster"))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments), catch_exceptions=False)

    return run
