import numpy as np

from mlops_assets.forecasting.quantiles import leaf_samples, row_quantiles


def test_a_leaf_keeps_evenly_ranked_targets():
    leaf = np.array([0] * 12 + [1] * 2 + [3])
    y = np.concatenate([np.arange(12.0)[::-1], [5, 4], [7]]).astype(np.float32)
    kept = leaf_samples(leaf, y, leaves=4, samples=6)
    assert kept[0].tolist() == [1, 3, 5, 7, 9, 11]
    assert kept[1].tolist() == [4, 4, 4, 5, 5, 5]
    assert np.isnan(kept[2]).all()
    assert kept[3].tolist() == [7] * 6


def test_quantiles_of_rows_are_those_of_the_midpoint_rule():
    outcomes = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    levels = np.array([0.001, 0.1, 0.5, 0.77, 0.999])
    expected = np.quantile(outcomes, levels, axis=1, method="hazen").T
    np.testing.assert_allclose(row_quantiles(outcomes.copy(), levels), expected, atol=1e-6)
