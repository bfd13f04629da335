"""A long table of series as flat arrays on a regular grid of time.

One array holds one column of all items behind one another. Each item owns `pad` empty cells, then one cell per step
from its first to its last row, then `ahead` cells for what is known after the last step. Looking `k` steps back is
therefore a gather at `index - k`, and needs no test for the border between two items while `k <= pad`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .task import Task

ITEM, TIME, TARGET = "item_id", "timestamp", "target"


@dataclass(frozen=True)
class Panel:
    """Series on a regular grid, as flat arrays.

    Attributes:
        items: sorted item ids, shape (items,).
        grid: every timestamp from the first of the panel to the last one, plus the steps ahead.
        pad: empty cells before each item's first step.
        base: shape (items,); the cell of item `i` at grid position `p` is `base[i] + p`.
        first: shape (items,); grid position of each item's first row.
        last: shape (items,); grid position of each item's last row.
        edges: shape (items + 1,); item `i` owns the cells `edges[i]` up to `edges[i + 1]`, padding included.
        target: shape (cells,), float64, original units, NaN where missing.
        known: covariates known ahead, name -> shape (cells,), float32.
        past: covariates known up to the origin, name -> shape (cells,), float32.
        static: one row per item in the order of `items`: float32 columns for numbers, strings for categories.
    """

    items: np.ndarray
    grid: pd.DatetimeIndex
    pad: int
    base: np.ndarray
    first: np.ndarray
    last: np.ndarray
    edges: np.ndarray
    target: np.ndarray
    known: dict[str, np.ndarray]
    past: dict[str, np.ndarray]
    static: pd.DataFrame

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        task: Task,
        *,
        pad: int = 0,
        ahead: int = 0,
        origin: pd.Timestamp | None = None,
        future: pd.DataFrame | None = None,
    ) -> Panel:
        """Lay a long table out on its grid.

        Args:
            frame: columns item_id, timestamp, target and the task's covariates, in any order of rows.
            task: names the covariates and the frequency.
            pad: empty cells before each item.
            ahead: cells after the last step of each item, for known covariates.
            origin: the present. Rows after it give their known covariates only, and every item ends here. Without
                it, each item ends at its own last row.
            future: rows after the origin: timestamp, known covariates and, unless all items share them, item_id.

        Raises:
            ValueError: a column is missing or not numeric, a row is there twice, a timestamp is off the grid, or no
                row is left.
        """
        require_columns(frame, task)
        frame = frame[[ITEM, TIME, TARGET, *task.known, *task.past, *task.static]]
        later = None
        if origin is not None:
            origin = pd.Timestamp(origin)
            after = (frame[TIME] > origin).to_numpy()
            later, frame = frame[after], frame[~after]
        if frame.empty:
            until = "" if origin is None else f" up to the origin {origin}"
            raise ValueError(f"there are no rows{until}: nothing to learn or forecast from")

        times = frame[TIME].to_numpy("datetime64[us]")
        end = times.max() if origin is None else origin.to_datetime64()
        grid = regular_grid(times.min(), end, ahead, task.frequency)
        position = positions(times, grid, task.frequency)
        code, items = pd.factorize(frame[ITEM], sort=True)
        items = np.asarray(items, dtype=object)

        first = np.full(len(items), len(grid))
        np.minimum.at(first, code, position)
        last = np.zeros(len(items), dtype=np.int64)
        np.maximum.at(last, code, position)
        end_of = last if origin is None else np.full(len(items), len(grid) - 1 - ahead)
        edges = np.concatenate([[0], np.cumsum(pad + end_of - first + 1 + ahead)])
        base = edges[:-1] + pad - first
        cell = base[code] + position
        filled = np.bincount(cell, minlength=edges[-1])
        if filled.max() > 1:
            row = int(np.flatnonzero(filled[cell] > 1)[0])
            raise ValueError(
                f"item {items[code[row]]!r} has more than one row at {pd.Timestamp(times[row])}: "
                "keep one row per item_id and timestamp"
            )

        def flat(name: str, kind: str) -> np.ndarray:
            values = np.full(edges[-1], np.nan, dtype=np.float64 if kind == "target" else np.float32)
            values[cell] = numbers(frame, name, kind)
            return values

        known = {name: flat(name, "known covariate") for name in task.known}
        for rows in (later, future):
            if task.known and rows is not None and len(rows):
                _fill_ahead(known, rows, items, base, first, grid, task.frequency)
        return cls(
            items=items,
            grid=grid,
            pad=pad,
            base=base,
            first=first,
            last=last,
            edges=edges,
            target=flat(TARGET, "target"),
            known=known,
            past={name: flat(name, "past covariate") for name in task.past},
            static=_static(frame, code, items, task.static),
        )


def require_columns(frame: pd.DataFrame, task: Task) -> None:
    """Raise ValueError unless the frame has the canonical columns and the task's covariates."""
    roles = {ITEM: "item", TIME: "timestamp", TARGET: "target"}
    roles |= {name: "known covariate" for name in task.known}
    roles |= {name: "past covariate" for name in task.past}
    roles |= {name: "static covariate" for name in task.static}
    missing = [f"{name!r} ({role})" for name, role in roles.items() if name not in frame.columns]
    if missing:
        raise ValueError(
            f"the history lacks {', '.join(missing)}; it has {', '.join(map(repr, frame.columns))}. "
            "Add the column or take it out of the task"
        )


