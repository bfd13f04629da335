"""How the pictures look: colours, axes, keys and words, the same in all of them.

Colours are those of Okabe and Ito (2008, "Color Universal Design"), which people with any kind of colour
vision can tell apart.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_assets.forecasting.evaluation.metrics import METRICS
from mlops_assets.forecasting.formatting import stamp

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#2b2b2b", "#6f6f6f", "#e4e4e4"
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#9a9a9a"
PALETTE = (BLUE, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", ORANGE, "#7a5c00", GREY)
WIDE, NARROW = 8.4, 3.9
"""Inches: of a page, of a telephone."""
_width: ContextVar[float] = ContextVar("width", default=WIDE)


@contextmanager
def narrow() -> Iterator[None]:
    """Draw for a telephone: what is drawn in the block is as wide as one, its letters as large as ever."""
    token = _width.set(NARROW)
    try:
        yield
    finally:
        _width.reset(token)


def is_narrow() -> bool:
    """Whether pictures are drawn for a telephone now."""
    return _width.get() < WIDE


def columns(wanted: int) -> int:
    """Return how many panels or keys fit beside each other, of those wanted on a page."""
    return max(1, wanted * 2 // 5) if is_narrow() else wanted


def blank(height: float) -> "Figure":
    """Return an empty figure of the present width, to be laid out when it is rendered."""
    from matplotlib.figure import Figure

    return Figure(figsize=(_width.get(), height), dpi=100, facecolor="white", layout="constrained")


def one_panel(height: float) -> "tuple[Figure, Axes]":
    """Return a figure with one tidy panel."""
    figure = blank(height)
    axes = figure.add_subplot()
    tidy(axes)
    return figure, axes


def nothing(title: str) -> "Figure":
    """Return the picture of an empty frame."""
    figure = blank(height=1.2)
    heading(figure, title, [])
    figure.text(0.5, 0.4, "nothing to show yet", ha="center", va="center", fontsize=10, color=MUTED)
    return figure


def heading(figure: "Figure", title: str, keys: list[Any]) -> None:
    """Put the title and below it the keys above the panels: one legend, so that they never overlap."""
    legend = figure.legend(
        handles=keys,
        loc="outside upper left",
        ncols=columns(5),
        title=title,
        title_fontproperties={"size": 10 if is_narrow() else 12, "weight": "bold"},
        alignment="left",
        labelcolor=INK,
        fontsize=8.5,
        handlelength=1.4,
        columnspacing=1.6,
        borderaxespad=0.3,
        frameon=False,
    )
    legend.get_title().set_color(INK)


def tidy(axes: "Axes") -> None:
    """Leave of the axes what is needed to read them."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=8.5, length=0, pad=4)
    axes.xaxis.label.set(color=MUTED, fontsize=9)
    axes.yaxis.label.set(color=MUTED, fontsize=9)
    axes.set_axisbelow(True)


