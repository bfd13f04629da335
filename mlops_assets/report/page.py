"""A forecast's report as one HTML page: pictures and tables inside, no script, light and dark."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.forecasting.charts.style import cut, label
from mlops_assets.forecasting.formatting import plain
from mlops_assets.report.overview import Overview

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = Path(__file__).parent / "page.html"
LONGEST = 32
"""Letters of a name in a table: a longer one loses its middle, so that the numbers beside it stay in sight."""


@dataclass(frozen=True)
class Picture:
    """One picture, drawn when it is asked for.

    Attributes:
        draw: makes the figure, at the present width.
        alt: what it shows, for those who do not see it.
    """

    draw: Callable[[], "Figure"]
    alt: str

    @property
    def wide(self) -> str:
        """As SVG, for a page."""
        from mlops_assets.forecasting import charts

        return charts.to_svg(self.draw(), self.alt)

    @property
    def narrow(self) -> str:
        """As SVG, for a telephone."""
        from mlops_assets.forecasting import charts
        from mlops_assets.forecasting.charts import style

        with style.narrow():
            return charts.to_svg(self.draw(), f"{self.alt} (narrow)")

    @property
    def file(self) -> str:
        """The name of its file, where it is kept as one."""
        return re.sub(r"[^a-z0-9]+", "_", self.alt.lower().split(",")[0]).strip("_") + ".png"


@dataclass(frozen=True)
class Table:
    """A table of the page: texts, ready to be shown; columns named in `sentences` hold some."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    sentences: tuple[str, ...] = ()

    @classmethod
    def of(cls, title: str, frame: pd.DataFrame, sentences: Sequence[str] = (), digits: int = 3) -> "Table":
        """Turn a small frame into one."""
        lengths = [None if name in sentences else LONGEST for name in frame.columns]
        rows = [
            [_cell(value, digits, length) for value, length in zip(row, lengths, strict=True)]
            for row in frame.itertuples(index=False)
        ]
        return cls(title, [label(name) for name in frame.columns], rows, tuple(map(label, sentences)))


@dataclass(frozen=True)
class Section:
    """A section of the page; sentences first, then pictures, then tables."""

    title: str
    sentences: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Its anchor."""
        return self.title.lower().replace(" ", "-")


@dataclass(frozen=True)
class Card:
    """A number in large letters, with its name above and a few words below."""

    name: str
    value: str
    note: str = ""


def render(state: Overview, partition: str, cards: list[Card], sections: list[Section]) -> str:
    """Return the page.

    Args:
        state: of the forecast.
        partition: after whose round it is made; empty: at any time.
        cards: the numbers at the top.
        sections: all the rest, in this order; the contents list leads to each.
    """
    from jinja2 import Environment, StrictUndefined

    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(state=state, partition=partition, cards=cards, sections=sections)


def _cell(value: Any, digits: int, longest: int | None) -> str:
    value = plain(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.{digits}f}"
    return str(value) if longest is None else cut(value, longest)
