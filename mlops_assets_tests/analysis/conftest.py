"""A forecast to ask something of."""

import json

import pytest
from click.testing import CliRunner

from mlops_assets.commands.main import main
from mlops_assets_tests.worlds import declare, panel

UNTIL_MAY_20 = {"kind": "daily", "start": "2024-03-01", "end": "2024-05-21"}


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Ask something of the small panel's forecast, in the local environment; fails if anything is written."""
    data = panel()
    promotion = (data["day"].dt.day % 9 == 0).astype(int)
    data = data.assign(promotion=promotion, sales=data["sales"] * (1 + 2 * promotion))
    declare(
        tmp_path / "forecasts", data, covariates={"known": ["promotion"], "past": ["rain"]}, partitions=UNTIL_MAY_20
    )
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))

    def run(*arguments: str, code: int = 0):
        result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
        assert result.exit_code == code, result.output
        assert not (tmp_path / "data").exists()
        assert {path.name for path in (tmp_path / "forecasts").iterdir()} == {"demo.yaml", "sales.csv"}
        if "--json" not in arguments:
            return result.output
        (line,) = result.stdout.splitlines()
        return json.loads(line)

    return run
