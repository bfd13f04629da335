"""Means and deviations over any window, from prefix sums: constant cost per cell, whatever the window."""

from __future__ import annotations

import numpy as np


class Rolling:
    """Prefix sums over one flat array in which NaN means missing.

    A window of `w` steps at index `i` is the cells `i - w + 1 .. i`; the caller keeps it inside one item's
    cells (see `Panel.pad`). Values should be of the order of one, because a prefix sum subtracts large
    totals.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        seen = ~np.isnan(values)
        filled = np.where(seen, values, 0.0)
        self._count = _prefix(seen, np.int64)
        self._sum = _prefix(filled, np.float64)
        self._filled = filled
        self._squares: np.ndarray | None = None

    def at(self, index: np.ndarray) -> np.ndarray:
        """Values at the cells."""
        return self.values[index]

    def count(self, index: np.ndarray, window: int) -> np.ndarray:
        """Values present in the window."""
        return self._count[index + 1] - self._count[index + 1 - window]

    def mean(self, index: np.ndarray, window: int) -> np.ndarray:
        """Mean of the values present, NaN where none is."""
        count = self.count(index, window)
        total = self._sum[index + 1] - self._sum[index + 1 - window]
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)

    def deviation(self, index: np.ndarray, window: int) -> np.ndarray:
        """Population standard deviation of the values present, NaN where fewer than two are."""
        if self._squares is None:
            self._squares = _prefix(self._filled**2, np.float64)
        count = self.count(index, window)
        mean = self.mean(index, window)
        total = self._squares[index + 1] - self._squares[index + 1 - window]
        square = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 1)
        return np.sqrt(np.maximum(square - mean**2, 0.0))


def _prefix(values: np.ndarray, dtype: type) -> np.ndarray:
    out = np.zeros(len(values) + 1, dtype=dtype)
    np.cumsum(values, out=out[1:], dtype=dtype)
    return out
