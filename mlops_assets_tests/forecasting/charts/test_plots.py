"""The pictures: what they show, that nothing sane breaks them, and that they stay small."""

import base64
import io
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import date2num
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation
from PIL import Image

from mlops_assets.forecasting.charts import plots
from mlops_assets.forecasting.charts import style as look
from mlops_assets.forecasting.model.calendar import holiday_names
from mlops_assets.forecasting.monitoring.change import PARTS

pytestmark = pytest.mark.pictures

EXAMPLE = Path(plots.__file__).parents[1] / "forecasts" / "nyc_departures.csv"
ORIGIN = pd.Timestamp("2013-11-24")
NAN = float("nan")


@pytest.fixture(scope="module")
def observed() -> pd.DataFrame:
    table = pd.read_csv(EXAMPLE, parse_dates=["date"])
    item = table["origin"] + "/" + table["carrier"]
    return pd.DataFrame({"item_id": item, "timestamp": table["date"], "target": table["departures"]})


@pytest.fixture(scope="module")
def history(observed) -> pd.DataFrame:
    return observed[observed["timestamp"] <= ORIGIN]


@pytest.fixture(scope="module")
def forecasts(observed) -> pd.DataFrame:
    """Last week's values, which is enough of a forecast to draw."""
    future = observed[observed["timestamp"].between(ORIGIN - pd.Timedelta(days=13), ORIGIN)].copy()
    future["timestamp"] += pd.Timedelta(days=14)
    spread = {"q10": -5.0, "q25": -2.0, "q50": 0.0, "q75": 2.0, "q90": 5.0}
    return future.assign(**{name: future["target"] + add for name, add in spread.items()}, mean=future["target"])


def scores(metric: str = "wql", **by_model: list[float]) -> pd.DataFrame:
    rows = [(model, i + 1, i + 1, value) for model, values in by_model.items() for i, value in enumerate(values)]
    return pd.DataFrame(rows, columns=pd.Index(["model", "window", "lead", metric]))


def empty(*columns: str) -> pd.DataFrame:
    return pd.DataFrame(columns=pd.Index(columns))


