"""A forecast as things stand, and as it would be with other known covariates."""

import pandas as pd
import pytest
import yaml

from mlops_assets.analysis.what_if import Change, what_if
from mlops_assets.settings import Settings
from mlops_assets.spec import load_spec
from mlops_assets_tests.analysis.conftest import UNTIL_MAY_20
from mlops_assets_tests.worlds import declare, panel


def test_the_numbers_are_frames_and_plain_json(ask, tmp_path):
    spec, settings = load_spec(tmp_path / "forecasts" / "demo.yaml"), Settings.read()
    found = what_if(spec, settings, ["promotion=1"], items=["shop 1"])
    assert list(found.to_json()) == [
        "forecast", "model", "origin", "point", "changes", "warnings", "left_out", "totals", "rows",
    ]  # fmt: skip
    values = ["mean", "q10", "q50", "q90"]
    columns = ["item_id", "timestamp", "lead", *values, "source", *(f"changed_{name}" for name in values)]
    assert list(found.to_frame()) == list(found.to_json()["rows"][0])
    assert set(found.to_frame()) == {*columns, "changed", "difference"}
    assert list(found.to_json()["totals"][0]) == ["timestamp", "q50", "changed", "difference"]
    assert found.to_frame()["q50"].round(6).tolist() == [row["q50"] for row in found.to_json()["rows"]]
    assert str(found.origin.date()) == found.to_json()["origin"] == "2024-05-20"


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
    alone = ask("forecast", "demo", "--item", said["rows"][0]["item_id"])
    assert all(name in alone for name in ("q10", "q90", "2024-05-21", "2024-05-27")), "one item is shown day by day"


def test_a_model_that_looks_at_no_covariates_says_so(ask, tmp_path):
    file = tmp_path / "forecasts" / "demo.yaml"
    fields = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**fields, "model": {"kind": "seasonal_naive"}}))
    said = ask("forecast", "demo", "--set", "promotion=1", "--json")
    assert {row["difference"] for row in said["rows"]} == {0}
    assert "seasonal_naive looks at no covariates" in " ".join(said["warnings"])
    assert "seasonal_naive fitted now" in said["model"]


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
