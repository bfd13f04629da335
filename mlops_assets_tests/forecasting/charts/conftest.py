"""The example's observations and a forecast of its last weeks."""

import pandas as pd
import pytest

from mlops_assets_tests.forecasting.charts.figures import EXAMPLE, ORIGIN


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
