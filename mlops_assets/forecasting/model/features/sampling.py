"""Which (item, origin, lead) triples a model learns from.

An item's triples depend on the item alone, as long as all items together have no more than a model may learn from; with
more, every item has the same share of its own. So neither the order of the items nor a part of them (a shard) changes
what is drawn of an item.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROWS_PER_ORIGIN = 2
"""Training rows per possible origin: more leads of the same origin teach little and cost as much."""
SMALL = 200
"""Training rows of an item up to which the number of its origins does not matter."""
LEAST = 50
"""Half-lives after which nothing gets any rarer: keeps weights above 0."""
UNITS = 2**16
"""Parts that a triple of weight 1 is drawn in: whole numbers add up alike in any company."""


@dataclass(frozen=True)
class Triples:
    """All triples that may be learnt from, laid out so that any number of each item's can be drawn.

    Attributes:
        origins: cells that may serve as origin, ascending, shape (candidates,).
        keys: what tells an item's draws from another's, uint64, shape (items,).
        targets: cells with a known target, ascending.
        before: place in `targets` of the first one after each origin, shape (candidates,).
        units: of each triple of an origin: parts of a whole one that it counts, shape (candidates,).
        parts: of a whole one.
        total: units of all triples up to and including each origin's, shape (candidates,).
        offset: units before each item's first, shape (items,).
        mass: units of each item, shape (items,).
        wanted: triples that should be drawn of each item where there is no bound, shape (items,).
    """

    origins: np.ndarray
    keys: np.ndarray
    targets: np.ndarray
    before: np.ndarray
    units: np.ndarray
    parts: int
    total: np.ndarray
    offset: np.ndarray
    mass: np.ndarray
    wanted: np.ndarray

    @classmethod
    def of(
        cls,
        origins: np.ndarray,
        item: np.ndarray,
        keys: np.ndarray,
        observed: np.ndarray,
        stop: np.ndarray,
        *,
        horizon: int,
        weight: np.ndarray | None = None,
    ) -> Triples:
        """Count them.

        Args:
            origins: cells that may serve as origin, ascending, shape (candidates,).
            item: number of the item of each candidate, ascending, shape (candidates,).
            keys: what tells an item's draws from another's, uint64, shape (items,).
            observed: per cell whether its target is known, shape (cells,).
            stop: per candidate, the first cell that is no longer its item's, shape (candidates,).
            horizon: leads are 1..horizon.
            weight: of each candidate, above 0 and at most 1, shape (candidates,): the share of its triples that are
                drawn, before the bound. None: 1 for all.
        """
        seen = np.concatenate([[0], np.cumsum(observed)])
        before = seen[origins + 1]
        known = seen[np.minimum(origins + horizon + 1, stop)] - before
        parts = 1 if weight is None else UNITS
        units = np.ones(len(origins), dtype=np.int64) if weight is None else np.rint(weight * parts).astype(np.int64)
        total = np.cumsum(known * units)
        start = np.searchsorted(item, np.arange(len(keys)))
        end = np.searchsorted(item, np.arange(len(keys)), side="right")
        offset = np.where(start > 0, total[start - 1], 0) if len(total) else np.zeros(len(keys), dtype=np.int64)
        mass = np.where(end > start, total[end - 1] - offset, 0) if len(total) else offset
        wanted = np.minimum(-(-mass // parts), np.maximum(ROWS_PER_ORIGIN * (end - start), SMALL))
        return cls(origins, keys, np.flatnonzero(observed), before, units, parts, total, offset, mass, wanted)

    def draw(self, count: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw triples, spread evenly over each item's time and leads, or more of some origins than of others.

        Args:
            count: of each item, at most those that are wanted, shape (items,).
            seed: of the draw.

        Returns:
            Places in `origins` and leads, both of shape (triples,), in the order of the origins: of each of a number of
            equally long (or heavy) stretches of an item's triples one, so that no time or lead is left out.
        """
        owner = np.repeat(np.arange(len(self.keys)), count)
        number = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        first, after = (edge * self.mass[owner] // count[owner] for edge in (number, number + 1))
        within = (uniform(self.keys[owner], number + 1, seed) * (after - first)).astype(np.int64)
        point = self.offset[owner] + first + within
        place = np.searchsorted(self.total, point, side="right")
        base = np.where(place > 0, self.total[place - 1], 0)
        rank = (point - base) // self.units[place]
        return place, self.targets[self.before[place] + rank] - self.origins[place]


def within_bound(wanted: np.ndarray, rows: int, keys: np.ndarray, seed: int) -> np.ndarray:
    """Triples of each item: as many as wanted, or the same share of them for all; chance decides on parts of one.

    Args:
        wanted: of all items together, shape (items,).
        rows: upper bound of the sum.
        keys: of the items, see `Triples`.
        seed: of the draw.
    """
    chance = uniform(keys, np.zeros(len(keys), dtype=np.int64), seed)
    share = min(1.0, rows / max(int(wanted.sum()), 1))
    count = wanted if share == 1.0 else (share * wanted + chance).astype(np.int64)
    while count.sum() > rows:
        share *= min(rows / int(count.sum()), 1 - 1e-6)
        count = (share * wanted + chance).astype(np.int64)
    return count


def recency(age: np.ndarray, half_life: float) -> np.ndarray:
    """Weights of origins that are some steps old: half of it for each half-life, shape (candidates,)."""
    return np.exp2(-np.minimum(age / half_life, LEAST))


def uniform(keys: np.ndarray, number: np.ndarray, seed: int) -> np.ndarray:
    """Numbers in [0, 1), one for each key and number, shape as `keys`: the same ones in any company.

    The finaliser of SplitMix64: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators", OOPSLA.
    """
    return (_mixed(_mixed(keys ^ _mixed(np.uint64(seed))) + number.astype(np.uint64)) >> np.uint64(11)) * 2.0**-53


def _mixed(bits: np.ndarray | np.uint64) -> np.ndarray:
    with np.errstate(over="ignore"):
        bits = np.asarray(bits, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return bits ^ (bits >> np.uint64(31))
