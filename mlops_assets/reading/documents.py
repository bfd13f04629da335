"""Answers as plain JSON, the same for everybody who hands them out: the read API, and the page that is one file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlops_assets.forecasting.formatting import finite

DIGITS = 9
"""Significant digits of numbers that are not whole; the digits before the point are all kept."""


def table(forecast: str, rows: pd.DataFrame, total: int | None = None, digits: int = DIGITS) -> dict[str, Any]:
    """Return an answer as the page takes it, column by column.

    Args:
        forecast: its name.
        rows: of the answer, all or the first.
        total: how many there are; None: these.
        digits: see `columns_of`.
    """
    there = len(rows) if total is None else total
    following = len(rows) if len(rows) < there else None
    return {"forecast": forecast, "total": there, "next": following, "columns": columns_of(rows, digits)}


def rows_of(frame: pd.DataFrame, digits: int = DIGITS) -> list[dict[str, Any]]:
    """Return the rows of a frame, each an object; values as `columns_of` has them."""
    columns = columns_of(frame, digits)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def columns_of(frame: pd.DataFrame, digits: int = DIGITS) -> dict[str, list[Any]]:
    """Return the columns of a frame as lists of plain JSON values.

    Args:
        frame: of any columns.
        digits: significant digits of numbers that are not whole.

    Returns:
        Numbers, texts, yes or no; times as `2013-12-31T00:00:00`, to the microsecond where they have any; None for
        what is missing, and for infinite numbers.
    """
    return {str(name): _values(frame[name], digits) for name in frame}


def _values(column: pd.Series, digits: int) -> list[Any]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        known = np.array([*_values(column.cat.categories.to_series(), digits), None], dtype=object)
        return known[column.cat.codes.to_numpy()].tolist()
    kind = column.dtype.kind
    if kind == "M":
        naive = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
        times = naive.to_numpy("datetime64[us]")
        texts = np.datetime_as_string(times, unit=_unit(times)).tolist()
        return [None if text == "NaT" else text for text in texts] if np.isnat(times).any() else texts
    if kind in "iub":
        return [None if value is pd.NA else value for value in column.tolist()]
    if kind == "f":
        numbers = column.to_numpy(np.float64, na_value=np.nan)
        known = np.isfinite(numbers)
        values = _rounded(np.where(known, numbers, 0.0), digits).tolist()
        return values if known.all() else [one if there else None for one, there in zip(values, known, strict=True)]
    return [value if type(value) is str else _plain(value) for value in column.tolist()]


def _unit(times: np.ndarray) -> Literal["s", "us"]:
    whole = times.astype("datetime64[s]")
    return "s" if bool(((whole == times) | np.isnat(times)).all()) else "us"


def _rounded(numbers: np.ndarray, digits: int) -> np.ndarray:
    """Return numbers with so many significant digits, but with all that stand before the point."""
    size = np.floor(np.log10(np.abs(numbers), out=np.zeros(len(numbers)), where=numbers != 0))
    scale = 10.0 ** np.clip(digits - 1 - size, 0, 300)
    with np.errstate(over="ignore"):
        found = np.round(numbers * scale) / scale
    return np.where(np.isfinite(found), found, numbers)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, pd.Timestamp):
        return None if value is pd.NaT else value.isoformat(timespec="seconds")
    value = value.item() if hasattr(value, "item") else value
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    return finite(value) if isinstance(value, str | bool | int | float) else str(value)
