"""How far the values of a window lie from those of others: a stability index, and a distance with its p value."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops_assets.forecasting.model.scaling import squash
from mlops_assets.forecasting.monitoring.drift.student import student

POINTS, CLASSES = 200, 10
"""Resolution of the distance, and of the population stability index."""
LEAST, LEAST_SHARE = 0.1, 0.02
"""Least spread of distances to the power that is taken: where nothing ever moved, a trifle is no alarm."""


def stability(newest: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Population stability index of a window against a reference, and the median of that of the reference's windows.

    Args:
        newest: values, none missing.
        reference: shape (windows, cells), NaN where missing.
    """
    pooled = reference[~np.isnan(reference)]
    distinct = np.unique(np.concatenate([pooled, newest]))
    if len(distinct) > CLASSES:
        edges = np.unique(np.sort(pooled)[len(pooled) * np.arange(1, CLASSES) // CLASSES - 1])
    else:
        edges = (distinct[1:] + distinct[:-1]) / 2
    counts = _counts(reference, edges, "left")
    own = np.bincount(np.searchsorted(edges, newest, side="left"), minlength=len(edges) + 1)
    total = counts.sum(axis=0)
    index = _index(np.vstack([own, counts]), np.vstack([total, total - counts]))
    return float(index[0]), float(np.median(index[1:]))


def _counts(values: np.ndarray, edges: np.ndarray, side: Any) -> np.ndarray:
    """Count the values of each row by class, shape (rows, edges + 1)."""
    there = ~np.isnan(values)
    row = np.broadcast_to(np.arange(len(values))[:, None], values.shape)[there]
    width = len(edges) + 1
    place = row * width + np.searchsorted(edges, values[there], side=side)
    return np.bincount(place, minlength=len(values) * width).reshape(len(values), width)


def _index(counts: np.ndarray, against: np.ndarray) -> np.ndarray:
    share, other = (
        (part + 0.5) / (part.sum(axis=1, keepdims=True) + 0.5 * part.shape[1]) for part in (counts, against)
    )
    return ((share - other) * np.log(share / other)).sum(axis=1)


def distance(newest: np.ndarray, reference: np.ndarray, rank: float) -> tuple[float, float, float]:
    """Wasserstein distance of a window from a reference, that of the reference's own windows, and how likely it is.

    Args:
        newest: values, none missing.
        reference: shape (windows, cells), NaN where missing; no row empty.
        rank: which one of the reference's own distances is wanted.

    Returns:
        The distance; the quantile of that of each window of the reference from the others; the p value. See `detect`.
    """
    share = is_share(newest, reference)
    if not share:
        newest, reference = _squashed(newest, reference)
    every = np.concatenate([reference[~np.isnan(reference)], newest])
    points = np.unique(np.sort(every)[np.linspace(0, len(every) - 1, POINTS + 1).astype(np.int64)])

    def distribution(values: np.ndarray) -> np.ndarray:
        counts = _counts(values, points, "left")[:, :-1]
        return np.cumsum(counts, axis=1)[:, :-1] / (~np.isnan(values)).sum(axis=1)[:, None]

    windows = distribution(reference)
    n = len(windows)
    apart = np.abs(np.vstack([distribution(newest[None]), windows]) - windows.mean(axis=0)) @ np.diff(points)
    apart[1:] *= n / (n - 1)  # from the other windows, not from all
    # Half of one value more or less is chance, however constant a share has been.
    power, least = (2 / 3, max(LEAST_SHARE, 0.5 * len(newest) ** (-2 / 3))) if share else (1 / 3, LEAST)
    even = apart**power
    spread = max(float(even[1:].std(ddof=1)), least) * np.sqrt(1 + 1 / n)
    farthest = float(np.quantile(apart[1:], rank, method="higher"))
    return float(apart[0]), farthest, student(n - 1, float(even[1:].mean() - even[0]) / spread)


def is_share(newest: np.ndarray, reference: np.ndarray) -> bool:
    """Whether all values are 0 or 1."""
    return all(bool((np.isnan(part) | (part == 0) | (part == 1)).all()) for part in (newest, reference))


def _squashed(newest: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values in standard deviations from the median of the reference, and beyond one of them in its logarithm.

    A single storm of the century moves the mean of its week, but makes it no other climate.
    """
    values = reference[~np.isnan(reference)]
    centre = float(np.median(values))
    unit = float(values.std()) or abs(centre) or 1.0
    return squash((newest - centre) / unit), squash((reference - centre) / unit)
