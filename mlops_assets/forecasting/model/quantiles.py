"""Quantiles of a forest: the training targets that share a leaf with a row.

After Meinshausen (2006), "Quantile regression forests", Journal of Machine Learning Research 7: every
training target in the leaf that a row falls into is a possible outcome, each tree having one vote. Kept
small: a leaf remembers at most `LEAF_SAMPLES` of its targets, evenly spaced in rank.
"""

from __future__ import annotations

import numpy as np

LEAF_SAMPLES = 6
NOMINAL = (0.1, 0.5, 0.9)
"""Levels at which a forest's own distribution is held against what came."""
GRID = np.arange(1, 50) / 50
TIES = 0.15
"""Half would be right for the levels alone, none for the share within the interval, which is what users see."""
WIDENED, NARROWED = 0.06, 0.15
"""How far, at most, the outer anchors move outwards and inwards: more would be the mood of a few months."""
CAUTION = 0.85
"""Share of the way inwards that they go, at most: too narrow an interval misleads more than too wide a one."""
MIDDLE = 0.08
"""How far, at most, the median moves; it goes half the way, since half of a bias tends to go away by itself."""


def leaf_samples(leaf: np.ndarray, y: np.ndarray, leaves: int, samples: int = LEAF_SAMPLES) -> np.ndarray:
    """Summarise the targets of each leaf by a fixed number of them.

    Args:
        leaf: number of the leaf of each training row, shape (rows,).
        y: scaled targets, ascending, shape (rows,).
        leaves: number of leaves.
        samples: targets to keep per leaf.

    Returns:
        Shape (leaves, samples), float16, ascending within a leaf: the targets at equally spaced ranks
        (repeated where a leaf has fewer). Rows of a leaf without targets are NaN.
    """
    order = np.argsort(leaf.astype(np.uint16 if leaves <= 1 << 16 else np.int64), kind="stable")
    count = np.bincount(leaf, minlength=leaves)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    rank = ((np.arange(samples) + 0.5) / samples * count[:, None]).astype(np.int64)
    place = np.minimum(start[:, None] + rank, len(y) - 1)
    found = y[order][place].astype(np.float16)
    found[count == 0] = np.nan
    return found


def row_quantiles(outcomes: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Quantiles of equally likely outcomes, row by row.

    Args:
        outcomes: shape (rows, outcomes), no NaN; sorted in place.
        levels: in (0, 1), shape (levels,).

    Returns:
        Shape (rows, levels), linear between neighbouring outcomes, monotone in the level.
    """
    outcomes.sort(axis=1)
    place = np.clip(levels * outcomes.shape[1] - 0.5, 0, outcomes.shape[1] - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, outcomes.shape[1] - 1)
    share = (place - below).astype(np.float32)
    return outcomes[:, below] * (1 - share) + outcomes[:, above] * share


def pinball(away: np.ndarray, levels: np.ndarray | float) -> np.ndarray:
    """Pinball losses of quantiles: Koenker and Bassett (1978), "Regression quantiles", Econometrica 46.

    Args:
        away: target less quantile, of any shape; NaN gives NaN.
        levels: of the quantiles, along the last axis, or one for all.
    """
    return np.maximum(levels * away, (levels - 1) * away)


def right_levels(quantiles: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Levels of a model's own distribution below which the nominal shares of what came did lie.

    After Kuleshov, Fenner and Ermon (2018), "Accurate uncertainties for deep learning using calibrated
    regression", ICML, at three levels only, because held-out rows are few moments in time, however many they are.

    Args:
        quantiles: quantiles at the levels of `GRID`, in the units of the target, shape (rows, levels).
        target: what came, shape (rows,).

    Returns:
        One level per level of `NOMINAL`. Of ties (whole numbers), a share of `TIES` counts as outside.
    """
    below, above = (target[:, None] < quantiles).mean(axis=0), (target[:, None] > quantiles).mean(axis=0)
    ties = TIES * (1 - below - above)
    low, middle, high = NOMINAL
    return np.array(
        [
            np.interp(low, below + ties, GRID),
            np.interp(middle, (below + 1 - above) / 2, GRID),
            np.interp(high, 1 - above - ties, GRID),
        ]
    )


def of_more_trees(whole: np.ndarray, halves: np.ndarray, trees: int, more: int) -> np.ndarray:
    """Right levels of a larger forest than the one at hand.

    Fewer trees make noisier quantiles, and noisier ones have less between them, so that a small forest's right
    levels lie too far out for a large one. The variance of a bagged mean falls as one over the number of trees
    (Breiman 2001, "Random forests", Machine Learning 45), and so does this excess: what halves of the forest show of
    it tells the rest.

    Args:
        whole: right levels of the forest, shape (levels,).
        halves: mean of the right levels of its two halves, shape (levels,).
        trees: of the forest at hand.
        more: trees of the larger one, at least as many.
    """
    return whole + (1 - trees / more) * (whole - halves)


def anchors(wanted: np.ndarray, horizons: float) -> tuple[float, ...]:
    """Levels to use for the nominal ones: near the right levels of held-out rows, within bounds, ascending.

    Args:
        wanted: right levels of held-out rows, shape (levels,).
        horizons: over how many horizons their origins are spread. Targets within one have seen the same events, of
            however many items they are: the fewer horizons, the less an interval is narrowed.
    """
    share = CAUTION * horizons / (horizons + 1)

    def moved(inwards: float) -> float:
        return max(inwards, -WIDENED) if inwards < 0 else min(share * inwards, NARROWED)

    (low, middle, high), right = NOMINAL, wanted.tolist()
    middle += float(np.clip((right[1] - middle) / 2, -MIDDLE, MIDDLE))
    return low + moved(right[0] - low), middle, high - moved(high - right[2])


def shifted(levels: np.ndarray, at: tuple[float, ...]) -> np.ndarray:
    """Levels to ask of a model whose `anchors` are known, linear between them."""
    return np.interp(levels, [0.0, *NOMINAL, 1.0], [0.0, *at, 1.0])
