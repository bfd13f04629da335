"""Frames as plain JSON types."""

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


def stamp(moment: pd.Timestamp) -> str:
    """Return a timestamp in ISO 8601: the day alone at midnight, else to the minute or as fine as it is."""
    if moment == moment.normalize():
        return f"{moment:%Y-%m-%d}"
    return moment.isoformat(sep=" ", timespec="minutes" if moment == moment.floor("min") else "auto")
