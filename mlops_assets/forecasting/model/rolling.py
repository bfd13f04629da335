"""Means and deviations over any window, from prefix sums: constant cost per cell, whatever the window."""

from __future__ import annotations

import numpy as np

Cells = np.ndarray | slice
"""Cells by number, in any order, or a stretch of neighbouring ones (start and stop given), which needs no gather."""


class Rolling:
    """Prefix sums over one flat array in which NaN means missing.

    A window of `w` steps at index `i` is the cells `i - w + 1 .. i`; the caller keeps it inside one item's
    cells (see `Panel.pad`). Values should be of the order of one, because a prefix sum subtracts large
    totals.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        missing = np.isnan(values)
        self._filled = np.where(missing, 0.0, values)
        self._count = _prefix(~missing)
        self._sum = _prefix(self._filled)
        self._squares: np.ndarray | None = None

    def at(self, index: Cells) -> np.ndarray:
        """Values at the cells."""
        return self.values[index]

    def count(self, index: Cells, window: int) -> np.ndarray:
        """Values present in the window, float64."""
        return _within(self._count, index, window)

    def mean(self, index: Cells, window: int) -> np.ndarray:
        """Mean of the values present, NaN where none is."""
        total = _within(self._sum, index, window)
        with np.errstate(invalid="ignore"):
            return np.divide(total, self.count(index, window), out=total)

    def deviation(self, index: Cells, window: int) -> np.ndarray:
        """Population standard deviation of the values present, NaN where fewer than two are."""
        if self._squares is None:
            self._squares = _prefix(self._filled * self._filled)
        count = self.count(index, window)
        mean = _within(self._sum, index, window)
        square = _within(self._squares, index, window)
        with np.errstate(invalid="ignore"):
            mean /= count
            mean *= mean
            square /= count
            square -= mean
            np.maximum(square, 0.0, out=square)
            np.sqrt(square, out=square)
        square[count < 2] = np.nan
        return square


def _within(prefix: np.ndarray, index: Cells, window: int) -> np.ndarray:
    if isinstance(index, slice):
        start, stop = index.start + 1, index.stop + 1
        return prefix[start:stop] - prefix[start - window : stop - window]
    after = index + 1
    return prefix[after] - prefix[after - window]


def _prefix(values: np.ndarray) -> np.ndarray:
    out = np.zeros(len(values) + 1)
    np.cumsum(values, out=out[1:], dtype=np.float64)
    return out
