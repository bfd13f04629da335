"""One column of a stored table, and what follows from some of them: frames of their types, with rows or without."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

FIRST_RELEASE = "0.1.0"
QUANTILES, COVARIATES, COSTS = "QUANTILES", "COVARIATES", "COSTS"
"""Stand for as many columns as a spec has of them."""

_STORED_AS = {
    "str": "string",
    "datetime64[us]": "timestamp[us]",
    "float64": "double",
    "float32": "float",
    "Int64": "int64",
}
"""What Arrow calls a type of pandas, where the names differ."""
_NEVER_MISSING = ("bool", "int32", "int64")
_TEXTS = {str, type(None)}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: of the column, or `QUANTILES`, `COVARIATES` or `COSTS`.
        dtype: its type in pandas; `str`: objects that are texts; `any`: as the source has it.
        meaning: a sentence, with its unit.
        since: the release that first wrote it; rows of earlier ones have `default`.
        formerly: names under which earlier releases wrote it.
        default: its value in rows that were written before there was the column; None: missing.
    """

    name: str
    dtype: str
    meaning: str
    since: str = FIRST_RELEASE
    formerly: tuple[str, ...] = ()
    default: Any = None

    def __post_init__(self) -> None:
        if self.since != FIRST_RELEASE and self.default is None and self.dtype in _NEVER_MISSING:
            raise ValueError(f"column {self.name}: {self.dtype} cannot be missing in old rows; give it a default")

    @property
    def stored_as(self) -> str:
        """Its type in storage, as Arrow calls it."""
        return _STORED_AS.get(self.dtype, self.dtype)


Columns = tuple[Column, ...]


def expand(
    columns: Columns, quantiles: Sequence[str], covariates: Sequence[str], costs: Sequence[str] = ()
) -> dict[str, Column]:
    """Return the columns by name, with those of a spec in the place of what stands for them."""
    given = {QUANTILES: quantiles, COVARIATES: covariates, COSTS: costs}
    return {name: one for one in columns for name in given.get(one.name, [one.name])}


def typed(rows: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return rows as a table keeps them: these columns, in this order, of these types; a missing text stays missing.

    They are the frame itself where nothing of it is to be changed, as of what comes from a store.

    Raises:
        KeyError: a column is not there.
        ValueError, TypeError: a value is not of its column's type.
    """
    types = dict(zip(rows.columns, map(_name, rows.dtypes.array), strict=True))
    right = {one.name for one in columns if types[one.name] == one.dtype != "str"}
    texts = [one.name for one in columns if one.dtype == "str" and types[one.name] == "object"]
    if {*map(type, rows[texts].to_numpy().flat)} <= _TEXTS:  # all at once: a frame of few rows is many columns
        right.update(texts)
    cast = {one.name: None if one.name in right else _cast(rows[one.name], one.dtype) for one in columns}
    if all(one is None for one in cast.values()):
        return rows if [*rows.columns] == [*cast] else rows.reindex(columns=list(cast))
    return pd.DataFrame({name: rows[name] if one is None else one for name, one in cast.items()}, index=rows.index)


def without_rows(columns: Columns) -> pd.DataFrame:
    """Return a table of these columns that has no rows."""
    return _without_rows(columns).copy()


@lru_cache
def _without_rows(columns: Columns) -> pd.DataFrame:
    return typed(pd.DataFrame(columns=[one.name for one in columns]), columns)


def _cast(values: pd.Series, dtype: str) -> pd.Series | None:
    """Return values, which are of another type, as this one; None: they are texts already."""
    if dtype != "str":
        return values.astype(dtype)  # pyright: ignore[reportArgumentType, reportCallIssue]
    if values.dtype == object and {*map(type, values.to_numpy())} <= _TEXTS:
        return None
    missing = pd.isna(values.to_numpy(dtype=object))
    right = values.dtype == "object" and pd.api.types.infer_dtype(values, skipna=True) in ("string", "empty")
    texts = values if right else values.astype("str").astype("object")
    return texts.mask(missing, None) if missing.any() else texts  # pyright: ignore[reportArgumentType]


@lru_cache
def _name(dtype: Any) -> str:
    """Return what a type is called: numpy makes up the name each time that it is asked for."""
    return str(dtype)
