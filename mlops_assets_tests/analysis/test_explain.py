"""What a model leans on, and what one forecast is made like."""

import pytest

from mlops_assets.analysis.explain import explain_model, explain_row
from mlops_assets.settings import Settings
from mlops_assets.spec import load_spec
from mlops_assets_tests.analysis.conftest import UNTIL_MAY_20
from mlops_assets_tests.worlds import declare, panel


def test_the_numbers_are_frames_and_plain_json(ask, tmp_path):
    spec, settings = load_spec(tmp_path / "forecasts" / "demo.yaml"), Settings.read()
    row = explain_row(spec, settings, "shop 1", "2024-05-27", top=3)
    assert list(row.to_json()) == [
        "forecast", "model", "item_id", "origin", "timestamp", "lead", "values", "groups", "features", "rows", "like",
    ]  # fmt: skip
    assert list(row.to_json()["values"]) == ["mean", "q10", "q50", "q90"]
    assert list(row.to_frame()) == ["item_id", "origin", "timestamp", "lead", "target", "weight", "outcome"]
    assert row.to_frame()["weight"].round(6).tolist() == [day["weight"] for day in row.to_json()["like"]]
    model = explain_model(spec, settings)
    assert list(model.to_json()) == ["forecast", "model", "groups", "features", "metric", "permutation"]
    assert list(model.to_frame()) == ["feature", "group", "importance"]
    assert list(model.to_json()["permutation"][0]) == ["group", "wql", "worse", "share"]


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


def test_several_models_are_explained_by_their_weights(ask, tmp_path):
    kind = "mlops_assets_tests.forecasting.model.kinds.simple"
    model = {"kind": "ensemble", "members": [f"{kind}.High", f"{kind}.Low"]}
    declare(tmp_path / "forecasts", panel(items=3), partitions=UNTIL_MAY_20, model=model)
    said = ask("explain", "demo", "--json")
    assert [row["member"] for row in said["members"]] == [f"{kind}.High", f"{kind}.Low", "ensemble"]
    assert sum(row["weight"] for row in said["members"][:2]) == pytest.approx(1)
    assert said["reasons"][0] in ask("explain", "demo").replace("\n", "")
    row = ask("explain", "demo", "--item", "shop 1", "--timestamp", "2024-05-27", "--json")
    mean = sum(member["weight"] * member["mean"] for member in row["members"])
    assert row["values"]["mean"] == pytest.approx(mean, rel=1e-4)
    assert "is not forecast" in ask("explain", "demo", "--item", "shop 1", "--timestamp", "2025-05-27", code=2)
