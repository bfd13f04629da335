"""The picture of importances."""

import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from mlops_assets.forecasting import charts
from mlops_assets_tests.forecasting.charts.figures import NAN, head

pytestmark = pytest.mark.pictures


def test_importances_are_ranked_cut_and_summed_by_group():
    frame = pd.DataFrame(
        {"feature": ["a", "b", "c", "d"], "group": ["x", "y", "x", "y"], "importance": [0.1, 0.6, 0.3, NAN]}
    )
    figure = charts.importances(frame, top=2)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "c"]
    widths = [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)]
    assert widths == [0.6, 0.3]
    assert "1 more feature not shown" in axes.get_xlabel()
    assert head(figure) == ("Feature importances", ["y  60 %", "x  40 %"])


def test_long_names_lose_their_middle_and_keep_both_ends():
    name = "warehouse_north_east_" + "x" * 60 + "_lag_364"
    figure = charts.importances(pd.DataFrame({"feature": [name], "group": ["lag"], "importance": [1.0]}))
    (label,) = figure.axes[0].get_yticklabels()
    assert len(label.get_text()) == 34
    assert label.get_text().startswith("warehouse_north")
    assert label.get_text().endswith("_lag_364")
