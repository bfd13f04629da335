"""A long table of series as flat arrays on a regular grid of time.

One array holds one column of all items behind one another. Each item owns `pad` empty cells, then one cell
per step from its first to its last row, then `ahead` cells for what is known after the last step. Looking `k`
steps back is therefore a gather at `index - k`, and needs no test for the border between two items while `k
<= pad`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from .errors import DataError
from .task import Task

ITEM, TIME, TARGET = "item_id", "timestamp", "target"


@dataclass(frozen=True)
class Static:
    """What is known of one static covariate at each cell: an item may move to another region, or be named late.

    Attributes:
        code: shape (cells,), int32: which of the values a row has; -1 where it has none, and where there is no row.
        values: the distinct values and, last, what stands for a missing one: float32, or strings and None.
    """

    code: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, column: pd.Series, cell: np.ndarray, cells: int) -> Static:
        """Put a column, of which `cell` says where its rows lie, into so many cells."""
        number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        found, values = pd.factorize(column)
        code = np.full(cells, -1, dtype=np.int32)
        code[cell] = found
        if number:
            return cls(code, np.append(values.to_numpy(dtype=np.float32), np.float32("nan")))
        return cls(code, np.array([*map(str, values), None], dtype=object))

    def at(self, index: np.ndarray, steps: int) -> np.ndarray:
        """Return the latest known value of the last `steps` cells up to each of some cells, shape as `index`.

        No older one counts: a forecast sees no more of the history, so training must not either.
        """
        found = self.code[index]
        for back in range(1, steps):
            unknown = np.flatnonzero(found < 0)
            if not len(unknown):
                break
            found[unknown] = self.code[index[unknown] - back]
        return self.values[found]


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
        static: covariates of the item, name -> what is known of them at each cell.
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
    static: dict[str, Static]

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
            origin: the present. Rows after it give their known covariates only, and every item ends here.
                Without it, each item ends at its own last row.
            future: rows after the origin: timestamp, known covariates and, unless all items share them,
                item_id.

        Raises:
            DataError: a column is missing or not numeric, a row is there twice, a timestamp is off the grid, or no row
                is left.
        """
        require_columns(frame, task)
        later = None
        if origin is not None:
            after = (frame[TIME] > origin).to_numpy()
            later, frame = frame.loc[after], frame.loc[~after]
        if frame.empty:
            until = "" if origin is None else f" up to the origin {origin}"
            raise DataError(f"there are no rows{until}: nothing to learn or forecast from")

        times = frame[TIME].to_numpy("datetime64[us]")
        end = times.max() if origin is None else origin.to_datetime64()
        grid = regular_grid(times.min(), end, ahead, task.frequency)
        position = positions(times, grid, task.frequency)
        code, items = pd.factorize(frame[ITEM], sort=True)
        items = np.asarray(items, dtype=object)
        if code.min() < 0:
            raise DataError(f"{int((code < 0).sum())} rows have no item_id: leave them out or name their item")

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
            raise DataError(
                f"item {items[code[row]]!r} has more than one row at {pd.Timestamp(times[row])}: "
                "keep one row per item_id and timestamp"
            )

        def flat(name: str, kind: str) -> np.ndarray:
            values = np.full(edges[-1], np.nan, dtype=np.float64 if kind == "target" else np.float32)
            values[cell] = numbers(frame, name, kind)
            return values

        panel = cls(
            items=items,
            grid=grid,
            pad=pad,
            base=base,
            first=first,
            last=last,
            edges=edges,
            target=flat(TARGET, "target"),
            known={name: flat(name, "known covariate") for name in task.known},
            past={name: flat(name, "past covariate") for name in task.past},
            static={name: Static.of(frame[name], cell, edges[-1]) for name in task.static},
        )
        for rows in (later, future):
            if task.known and rows is not None and len(rows):
                _fill_ahead(panel, rows, task.frequency)
        return panel


def latest_known(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return what is known last of each item's static covariates, by time: the names as columns, item_id as index."""
    ordered = frame[[ITEM, TIME, *names]].sort_values(TIME, kind="stable")
    return ordered.groupby(ITEM)[list(names)].last()


def as_text(column: pd.Series) -> np.ndarray:
    """Return a column as strings, None where missing."""
    return np.array([None if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)])


