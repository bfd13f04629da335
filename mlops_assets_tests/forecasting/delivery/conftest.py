import pandas as pd
import pytest

from mlops_assets.forecasting.model import features, fitting
from mlops_assets.forecasting.model.forecaster import Forecaster
from mlops_assets_tests.forecasting.panels import DAILY, daily_panel


@pytest.fixture(scope="session")
def history() -> pd.DataFrame:
    """Four items with costs and a capacity of their own; nothing is known of the last one's."""
    frame = daily_panel()
    number = frame["item_id"].str[-1].astype(int)
    return frame.assign(
        short=number.map({0: 1.0, 1: 3.0, 2: 9.0}), long=1.0, room=number.map({0: 11.0, 1: 1000.0, 2: 900.0})
    )


@pytest.fixture(scope="session")
def forecaster(history) -> Forecaster:
    return fitting.fit(features.training_rows(history, DAILY), DAILY)
