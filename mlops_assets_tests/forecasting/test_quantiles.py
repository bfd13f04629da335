import numpy as np

from mlops_assets.forecasting.quantiles import GRID, MIDDLE, TAIL, anchors, leaf_samples, row_quantiles, shifted


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


def test_anchors_of_a_right_model_are_the_nominal_levels_and_wrong_ones_are_bounded():
    target = np.random.default_rng(0).random(20_000)
    right = np.tile(GRID, (len(target), 1))
    np.testing.assert_allclose(anchors(right, target), (0.1, 0.5, 0.9), atol=0.01)
    wide = anchors(0.5 + 1.2 * (right - 0.5), target)
    assert wide[0] == 0.1 + TAIL
    assert wide[2] == 0.9 - TAIL
    assert anchors(right + 10, target)[1] == 0.5 - MIDDLE


def test_half_of_a_bias_is_made_good():
    target = np.random.default_rng(0).random(20_000)
    low, middle, high = anchors(np.tile(GRID - 0.05, (len(target), 1)), target)
    np.testing.assert_allclose((low, middle, high), (0.15, 0.525, 0.95), atol=0.01)


def test_levels_between_anchors_are_linear_and_stay_in_order():
    levels = np.linspace(0.01, 0.99, 99)
    moved = shifted(levels, (0.14, 0.45, 0.84))
    assert (np.diff(moved) > 0).all()
    np.testing.assert_allclose(shifted(np.array([0.1, 0.3, 0.5, 0.9]), (0.14, 0.45, 0.84)), (0.14, 0.295, 0.45, 0.84))
    np.testing.assert_allclose(shifted(levels, (0.1, 0.5, 0.9)), levels)