def titles(figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def head(figure) -> tuple[str, list[str]]:
    (legend,) = figure.legends
    return legend.get_title().get_text(), [text.get_text() for text in legend.get_texts()]


def notes(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def line(figure, colour: str, panel: int = 0) -> np.ndarray:
    drawn = [each for each in figure.axes[panel].lines if each.get_color() == colour]
    return np.asarray(drawn[0].get_ydata(), dtype=float)


def size(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


# --- importances


def test_importances_are_ranked_cut_and_summed_by_group():
    frame = pd.DataFrame(
        {"feature": ["a", "b", "c", "d"], "group": ["x", "y", "x", "y"], "importance": [0.1, 0.6, 0.3, NAN]}
    )
    figure = plots.importances(frame, top=2)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "c"]
    widths = [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)]
    assert widths == [0.6, 0.3]
    assert "1 more feature not shown" in axes.get_xlabel()
    assert head(figure) == ("Feature importances", ["y  60 %", "x  40 %"])


def test_long_names_lose_their_middle_and_keep_both_ends():
    name = "warehouse_north_east_" + "x" * 60 + "_lag_364"
    figure = plots.importances(pd.DataFrame({"feature": [name], "group": ["lag"], "importance": [1.0]}))
    (label,) = figure.axes[0].get_yticklabels()
    assert len(label.get_text()) == 34
    assert label.get_text().startswith("warehouse_north")
    assert label.get_text().endswith("_lag_364")


# --- fan


def test_fan_shows_the_largest_items_and_says_how_many_there_are(history, forecasts):
    figure = plots.fan(history, forecasts)
    largest = history.groupby("item_id")["target"].sum().nlargest(6).index.tolist()
    assert titles(figure) == largest
    assert head(figure)[0] == "Forecasts from 2013-11-25: 6 of 34 items"


def test_fan_draws_the_items_asked_for_with_what_came(observed, history, forecasts):
    actuals = observed[observed["timestamp"] > ORIGIN]
    figure = plots.fan(history, forecasts, actuals, items=["JFK/HA", "EWR/UA"], point="mean")
    assert titles(figure) == ["JFK/HA", "EWR/UA"]
    assert head(figure)[1] == ["observed", "forecast (mean)", "80 % interval", "50 % interval", "what came"]
    came = actuals.loc[actuals["item_id"] == "EWR/UA", "target"]
    np.testing.assert_array_equal(line(figure, look.ORANGE, panel=1), came)
    expected = forecasts.loc[forecasts["item_id"] == "EWR/UA", "mean"]
    np.testing.assert_array_equal(line(figure, look.BLUE, panel=1), expected)


def test_fan_shows_as_much_history_as_asked(history, forecasts):
    figure = plots.fan(history, forecasts, items=["EWR/UA"], context=2)
    assert len(line(figure, look.MUTED)) == 28


def test_fan_leaves_gaps_and_shows_a_value_between_two_gaps(history, forecasts):
    holed = history[history["item_id"] == "EWR/UA"].assign(target=lambda rows: rows["target"].astype(float))
    holed.iloc[[-10, -8, -5], holed.columns.get_loc("target")] = NAN
    figure = plots.fan(holed, forecasts, items=["EWR/UA"])
    curve, dots = (each for each in figure.axes[0].lines if each.get_color() == look.MUTED)
    assert np.isnan(np.asarray(curve.get_ydata(), dtype=float)).sum() == 3
    assert np.asarray(dots.get_ydata()).tolist() == [holed["target"].iloc[-9]]


def test_fan_of_one_lead_of_a_new_item_and_of_a_constant(history, forecasts):
    first = forecasts["timestamp"] == ORIGIN + pd.Timedelta(days=1)
    one = forecasts.loc[first, ["item_id", "timestamp", "q50"]]
    new = one.head(1).assign(item_id="new")
    figure = plots.fan(history, pd.concat([one, new]), items=["EWR/UA", "JFK/HA", "new"])
    low, high = figure.axes[1].get_ylim()
    assert (low, high) == (0, 2)
    assert size(plots.to_png(figure))[0] == 840


def test_fan_takes_item_names_that_look_like_formulas(history, forecasts):
    named = forecasts.assign(item_id=r"$\frac$")
    assert size(plots.to_png(plots.fan(history, named.drop_duplicates("timestamp")))) == (840, 350)


def test_fan_of_items_without_any_history(forecasts):
    figure = plots.fan(empty("item_id", "timestamp", "target"), forecasts, items=["EWR/UA"])
    assert len(line(figure, look.BLUE)) == 14
    assert size(plots.to_png(figure)) == (840, 350)


def test_fan_understands_fractional_quantiles_and_one_without_partner():
    assert plots._bands(["item_id", "q97_5", "q2_5", "q50", "mean"]) == [("q2_5", "q97_5", pytest.approx(0.95))]
    assert plots._bands(["q50"]) == []


def test_large_numbers_are_written_short():
    written = [look.compact(value) for value in (0.25, 1200, 25_000, 1_800_000, 3e9, -2_500_000)]
    assert written == ["0.25", "1200", "25k", "1.8M", "3G", "-2.5M"]


# --- scores


def test_windows_say_how_far_the_forest_is_from_seasonal_naive():
    frame = scores(random_forest=[0.06, 0.11, NAN], seasonal_naive=[0.08, 0.10, 0.1])
    figure = plots.backtest_windows(frame, "wql")
    assert head(figure) == ("Backtest: wQL per window", ["seasonal naive", "random forest"])
    assert notes(figure) == ["against\nseasonal naive", "−25 %", "+10 %"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["1", "2", "3"]
    assert figure.axes[0].get_xlim()[0] == 0


def test_windows_of_three_models_have_no_margin():
    figure = plots.backtest_windows(scores(a=[1.0], b=[2.0], seasonal_naive=[3.0]), "wql")
    assert notes(figure) == []


def test_windows_may_be_named_by_their_origin():
    frame = scores(random_forest=[0.06], seasonal_naive=[0.08]).assign(window=ORIGIN)
    (label,) = plots.backtest_windows(frame, "wql").axes[0].get_yticklabels()
    assert label.get_text() == "2013-11-24"


def test_error_by_lead_has_one_line_per_model_from_zero():
    figure = plots.error_by_lead(scores("wape", forest=[0.1, 0.2, 0.3], seasonal_naive=[0.4, NAN, 0.6]), "wape")
    np.testing.assert_array_equal(line(figure, look.GREY), [0.4, NAN, 0.6])
    np.testing.assert_array_equal(line(figure, look.BLUE), [0.1, 0.2, 0.3])
    assert figure.axes[0].get_ylim()[0] == 0
    assert head(figure)[0] == "WAPE by lead"


def test_one_lead_gets_a_whole_tick():
    figure = plots.error_by_lead(scores(forest=[0.1]), "wql")
    plots.to_png(figure)
    low, high = figure.axes[0].get_xlim()
    assert [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high] == [1]


# --- accuracy


def test_accuracy_marks_what_exceeds_the_threshold():
    days = pd.date_range("2013-01-01", periods=5)
    frame = pd.DataFrame({"timestamp": days[::-1], "wql": [0.1, 0.3, NAN, 0.4, 0.25]})
    figure = plots.accuracy_over_time(frame, "wql", threshold=0.25)
    assert head(figure)[1] == ["threshold 0.25, exceeded 2×"]
    np.testing.assert_array_equal(line(figure, look.BLUE), [0.25, 0.4, NAN, 0.3, 0.1])
    np.testing.assert_array_equal(line(figure, look.ORANGE), [NAN, 0.4, NAN, 0.3, NAN])


def test_accuracy_shows_events_in_range_and_moves_crowded_labels_down():
    frame = pd.DataFrame({"timestamp": pd.date_range("2013-01-01", periods=100), "wql": 0.2})
    events = pd.DataFrame(
        {
            "timestamp": pd.to_datetime(["2013-03-03", "2013-01-05", "2013-03-01", "2012-01-01"]),
            "label": ["version 3", "version 1", "version 2", "before"],
        }
    )
    figure = plots.accuracy_over_time(frame, "wql", events=events)
    assert notes(figure) == ["version 1", "version 2", "version 3"]
    labels = figure.axes[0].findobj(Annotation)
    x, heights = zip(*(label.xy for label in labels if isinstance(label, Annotation)), strict=True)
    assert x == tuple(date2num(pd.to_datetime(["2013-01-05", "2013-03-01", "2013-03-03"])))
    assert heights[0] == heights[1] > heights[2]


def test_a_holiday_is_a_shaded_span_and_its_label_stays_inside():
    frame = pd.DataFrame({"timestamp": pd.date_range("2013-10-01", "2013-12-31"), "wql": 0.2, "coverage": 0.8})
    days = holiday_names("US", pd.Timestamp("2013-10-01"), pd.Timestamp("2013-12-31"))
    assert days["label"].tolist() == ["Columbus Day", "Veterans Day", "Thanksgiving Day", "Christmas Day"]
    for draw in (
        plots.accuracy_over_time(frame, "wql", events=days),
        plots.coverage_over_time(frame, 0.8, events=days),
    ):
        assert notes(draw) == days["label"].tolist()
        plots.to_png(draw)
        canvas = draw.get_window_extent()
        for label in draw.axes[0].findobj(Annotation):
            box = label.get_window_extent()
            assert canvas.x0 <= box.x0 < box.x1 <= canvas.x1


def test_a_telephone_gets_its_own_picture_as_large_in_its_letters(history, forecasts):
    wide = plots.fan(history, forecasts, max_items=4)
    with look.narrow():
        narrow = plots.fan(history, forecasts, max_items=4)
    again = plots.fan(history, forecasts, max_items=4)
    assert wide.get_figwidth() == again.get_figwidth() == look.WIDE
    assert narrow.get_figwidth() == look.NARROW
    assert narrow.get_figheight() > wide.get_figheight()
    sizes = [{label.get_fontsize() for label in figure.axes[0].get_yticklabels()} for figure in (wide, narrow)]
    assert sizes[0] == sizes[1]


def test_ten_days_on_a_telephone_have_dates_below_and_no_time_of_day():
    days = pd.date_range("2024-04-11", periods=10)
    with look.narrow():
        figure = plots.accuracy_over_time(pd.DataFrame({"timestamp": days, "wql": 0.1}), "wql")
    plots.to_png(figure)
    shown = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert len(shown) > 1
    assert all("Apr" in text for text in shown)


def test_a_telephone_gets_short_names_of_items(history, forecasts):
    names = {"item_id": "x" * 200}
    with look.narrow():
        figure = plots.fan(history.assign(**names), forecasts.assign(**names))
    assert [len(title) for title in titles(figure)] == [40]


def test_letters_that_the_font_lacks_are_drawn_without_a_warning(history, forecasts, recwarn):
    names = {"item_id": "日本 \n shop"}
    figure = plots.fan(history.assign(**names), forecasts.assign(**names, origin=ORIGIN))
    plots.to_png(figure)
    plots.to_svg(figure, "fan")
    assert not recwarn
    assert titles(figure) == ["日本 shop"]
    assert head(figure)[0] == f"Forecasts from {look.date_label(ORIGIN)}"


def test_a_page_gets_its_own_colours_and_no_script(history, forecasts):
    svg = plots.to_svg(plots.fan(history, forecasts, max_items=2), 'a "fan" <of> items')
    element = ElementTree.fromstring(svg)
    assert element.get("aria-label") == 'a "fan" <of> items'
    assert {"var(--ink)", "var(--blue)", "var(--paper)"} <= set(re.findall(r"var\(--\w+\)", svg))
    assert look.INK not in svg
    assert "<script" not in svg
    assert len(svg) < 120_000


# --- all of them

# --- the change of a forecast


def change(**parts: list[float]) -> pd.DataFrame:
    """One row per item, as `forecast_change` has it; items named a, b, ..."""
    known = {name: parts.get(name, [0.0] * len(parts["new_data"])) for name in PARTS}
    frame = pd.DataFrame({"item_id": list("abcdefghijkl")[: len(parts["new_data"])], "previous": 100.0, **known})
    frame["change"] = frame[list(PARTS)].sum(axis=1, min_count=1)
    frame["current"] = frame["previous"] + frame["change"]
    return frame.assign(origin=ORIGIN, previous_origin=ORIGIN - pd.Timedelta(days=1), steps=13)


def test_the_bridge_leads_from_one_sum_to_the_other():
    figure = plots.change_bridge(change(new_data=[8.0, -2.0, 0.0], new_model=[1.0, 40.0, 0.0]))
    assert head(figure) == ("Why the forecast changed", ["revised history", "new data", "new model", "all of it"])
    assert notes(figure) == ["+0", "+6", "+41", "300", "347"]
    ticks = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert ticks == ["from 2013-11-23", "revised history", "new data", "new model", "from 2013-11-24"]
    assert titles(figure) == ["sum of all items over 13 timestamps", "items that changed most: 2 of 3"]
    assert [text.get_text() for text in figure.axes[1].get_yticklabels()] == ["b", "a"]
    assert len(plots.to_png(figure)) < 30_000


def test_an_undivided_change_is_one_step():
    frame = change(new_data=[8.0, -2.0]).assign(**dict.fromkeys(PARTS, NAN))
    figure = plots.change_bridge(frame)
    assert head(figure)[1] == ["change, undivided", "all of it"]
    assert notes(figure) == ["+6.0", "200.0", "206.0"]


EMPTY = {
    "change_bridge": lambda: plots.change_bridge(empty("item_id", "change")),
    "importances": lambda: plots.importances(empty("feature", "group", "importance")),
    "fan": lambda: plots.fan(
        empty("item_id", "timestamp", "target"), empty("item_id", "timestamp", "q10", "q50", "q90")
    ),
    "backtest_windows": lambda: plots.backtest_windows(scores(), "wql"),
    "error_by_lead": lambda: plots.error_by_lead(scores(forest=[NAN]), "wql"),
    "accuracy_over_time": lambda: plots.accuracy_over_time(empty("timestamp", "wql"), "wql", threshold=0.2),
}


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_to_draw_is_said_in_the_picture(name):
    figure = EMPTY[name]()
    assert [text.get_text() for text in figure.texts] == ["nothing to show yet"]
    assert size(plots.to_png(figure))[0] == 840


def test_the_busiest_picture_is_small_and_the_same_each_time(observed, history, forecasts):
    actuals = observed[observed["timestamp"] > ORIGIN]
    first, second = (plots.to_png(plots.fan(history, forecasts, actuals)) for _ in range(2))
    assert size(first) == (840, 510)
    assert len(first) < 60_000
    assert first == second


def test_fewer_colours_are_not_seen(history, forecasts):
    figure = plots.fan(history, forecasts)
    reduced = Image.open(io.BytesIO(plots.to_png(figure))).convert("RGB")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    full = Image.open(buffer).convert("RGB")
    difference = np.abs(np.asarray(reduced, dtype=int) - np.asarray(full, dtype=int))
    assert difference.max() < 16


def test_markdown_image_holds_the_png():
    figure = EMPTY["importances"]()
    text = plots.markdown_image(figure, "importances [of\nthe forest]")
    start, encoded = text.removesuffix(")").split("(data:image/png;base64,")
    assert start == "![importances of the forest]"
    assert size(base64.b64decode(encoded)) == (840, 120)


@pytest.mark.process
def test_importing_it_does_not_import_matplotlib():
    code = "import sys, mlops_assets.forecasting.charts.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- sparkline


def svg(markdown: str) -> str:
    return base64.b64decode(markdown.removesuffix(")").split("base64,")[1]).decode()


@pytest.mark.parametrize("count", [1, 2, 40, 41, 365, 10_000])
def test_sparkline_is_short_enough_to_show_inline(count):
    values = np.random.default_rng(0).normal(size=count) * 1e6
    markdown = plots.sparkline(values, alt="wQL of the last year " * 20)
    assert len(markdown) < 1000
    assert markdown.startswith("![wQL of the last year")
    assert "\n" not in markdown


def test_sparkline_rises_leaves_gaps_and_marks_the_last_value():
    drawn = svg(plots.sparkline([1, 2, NAN, 4, NAN]))
    assert 'd="M3 21L32 15M88 3"' in drawn
    assert 'cx="88" cy="3"' in drawn


def test_sparkline_of_a_constant_is_level_and_of_one_value_a_dot():
    assert 'd="M3 12L60 12L117 12"' in svg(plots.sparkline([7, 7, 7]))
    assert 'cx="60" cy="12"' in svg(plots.sparkline(pd.Series([7])))


@pytest.mark.parametrize("values", [[], [NAN], [float("inf")]])
def test_sparkline_of_nothing_says_so(values):
    assert plots.sparkline(values) == "no values"
