import warnings

import pytest

from mlops_assets.forecasting.model import features, fitting
from mlops_assets.forecasting.model.task import Task
from mlops_assets.stages.register import example_of, forecasts_of
from mlops_assets_tests.forecasting.panels import SMALL, daily_panel


@pytest.mark.parametrize("known", [(), ("price",)])
def test_the_example_of_a_logged_model_raises_no_warning(known):
    frame = daily_panel(items=3, days=120, price=1.0)
    task = Task("D", 5, (7,), known=known, model=SMALL)
    forecaster = fitting.fit(features.training_rows(frame, task), task)
    example = example_of(frame, features.lookback(task), frame["timestamp"].max())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = forecasts_of(forecaster, example)
    assert len(made) == 2 * 5
