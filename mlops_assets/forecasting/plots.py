"""Pictures of a forecast: frames in, matplotlib figures out, and figures as PNG or Markdown.

The figures are built without pyplot: nothing is global, so any number may be drawn at once in any thread.
Every function takes an empty frame and then says so in the picture. Colours are those of Okabe and Ito (2008,
"Color Universal Design"), which people with any kind of colour vision can tell apart.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#2b2b2b", "#6f6f6f", "#e4e4e4"
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#9a9a9a"
PALETTE = (BLUE, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", ORANGE, "#7a5c00", GREY)
METRIC_NAMES = {"mase": "MASE", "rmsse": "RMSSE", "smape": "sMAPE", "wape": "WAPE", "wql": "wQL"}
WIDTH = 8.4


def importances(frame: pd.DataFrame, top: int = 20) -> "Figure":
    """Draw the features the model leans on most, as bars coloured by their group.

    Args:
        frame: columns `feature`, `group` and `importance`, one row per feature, in any order.
        top: how many to show; the rest are counted below.
    """
    ranked = frame.sort_values("importance", ascending=False, kind="stable", na_position="last")
    ranked = ranked.iloc[: ranked["importance"].notna().sum()]
    if ranked.empty:
        return _nothing("Feature importances")
    shown = ranked.head(top)
    figure, axes = _figure(height=1.3 + 0.24 * len(shown))
    groups = ranked.groupby("group", sort=False)["importance"].sum().sort_values(ascending=False)
    colours = {group: PALETTE[min(i, len(PALETTE) - 1)] for i, group in enumerate(groups.index)}
    rows = np.arange(len(shown))
    axes.barh(rows, shown["importance"], height=0.68, color=[colours[group] for group in shown["group"]])
    axes.set_yticks(rows, [_short(name) for name in shown["feature"]])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.grid(axis="x", color=GRID)
    axes.set_xlabel("share of the forest's importance" + _rest(len(ranked) - len(shown), "feature"))
    keys = [
        _patch(colours[group], f"{group}  {_percent(round(share / groups.sum(), 2))}")
        for group, share in groups.items()
    ]
    _head(figure, "Feature importances", keys)
    return figure


def fan(
    history: pd.DataFrame,
    forecasts: pd.DataFrame,
    actuals: pd.DataFrame | None = None,
    items: Sequence[str] | None = None,
    *,
    point: str = "q50",
    max_items: int = 6,
    context: int = 4,
) -> "Figure":
    """Draw each item's last observations and its forecast with the intervals its quantiles span.

    Args:
        history: columns `item_id`, `timestamp` and `target`, up to the origin.
        forecasts: columns `item_id`, `timestamp`, the `point` column and quantiles named `q10`, `q97_5`, ...;
            of one origin.
        actuals: what came after the origin, in the columns of `history`.
        items: which items, in this order; by default those with the largest total in `history`.
        point: column of the point forecast.
        max_items: the most panels to draw.
        context: length of history to show, in horizons.
    """
    chosen = list(items) if items is not None else _largest(history, forecasts)
    drawn = chosen[:max_items]
    if forecasts.empty or not drawn:
        return _nothing("Forecasts")
    first, last = _ends(forecasts["timestamp"])
    shown = _recent(history, context * max(forecasts["timestamp"].nunique(), 7))
    after = actuals if actuals is not None else history.head(0)
    columns = min(len(drawn), 3 if len(drawn) > 4 else 2)
    rows = -(-len(drawn) // columns)
    figure = _blank(height=0.9 + 2.1 * rows if rows > 1 else 3.5)
    bands = _bands(forecasts.columns)
    for i, item in enumerate(drawn):
        axes = figure.add_subplot(rows, columns, i + 1)
        _tidy(axes)
        axes.grid(axis="y", color=GRID)
        axes.yaxis.set_major_formatter(lambda value, _: _compact(value))
        axes.set_title(_short(item, 96 // columns), fontsize=9.5, color=INK, loc="left")
        future = _item(forecasts, item)
        _line(axes, _item(shown, item)["target"], color=MUTED, linewidth=1.1)
        for low, high, _ in bands:
            lower, upper = future[low].astype(float), future[high].astype(float)
            axes.fill_between(future.index, lower, upper, color=BLUE, alpha=0.2, linewidth=0)
        _line(axes, future[point], color=BLUE, linewidth=1.8)
        _line(axes, _item(after, item)["target"], color=ORANGE, linewidth=0, marker="o", markersize=2.8)
        _time_axis(axes, shown["timestamp"].min() if len(shown) else first, last, ticks=8 // columns)
        _open(axes)
    keys = [_stroke(MUTED, "observed"), _stroke(BLUE, f"forecast ({_name_point(point)})")]
    for i, (_, _, share) in enumerate(bands):
        keys.append(_patch(BLUE, f"{_percent(share)} interval", alpha=0.2 + 0.16 * i))
    if len(after):
        keys.append(_stroke(ORANGE, "what came", linewidth=0, marker="o", markersize=3.5))
    title = f"Forecasts from {_day(first)}"
    if len(chosen) > len(drawn):
        title += f": {len(drawn)} of {len(chosen)} items"
    _head(figure, title, keys)
    return figure


def backtest_windows(by_window: pd.DataFrame, metric: str, baseline: str = "seasonal_naive") -> "Figure":
    """Draw an error metric of every model in every backtest window, one line of points per window.

    With two models, one of them the baseline, each window also says how far the other is from it.

    Args:
        by_window: columns `model`, `window` (number, origin or name) and `metric`.
        metric: column of an error: not negative, lower is better.
        baseline: the model to compare with, drawn in grey.
    """
    title = f"Backtest: {_name(metric)} per window"
    table = by_window.pivot_table(index="window", columns="model", values=metric, sort=False, observed=True)
    table = table.dropna(how="all").sort_index()
    if table.empty:
        return _nothing(title)
    figure, axes = _figure(height=1.5 + 0.34 * len(table))
    rows = np.arange(len(table))
    axes.hlines(rows, table.min(axis=1), table.max(axis=1), color=GRID, linewidth=4, zorder=1)
    colours = _model_colours(table.columns, baseline)
    for model, colour in colours.items():
        axes.plot(table[model], rows, "o", color=colour, markersize=8, zorder=2)
    if len(table.columns) == 2 and baseline in table:
        margin = {"coordinates": axes.get_yaxis_transform(), "offset": (8, 0), "va": "center"}
        _note(axes, f"against\n{_name(baseline)}", (1, -0.95), **margin)
        change = table.drop(columns=baseline).iloc[:, 0] / table[baseline] - 1
        for row, share in enumerate(change):
            if np.isfinite(share):
                text = f"{share * 100:+.0f} %".replace("-", "−")
                _note(axes, text, (1, row), color=BLUE if share < 0 else ORANGE, **margin)
    axes.set_yticks(rows, [_window(window) for window in table.index])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(0, np.nanmax(table.to_numpy()) * 1.06 or 1.0)
    axes.set_xlabel(f"{_name(metric)} (lower is better)")
    axes.grid(axis="x", color=GRID)
    _head(figure, title, [_dot(colour, _name(model)) for model, colour in colours.items()])
    return figure


def error_by_lead(frame: pd.DataFrame, metric: str, baseline: str = "seasonal_naive") -> "Figure":
    """Draw how an error metric grows with the lead, one line per model.

    Args:
        frame: columns `model`, `lead` (steps after the origin) and `metric`.
        metric: column of an error: not negative, lower is better.
        baseline: the model drawn in grey.
    """
    from matplotlib.ticker import MaxNLocator

    title = f"{_name(metric)} by lead"
    table = (
        frame.pivot_table(index="lead", columns="model", values=metric, sort=False, observed=True)
        .dropna(how="all")
        .sort_index()
    )
    if table.empty:
        return _nothing(title)
    figure, axes = _figure(height=3.5)
    colours = _model_colours(table.columns, baseline)
    for model, colour in colours.items():
        _line(axes, table[model], color=colour, linewidth=1.8, marker="o", markersize=3.5)
    axes.set_ylim(0, np.nanmax(table.to_numpy()) * 1.12 or 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    first, last = _ends(table.index)
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.set_xlabel("lead (steps after the origin)")
    axes.set_ylabel(f"{_name(metric)} (lower is better)")
    axes.grid(axis="y", color=GRID)
    _head(figure, title, [_stroke(colour, _name(model)) for model, colour in colours.items()])
    return figure


def accuracy_over_time(
    frame: pd.DataFrame, metric: str, threshold: float | None = None, events: pd.DataFrame | None = None
) -> "Figure":
    """Draw an error metric over the partitions it was scored for, with its threshold and what happened.

    Args:
        frame: columns `timestamp` (the partition) and `metric`; a missing value is a gap in the line.
        metric: column of an error: not negative, lower is better.
        threshold: values above it are marked.
        events: columns `timestamp` and `label`, for instance a model's promotion: a vertical line each.
    """
    title = f"{_name(metric)} over time"
    values = frame.set_index("timestamp")[metric].astype(float).sort_index()
    if values.dropna().empty:
        return _nothing(title)
    first, last = _ends(values.index)
    figure, axes = _figure(height=3.5)
    _line(axes, values, color=BLUE, linewidth=1.4, marker="o", markersize=2.6)
    highest = values.max()
    if threshold is not None:
        over = values.where(values > threshold)
        count = int(over.notna().sum())
        _line(axes, over, color=ORANGE, linewidth=0, marker="o", markersize=5)
        axes.axhline(threshold, color=ORANGE, linewidth=1, linestyle=(0, (5, 3)))
        text = f"threshold {threshold:g}" + (f", exceeded {count}×" if count else "")
        _note(axes, text, (1, threshold), axes.get_yaxis_transform(), (0, 4), color=ORANGE, ha="right")
        highest = max(highest, threshold)
    rows = _mark(axes, events, values.index) if events is not None else 0
    axes.set_ylim(0, highest * (1.12 + 0.1 * rows) or 1.0)
    axes.set_ylabel(f"{_name(metric)} (lower is better)")
    axes.grid(axis="y", color=GRID)
    _time_axis(axes, first, last, ticks=9)
    _head(figure, f"{_name(metric)}, {_period(first, last)}", [])
    return figure


def to_png(figure: "Figure", dpi: int = 100) -> bytes:
    """Render a figure as a PNG of 128 colours: half the size of full colour, and looks the same."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    buffer = io.BytesIO()
    pixels.quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        buffer, "PNG", optimize=True
    )
    return buffer.getvalue()