def require_columns(frame: pd.DataFrame, task: Task) -> None:
    """Raise ValueError unless the frame has the canonical columns, times that are times, and the task's covariates."""
    roles = {ITEM: "item", TIME: "timestamp", TARGET: "target"}
    roles |= dict.fromkeys(task.known, "known covariate")
    roles |= dict.fromkeys(task.past, "past covariate")
    roles |= dict.fromkeys(task.static, "static covariate")
    missing = [f"{name!r} ({role})" for name, role in roles.items() if name not in frame.columns]
    if missing:
        raise DataError(
            f"the history lacks {', '.join(missing)}; it has {', '.join(map(repr, frame.columns))}. "
            "Add the column or take it out of the task"
        )
    if len(frame) and (not pd.api.types.is_datetime64_dtype(frame[TIME]) or frame[TIME].hasnans):
        raise DataError(
            f"the timestamps must be datetime64 without a time zone, none missing, not {frame[TIME].dtype} with "
            f"{int(frame[TIME].isna().sum())} missing: use pandas.to_datetime and dt.tz_localize(None)"
        )


def regular_grid(start: np.datetime64, end: np.datetime64, ahead: int, frequency: str) -> pd.DatetimeIndex:
    """Every timestamp of the frequency from `start` to `end`, and `ahead` more."""
    offset = to_offset(frequency)
    known = pd.date_range(pd.Timestamp(start), pd.Timestamp(end), freq=offset, unit="us")
    if not len(known) or known[-1] != pd.Timestamp(end):
        raise DataError(
            f"{pd.Timestamp(end)} is not on the grid of frequency {frequency!r} that starts at "
            f"{pd.Timestamp(start)}: align the timestamps or change the frequency"
        )
    if not ahead:
        return known
    return pd.date_range(known[0], periods=len(known) + ahead, freq=offset, unit="us")


def positions(times: np.ndarray, grid: pd.DatetimeIndex, frequency: str) -> np.ndarray:
    """Grid position of each timestamp; ValueError names the first one that is off the grid."""
    codes, uniques = pd.factorize(times)
    found = grid.get_indexer(pd.DatetimeIndex(uniques))
    if len(found) and found.min() < 0:
        wrong = pd.Timestamp(np.asarray(uniques)[int(np.argmin(found))])
        raise DataError(
            f"{wrong} is not on the grid of frequency {frequency!r} that starts at {grid[0]}: "
            "align the timestamps or change the frequency"
        )
    return found[codes].astype(np.int64)


def numbers(frame: pd.DataFrame, name: str, role: str) -> np.ndarray:
    """Return a column as floats; ValueError for text, because the engine would not know its order."""
    column = frame[name]
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        if not bool(column.isna().all()):
            raise DataError(
                f"the {role} {name!r} is of type {column.dtype}, not a number: encode it, for example one "
                "column of 0 and 1 per category"
            )
        return np.full(len(column), np.nan)
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.isinf(values)
    if infinite.any():
        raise DataError(f"the {role} {name!r} holds {int(infinite.sum())} infinite values: make them missing")
    return values


def _fill_ahead(panel: Panel, rows: pd.DataFrame, frequency: str) -> None:
    """Write known covariates of later rows into their cells; what has no cell is dropped."""
    missing = [name for name in (*panel.known, TIME) if name not in rows.columns]
    if missing:
        raise DataError(f"the future rows lack {', '.join(map(repr, missing))}, which the task calls known")
    times = rows[TIME].to_numpy("datetime64[us]")
    grid = panel.grid.to_numpy()
    inside = (times >= grid[0]) & (times <= grid[-1])
    rows = rows.loc[inside]
    position = positions(times[inside], panel.grid, frequency)
    if ITEM in rows.columns:
        item = pd.Index(panel.items).get_indexer(pd.Index(rows[ITEM]))
        row = np.arange(len(rows))
    else:
        item = np.repeat(np.arange(len(panel.items)), len(rows))
        row = np.tile(np.arange(len(rows)), len(panel.items))
    owned = (item >= 0) & (position[row] >= panel.first[item])
    cell = panel.base[item[owned]] + position[row[owned]]
    for name, values in panel.known.items():
        values[cell] = numbers(rows, name, "known covariate")[row[owned]]
