"""Pictures of errors: what they show, and that nothing sane breaks them."""

import numpy as np
import pytest

from mlops_assets.forecasting import charts
from mlops_assets.forecasting.charts import style
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
