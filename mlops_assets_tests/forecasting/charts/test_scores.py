"""Pictures of errors: what they show, and that nothing sane breaks them."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import date2num
from matplotlib.text import Annotation

from mlops_assets.forecasting import charts
from mlops_assets.forecasting.charts import style
from mlops_assets.forecasting.model.features.calendar import holiday_names
from mlops_assets_tests.forecasting.charts.figures import NAN, ORIGIN, head, line, notes, scores

pytestmark = pytest.mark.pictures


def test_windows_say_how_far_the_forest_is_from_seasonal_naive():
    frame = scores(random_forest=[0.06, 0.11, NAN], seasonal_naive=[0.08, 0.10, 0.1])
    figure = charts.backtest_windows(frame, "wql")
    assert head(figure) == ("Backtest: wQL per window", ["seasonal naive", "random forest"])
    assert notes(figure) == ["against\nseasonal naive", "−25 %", "+10 %"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["1", "2", "3"]
    assert figure.axes[0].get_xlim()[0] == 0


def test_windows_of_three_models_have_no_margin():
    figure = charts.backtest_windows(scores(a=[1.0], b=[2.0], seasonal_naive=[3.0]), "wql")
    assert notes(figure) == []


def test_windows_may_be_named_by_their_origin():
    frame = scores(random_forest=[0.06], seasonal_naive=[0.08]).assign(window=ORIGIN)
    (label,) = charts.backtest_windows(frame, "wql").axes[0].get_yticklabels()
    assert label.get_text() == "2013-11-24"


def test_error_by_lead_has_one_line_per_model_from_zero():
    figure = charts.error_by_lead(scores("wape", forest=[0.1, 0.2, 0.3], seasonal_naive=[0.4, NAN, 0.6]), "wape")
    np.testing.assert_array_equal(line(figure, style.GREY), [0.4, NAN, 0.6])
    np.testing.assert_array_equal(line(figure, style.BLUE), [0.1, 0.2, 0.3])
    assert figure.axes[0].get_ylim()[0] == 0
    assert head(figure)[0] == "WAPE by lead"


def test_one_lead_gets_a_whole_tick():
    figure = charts.error_by_lead(scores(forest=[0.1]), "wql")
    charts.to_png(figure)
    low, high = figure.axes[0].get_xlim()
    assert [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high] == [1]


def test_accuracy_marks_what_exceeds_the_threshold():
    days = pd.date_range("2013-01-01", periods=5)
    frame = pd.DataFrame({"timestamp": days[::-1], "wql": [0.1, 0.3, NAN, 0.4, 0.25]})
    figure = charts.accuracy_over_time(frame, "wql", threshold=0.25)
    assert head(figure)[1] == ["threshold 0.25, exceeded 2×"]
    np.testing.assert_array_equal(line(figure, style.BLUE), [0.25, 0.4, NAN, 0.3, 0.1])
    np.testing.assert_array_equal(line(figure, style.ORANGE), [NAN, 0.4, NAN, 0.3, NAN])


def test_accuracy_shows_events_in_range_and_moves_crowded_labels_down():
    frame = pd.DataFrame({"timestamp": pd.date_range("2013-01-01", periods=100), "wql": 0.2})
    events = pd.DataFrame(
        {
            "timestamp": pd.to_datetime(["2013-03-03", "2013-01-05", "2013-03-01", "2012-01-01"]),
            "label": ["version 3", "version 1", "version 2", "before"],
        }
    )
    figure = charts.accuracy_over_time(frame, "wql", events=events)
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
        charts.accuracy_over_time(frame, "wql", events=days),
        charts.coverage_over_time(frame, 0.8, events=days),
    ):
        assert notes(draw) == days["label"].tolist()
        charts.to_png(draw)
        canvas = draw.get_window_extent()
        for label in draw.axes[0].findobj(Annotation):
            box = label.get_window_extent()
            assert canvas.x0 <= box.x0 < box.x1 <= canvas.x1