def markdown_image(figure: "Figure", alt: str) -> str:
    """Return Markdown that shows the figure from its own text: a PNG in a data URI."""
    return f"![{_alt(alt)}](data:image/png;base64,{base64.b64encode(to_png(figure)).decode()})"


def sparkline(values: Sequence[float] | pd.Series, alt: str = "sparkline") -> str:
    """Return Markdown of a word-sized line of the values: below 1,000 characters, however many values.

    Dagster shows Markdown below that length in the table itself. Missing values are gaps; more than 40 values
    are averaged in runs of equal length; the last one there is has a dot. Without any value the text
    `no values` is returned.
    """
    numbers = np.asarray(values, dtype=float)
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    if np.isnan(numbers).all():
        return "no values"
    if len(numbers) > 40:
        numbers = np.array([_mean(run) for run in np.array_split(numbers, 40)])
    low, span = np.nanmin(numbers), np.ptp(numbers[~np.isnan(numbers)])
    x = np.linspace(3, 117, len(numbers)) if len(numbers) > 1 else np.array([60.0])
    y = 21 - 18 * (numbers - low) / span if span > 0 else np.where(np.isnan(numbers), np.nan, 12.0)
    path, pen = "", "M"
    for across, down in zip(x, y, strict=True):
        if np.isnan(down):
            pen = "M"
            continue
        path += f"{pen}{across:.0f} {down:.0f}"
        pen = "L"
    last = np.flatnonzero(~np.isnan(y))[-1]
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="24">'
        f'<path d="{path}" fill="none" stroke="{BLUE}"/>'
        f'<circle cx="{x[last]:.0f}" cy="{y[last]:.0f}" r="2" fill="{ORANGE}"/></svg>'
    )
    return f"![{_alt(alt)[:80]}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _blank(height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), dpi=100, facecolor="white", layout="constrained")


