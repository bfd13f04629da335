"""How the pictures look: colours, axes, keys and words, the same in all of them.

Colours are those of Okabe and Ito (2008, "Color Universal Design"), which people with any kind of colour
vision can tell apart.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_assets.forecasting.evaluation.metrics import loaded
from mlops_assets.forecasting.formatting import stamp

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#2b2b2b", "#6f6f6f", "#e4e4e4"
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#9a9a9a"
PALETTE = (BLUE, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", ORANGE, "#7a5c00", GREY)
WIDTH = 8.4
"""Of a picture, in inches."""


def blank(height: float) -> "Figure":
    """Return an empty figure, to be laid out when it is rendered."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), dpi=100, facecolor="white", layout="constrained")


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
        ncols=5,
        title=title,
        title_fontproperties={"size": 12, "weight": "bold"},
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
    locator = AutoDateLocator(minticks=3, maxticks=max(3, ticks))
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
    metric = loaded(str(name))
    return (metric.title or metric.name) if metric is not None else str(name).replace("_", " ")


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
    """Say how many were left out, if any."""
    return f"   ({count} more {noun}{'' if count == 1 else 's'} not shown)" if count > 0 else ""


def ends(values: Any) -> tuple[Any, Any]:
    """Return the lowest and the highest value."""
    return values.min(), values.max()
