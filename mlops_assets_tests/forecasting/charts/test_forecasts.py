"""Pictures of forecasts: what they show, and that nothing sane breaks them."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting import charts
from mlops_assets.forecasting.charts import style
from mlops_assets.forecasting.charts.forecasts import intervals
from mlops_assets_tests.forecasting.charts.figures import NAN, ORIGIN, empty, head, line, size, titles

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