def regular_grid(start: np.datetime64, end: np.datetime64, ahead: int, frequency: str) -> pd.DatetimeIndex:
    """Every timestamp of the frequency from `start` to `end`, and `ahead` more."""
    offset = pd.tseries.frequencies.to_offset(frequency)
    known = pd.date_range(pd.Timestamp(start), pd.Timestamp(end), freq=offset, unit="us")
    if not len(known) or known[-1] != pd.Timestamp(end):
        raise ValueError(
            f"{pd.Timestamp(end)} is not on the grid of frequency {frequency!r} that starts at {pd.Timestamp(start)}"
        )
    if not ahead:
        return known
    return known.append(pd.date_range(known[-1], periods=ahead + 1, freq=offset, unit="us")[1:])


def positions(times: np.ndarray, grid: pd.DatetimeIndex, frequency: str) -> np.ndarray:
    """Grid position of each timestamp; ValueError names the first one that is off the grid."""
    codes, uniques = pd.factorize(times)
    found = grid.get_indexer(pd.DatetimeIndex(uniques))
    if len(found) and found.min() < 0:
        wrong = pd.Timestamp(uniques[int(np.argmin(found))])
        raise ValueError(
            f"{wrong} is not on the grid of frequency {frequency!r} that starts at {grid[0]}: "
            "align the timestamps or change the frequency"
        )
    return found[codes].astype(np.int64)


def numbers(frame: pd.DataFrame, name: str, role: str) -> np.ndarray:
    """Return a column as floats; ValueError for text, because the engine would not know its order."""
    column = frame[name]
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        if len(column) and column.notna().any():
            raise ValueError(
                f"the {role} {name!r} is of type {column.dtype}, not a number: encode it, for example one column "
                "of 0 and 1 per category"
            )
        return np.full(len(column), np.nan)
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.isinf(values)
    if infinite.any():
        raise ValueError(
            f"the {role} {name!r} holds {int(infinite.sum())} infinite values: make them missing"
        )
    return values


def _fill_ahead(
    known: dict[str, np.ndarray],
    rows: pd.DataFrame,
    items: np.ndarray,
    base: np.ndarray,
    first: np.ndarray,
    grid: pd.DatetimeIndex,
    frequency: str,
) -> None:
    """Write known covariates of later rows into the cells after the origin; rows beyond the horizon are left out."""
    times = rows[TIME].to_numpy("datetime64[us]")
    inside = (times <= grid[-1].to_datetime64()) & (times >= grid[0].to_datetime64())
    rows, times = rows[inside], times[inside]
    position = positions(times, grid, frequency)
    missing = [name for name in known if name not in rows.columns]
    if missing:
        raise ValueError(f"the future rows lack the known covariates {', '.join(map(repr, missing))}")
    if ITEM in rows.columns:
        item = pd.Index(items).get_indexer(pd.Index(rows[ITEM]))
        keep = item >= 0
        item, position = item[keep], position[keep]
    else:
        keep = np.tile(np.ones(len(rows), dtype=bool), 1)
        item = np.repeat(np.arange(len(items)), len(rows))
        position = np.tile(position, len(items))
    owned = position >= first[item]
    cell = base[item[owned]] + position[owned]
    for name, values in known.items():
        column = numbers(rows, name, "known covariate")[keep]
        if ITEM not in rows.columns:
            column = np.tile(column, len(items))
        values[cell] = column[owned]


def _static(frame: pd.DataFrame, code: np.ndarray, items: np.ndarray, names: tuple[str, ...]) -> pd.DataFrame:
    row = np.zeros(len(items), dtype=np.int64)
    row[code[::-1]] = np.arange(len(code))[::-1]
    columns: dict[str, np.ndarray] = {}
    for name in names:
        column = frame[name].iloc[row]
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            columns[name] = column.to_numpy(dtype=np.float32, na_value=np.nan)
        else:
            text = column.astype("string").astype(object)
            columns[name] = text.where(text.notna(), None).to_numpy(dtype=object)
    return pd.DataFrame(columns, index=pd.Index(items, name=ITEM))
