"""Which (item, origin, lead) triples a model learns from."""

from __future__ import annotations

import numpy as np

LEAST = 50
"""Half-lives after which nothing gets any rarer: keeps weights above 0."""


def sample_triples(
    origins: np.ndarray,
    observed: np.ndarray,
    stop: np.ndarray,
    *,
    horizon: int,
    rows: int,
    seed: int,
    weight: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw training triples, spread evenly over items, time and leads, or more of some origins than of others.

    Args:
        origins: cells that may serve as origin, ascending, shape (candidates,).
        observed: per cell whether its target is known, shape (cells,).
        stop: per candidate, the first cell that is no longer its item's, shape (candidates,).
        horizon: leads are 1..horizon.
        rows: upper bound of the triples.
        seed: of the draw.
        weight: of each candidate, above 0 and at most 1, shape (candidates,): the share of its triples that are
            drawn, before the bound. None: 1 for all.

    Returns:
        Places in `origins` and leads, both of shape (triples,), in the order of the origins. All triples with
        a known target are returned where there are no more than `rows`; else one from each of about `rows`
        equally long (or heavy) stretches of them, so that no item, time or lead is left out.
    """
    count = len(origins)
    if not count or (weight is None and count * horizon <= rows):
        place = np.repeat(np.arange(count), horizon)
        lead = np.tile(np.arange(1, horizon + 1), count)
        return _known(place, lead, origins, observed, stop)
    random = np.random.default_rng(seed)
    most = count * horizon if weight is None else int(np.ceil(weight.sum() * horizon))
    wanted = rows
    kept = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    for _ in range(8):
        place, lead = _spread(count, horizon, min(wanted, most), random, weight)
        kept = _known(place, lead, origins, observed, stop)
        share = len(kept[0]) / max(len(place), 1)
        if len(kept[0]) >= 0.98 * rows or wanted >= most or share == 0:
            break
        wanted = int(min(rows / share * 1.02, most))
    place, lead = kept
    if len(place) > rows:
        chosen = np.sort(random.choice(len(place), rows, replace=False))
        place, lead = place[chosen], lead[chosen]
    return place, lead


def recency(age: np.ndarray, half_life: float) -> np.ndarray:
    """Weights of origins that are some steps old: half of it for each half-life, shape (candidates,)."""
    return np.exp2(-np.minimum(age / half_life, LEAST))


def _spread(
    count: int, horizon: int, rows: int, random: np.random.Generator, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    if weight is None:
        edges = np.arange(rows + 1) * (count * horizon) // rows
        triple = random.integers(edges[:-1], edges[1:])
        return triple // horizon, triple % horizon + 1
    before = np.concatenate([[0.0], np.cumsum(weight)])
    point = (np.arange(rows) + random.random(rows)) * (before[-1] / rows)
    place = np.minimum(np.searchsorted(before, point, side="right") - 1, count - 1)
    share = (point - before[place]) / weight[place]
    return place, np.minimum((share * horizon).astype(np.int64), horizon - 1) + 1


def _known(
    place: np.ndarray, lead: np.ndarray, origins: np.ndarray, observed: np.ndarray, stop: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    cell = origins[place] + lead
    keep = cell < stop[place]
    keep[keep] = observed[cell[keep]]
    return place[keep], lead[keep]
