"""The last screen of a round, from made facts: what it says, in which order, and that it tells the bad as it is."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.commands.rendering.closing import (
    Closing,
    Comparison,
    as_here,
    closing,
    command,
    next_commands,
    shows_dagster,
)
from mlops_assets.reading.outputs.outlook import Outlook
from mlops_assets.settings import Settings
from mlops_assets.tracking.links import Links

MODEL_PAGE = Links("http://127.0.0.1:5000").model("demo")
DAYS = pd.date_range("2024-01-01", periods=3)
TOLD = Closing(
    backtest=Comparison("wql", 0.072, 0.102),
    better_in=(3, 3),
    scored=Comparison("mase", 1.551, 1.444),
    scored_days=("2023-12-18", "2023-12-31"),
    holidays=["Christmas Day"],
    decided=["Version 1: promoted by gate; better than seasonal naive.", "Champion: version 1."],
    scores="Accuracy of 9 past forecasts: MASE 1.551.",
    made="4 items × 7 leads = 28 rows from 2023-12-31",
    item=Outlook(
        item="shop [1]",
        forecasts=pd.DataFrame({"timestamp": DAYS, "q10": [0.123456, 2, 3], "q50": [2.0, 3, 4], "q90": [3.0, 4, 5]}),
        history=pd.DataFrame({"target": np.array([1.0, 5.0])}),
        point="q50",
        interval=("q10", "q90"),
        share=0.8,
    ),
    places={"report": "http://r", "Dagster": "http://d", "MLflow": MODEL_PAGE},
    commands={"one": "first", "two": "second", "three": "third"},
)


def screen(told: Closing) -> str:
    from rich.text import Text

    return "\n".join(Text.from_markup(part).plain for part in closing(told))


def test_all_of_it_stands_in_order_on_one_screen():
    said = screen(TOLD)
    wanted = [
        "29% better than seasonal naive (wQL 0.072 against 0.102), and in 3 of 3 windows",
        "Version 1: promoted by gate",
        "28 rows",
        "the largest is shop [1], with its 80% interval",
        "█",
        "from 0.123 to 5; the first 2 are what was observed",
        "http://r",
        "http://d",
        "http://127.0.0.1:5000/#/models/demo?workflowType=machine_learning",
        *TOLD.commands,
    ]
    places = [said.index(words) for words in wanted]
    assert places == sorted(places)
    assert len(said.splitlines()) <= 24


def test_an_item_of_which_nothing_was_observed_just_before_is_said_so():
    assert TOLD.item is not None
    alone = replace(TOLD.item, history=TOLD.item.history.iloc[:0])
    assert "from 0.123 to 5; nothing was observed just before" in screen(replace(TOLD, item=alone))


def test_worse_is_said_with_the_holidays_and_better_needs_no_excuse():
    said = screen(TOLD)
    assert "of 2023-12-18 to 2023-12-31, scored since, are 7% worse than seasonal naive (MASE 1.551" in said
    assert "In those days: Christmas Day." in said
    assert "Christmas" not in screen(replace(TOLD, scored=Comparison("mase", 1.2, 1.444)))


@pytest.mark.parametrize(
    ("ours", "naive", "words"), [(1.0, 1.001, "as good as"), (0.0, 0.0, "as good as"), (2.0, 1.0, "100% worse than")]
)
def test_comparisons_in_words(ours: float, naive: float, words: str):
    assert str(Comparison("mase", ours, naive)).startswith(words)


def test_a_command_names_the_folders_that_the_environment_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MLOPS_FORECASTS", raising=False)
    monkeypatch.delenv("MLOPS_DATA", raising=False)
    assert as_here("make dev") == "make dev"
    monkeypatch.setenv("MLOPS_DATA", "/my data")
    assert as_here("make dev") == "MLOPS_DATA='/my data' make dev"


def test_what_is_not_there_is_left_out():
    said = screen(replace(TOLD, backtest=None, scored=None, scores="", item=None, places={}))
    assert "No forecast could be scored yet" in said
    assert "the largest is" not in said
    assert "backtest" not in said


def test_a_command_runs_as_printed(monkeypatch: pytest.MonkeyPatch):
    own = Path(sys.executable).with_name("mlops-assets")
    monkeypatch.setenv("PATH", str(own.parent))
    assert command("show", "a b") == "mlops-assets show 'a b'"
    monkeypatch.setenv("PATH", "/nowhere")
    printed = command("show").split()[0]
    assert shutil.which(printed)
    assert printed != "mlops-assets"


def test_on_servers_and_where_an_address_is_given_nobody_is_told_to_start_anything(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("MLOPS_DATA", "/somewhere")
    given = {"MLOPS_DATABASE_URL": "postgresql://host/name", "MLOPS_OBJECT_STORAGE": "s3://bucket"}
    production = {"MLOPS_ENV": "production", **given}
    ui = {"MLOPS_DAGSTER_UI": "https://dagster.example.com"}
    told = {}
    for name, variables in {"here": {}, "named": ui, "servers": production, "both": {**production, **ui}}.items():
        settings = Settings.read(variables)
        told[name] = (" ".join(next_commands("demo", settings, "shop [1]")), shows_dagster(settings))
    starts = {name: "mlops-assets dev" in said or "make dev" in said for name, (said, _) in told.items()}
    assert starts == {"here": True, "named": False, "servers": False, "both": False}
    assert {name: shown for name, (_, shown) in told.items()} == {**dict.fromkeys(told, True), "servers": False}
    assert all("status demo" in told[name][0] for name in ("named", "servers", "both"))
    folder = {name: "MLOPS_DATA=" in said for name, (said, _) in told.items()}
    assert folder == {"here": True, "named": True, "servers": False, "both": False}
