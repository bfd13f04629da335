"""Pictures of forecasts: what they show, and that nothing sane breaks them."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting import charts
from mlops_assets.forecasting.charts import style
from mlops_assets.forecasting.charts.forecasts import intervals
from mlops_assets.forecasting.monitoring.change import PARTS
from mlops_assets_tests.forecasting.charts.figures import NAN, ORIGIN, empty, head, line, notes, size, titles

pytestmark = pytest.mark.pictures


def test_fan_shows_the_largest_items_and_says_how_many_there_are(history, forecasts):
    figure = charts.fan(history, forecasts)
    largest = history.groupby("item_id")["target"].sum().nlargest(6).index.tolist()
    assert titles(figure) == largest
    assert head(figure)[0] == "Forecasts from 2013-11-25: 6 of 34 items"


def test_fan_draws_the_items_asked_for_with_what_came(observed, history, forecasts):
    actuals = observed[observed["timestamp"] > ORIGIN]
    figure = charts.fan(history, forecasts, actuals, items=["JFK/HA", "EWR/UA"], point="mean")
    assert titles(figure) == ["JFK/HA", "EWR/UA"]
    assert head(figure)[1] == ["observed", "forecast (mean)", "80 % interval", "50 % interval", "what came"]
    came = actuals.loc[actuals["item_id"] == "EWR/UA", "target"]
    np.testing.assert_array_equal(line(figure, style.ORANGE, panel=1), came)
    expected = forecasts.loc[forecasts["item_id"] == "EWR/UA", "mean"]
    np.testing.assert_array_equal(line(figure, style.BLUE, panel=1), expected)


def test_fan_shows_as_much_history_as_asked(history, forecasts):
    figure = charts.fan(history, forecasts, items=["EWR/UA"], context=2)
    assert len(line(figure, style.MUTED)) == 28


def test_fan_leaves_gaps_and_shows_a_value_between_two_gaps(history, forecasts):
    holed = history[history["item_id"] == "EWR/UA"].assign(target=lambda rows: rows["target"].astype(float))
    holed.iloc[[-10, -8, -5], holed.columns.get_loc("target")] = NAN
    figure = charts.fan(holed, forecasts, items=["EWR/UA"])
    curve, dots = (each for each in figure.axes[0].lines if each.get_color() == style.MUTED)
    assert np.isnan(np.asarray(curve.get_ydata(), dtype=float)).sum() == 3
    assert np.asarray(dots.get_ydata()).tolist() == [holed["target"].iloc[-9]]


def test_fan_of_one_lead_of_a_new_item_and_of_a_constant(history, forecasts):
    first = forecasts["timestamp"] == ORIGIN + pd.Timedelta(days=1)
    one = forecasts.loc[first, ["item_id", "timestamp", "q50"]]
    new = one.head(1).assign(item_id="new")
    figure = charts.fan(history, pd.concat([one, new]), items=["EWR/UA", "JFK/HA", "new"])
    low, high = figure.axes[1].get_ylim()
    assert (low, high) == (0, 2)
    assert size(charts.to_png(figure))[0] == 840


def test_fan_takes_item_names_that_look_like_formulas(history, forecasts):
    named = forecasts.assign(item_id=r"$\frac$")
    assert size(charts.to_png(charts.fan(history, named.drop_duplicates("timestamp")))) == (840, 350)


def test_fan_of_items_without_any_history(forecasts):
    figure = charts.fan(empty("item_id", "timestamp", "target"), forecasts, items=["EWR/UA"])
    assert len(line(figure, style.BLUE)) == 14
    assert size(charts.to_png(figure)) == (840, 350)


def test_fan_understands_fractional_quantiles_and_one_without_partner():
    assert intervals(["item_id", "q97_5", "q2_5", "q50", "mean"]) == [("q2_5", "q97_5", pytest.approx(0.95))]
    assert intervals(["q50"]) == []


def test_large_numbers_are_written_short():
    written = [style.compact(value) for value in (0.25, 1200, 25_000, 1_800_000, 3e9, -2_500_000)]
    assert written == ["0.25", "1200", "25k", "1.8M", "3G", "-2.5M"]


def test_a_telephone_gets_its_own_picture_as_large_in_its_letters(history, forecasts):
    wide = charts.fan(history, forecasts, max_items=4)
    with style.narrow():
        narrow = charts.fan(history, forecasts, max_items=4)
    again = charts.fan(history, forecasts, max_items=4)
    assert wide.get_figwidth() == again.get_figwidth() == style.WIDE
    assert narrow.get_figwidth() == style.NARROW
    assert narrow.get_figheight() > wide.get_figheight()
    sizes = [{label.get_fontsize() for label in figure.axes[0].get_yticklabels()} for figure in (wide, narrow)]
    assert sizes[0] == sizes[1]


def test_ten_days_on_a_telephone_have_dates_below_and_no_time_of_day():
    days = pd.date_range("2024-04-11", periods=10)
    with style.narrow():
        figure = charts.accuracy_over_time(pd.DataFrame({"timestamp": days, "wql": 0.1}), "wql")
    charts.to_png(figure)
    shown = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert len(shown) > 1
    assert all("Apr" in text for text in shown)


def test_a_telephone_gets_short_names_of_items(history, forecasts):
    names = {"item_id": "x" * 200}
    with style.narrow():
        figure = charts.fan(history.assign(**names), forecasts.assign(**names))
    assert [len(title) for title in titles(figure)] == [40]


def change(**parts: list[float]) -> pd.DataFrame:
    """One row per item, as `forecast_change` has it; items named a, b, ..."""
    known = {name: parts.get(name, [0.0] * len(parts["new_data"])) for name in PARTS}
    frame = pd.DataFrame({"item_id": list("abcdefghijkl")[: len(parts["new_data"])], "previous": 100.0, **known})
    frame["change"] = frame[list(PARTS)].sum(axis=1, min_count=1)
    frame["current"] = frame["previous"] + frame["change"]
    return frame.assign(origin=ORIGIN, previous_origin=ORIGIN - pd.Timedelta(days=1), steps=13)


def test_the_bridge_leads_from_one_sum_to_the_other():
    figure = charts.change_bridge(change(new_data=[8.0, -2.0, 0.0], new_model=[1.0, 40.0, 0.0]))
    assert head(figure) == ("Why the forecast changed", ["revised history", "new data", "new model", "all of it"])
    assert notes(figure) == ["+0", "+6", "+41", "300", "347"]
    ticks = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert ticks == ["from 2013-11-23", "revised history", "new data", "new model", "from 2013-11-24"]
    assert titles(figure) == ["sum of all items over 13 timestamps", "items that changed most: 2 of 3"]
    assert [text.get_text() for text in figure.axes[1].get_yticklabels()] == ["b", "a"]
    assert len(charts.to_png(figure)) < 30_000


def test_an_undivided_change_is_one_step():
    frame = change(new_data=[8.0, -2.0]).assign(**dict.fromkeys(PARTS, NAN))
    figure = charts.change_bridge(frame)
    assert head(figure)[1] == ["change, undivided", "all of it"]
    assert notes(figure) == ["+6.0", "200.0", "206.0"]
