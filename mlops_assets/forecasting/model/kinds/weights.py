"""Weights of an average of models, learnt from what they forecast of windows that none of them had seen.

Quantiles are averaged level by level (Lichtendahl, Grushka-Cockayne and Winkler 2013, "Is it better to average
probabilities or quantiles?", Management Science 59), with weights by a power of each member's loss (Bates and Granger
1969, "The combination of forecasts", Operational Research Quarterly 20), times fixed ones. A few windows are little
evidence, and fixed weights are hard to beat (Claeskens et al. 2016, "The forecast combination puzzle", International
Journal of Forecasting 32), so the power is the smaller, the fewer horizons there were to learn from, losses of a
segment are drawn towards those of all items, and weights of an item to its segment's. Weights that make the average's
loss on these windows least (stacking) forecast later ones no better.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..scaling import TINY
from ..task import ModelSettings
from .trials import Trial

POWER, MANY = 6.0, 3.0
"""How sharply weights follow losses, where the windows lie over a great many horizons; over so many, half as much."""
FEW = 20
"""Series of a segment that were tried (an item from an origin each) for its own losses to count half."""
DEFAULT = 0.5
"""Weight of the engine's default kind before anything was tried."""
ITEM_WINDOWS, ITEM_POWER = 2.0, 4.0
"""How many windows an item needs for its own errors to count half, and how sharply they then do."""
NEGLIGIBLE = 0.02
"""A smaller weight is none: it would cost a fit and change nothing."""


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


def ratios(trial: Trial, usual: np.ndarray | None = None) -> np.ndarray:
    """Loss of each member by the best one's, shape (members,); NaN of those that have not forecast every row.

    Args:
        trial: with or without rows.
        usual: the same of all series, which those of a segment are drawn to, the more so the fewer there are.
    """
    usable = trial.complete
    if not (len(trial.target) and usable.any()):
        return np.full(len(trial.quantiles), np.nan) if usual is None else usual
    losses = np.where(usable, np.maximum(trial.losses().mean(axis=1), TINY), np.nan)
    own = losses / np.nanmin(losses)
    if usual is None:
        return own
    others = np.where(usable, np.where(np.isnan(usual), own, usual), np.nan)
    return (trial.series * own + FEW * others / np.nanmin(others)) / (trial.series + FEW)


def by_loss(ratio: np.ndarray, towards: np.ndarray, horizons: float) -> np.ndarray:
    """Tilt weights to the members that lost less.

    Args:
        ratio: of losses, see `ratios`.
        towards: weights before anything was tried, shape (members,).
        horizons: over how many horizons the windows lie.

    Returns:
        Weights of the members that have a ratio, zero of the others; none below zero, summing to one. Without any
        ratio, those before.
    """
    usable = ~np.isnan(ratio)
    if not usable.any():
        return towards
    start = np.where(usable, towards, 0.0) if towards[usable].sum() > 0 else equal(usable)
    found = start * np.where(usable, ratio, 1.0) ** -(POWER * horizons / (horizons + MANY))
    return without_negligible(found / found.sum())


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
