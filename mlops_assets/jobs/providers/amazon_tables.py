"""Our rows as Amazon Forecast takes them: three tables without a header, each with its schema, on its own calendar."""

import re
from collections.abc import Sequence

import pandas as pd

Table = tuple[pd.DataFrame, list[dict[str, str]]]
"""Rows in the order of the schema, and the schema: name and type of each attribute."""


def amazon_stamps(stamps: pd.Series, frequency: str) -> pd.Series:
    """Return timestamps as Amazon Forecast has them: weeks by their Monday, months and years by their first day.

    Args:
        stamps: naive, on our grid.
        frequency: of ours.

    Returns:
        As many, and different ones: two steps of a grid of weeks lie in two weeks of the calendar.
    """
    rule = frequency.partition("-")[0]
    if rule == "W":
        return stamps - pd.to_timedelta(stamps.dt.weekday, unit="D")
    if rule in ("MS", "ME"):
        return stamps.dt.to_period("M").dt.start_time
    if rule in ("YS", "YE"):
        return stamps.dt.to_period("Y").dt.start_time
    return stamps


def target_series(history: pd.DataFrame, frequency: str) -> Table:
    """Return items, times and targets; unknown targets are left out."""
    known = history.dropna(subset=["target"])
    rows = pd.DataFrame(
        {
            "item_id": known["item_id"].astype(str),
            "timestamp": amazon_stamps(known["timestamp"], frequency),
            "target_value": known["target"].astype(float),
        }
    )
    return rows, _schema(rows)


def related_series(history: pd.DataFrame, future: pd.DataFrame | None, known: Sequence[str], frequency: str) -> Table:
    """Return known covariates until the horizon."""
    columns = ["item_id", "timestamp", *known]
    parts = [part.reindex(columns=columns) for part in (history, future) if part is not None]
    rows = pd.concat(parts, ignore_index=True).drop_duplicates(["item_id", "timestamp"])
    rows["item_id"] = rows["item_id"].astype(str)
    rows["timestamp"] = amazon_stamps(rows["timestamp"], frequency)
    return _named(rows)


def item_metadata(history: pd.DataFrame, static: Sequence[str]) -> Table:
    """Return the latest known value of each static covariate, as text."""
    latest = history.sort_values("timestamp").groupby("item_id", sort=True)[list(static)].last()
    rows = latest.astype("string").reset_index()
    rows["item_id"] = rows["item_id"].astype(str)
    return _named(rows)


def _named(rows: pd.DataFrame) -> Table:
    """Give columns names that Amazon Forecast takes: letters, digits and `_`, a letter first."""
    names: dict[str, str] = {}
    for number, column in enumerate(map(str, rows.columns)):
        clean = re.sub(r"\W", "_", column, flags=re.ASCII)[:40]
        clean = clean if clean[:1].isalpha() else f"x{clean}"
        while clean in names.values():
            clean = f"x{number}_{clean}"
        names[column] = clean
    rows = rows.rename(columns=names)
    return rows, _schema(rows)


def _schema(rows: pd.DataFrame) -> list[dict[str, str]]:
    return [{"AttributeName": str(name), "AttributeType": _type(str(name), rows[name])} for name in rows.columns]


def _type(name: str, values: pd.Series) -> str:
    if name == "timestamp":
        return "timestamp"
    return "float" if name != "item_id" and pd.api.types.is_numeric_dtype(values) else "string"
