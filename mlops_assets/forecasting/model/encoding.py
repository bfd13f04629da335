"""Feature columns as small whole numbers, which is all that a regressor sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from .errors import DataError
from .features import feature_columns

BINS = 255
"""Most distinct codes of a column."""


@dataclass(frozen=True)
class Encoding:
    """How feature columns become small whole numbers: halves the fit, and a split fits into one byte.

    Attributes:
        names: the feature columns, in order.
        categories: name of a column of strings -> its known values, sorted; unseen values become missing.
        edges: per column, ascending cut points, at most BINS - 1.
    """

    names: list[str]
    categories: dict[str, list[str]]
    edges: list[np.ndarray]

    @classmethod
    def learn(cls, training: pd.DataFrame) -> Encoding:
        """Take the cut points from the quantiles of the training rows."""
        names = feature_columns(training)
        columns = plain_columns(training, names)
        categories = {
            name: sorted({str(value) for value in values[pd.notna(values)]})
            for name, values in columns.items()
            if values.dtype == object
        }
        blank = cls(names, categories, [])
        return replace(blank, edges=[_edges(blank.column(columns, name)) for name in names])

    def column(self, rows: Any, name: str) -> np.ndarray:
        """One column as float32, categories as their rank; ValueError where text and numbers have been swapped."""
        values = np.asarray(rows[name])
        if name not in self.categories:
            if values.dtype == object:
                raise DataError(f"{name!r} was a number when the model was trained and is text now: convert it")
            return values.astype(np.float32)
        if values.dtype != object:
            raise DataError(f"{name!r} was text when the model was trained and is {values.dtype} now: convert it")
        place, found = pd.factorize(values)
        known = {category: rank for rank, category in enumerate(self.categories[name])}
        ranks = [known.get(str(value), np.nan) for value in found]
        return np.array([*ranks, np.nan], dtype=np.float32)[place]

    def matrix(self, rows: Any) -> np.ndarray:
        """Codes of all columns, shape (rows, columns), float32, NaN where missing."""
        matrix = np.empty((len(rows["lead"]), len(self.names)), dtype=np.float32)
        for number, name in enumerate(self.names):
            values = self.column(rows, name)
            codes = np.searchsorted(self.edges[number], values).astype(np.float32)
            matrix[:, number] = np.where(np.isnan(values), np.nan, codes)
        return matrix


def plain_columns(training: pd.DataFrame, names: list[str]) -> dict[str, np.ndarray]:
    """Return columns as arrays of numbers or, where they are text or categories of any kind, of objects."""
    return {
        name: training[name].to_numpy(np.float32 if pd.api.types.is_numeric_dtype(training[name]) else object)
        for name in names
    }


def _edges(values: np.ndarray) -> np.ndarray:
    values = np.sort(values[~np.isnan(values)])
    distinct = np.unique(values)
    if len(distinct) > BINS:
        distinct = np.unique(values[np.linspace(0, len(values) - 1, BINS).astype(np.int64)])
    return (distinct[:-1] + distinct[1:]) / 2
