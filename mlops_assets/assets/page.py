"""A forecast's report as one HTML page: pictures and tables inside, no script, light and dark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.assets.overview import Overview
from mlops_assets.plain import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = Path(__file__).parent / "page.html"


@dataclass(frozen=True)
class Picture:
    """One picture as SVG, drawn for a page and for a telephone."""

    wide: str
    narrow: str

    @classmethod
    def of(cls, draw: Callable[[], "Figure"], alt: str) -> "Picture":
        """Draw it twice; `alt` says what it shows to those who do not see it."""
        from mlops_assets.forecasting import look, plots

        wide = plots.to_svg(draw(), alt)
        with look.narrow():
            return cls(wide, plots.to_svg(draw(), f"{alt} (narrow)"))


@dataclass(frozen=True)
class Table:
    """A table of the page: texts, ready to be shown; columns named in `wordy` hold sentences."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    wordy: tuple[str, ...] = ()

    @classmethod
    def of(cls, title: str, frame: pd.DataFrame, wordy: Sequence[str] = (), digits: int = 3) -> "Table":
        """Turn a small frame into one."""
        rows = [[_cell(value, digits) for value in row] for row in frame.itertuples(index=False)]
        heads = [str(name).replace("_", " ") for name in frame.columns]
        return cls(title, heads, rows, tuple(name.replace("_", " ") for name in wordy))


@dataclass(frozen=True)
class Section:
    """A section of the page; sentences first, then pictures, then tables."""

    title: str
    words: list[str] = field(default_factory=list)
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
    words: str = ""


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


def _cell(value: Any, digits: int) -> str:
    value = plain(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.{digits}f}" if isinstance(value, float) else str(value)
