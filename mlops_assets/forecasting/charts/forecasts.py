"""The picture of forecasts beside their history."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from mlops_assets.forecasting.charts import style
from mlops_assets.forecasting.formatting import stamp

if TYPE_CHECKING:
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
    columns = min(len(drawn), 3 if len(drawn) > 4 else 2)
    rows = -(-len(drawn) // columns)
    figure = style.blank(height=0.9 + 2.1 * rows if rows > 1 else 3.5)
    bands = intervals(forecasts.columns)
    for i, item in enumerate(drawn):
        axes = figure.add_subplot(rows, columns, i + 1)
        style.tidy(axes)
        axes.grid(axis="y", color=style.GRID)
        axes.yaxis.set_major_formatter(lambda value, _: style.compact(value))
        axes.set_title(style.shorten(item, 96 // columns), fontsize=9.5, color=style.INK, loc="left")
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