def time_axis(axes: "Axes", first: Any, last: Any, ticks: int) -> None:
    """Show the same span in every panel; the year stands in the figure's title."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    pad = (last - first) * 0.02 or pd.Timedelta(days=3)
    axes.set_xlim(first - pad, last + pad)
    # So few that there is a single one, and it would be labelled with its time of day.
    locator = AutoDateLocator(minticks=3, maxticks=max(5 if is_narrow() else 3, columns(ticks)))
    formats = ["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S.%f"]
    starts = ["", "%Y", "%b", "%d %b", "%H:%M", "%H:%M"]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, formats=formats, zero_formats=starts, show_offset=False)
    )


def widen_constant(axes: "Axes") -> None:
    """Give a constant series room: its automatic scale would show hundredths of nothing."""
    low, high = axes.dataLim.intervaly
    if low == high:
        axes.set_ylim(min(0, 2 * low), max(0, 2 * low) or 1)


def line(axes: "Axes", values: Any, **style: Any) -> None:
    """Draw a series over its index; a value between two gaps is no line, so it gets a dot."""
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    axes.plot(values.index, numbers, **style)
    there = np.concatenate([[False], np.isfinite(numbers), [False]])
    alone = there[1:-1] & ~there[:-2] & ~there[2:]
    if "marker" not in style and alone.any():
        axes.plot(values.index[alone], numbers[alone], "o", color=style["color"], markersize=2.8)


def model_colours(models: Iterable[str], baseline: str) -> dict[str, str]:
    """Colour per model, the baseline first and grey."""
    models = list(models)
    others = [model for model in models if model != baseline]
    colours = {baseline: GREY} if baseline in models else {}
    return colours | {model: PALETTE[i % (len(PALETTE) - 1)] for i, model in enumerate(others)}


def note(
    axes: "Axes",
    text: str,
    at: tuple[float, float],
    coordinates: Any,
    offset: tuple[int, int],
    **style: Any,
) -> None:
    """Write small text at a place, moved by an offset in points."""
    style = {"color": MUTED, "fontsize": 8.5, **style}
    axes.annotate(text, at, offset, xycoords=coordinates, textcoords="offset points", **style)


def mark_events(axes: "Axes", events: pd.DataFrame, shown: pd.Index) -> int:
    """Draw the events within the shown timestamps; return how many rows their labels take.

    An event is a line at its `timestamp`; with an `end`, the span until then is shaded.

    A label moves down a row where it would run into the one before it.
    """
    from matplotlib.dates import date2num

    first, last = (float(date2num(end)) for end in ends(shown))
    letter = (last - first) * 0.062 / (_width.get() - 0.9)
    free = [-np.inf] * 3
    used = 0
    for event in events.sort_values("timestamp").to_dict("records"):
        at, text = float(date2num(event["timestamp"])), shorten(event["label"], 24)
        if not first <= at <= last:
            continue
        if pd.notna(event.get("end")):
            axes.axvspan(at, float(date2num(event["end"])), color=GRID, linewidth=0, zorder=0)
        else:
            axes.axvline(at, color=MUTED, linewidth=0.9, linestyle=":")
        width = letter * (len(text) + 2)
        before = at + width > last
        start = at - width if before else at
        row = next((i for i in range(3) if free[i] <= start), 2)
        free[row] = start + width
        used = max(used, row + 1)
        place, side = (-3, "right") if before else (3, "left")
        note(axes, text, (at, 0.99 - 0.075 * row), axes.get_xaxis_transform(), (place, 0), va="top", ha=side)
    return used


def line_key(colour: str, label: str, **style: Any) -> Any:
    """Return a key that shows a line."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, label=label, **{"linewidth": 1.8, **style})


def dot_key(colour: str, label: str) -> Any:
    """Return a key that shows a dot."""
    return line_key(colour, label, linewidth=0, marker="o", markersize=7)


def patch_key(colour: str, label: str, alpha: float = 1.0) -> Any:
    """Return a key that shows an area."""
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, label=label, alpha=alpha, linewidth=0)


def label(name: str) -> str:
    """Write a metric as the literature does, and any other name as words."""
    if name == "naive_mase":
        return "naive's MASE"
    return METRICS[name].title if name in METRICS else str(name).replace("_", " ")


def point_label(point: str) -> str:
    """Name the point forecast by its column."""
    return "median" if point == "q50" else point


def compact(value: float) -> str:
    """Write a tick: 1.2M for 1,200,000."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10_000 and abs(value) >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def percent(share: float) -> str:
    """Write a share; a small one is not written as 0."""
    return f"{share * 100:.3g} %" if share >= 0.01 else "< 1 %"


def window_label(window: Any) -> str:
    """Name a backtest window by its origin, number or name."""
    return stamp(window) if isinstance(window, pd.Timestamp) else shorten(window)


def period_label(first: pd.Timestamp, last: pd.Timestamp) -> str:
    """Write the first and the last timestamp of a picture."""
    return stamp(first) if first == last else f"{stamp(first)} to {stamp(last)}"


def shorten(name: Any, length: int = 34) -> str:
    """Cut a long name in its middle: items and features differ at their ends. A `$` starts no formula."""
    return cut(name, length).replace("$", r"\$")


def cut(name: Any, length: int) -> str:
    """Return a name on one line, without its middle if it is long."""
    text = " ".join(str(name).split())
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[head + 1 - length :]}"


def not_shown(count: int, noun: str) -> str:
    """Say how many were left out, if any; on a telephone, below what stands before it."""
    space = "\n" if is_narrow() else "   "
    return f"{space}({count} more {noun}{'' if count == 1 else 's'} not shown)" if count > 0 else ""


def ends(values: Any) -> tuple[Any, Any]:
    """Return the lowest and the highest value."""
    return values.min(), values.max()
