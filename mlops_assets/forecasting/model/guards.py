"""What a model is asked about that it has not learnt: said, not guessed at.

Wrong types and absent columns are errors (see `panel` and `encoding.Encoding`). What can be computed but should not be
trusted is a warning: the forecast is made all the same, since a level never seen is also what growth looks like.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import pandas as pd

DISTINCT = 20
"""Cut points that a column needs before its range says anything."""
MOST = 0.5
"""Share of the rows far beyond the outermost cut points, or of unknown categories, that is remarked on."""
SHOWN = 3
_MISSING = re.compile(r"the \w+ covariate '(.*)' is missing in every row")


class UnusualInput(UserWarning):
    """Forecasts rest on values unlike those of the training rows."""


class Unusual:
    """Counts what is unusual over the parts of one forecast, and warns once."""

    def __init__(self) -> None:
        self._asked: tuple[Any, ...] = ()
        self._rows = 0
        self._missing: dict[str, int] = {}
        self._beyond: dict[str, int] = {}
        self._strange: dict[str, int] = {}
        self._items: set[str] = set()

    def inspect(self, items: np.ndarray, rows: Any, encoding: Any, seen: tuple[float, float]) -> None:
        """Hold feature rows against what the model was trained on.

        Args:
            items: id of each row, shape (rows,).
            rows: `features.Rows`.
            encoding: `encoding.Encoding` of the model: its cut points are quantiles of the training rows.
            seen: lowest and highest level of the training rows, in transformed units.
        """
        self._asked = (tuple(encoding.names), *map(float, seen))
        self._rows += len(items)
        for name, edges in zip(encoding.names, encoding.edges, strict=True):
            known = encoding.categories.get(name)
            is_covariate = name.startswith(("known_", "past_", "static_")) and not name.endswith("_change")
            if not is_covariate or not (len(edges) or known):
                continue
            values = rows.features[name]
            missing = pd.isna(values)
            self._missing[name] = self._missing.get(name, 0) + int(missing.sum())
            if known:
                strange = int((~missing & ~np.isin(values.astype(str), known)).sum())
                self._strange[name] = self._strange.get(name, 0) + strange
            elif len(edges) >= DISTINCT:
                beyond = _far(values, float(edges[0]), float(edges[-1]))
                self._beyond[name] = self._beyond.get(name, 0) + int(beyond.sum())
        self._items |= set(items[_far(rows.reference, *seen)])

    def warn(self) -> None:
        """Say what was found, if anything, as one `UnusualInput`; within `counted` it is kept instead."""
        kept = _kept.get()
        if kept is not None:
            kept.append(self)
        elif said := self.sentence():
            warnings.warn(said, UnusualInput, stacklevel=3)

    def sentence(self) -> str:
        """Return what was found in words; empty if nothing was."""
        said = [
            f"{_plain(name)} is missing in every row"
            for name, count in self._missing.items()
            if count == self._rows > 0
        ]
        said += [
            f"{_plain(name)} lies far outside the range of the training rows in {count / self._rows:.0%} of the rows: "
            "have columns been swapped, or units changed?"
            for name, count in self._beyond.items()
            if count > MOST * self._rows
        ]
        said += [
            f"{_plain(name)} has values that were not in training in {count / self._rows:.0%} of the rows: have "
            "columns been swapped, or names changed?"
            for name, count in self._strange.items()
            if count > MOST * self._rows
        ]
        if self._items:
            some = ", ".join(sorted(map(str, self._items))[:SHOWN]) + (" …" if len(self._items) > SHOWN else "")
            said.append(f"the level of {len(self._items)} items is far from any seen in training: {some}")
        return "; ".join(said)

    def _add(self, other: Unusual) -> None:
        self._rows += other._rows
        self._items |= other._items
        for mine, others in (
            (self._missing, other._missing),
            (self._beyond, other._beyond),
            (self._strange, other._strange),
        ):
            for name, count in others.items():
                mine[name] = mine.get(name, 0) + count


_kept: ContextVar[list[Unusual] | None] = ContextVar("kept", default=None)


@contextmanager
def counted() -> Iterator[list[Unusual]]:
    """Keep what models find unusual within the block, for whoever asks about some items at a time; nothing is said."""
    found: list[Unusual] = []
    token = _kept.set(found)
    try:
        yield found
    finally:
        _kept.reset(token)


def added_up(parts: Sequence[Unusual]) -> list[Unusual]:
    """Return what models have found in all parts of a forecast: one for each training that they hold rows against."""
    whole: dict[tuple[Any, ...], Unusual] = {}
    for part in parts:
        whole.setdefault(part._asked, Unusual())._add(part)
    return [found for asked, found in whole.items() if asked]


def without_missing(said: list[str], names: Collection[str]) -> list[str]:
    """Return what `Unusual.warn` has said, but for some covariates that are missing: for whoever knows of those."""
    kept = [[part for part in words.split("; ") if not _is_of(part, names)] for words in said]
    return ["; ".join(parts) for parts in kept if parts]


def _is_of(part: str, names: Collection[str]) -> bool:
    found = _MISSING.fullmatch(part)
    return found is not None and found[1] in names


def _far(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Whether values lie outside by more than the width of the range: one storm, or growth, is not enough."""
    room = high - low
    return (values > high + room) | (values < low - room)


def _plain(feature: str) -> str:
    kind, _, name = feature.partition("_")
    return f"the {kind} covariate {name.removesuffix('_last')!r}"
