import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.model.rolling import Rolling


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0, 0.9))
def test_windows_are_those_of_pandas(seed, window, missing):
    random = np.random.default_rng(seed)
    values = random.normal(size=60)
    values[random.random(60) < missing] = np.nan
    index = np.arange(window - 1, 60)
    rolling, expected = Rolling(values), pd.Series(values).rolling(window, min_periods=1)
    np.testing.assert_allclose(rolling.mean(index, window), expected.mean().to_numpy()[index], atol=1e-12)
    np.testing.assert_array_equal(rolling.count(index, window), expected.count().fillna(0).to_numpy()[index])
    several = rolling.count(index, window) > 1
    np.testing.assert_allclose(
        rolling.deviation(index, window)[several], expected.std(ddof=0).to_numpy()[index][several], atol=1e-7
    )
    assert np.isnan(rolling.deviation(index, window)[~several]).all()
