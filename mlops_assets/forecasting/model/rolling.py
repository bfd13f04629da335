"""Means and deviations over any window, from running totals: constant cost per cell, whatever the window."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

ROUNDING = 2.0**-46
"""Share of a running total of squares below which a difference of two of them is rounding, not spread."""

Cells = np.ndarray | slice
"""Cells by number, in any order, or a stretch of neighbouring ones (start and stop given), which needs no gather."""


class Rolling:
    """Running totals over the cells of items that lie behind one another; NaN means missing.

    They begin anew with each item, so that nothing asked of an item depends on its neighbours, down to the last bit. A
    window of `w` steps at index `i` is the cells `i - w + 1 .. i`; the caller keeps it, and one cell before it, inside
    one item's cells (see `Panel.pad`). Values should be of the order of one, because large totals are subtracted.
    """

    def __init__(self, values: np.ndarray, edges: np.ndarray) -> None:
        """Add up values of shape (cells,); item `i` owns the cells `edges[i]` up to `edges[i + 1]`."""
        self.values, self._edges = values, edges
        missing = np.isnan(values)
        self._filled = np.where(missing, 0.0, values)
        self._count = running_totals(~missing, edges)
        self._sum = running_totals(self._filled, edges)
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
        """Population standard deviation of the values present, NaN where fewer than two are; 0 where it is rounding."""
        if self._squares is None:
            self._squares = running_totals(self._filled * self._filled, self._edges)
        count = self.count(index, window)
        mean = _within(self._sum, index, window)
        square = _within(self._squares, index, window)
        with np.errstate(invalid="ignore"):
            mean /= count
            mean *= mean
            square /= count
            square -= mean
            square[square * count <= ROUNDING * self._squares[index]] = 0.0
            np.sqrt(square, out=square)
        square[count < 2] = np.nan
        return square


def running_totals(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Totals of each item's values up to and including each cell, float64, shape (cells,)."""
    totals = np.empty(len(values))
    for first, stop in pairwise(edges.tolist()):
        np.cumsum(values[first:stop], out=totals[first:stop], dtype=np.float64)
    return totals


def _within(totals: np.ndarray, index: Cells, window: int) -> np.ndarray:
    if isinstance(index, slice):
        return totals[index] - totals[index.start - window : index.stop - window]
    return totals[index] - totals[index - window]
