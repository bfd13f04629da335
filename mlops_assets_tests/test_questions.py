"""Questions to a forecast on the command line: explain, forecast. They write nothing."""

import json

import pytest
from click.testing import CliRunner

from mlops_assets.cli import main
from mlops_assets_tests.conftest import declare, panel


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Ask something of the small panel's forecast, in the local environment; fails if anything is written."""
    data = panel()
    promotion = (data["day"].dt.day % 9 == 0).astype(int)
    data = data.assign(promotion=promotion, sales=data["sales"] * (1 + 2 * promotion))
    declare(
        tmp_path / "forecasts", data, covariates={"known": ["promotion"], "past": ["rain"]}, partitions=UNTIL_MAY_20
    )
    for variable in ("MLOPS_ENV", "MLFLOW_TRACKING_URI", "MLOPS_NOW"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))

    def run(*arguments: str, code: int = 0):
        result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
        assert result.exit_code == code, result.output
        assert not (tmp_path / "data").exists()
        assert {path.name for path in (tmp_path / "forecasts").iterdir()} == {"demo.yaml", "sales.csv"}
        return json.loads(result.output) if "--json" in arguments else result.output

    return run


UNTIL_MAY_20 = {"kind": "daily", "start": "2024-03-01", "end": "2024-05-21"}


def test_explain_names_the_days_that_a_forecast_is_made_like(ask, tmp_path):
    said = ask("explain", "demo", "--item", "shop 1", "--timestamp", "2024-05-27", "--json", "--top", "5")
    assert (said["item_id"], said["origin"], said["timestamp"], said["lead"]) == (
        "shop 1",
        "2024-05-20",
        "2024-05-27",
        7,
    )
    assert said["values"]["q10"] <= said["values"]["q50"] <= said["values"]["q90"]
    assert len(said["like"]) == 5 <= said["rows"]
    assert all(day["timestamp"].endswith(("-09", "-18", "-27")) for day in said["like"])  # days of a promotion
    assert "random_forest fitted now" in said["model"]
    text = ask("explain", str(tmp_path / "forecasts" / "demo.yaml"), "--item", "shop 1", "--timestamp", "2024-05-27")
    assert "forecast like these days" in text


def test_explain_says_what_the_model_leans_on(ask):
    said = ask("explain", "demo", "--json")
    assert sum(row["importance"] for row in said["groups"]) == pytest.approx(1, abs=1e-3)
    assert said["permutation"][0]["group"] == "none"
    assert said["permutation"][1]["group"] == "covariates"


def test_a_forecast_of_the_past_is_explained_by_what_was_known(ask):
    arguments = ("--item", "shop 1", "--timestamp", "2024-05-11", "--origin", "2024-05-08")
    said = ask("explain", "demo", *arguments, "--json")
    assert said["lead"] == 3
    assert max(day["timestamp"] for day in said["like"]) <= "2024-05-08"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--item", "shop 9", "--timestamp", "2024-05-27"), "no item 'shop 9' in the data; there are 4, such as shop"),
        (("--item", "shop 1", "--timestamp", "2024-05-28"), "that reaches from 2024-05-21"),
        (("--item", "shop 1", "--timestamp", "tomorrow-ish"), "is not a timestamp"),
        (("--item", "shop 1"), "go together"),
        (("--item", "shop 1", "--timestamp", "2024-05-11", "--origin", "1999-01-01"), "is not within the data"),
    ],
)
def test_a_row_that_is_not_there_is_wrong_usage(ask, arguments, words):
    assert words in ask("explain", "demo", *arguments, code=2)


def test_a_wrong_file_is_wrong_usage(ask, tmp_path):
    assert "cannot be read" in ask("explain", str(tmp_path / "nowhere.yaml"), code=2)
