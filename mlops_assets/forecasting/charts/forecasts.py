"""Pictures of forecasts: beside their history, and beside those of the origin before."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.forecasting.charts import style
from mlops_assets.forecasting.formatting import stamp
from mlops_assets.forecasting.monitoring.change import PARTS, TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def fan(
    history: pd.DataFrame,
    forecasts: pd.DataFrame,
    actuals: pd.DataFrame | None = None,
    items: Sequence[str] | None = None,
    *,
    point: str = "q50",
    max_items: int = 6,
    context: int = 4,
    of: int | None = None,
) -> "Figure":
    """Draw each item's last observations and its forecast with the intervals its quantiles span.

    Args:
        history: columns `item_id`, `timestamp` and `target`, up to the origin.
        forecasts: columns `item_id`, `timestamp`, the `point` column and quantiles named `q10`, `q97_5`, ...;
            of one origin, which the title tells if there is the column `origin`, else the first timestamp.
        actuals: what came after the origin, in the columns of `history`.
        items: which items, in this order; by default those with the largest total in `history`.
        point: column of the point forecast.
        max_items: the most panels to draw.
        context: length of history to show, in horizons.
        of: number of all items, if the frames have some of them only.
    """
    chosen = list(items) if items is not None else _largest(history, forecasts)
    drawn = chosen[:max_items]
    if forecasts.empty or not drawn:
        return style.nothing("Forecasts")
    first, last = style.ends(forecasts["timestamp"])
    shown = _recent(history, context * max(forecasts["timestamp"].nunique(), 7))
    after = actuals if actuals is not None else history.head(0)
    columns = min(len(drawn), style.columns(3 if len(drawn) > 4 else 2))
    rows = -(-len(drawn) // columns)
    figure = style.blank(height=0.9 + 2.1 * rows if rows > 1 else 3.5)
    bands = intervals(forecasts.columns)
    for i, item in enumerate(drawn):
        axes = figure.add_subplot(rows, columns, i + 1)
        style.tidy(axes)
        axes.grid(axis="y", color=style.GRID)
        axes.yaxis.set_major_formatter(lambda value, _: style.compact(value))
        axes.set_title(
            style.shorten(item, (40 if style.is_narrow() else 96) // columns), fontsize=9.5, color=style.INK, loc="left"
        )
        future = _item(forecasts, item)
        style.line(axes, _item(shown, item)["target"], color=style.MUTED, linewidth=1.1)
        for low, high, _ in bands:
            lower, upper = future[low].astype(float), future[high].astype(float)
            axes.fill_between(future.index, lower, upper, color=style.BLUE, alpha=0.2, linewidth=0)
        style.line(axes, future[point], color=style.BLUE, linewidth=1.8)
        style.line(axes, _item(after, item)["target"], color=style.ORANGE, linewidth=0, marker="o", markersize=2.8)
        style.time_axis(axes, shown["timestamp"].min() if len(shown) else first, last, ticks=8 // columns)
        style.widen_constant(axes)
    keys = [
        style.line_key(style.MUTED, "observed"),
        style.line_key(style.BLUE, f"forecast ({style.point_label(point)})"),
    ]
    for i, (_, _, share) in enumerate(bands):
        keys.append(style.patch_key(style.BLUE, f"{style.percent(share)} interval", alpha=0.2 + 0.16 * i))
    if len(after):
        keys.append(style.line_key(style.ORANGE, "what came", linewidth=0, marker="o", markersize=3.5))
    title = f"Forecasts from {stamp(forecasts['origin'].iloc[0] if 'origin' in forecasts else first)}"
    if (of or len(chosen)) > len(drawn):
        title += f": {len(drawn)} of {of or len(chosen)} items"
    style.heading(figure, title, keys)
    return figure


def change_bridge(frame: pd.DataFrame, top: int = 8) -> "Figure":
    """Draw why a forecast changed: the sum's way from the previous forecast to this one, and the items' parts in it.

    Args:
        frame: of one origin: `item_id`, `origin`, `previous_origin`, `steps` (timestamps in common), `previous`,
            `revised_history`, `new_data`, `new_model`, `current`, `change`; parts that are NaN are drawn as one change.
        top: how many items to show; the rest are counted below.
    """
    from matplotlib.ticker import MaxNLocator

    if frame.empty:
        return style.nothing("Why the forecast changed")
    divided = bool(frame[list(PARTS)].notna().all(axis=None))
    parts = TITLES if divided else {"change": "change, undivided"}
    colours = dict(zip(parts, (style.GREY, style.BLUE, style.ORANGE), strict=False))
    shown = frame.sort_values("change", key=abs, ascending=False, kind="stable").head(top)
    shown = shown[shown["change"].abs() > 0]
    stacked = style.is_narrow()
    figure = style.blank(height=(4.2 if stacked else 2.2) + 0.2 * max(len(shown), 5) * (2 if stacked else 1))
    left, right = figure.subplots(*((2, 1) if stacked else (1, 2)))
    for axes in (left, right):
        style.tidy(axes)
        axes.grid(axis="x", color=style.GRID)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(lambda value, _: style.compact(value))
    _draw_sums(left, frame, parts, colours)
    _draw_items(right, shown, len(frame), colours)
    keys = [style.patch_key(colour, parts[name]) for name, colour in colours.items()]
    keys.append(style.line_key(style.INK, "all of it", linewidth=0, marker="D", markersize=4))
    style.heading(figure, "Why the forecast changed", keys)
    return figure


def _draw_sums(axes: "Axes", frame: pd.DataFrame, parts: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """Draw the way of the sum of all items, part by part."""
    sums = frame[["previous", *parts, "current"]].sum()
    labels = [f"from {stamp(frame['previous_origin'].iloc[0])}", *parts.values()]
    labels.append(f"from {stamp(frame['origin'].iloc[0])}")
    at = sums["previous"]
    ends = [at]
    digits = int(np.clip(2 - np.log10(max(float(sums[list(parts)].abs().max()), 1e-3)), 0, 5))
    for row, (name, colour) in enumerate(colours.items(), start=1):
        axes.barh(row, sums[name], left=at, height=0.6, color=colour)
        axes.vlines(at, row - 1, row + 0.3, color=style.MUTED, linewidth=0.8)
        at += sums[name]
        ends.append(at)
        text = f"{sums[name]:+,.{digits}f}".replace("-", "−")
        style.note(axes, text, (max(ends[-2:]), row), "data", (4, 0), va="center")
    last = len(parts) + 1
    axes.vlines(at, last - 1, last, color=style.MUTED, linewidth=0.8)
    for row, value in ((0, sums["previous"]), (last, at)):
        axes.plot([value], [row], "D", color=style.INK, markersize=6)
        style.note(axes, f"{value:,.{digits}f}", (value, row), "data", (7, 0), color=style.INK, va="center")
    room = max(np.ptp(ends), 1e-3 * max(map(abs, ends)), 1e-9)
    axes.set_xlim(min(ends) - 0.1 * room, max(ends) + 0.7 * room)
    axes.set_yticks(range(last + 1), labels)
    axes.set_ylim(last + 0.6, -0.6)
    axes.set_title(
        f"sum of all items over {frame['steps'].iloc[0]} timestamps", fontsize=9.5, color=style.INK, loc="left"
    )


def _draw_items(axes: "Axes", shown: pd.DataFrame, count: int, colours: Mapping[str, str]) -> None:
    """Draw the parts of the items that changed most, of so many."""
    rows = np.arange(len(shown))
    up, down = np.zeros(len(shown)), np.zeros(len(shown))
    for name, colour in colours.items():
        values = shown[name].to_numpy(dtype=float)
        axes.barh(rows, values, left=np.where(values >= 0, up, down), height=0.62, color=colour)
        up, down = up + np.maximum(values, 0), down + np.minimum(values, 0)
    axes.plot(shown["change"], rows, "D", color=style.INK, markersize=4, linewidth=0)
    axes.axvline(0, color=style.GREY, linewidth=0.8)
    axes.set_yticks(rows, [style.shorten(name, 22) for name in shown["item_id"]])
    axes.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    axes.set_title(f"items that changed most: {len(shown)} of {count}", fontsize=9.5, color=style.INK, loc="left")


def _largest(history: pd.DataFrame, forecasts: pd.DataFrame) -> list[str]:
    """Items that have a forecast, the one with the largest total of its history first."""
    totals = dict(history.groupby("item_id", observed=True)["target"].sum())
    return sorted(forecasts["item_id"].unique(), key=lambda item: -totals.get(item, 0.0))


def _recent(history: pd.DataFrame, steps: int) -> pd.DataFrame:
    """Rows of the last so many timestamps."""
    place = history["timestamp"].rank(method="dense", ascending=False)
    return pd.DataFrame(history[place <= steps])


def _item(frame: pd.DataFrame, item: str) -> pd.DataFrame:
    return pd.DataFrame(frame[frame["item_id"] == item]).set_index("timestamp").sort_index()


def intervals(columns: Iterable[str]) -> list[tuple[str, str, float]]:
    """Pair quantile columns from the outermost inwards: (lower, upper, share of values between them)."""
    names = [name for name in columns if re.fullmatch(r"q\d+(_\d+)?", name)]
    levels = sorted((float(name[1:].replace("_", ".")) / 100, name) for name in names)
    pairs = zip(levels[: len(levels) // 2], reversed(levels), strict=False)
    return [(low, high, upper - lower) for (lower, low), (upper, high) in pairs]
