"""A model of every kind of feature, fitted once."""

import pytest

from mlops_assets.forecasting.model import features, fitting
from mlops_assets.forecasting.model.forecaster import Forecaster
from mlops_assets_tests.forecasting.model.features.test_rows import RICH, rich_panel


@pytest.fixture(scope="session")
def rich() -> Forecaster:
    """A forecaster of `rich_panel`."""
    return fitting.fit(features.training_rows(rich_panel(), RICH), RICH)
