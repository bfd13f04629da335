"""Features of others: what a class of somebody's package knows of a row, beside what the engine knows of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Protocol

import numpy as np
import pandas as pd

from ..extensions import FEATURES, ExtensionError, called, require, resolve
from ..panel import ITEM, TIME
from ..task import Task

PREFIX = "own_"
"""Of the columns of such features."""


class Feature(Protocol):
    """What a class of features has to have; it is made without arguments.

    Attributes:
        names: of the columns that it makes, letters, digits and _.
        steps: so many of the item's last targets it looks at, at most `features.lookback`; may be absent: none.
    """

    names: tuple[str, ...]

    def values(self, rows: pd.DataFrame, past: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return the columns; called for the rows to learn from and for those to forecast alike.

        Args:
            rows: item_id, origin (last timestamp known), timestamp (that is forecast), lead. Nothing that comes after
                the origin is given, nor may it be looked up, unless it is known ahead as a calendar is.
            past: the item's last targets up to the origin, the latest last, shape (rows, steps), NaN where missing; as
                the engine sees them: less the item's level, by its scale.

        Returns:
            Name -> values of shape (rows,), NaN where unknown.
        """
        ...


def load(name: str) -> Feature:
    """Return the features of a path or an entry point.

    Raises:
        UnknownNameError: there is nothing of that name.
        ExtensionError: its package fails, or it is not what `Feature` asks for.
    """
    return _made(name)


@lru_cache(maxsize=64)
def _made(name: str) -> Feature:
    found = resolve(FEATURES, name)
    made = called(FEATURES, name, found) if isinstance(found, type) else found
    require(FEATURES, name, made, ("names", "values"))
    if not made.names or not all(isinstance(one, str) and one.isidentifier() for one in made.names):
        raise ExtensionError(f"the feature {name!r} has no names of letters, digits and _")
    return made


def columns(task: Task, rows: pd.DataFrame, lags: Mapping[int, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the columns of a task's own features, float32.

    Args:
        task: names them.
        rows: item_id, origin, timestamp, lead.
        lags: lag -> the item's target so many steps before the origin, shape (rows,); looked up as it is asked for.
    """
    for name in task.model.features:
        made = load(name)
        steps = getattr(made, "steps", 0)
        past = np.column_stack([lags[lag] for lag in range(steps)][::-1]) if steps else np.empty((len(rows), 0))
        found = called(FEATURES, name, made.values, rows, past)
        for column in made.names:
            yield f"{PREFIX}{column}", _checked(name, column, found, len(rows))


def place(items: np.ndarray, grid: pd.DatetimeIndex, origin: np.ndarray, lead: np.ndarray) -> pd.DataFrame:
    """Return what tells one row from another: item_id, origin, timestamp and lead, shape (rows,) each."""
    return pd.DataFrame({ITEM: items, "origin": grid[origin], TIME: grid[origin + lead], "lead": lead})


def _checked(name: str, column: str, found: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
    if column not in found:
        raise ExtensionError(f"the feature {name!r} gives no {column!r}, which is among its names")
    values = called(FEATURES, name, np.asarray, found[column], dtype=np.float32)
    if values.shape != (rows,) or np.isinf(values).any():
        problem = "an infinite value" if values.shape == (rows,) else f"shape {values.shape}, not ({rows},)"
        raise ExtensionError(f"the feature {name!r}: {column!r} has {problem}")
    return values
