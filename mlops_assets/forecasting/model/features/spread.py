"""Do the changes of a series grow with its level? Then logarithms even them out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..panel import Panel
from ..scaling import Signal

EVIDENCE = 8
"""Seasons on which it is decided whether targets enter as logarithms."""
STEEPEST = 0.7
"""Power of the level above which changes count as growing with it."""


@dataclass(frozen=True)
class Spread:
    """Level and change of the seasons of each item, in logarithms: sums of squares around the item's means.

    Within each item, so that large and small ones side by side prove nothing.

    Attributes:
        seasons: that have both, shape (items,).
        level: squares of the level, shape (items,).
        both: products of level and change, shape (items,).
        change: squares of the change, shape (items,).
    """

    seasons: np.ndarray
    level: np.ndarray
    both: np.ndarray
    change: np.ndarray

    @classmethod
    def of(cls, panel: Panel, signal: Signal) -> Spread:
        """Measure it on blocks of one season, counted back from each item's last step.

        Args:
            panel: padded by the lookback.
            signal: of the same panel, linear.
        """
        length = max(signal.seasons.lengths[0], 4)
        count = (panel.last - panel.first + 1) // length
        owner = np.repeat(np.arange(len(count)), count)
        number = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        cells = panel.edges[1:][owner] - 1 - length * number
        level = signal.center[owner] + signal.spread[owner] * signal.rolling.mean(cells, length)
        change = signal.spread[owner] * signal.seasonal_change.mean(cells, length)
        good = (level > 0) & (change > 0)
        owner, x, y = owner[good], np.log(level[good]), np.log(change[good])
        seasons = np.bincount(owner, minlength=len(count))

        def within(values: np.ndarray) -> np.ndarray:
            return values - (added(values) / np.maximum(seasons, 1))[owner]

        def added(values: np.ndarray) -> np.ndarray:
            return np.bincount(owner, values, len(count))

        x, y = within(x), within(y)
        return cls(seasons, added(x * x), added(x * y), added(y * y))

    def grows(self, item: np.ndarray) -> bool:
        """Whether, of these items together, a power of the level is well beyond its standard error, and steep.

        So that the noise of series whose level hardly moves proves nothing.
        """
        seasons = self.seasons[item]
        level, both, change = (float(sums[item].sum()) for sums in (self.level, self.both, self.change))
        if seasons.sum() < EVIDENCE or not level > 0:
            return False
        slope = both / level
        freedom = max(int(seasons.sum()) - np.count_nonzero(seasons) - 1, 1)
        error = np.sqrt(max(change - slope * both, 0.0) / freedom / level)
        return bool(slope > max(STEEPEST, 3 * error))
