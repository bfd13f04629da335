"""show: one item's forecast, from the stored tables alone."""

import json
import sys

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.commands.rendering.outlook import bars


def test_it_shows_the_rows_the_interval_and_a_line_of_bars(call, stored_files):
    said = call("show", "demo", "--item", "shop 1").output
    assert said.startswith("shop 1 of demo: from 2024-03-04 by version 1, made 2024-03-05 06:00 UTC")
    rows = stored_files.reader.forecasts("shop 1")
    for row in rows.to_dict("records"):
        assert f"{row['timestamp']:%Y-%m-%d}" in said
        assert f"{row['q10']:.1f} to {row['q90']:.1f}" in said
    assert "█" in said
    assert "80% interval" in said


def test_as_of_and_origin_and_a_file(call, stored_files, tmp_path):
    early = call("show", "demo", "--item", "shop 1", "--as-of", "2024-03-04T12:00").output
    assert "from 2024-03-03 by version 1" in early
    file = tmp_path / "shop.csv"
    said = call("show", "demo", "--item", "shop 1", "--origin", "2024-03-02", "--csv", str(file)).output
    assert said.startswith("demo: 7 rows in ")
    assert set(pd.read_csv(file)["origin"]) == {"2024-03-02"}
    answer = json.loads(call("show", "demo", "--item", "shop 1", "--json").output)
    assert answer["rows"][0]["origin"] == "2024-03-04"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--item", "shop 7"], "there is no such item; there are 2, such as shop"),
        (["--item", "shop 1", "--origin", "2023-01-01"], "nothing was forecast from there"),
        (["--item", "shop 1", "--as-of", "2024-03-01"], "nothing had been forecast by then"),
        (["--item", "shop 1", "--as-of", "monday"], "as_of='monday' is not a moment"),
    ],
)
def test_what_cannot_be_shown_is_told(call, stored_files, arguments, words):
    result = call("show", "demo", *arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_bars_lie_between_two_ends():
    assert bars(np.array([0.0, 5.0, np.nan, 10.0]), 0, 10) == "▁▅ █"
    assert bars(np.array([3.0]), 3, 3) == "▁"


def test_neither_mlflow_nor_scikit_learn_is_loaded(call, stored_files, monkeypatch):
    for name in ("mlflow", "sklearn", "matplotlib"):
        monkeypatch.setitem(sys.modules, name, None)
    assert call("show", "demo", "--item", "shop 1").exit_code == 0


def test_no_instance_of_dagster_is_made_to_look(call, stored_files, monkeypatch):
    def made() -> None:
        raise AssertionError("an instance in memory, with all its migrations")

    monkeypatch.setattr(dg.DagsterInstance, "ephemeral", made)
    assert call("show", "demo", "--item", "shop 1").exit_code == 0
