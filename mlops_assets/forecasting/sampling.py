"""Which (item, origin, lead) triples the forest learns from."""

from __future__ import annotations

import numpy as np


def sample_triples(
    origins: np.ndarray, observed: np.ndarray, stop: np.ndarray, *, horizon: int, rows: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw training triples, spread evenly over items, time and leads.

    Args:
        origins: cells that may serve as origin, ascending, shape (candidates,).
        observed: per cell whether its target is known, shape (cells,).
        stop: per candidate, the first cell that is no longer its item's, shape (candidates,).
        horizon: leads are 1..horizon.
        rows: upper bound of the triples.
        seed: of the draw.

    Returns:
        Places in `origins` and leads, both of shape (triples,), in the order of the origins. All triples with
        a known target are returned where there are no more than `rows`; else one from each of about `rows`
        equally long stretches of them, so that no item, time or lead is left out.
    """
    count = len(origins)
    if count * horizon <= rows:
        place = np.repeat(np.arange(count), horizon)
        lead = np.tile(np.arange(1, horizon + 1), count)
        return _known(place, lead, origins, observed, stop)
    random = np.random.default_rng(seed)
    wanted = rows
    kept = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    for _ in range(8):
        place, lead = _spread(count, horizon, min(wanted, count * horizon), random)
        kept = _known(place, lead, origins, observed, stop)
        share = len(kept[0]) / max(len(place), 1)
        if len(kept[0]) >= 0.98 * rows or wanted >= count * horizon or share == 0:
            break
        wanted = int(min(rows / share * 1.02, count * horizon))
    place, lead = kept
    if len(place) > rows:
        chosen = np.sort(random.choice(len(place), rows, replace=False))
        place, lead = place[chosen], lead[chosen]
    return place, lead


def _spread(count: int, horizon: int, rows: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    edges = np.arange(rows + 1) * (count * horizon) // rows
    triple = random.integers(edges[:-1], edges[1:])
    return triple // horizon, triple % horizon + 1


def _known(
    place: np.ndarray, lead: np.ndarray, origins: np.ndarray, observed: np.ndarray, stop: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    cell = origins[place] + lead
    keep = cell < stop[place]
    keep[keep] = observed[cell[keep]]
    return place[keep], lead[keep]
