"""What is told in words and tables of a forecast's state: numbers in large letters, and sections below them."""

from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from mlops_assets.forecasting.charts.style import label
from mlops_assets.reading.documents import columns_of

DIGITS = 6
"""Significant digits of the numbers in tables."""


@dataclass(frozen=True)
class Table:
    """A table of a section.

    Attributes:
        title: above it; may be empty.
        rows: a small frame.
        sentences: names of columns that hold sentences.
    """

    title: str
    rows: pd.DataFrame
    sentences: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON types: title, columns, labels (of the columns, for people), sentences."""
        labels = {name: label(name) for name in map(str, self.rows)}
        columns = columns_of(self.rows, DIGITS)
        return {"title": self.title, "columns": columns, "labels": labels, "sentences": list(self.sentences)}


@dataclass(frozen=True)
class Section:
    """A section: sentences first, then tables."""

    title: str
    sentences: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        tables = [table.to_json() for table in self.tables]
        return {"title": self.title, "sentences": self.sentences, "tables": tables}


@dataclass(frozen=True)
class Card:
    """A number in large letters, with its name above and a few words below."""

    name: str
    value: str
    note: str = ""

    def to_json(self) -> dict[str, str]:
        """Return it as plain JSON types."""
        return asdict(self)