def _figure(height: float) -> "tuple[Figure, Axes]":
    figure = _blank(height)
    axes = figure.add_subplot()
    _tidy(axes)
    return figure, axes


def _nothing(title: str) -> "Figure":
    figure = _blank(height=1.2)
    _head(figure, title, [])
    figure.text(0.5, 0.4, "nothing to show yet", ha="center", va="center", fontsize=10, color=MUTED)
    return figure


def _head(figure: "Figure", title: str, keys: list[Any]) -> None:
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


def _tidy(axes: "Axes") -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=8.5, length=0, pad=4)
    axes.xaxis.label.set(color=MUTED, fontsize=9)
    axes.yaxis.label.set(color=MUTED, fontsize=9)
    axes.set_axisbelow(True)


def _time_axis(axes: "Axes", first: Any, last: Any, ticks: int) -> None:
    """Show the same span in every panel; the year stands in the figure's title."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    pad = (last - first) * 0.02 or pd.Timedelta(days=3)
    axes.set_xlim(first - pad, last + pad)
    locator = AutoDateLocator(minticks=min(3, ticks), maxticks=max(3, ticks))
    formats = ["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S.%f"]
    starts = ["", "%Y", "%b", "%d %b", "%H:%M", "%H:%M"]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, formats=formats, zero_formats=starts, show_offset=False)
    )


def _open(axes: "Axes") -> None:
    """Give a constant series room: its automatic scale would show hundredths of nothing."""
    low, high = axes.dataLim.intervaly
    if low == high:
        axes.set_ylim(min(0, 2 * low), max(0, 2 * low) or 1)


def _line(axes: "Axes", values: Any, **style: Any) -> None:
    """Draw a series over its index; a value between two gaps is no line, so it gets a dot."""
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    axes.plot(values.index, numbers, **style)
    there = np.concatenate([[False], np.isfinite(numbers), [False]])
    alone = there[1:-1] & ~there[:-2] & ~there[2:]
    if "marker" not in style and alone.any():
        axes.plot(values.index[alone], numbers[alone], "o", color=style["color"], markersize=2.8)


def _largest(history: pd.DataFrame, forecasts: pd.DataFrame) -> list[str]:
    """Items that have a forecast, the one with the largest total of its history first."""
    totals = dict(history.groupby("item_id", observed=True)["target"].sum())
    return sorted(forecasts["item_id"].unique(), key=lambda item: -totals.get(item, 0.0))


def _recent(history: pd.DataFrame, steps: int) -> pd.DataFrame:
    """Rows of the last so many timestamps."""
    place = history["timestamp"].rank(method="dense", ascending=False)
    return pd.DataFrame(history[place <= steps])


def _ends(values: Any) -> tuple[Any, Any]:
    return values.min(), values.max()


def _item(frame: pd.DataFrame, item: str) -> pd.DataFrame:
    return pd.DataFrame(frame[frame["item_id"] == item]).set_index("timestamp").sort_index()


def _bands(columns: Iterable[str]) -> list[tuple[str, str, float]]:
    """Pair quantile columns from the outermost inwards: (lower, upper, share of values between them)."""
    names = [name for name in columns if re.fullmatch(r"q\d+(_\d+)?", name)]
    levels = sorted((float(name[1:].replace("_", ".")) / 100, name) for name in names)
    pairs = zip(levels[: len(levels) // 2], reversed(levels), strict=False)
    return [(low, high, upper - lower) for (lower, low), (upper, high) in pairs]


def _model_colours(models: Iterable[str], baseline: str) -> dict[str, str]:
    """Colour per model, the baseline first and grey."""
    models = list(models)
    others = [model for model in models if model != baseline]
    colours = {baseline: GREY} if baseline in models else {}
    return colours | {model: PALETTE[i % (len(PALETTE) - 1)] for i, model in enumerate(others)}


def _stroke(colour: str, label: str, **style: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, label=label, **{"linewidth": 1.8, **style})


def _dot(colour: str, label: str) -> Any:
    return _stroke(colour, label, linewidth=0, marker="o", markersize=7)


def _patch(colour: str, label: str, alpha: float = 1.0) -> Any:
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, label=label, alpha=alpha, linewidth=0)


def _mark(axes: "Axes", events: pd.DataFrame, shown: pd.Index) -> int:
    """Draw the events within the shown timestamps; return how many rows their labels take.

    A label moves down a row where it would run into the one before it.
    """
    from matplotlib.dates import date2num

    first, last = (float(date2num(end)) for end in _ends(shown))
    free = [-np.inf] * 3
    used = 0
    for event in events.sort_values("timestamp").to_dict("records"):
        at, label = float(date2num(event["timestamp"])), _short(event["label"], 24)
        if not first <= at <= last:
            continue
        axes.axvline(at, color=MUTED, linewidth=0.9, linestyle=":")
        row = next((i for i in range(3) if free[i] <= at), 0)
        free[row] = at + (last - first) * (0.02 + 0.0085 * len(label))
        used = max(used, row + 1)
        _note(axes, label, (at, 0.99 - 0.075 * row), axes.get_xaxis_transform(), (3, 0), va="top")
    return used


def _note(
    axes: "Axes",
    text: str,
    place: tuple[float, float],
    coordinates: Any,
    offset: tuple[int, int],
    **style: Any,
) -> None:
    style = {"color": MUTED, "fontsize": 8.5, **style}
    axes.annotate(text, place, offset, xycoords=coordinates, textcoords="offset points", **style)


def _name(name: str) -> str:
    return METRIC_NAMES.get(name, str(name).replace("_", " "))


def _name_point(point: str) -> str:
    return "median" if point == "q50" else point


def _compact(value: float) -> str:
    """Write a tick: 1.2M for 1,200,000."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10_000 and abs(value) >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %" if share >= 0.01 else "< 1 %"


def _window(window: Any) -> str:
    return _day(window) if isinstance(window, pd.Timestamp) else _short(window)


def _day(timestamp: pd.Timestamp) -> str:
    return timestamp.strftime("%Y-%m-%d" if timestamp == timestamp.normalize() else "%Y-%m-%d %H:%M")


def _period(first: pd.Timestamp, last: pd.Timestamp) -> str:
    return _day(first) if first == last else f"{_day(first)} to {_day(last)}"


def _short(name: Any, length: int = 34) -> str:
    """Cut a long name in its middle: items and features differ at their ends."""
    text = str(name)
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[head + 1 - length :]}"


def _rest(count: int, noun: str) -> str:
    return f"   ({count} more {noun}{'' if count == 1 else 's'} not shown)" if count > 0 else ""


def _mean(run: np.ndarray) -> float:
    return float(np.nanmean(run)) if np.isfinite(run).any() else float("nan")


def _alt(text: str) -> str:
    return re.sub(r"[\[\]\s]+", " ", text).strip()
