"""Questions to a forecast on the command line: explain, forecast. They write nothing."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from mlops_assets.analysis.what_if import Change
from mlops_assets.commands.main import main
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


def test_a_metric_that_zeros_leave_undefined_is_no_obstacle(ask, tmp_path):
    declare(tmp_path / "forecasts", panel(items=1).assign(sales=0.0), partitions=UNTIL_MAY_20)
    assert "wql of the backtest is not defined: all targets are zero" in ask("explain", "demo")


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


def test_a_change_of_a_known_covariate_moves_the_forecast(ask):
    base = ask("forecast", "demo", "--json")
    assert "changed" not in base["rows"][0]
    said = ask("forecast", "demo", "--set", "promotion=1", "--json")
    assert len(said["rows"]) == 4 * 7
    assert said["point"] == "q50"
    assert [row["q50"] for row in said["rows"]] == [row["q50"] for row in base["rows"]]
    for row in said["rows"]:
        promoted = row["timestamp"] == "2024-05-27"
        assert row["changed"] == row["changed_q50"]
        assert (row["changed"] > 1.5 * row["q50"]) != promoted
        assert row["difference"] == pytest.approx(row["changed"] - row["q50"], abs=1e-5)
    assert sum(row["difference"] for row in said["totals"]) > 0
    assert "as things stand" in ask("forecast", "demo", "--set", "promotion=1")


def test_a_file_of_known_covariates_is_for_all_items_or_for_those_it_names(ask, tmp_path):
    (tmp_path / "all.csv").write_text("day,promotion\n2024-05-22,1\n2024-05-23,\n")
    (tmp_path / "one.csv").write_text("shop,day,promotion\nshop 2,2024-05-22,1\n")
    for file, moved in (("all.csv", {"shop 0", "shop 1", "shop 2", "shop 3"}), ("one.csv", {"shop 2"})):
        said = ask("forecast", "demo", "--future", str(tmp_path / file), "--json")
        changed = [row for row in said["rows"] if abs(row["difference"]) > 1e-6]
        assert {row["timestamp"] for row in changed} == {"2024-05-22"}
        assert {row["item_id"] for row in changed} == moved


def test_who_gets_no_forecast_or_another_is_named_whatever_it_is_called(ask, tmp_path):
    shop_0, rest = panel(items=1), panel()
    gone = shop_0[shop_0["day"] < "2024-04-01"].assign(shop="gone [/]")
    new = shop_0[shop_0["day"].between("2024-05-19", "2024-05-20")].assign(shop="new [/b]")
    declare(tmp_path / "forecasts", pd.concat([rest, gone, new]), partitions=UNTIL_MAY_20)
    said = ask("forecast", "demo", "--json")
    assert said["left_out"] == ["gone [/]"]
    assert "1 items have hardly any history" in said["warnings"][0]
    assert "new [/b]" in said["warnings"][0]
    assert {row["item_id"] for row in said["rows"] if row["source"] == "fallback"} == {"new [/b]"}
    text = ask("forecast", "demo")
    assert "1 items are left out, nothing has been observed of them lately: gone [/]" in text
    assert "new [/b]" in text
    assert "no forecast, nothing has been observed of them lately: gone [/]" in ask("evaluate", "demo")


@pytest.mark.filterwarnings("default")
def test_what_is_unusual_is_said_in_words(ask, tmp_path):
    data = panel(items=1)
    data["promotion"] = data["rain"].where(data["day"] < "2024-05-21")
    declare(tmp_path / "forecasts", data, covariates={"known": ["promotion"]}, partitions=UNTIL_MAY_20)
    assert "\n! the known covariate 'promotion' is missing in every row" in "\n" + ask("forecast", "demo")


def test_values_that_no_row_ever_had_are_warned_of(ask):
    said = ask("forecast", "demo", "--set", "promotion=+4", "--item", "shop 1", "--json")
    assert {row["item_id"] for row in said["rows"]} == {"shop 1"}
    assert "outside 0 to 1" in said["warnings"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "rain=+5"), "'rain' is a past covariate"),
        (("--set", "snow=+5"), "Known ahead of time: promotion"),
        (("--set", "promotion"), "not NAME=CHANGE"),
        (("--set", "promotion=much"), "not NAME=CHANGE"),
        (("--future", "nowhere.csv"), "cannot be read"),
        (("--item", "shop 11"), "no item 'shop 11' in the data; there are 4, such as shop 1"),
    ],
)
def test_a_question_without_an_answer_is_wrong_usage(ask, arguments, words):
    assert words in ask("forecast", "demo", *arguments, code=2)


def test_a_file_that_does_not_fit_is_wrong_usage(ask, tmp_path):
    for text, words in {
        "date,promotion\n2024-05-22,1\n": "needed are day, some of promotion",
        "day,promotion\n2025-05-22,1\n": "has no value for the items over the horizon",
        "day,promotion\n2024-05-22,yes\n": "covariate_not_a_number (1)",
    }.items():
        (tmp_path / "future.csv").write_text(text)
        assert words in ask("forecast", "demo", "--future", str(tmp_path / "future.csv"), code=2)


@pytest.mark.parametrize(
    ("text", "value"),
    [("a=+5", 15), ("a=-5", 5), ("a=*0.5", 5), ("a=/4", 2.5), ("a=7", 7), ("a==-3", -3), ("a b=1e2", 100)],
)
def test_changes(text, value):
    assert Change.read(text).apply(pd.Series([10.0, 10.0])).tolist() == [value] * 2
