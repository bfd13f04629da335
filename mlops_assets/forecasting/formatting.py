"""Results as plain JSON types, and in a few words."""

from collections.abc import Mapping, Sequence
from math import floor, isfinite, log10
from typing import Any

import pandas as pd


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame: numbers rounded to six decimals, timestamps as text, missing values as None."""
    return [{str(name): plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def plain(value: Any) -> Any:
    """Return one value as a plain JSON type."""
    if isinstance(value, pd.Timestamp):
        return stamp(value)
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return None if pd.isna(value) else round(value, 6)
    return None if value is pd.NaT or value is pd.NA else value


def finite(value: Any) -> Any:
    """Return a JSON value with None for each number that JSON has no word for: NaN, infinities."""
    if isinstance(value, Mapping):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def stamp(moment: pd.Timestamp) -> str:
    """Return a timestamp in ISO 8601: the day alone at midnight, else to the minute or as fine as it is."""
    if moment == moment.normalize():
        return f"{moment:%Y-%m-%d}"
    return moment.isoformat(sep=" ", timespec="minutes" if moment == moment.floor("min") else "auto")


def significant(value: float, digits: int = 3) -> float:
    """Round a number to so many significant digits; none before its decimal point is lost."""
    if not isfinite(value) or value == 0:
        return value
    return round(value, max(0, digits - 1 - floor(log10(abs(value)))))


def figures(value: float, digits: int = 3) -> str:
    """Return a number as text with so many significant digits; none before its decimal point is lost."""
    rounded = significant(value, digits)
    return f"{rounded:.0f}" if 10**digits <= abs(rounded) < 1e15 else f"{rounded:.{digits}g}"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number as text; a dash where there is none."""
    return "–" if value is None or pd.isna(value) else f"{value:.{digits}f}"


def counted(count: int, noun: str) -> str:
    """Return a number with what it counts: `1 row`, `1,204 rows`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def few(names: Sequence[str], most: int = 5) -> str:
    """Name the first few, and say how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def in_files(names: Sequence[Any]) -> str:
    """Say in which files something is; empty for a file without a name."""
    if not names or names[0] is None:
        return ""
    return f" in {names[0]}" if len(names) == 1 else f" in {len(names)} files, {names[0]} the first"


def of_all(part: int, whole: int, one: str = "is", more: str = "are") -> str:
    """Say how many rows: `all 104 rows are`, `98 of 104 rows are`, `1 of 104 rows is`; the verb fits the number."""
    if part == whole:
        return f"the one row {one}" if whole == 1 else f"{'both' if whole == 2 else f'all {whole:,}'} rows {more}"
    return f"{part:,} of {whole:,} rows {one if part == 1 else more}"
