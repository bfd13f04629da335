"""From a table to a spec, and to a forecast, on the command line."""

import json

import pandas as pd
import pytest

from mlops_assets.spec import load_spec
from mlops_assets_tests.worlds import panel


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    panel(items=2)[["shop", "day", "sales"]].to_csv("sales.csv", index=False, sep=";", decimal=",")
    return tmp_path / "sales.csv"


def test_a_spec_is_written_and_the_command_that_is_printed_finds_it(call, table, tmp_path, monkeypatch):
    monkeypatch.delenv("MLOPS_FORECASTS")
    result = call("init", "sales.csv", "--horizon", "5")
    assert result.exit_code == 0, result.output
    assert "\n  mlops-assets run sales" in result.output
    spec = load_spec(tmp_path / "forecasts" / "sales.yaml")
    assert (spec.horizon, spec.columns.item_id, spec.source.decimal) == (5, ["shop"], ",")
    assert "sales" in call("list").output
    moved = call("init", "sales.csv", "--output", "elsewhere/sales.yaml")
    assert "MLOPS_FORECASTS=elsewhere mlops-assets run sales" in moved.output


def test_a_file_that_is_there_is_not_replaced_unasked(call, table):
    assert call("init", "sales.csv").exit_code == 0
    again = call("init", "sales.csv")
    assert again.exit_code == 2
    assert "--force replaces it" in again.output
    assert call("init", "sales.csv", "--force").exit_code == 0
    assert call("init", "sales.csv", "--name", "other").exit_code == 0


def test_init_answers_in_json(call, table):
    said = json.loads(call("init", "sales.csv", "--json").stdout)
    assert (said["forecast"], said["items"], said["frequency"]) == ("sales", 2, "D")
    assert said["spec"].startswith("# yaml-language-server")


def test_a_table_is_forecast_without_a_spec(call, table, tmp_path):
    before = sorted((tmp_path / "data").rglob("*"))
    result = call("forecast", "sales.csv", "--horizon", "3", "--save", "kept.yaml", "--csv", "rows.csv")
    assert result.exit_code == 0, result.output
    assert "error than repeating the season before" in result.output
    assert (tmp_path / "sales_forecast.png").read_bytes().startswith(b"\x89PNG")
    rows = pd.read_csv("rows.csv")
    assert len(rows) == 2 * 3
    assert (rows["q10"] <= rows["q50"]).all()
    assert load_spec(tmp_path / "kept.yaml").horizon == 3
    assert sorted((tmp_path / "data").rglob("*")) == before


def test_a_folder_is_a_table_unless_a_forecast_is_called_so(call, table, tmp_path):
    for name in ("shops", "demo"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sales.csv").write_bytes(table.read_bytes())
    result = call("forecast", "shops", "--horizon", "3")
    assert result.exit_code == 0, result.output
    assert "--horizon belongs to a table, and demo is none" in call("forecast", "demo", "--horizon", "3").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sales.csv", "--set", "price=*2"], "--set belongs to a spec"),
        (["sales.csv", "--origin", "2024-01-01"], "--origin belongs to a spec"),
        (["demo", "--horizon", "3"], "--horizon belongs to a table"),
        (["demo", "--save", "x.yaml"], "--save belongs to a table"),
        (["nothing.csv"], ": nothing.csv: no such file or folder\n"),
        (["sale.csv"], "did you mean sales.csv?"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(call, table, arguments, words):
    result = call("forecast", *arguments)
    assert result.exit_code in (1, 2)
    assert words in result.output


def test_a_new_project_is_told_with_what_to_do_next(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = call("new", "shop one", "--name", "shops")
    assert said.exit_code == 0, said.output
    assert "cd 'shop one'\n  mlops-assets run shop_sales\n  mlops-assets dev" in said.output
    answer = json.loads(call("new", "other", "--json").stdout)
    assert (answer["package"], answer["forecast"]) == ("other", "shop_sales")
