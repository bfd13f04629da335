"""Weights of an average of models, learnt from what they forecast of windows that none of them had seen.

Quantiles are averaged level by level (Lichtendahl, Grushka-Cockayne and Winkler 2013, "Is it better to average
probabilities or quantiles?", Management Science 59), with weights on the simplex that make the average's quantile loss
least: stacking (Breiman 1996, "Stacked regressions", Machine Learning 24). A few windows are little evidence, and fixed
weights are hard to beat (Claeskens et al. 2016, "The forecast combination puzzle", International Journal of Forecasting
32), so weights are drawn towards fixed ones, those of a segment towards those of all items, those of an item towards
its segment's; the more so, the fewer horizons there were to learn them from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..quantiles import pinball
from ..task import ModelSettings
from .trials import Trial

PRICE = 1.5
"""Of a squared distance of one from the weights that others are drawn to, as a share of the best member's loss, where
the windows lie within one horizon; over more horizons it is as many times less."""
FEW = 20
"""Series that were tried (an item from an origin each) with which that price is twice as high: with fewer, more."""
DEFAULT = 0.5
"""Weight of the engine's default kind before anything was tried."""
ITEM_WINDOWS, ITEM_POWER = 2.0, 4.0
"""How many windows an item needs for its own errors to count half, and how sharply they then do."""
NEGLIGIBLE = 0.02
"""A smaller weight is none: it would cost a fit and change nothing."""
MOST_ROWS = 50_000
"""Rows that weights are learnt from, at most, evenly spaced."""


def equal(members: np.ndarray) -> np.ndarray:
    """Equal weights of the members that a mask names, and none of the others."""
    return members / members.sum()


def prior(kinds: Sequence[str], usable: np.ndarray) -> np.ndarray:
    """Weights to begin with: half for the engine's default kind, if it is one of several, equal ones for the others.

    Args:
        kinds: of the members.
        usable: which of them may have weight, shape (members,).
    """
    default = usable & (np.array(kinds) == ModelSettings.kind)
    others = usable & ~default
    if not (default.any() and others.any()):
        return equal(usable)
    return DEFAULT * default + (1 - DEFAULT) * equal(others)


def stack(trial: Trial, towards: np.ndarray) -> np.ndarray:
    """Weights that make the quantile loss of the average least, and lie near to others.

    Args:
        trial: without any row, the weights are those that they should lie near to.
        towards: weights, shape (members,).

    Returns:
        Weights of the members that have forecast every row, zero of the others; none below zero, summing to one.
    """
    from scipy.optimize import minimize

    if not len(trial.target):
        return towards
    trial = trial.of(np.linspace(0, len(trial.target) - 1, min(len(trial.target), MOST_ROWS)).astype(np.int64))
    usable = trial.complete
    if not usable.any():
        return towards
    start = towards[usable] / towards[usable].sum() if towards[usable].sum() > 0 else equal(usable)[usable]
    best = float(trial.losses()[usable].mean(axis=1).min())
    if len(start) == 1 or best == 0:
        return _spread(usable, start)
    quantiles, price = trial.quantiles[usable], PRICE * best * (1 + FEW / trial.series) / trial.horizons

    def cost(weights: np.ndarray) -> tuple[float, np.ndarray]:
        away = trial.target[:, None] - np.tensordot(weights, quantiles, 1)
        loss = pinball(away, trial.levels) / trial.scale[:, None]
        slope = np.where(away > 0, -trial.levels, 1 - trial.levels) / trial.scale[:, None]
        gradient = 2 * np.tensordot(quantiles, slope, 2) / slope.size
        far = weights - start
        return 2 * float(loss.mean()) + price * float(far @ far), gradient + 2 * price * far

    simplex: dict[str, Any] = {"type": "eq", "fun": lambda weights: weights.sum() - 1}
    found: Any = minimize(
        cost, start, jac=True, method="SLSQP", bounds=[(0, 1)] * len(start), constraints=simplex, options={"ftol": 1e-7}
    )
    weights = found.x if np.isfinite(found.x).all() and cost(found.x)[0] <= cost(start)[0] else start
    return _spread(usable, without_negligible(weights))


def without_negligible(weights: np.ndarray) -> np.ndarray:
    """Weights, shape (..., members), without those below `NEGLIGIBLE`."""
    kept = np.where(weights < NEGLIGIBLE, 0.0, weights)
    return kept / kept.sum(axis=-1, keepdims=True)


def tilted(trial: Trial, items: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Tilt a segment's weights, item by item, to the members that did better on the item than on the segment.

    Args:
        trial: rows of the segment.
        items: ids, shape (items,).
        weights: of the segment, shape (members,).

    Returns:
        Shape (items, members); of items without a row, the segment's.
    """
    used = weights > 0
    if used.sum() < 2 or not len(trial.target):
        return np.tile(weights, (len(items), 1))
    losses = pd.DataFrame(trial.losses()[used].T).groupby(trial.item).mean().reindex(items).to_numpy()
    usual = trial.losses()[used].mean(axis=1)
    own = losses / np.maximum(losses @ weights[used], 1e-12)[:, None]
    ratio = own / np.maximum(usual / (usual @ weights[used]), 1e-12)
    ratio = np.where(np.isfinite(ratio), ratio, 1.0)
    shrunk = (trial.windows * ratio + ITEM_WINDOWS) / (trial.windows + ITEM_WINDOWS)
    found = np.zeros((len(items), len(weights)))
    found[:, used] = weights[used] * shrunk**-ITEM_POWER
    return without_negligible(found / found.sum(axis=1, keepdims=True))


def _spread(mask: np.ndarray, weights: np.ndarray) -> np.ndarray:
    every = np.zeros(len(mask))
    every[mask] = weights
    return every
