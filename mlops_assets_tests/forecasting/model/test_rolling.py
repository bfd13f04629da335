import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.model.rolling import Rolling


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0, 0.9))
def test_windows_are_those_of_pandas_whatever_lies_before_the_item(seed, window, missing):
    random = np.random.default_rng(seed)
    values = random.normal(size=60)
    values[random.random(60) < missing] = np.nan
    laid_out = np.concatenate([1e9 * random.normal(size=20), np.full(window, np.nan), values])
    place = np.arange(window - 1, 60)
    index = 20 + window + place
    rolling, expected = Rolling(laid_out, np.array([0, 20, len(laid_out)])), pd.Series(values).rolling(window, 1)
    np.testing.assert_allclose(rolling.mean(index, window), expected.mean().to_numpy()[place], atol=1e-12)
    np.testing.assert_array_equal(rolling.count(index, window), expected.count().fillna(0).to_numpy()[place])
    several = rolling.count(index, window) > 1
    np.testing.assert_allclose(
        rolling.deviation(index, window)[several], expected.std(ddof=0).to_numpy()[place][several], atol=1e-7
    )
    assert np.isnan(rolling.deviation(index, window)[~several]).all()


def test_equal_values_have_no_deviation():
    values = np.concatenate([[np.nan] * 8, np.random.default_rng(0).normal(size=5000), np.full(30, 0.1)])
    rolling = Rolling(values, np.array([0, len(values)]))
    assert (rolling.deviation(np.arange(len(values) - 20, len(values)), 7) == 0).all()
