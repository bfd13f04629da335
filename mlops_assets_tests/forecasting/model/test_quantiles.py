import numpy as np

from mlops_assets.forecasting.model.quantiles import (
    CAUTION,
    GRID,
    MIDDLE,
    NARROWED,
    WIDENED,
    anchors,
    leaf_samples,
    of_more_trees,
    right_levels,
    row_quantiles,
    shifted,
)

MANY = 1e9


def test_a_leaf_keeps_evenly_ranked_targets():
    leaf = np.array([0] * 4 + [1] + [0] + [1] + [0] * 2 + [3] + [0] * 5)
    y = np.array([0, 1, 2, 3, 4, 4, 5, 5, 6, 7, 7, 8, 9, 10, 11], dtype=np.float32)
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
    np.testing.assert_allclose(anchors(right_levels(right, target), MANY), (0.1, 0.5, 0.9), atol=0.01)
    wide, wider, narrow = (anchors(right_levels(0.5 + by * (right - 0.5), target), MANY) for by in (1.2, 3, 0.5))
    np.testing.assert_allclose(wide, (0.157, 0.5, 0.843), atol=0.01)
    np.testing.assert_allclose(wider, (0.1 + NARROWED, 0.5, 0.9 - NARROWED), atol=0.01)
    np.testing.assert_allclose(narrow, (0.1 - WIDENED, 0.5, 0.9 + WIDENED), atol=0.01)
    assert anchors(right_levels(right + 10, target), MANY)[1] == 0.5 - MIDDLE


def test_an_interval_is_narrowed_less_where_fewer_horizons_were_held_out_and_widened_all_the_same():
    wide, narrow = np.array([0.2, 0.5, 0.8]), np.array([0.05, 0.5, 0.95])
    lows = [anchors(wide, horizons)[0] for horizons in (0, 1, 3, MANY)]
    np.testing.assert_allclose(lows, [0.1, 0.1 + 0.1 * CAUTION / 2, 0.1 + 0.075 * CAUTION, 0.1 + 0.1 * CAUTION])
    assert anchors(narrow, 1) == anchors(narrow, MANY)


def test_half_of_a_bias_is_made_good():
    target = np.random.default_rng(0).random(20_000)
    low, middle, high = anchors(right_levels(np.tile(GRID - 0.05, (len(target), 1)), target), MANY)
    np.testing.assert_allclose((low, middle, high), (0.1425, 0.525, 0.95), atol=0.01)


def test_two_halves_of_a_small_forest_foretell_the_right_levels_of_a_large_one():
    """Trees that see the truth through noise of their own: the more of them, the less noisy are the quantiles."""
    random = np.random.default_rng(0)
    rows, all_trees, few = 4000, 40, 10
    truth, target = random.normal(size=rows), random.normal(size=rows)
    outcomes = (random.normal(size=(rows, all_trees, 1)) + random.normal(size=(rows, all_trees, 6))) / np.sqrt(2)

    def levels(trees: slice) -> np.ndarray:
        some = (truth[:, None, None] + outcomes[:, trees]).reshape(rows, -1)
        return right_levels(row_quantiles(some, GRID), truth + target)

    large, small = levels(slice(None)), levels(slice(few))
    halves = (levels(slice(few // 2)) + levels(slice(few // 2, few))) / 2
    foretold = of_more_trees(small, halves, few, all_trees)
    assert small[2] - small[0] > large[2] - large[0] + 0.01
    assert abs((foretold[2] - foretold[0]) - (large[2] - large[0])) < 0.006


def test_levels_between_anchors_are_linear_and_stay_in_order():
    levels = np.linspace(0.01, 0.99, 99)
    moved = shifted(levels, (0.14, 0.45, 0.84))
    assert (np.diff(moved) > 0).all()
    np.testing.assert_allclose(shifted(np.array([0.1, 0.3, 0.5, 0.9]), (0.14, 0.45, 0.84)), (0.14, 0.295, 0.45, 0.84))
    np.testing.assert_allclose(shifted(levels, (0.1, 0.5, 0.9)), levels)
