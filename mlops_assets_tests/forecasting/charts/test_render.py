"""Figures as bytes and as text: they stay small, and are the same each time."""

import base64
import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mlops_assets.forecasting import charts
from mlops_assets.forecasting.formatting import stamp
from mlops_assets_tests.forecasting.charts.figures import NAN, ORIGIN, empty, head, scores, size, titles

pytestmark = pytest.mark.pictures


def test_letters_that_the_font_lacks_are_drawn_without_a_warning(history, forecasts, recwarn):
    names = {"item_id": "日本 \n shop"}
    figure = charts.fan(history.assign(**names), forecasts.assign(**names, origin=ORIGIN))
    charts.to_png(figure)
    assert not recwarn
    assert titles(figure) == ["日本 shop"]
    assert head(figure)[0] == f"Forecasts from {stamp(ORIGIN)}"


def test_the_busiest_picture_is_small_and_the_same_each_time(observed, history, forecasts):
    actuals = observed[observed["timestamp"] > ORIGIN]
    first, second = (charts.to_png(charts.fan(history, forecasts, actuals)) for _ in range(2))
    assert size(first) == (840, 510)
    assert len(first) < 60_000
    assert first == second


def test_fewer_colours_are_not_seen(history, forecasts):
    figure = charts.fan(history, forecasts)
    reduced = Image.open(io.BytesIO(charts.to_png(figure))).convert("RGB")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    full = Image.open(buffer).convert("RGB")
    difference = np.abs(np.asarray(reduced, dtype=int) - np.asarray(full, dtype=int))
    assert difference.max() < 16


def test_markdown_image_holds_the_png():
    figure = EMPTY["importances"]()
    text = charts.markdown_image(figure, "importances [of\nthe forest]")
    start, encoded = text.removesuffix(")").split("(data:image/png;base64,")
    assert start == "![importances of the forest]"
    assert size(base64.b64decode(encoded)) == (840, 120)


@pytest.mark.process
def test_importing_it_does_not_import_matplotlib():
    code = "import sys, mlops_assets.forecasting.charts; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def svg(markdown: str) -> str:
    return base64.b64decode(markdown.removesuffix(")").split("base64,")[1]).decode()


@pytest.mark.parametrize("count", [1, 2, 40, 41, 365, 10_000])
def test_sparkline_is_short_enough_to_show_inline(count):
    values = np.random.default_rng(0).normal(size=count) * 1e6
    markdown = charts.sparkline(values, alt="wQL of the last year " * 20)
    assert len(markdown) < 1000
    assert markdown.startswith("![wQL of the last year")
    assert "\n" not in markdown


def test_sparkline_rises_leaves_gaps_and_marks_the_last_value():
    drawn = svg(charts.sparkline([1, 2, NAN, 4, NAN]))
    assert 'd="M3 21L32 15M88 3"' in drawn
    assert 'cx="88" cy="3"' in drawn


def test_sparkline_of_a_constant_is_level_and_of_one_value_a_dot():
    assert 'd="M3 12L60 12L117 12"' in svg(charts.sparkline([7, 7, 7]))
    assert 'cx="60" cy="12"' in svg(charts.sparkline(pd.Series([7])))


@pytest.mark.parametrize("values", [[], [NAN], [float("inf")]])
def test_sparkline_of_nothing_says_so(values):
    assert charts.sparkline(values) == "no values"


EMPTY = {
    "importances": lambda: charts.importances(empty("feature", "group", "importance")),
    "fan": lambda: charts.fan(
        empty("item_id", "timestamp", "target"), empty("item_id", "timestamp", "q10", "q50", "q90")
    ),
    "backtest_windows": lambda: charts.backtest_windows(scores(), "wql"),
    "error_by_lead": lambda: charts.error_by_lead(scores(forest=[NAN]), "wql"),
}


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_to_draw_is_said_in_the_picture(name):
    figure = EMPTY[name]()
    assert [text.get_text() for text in figure.texts] == ["nothing to show yet"]
    assert size(charts.to_png(figure))[0] == 840
