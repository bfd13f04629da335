"""Pictures of a forecast: frames in, matplotlib figures out.

The figures are built without pyplot: nothing is global, so any number may be drawn at once in any thread.
Every function takes an empty frame and then says so in the picture.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.forecasting.charts import style as look
from mlops_assets.forecasting.charts.render import markdown_image, sparkline, to_png, to_svg
from mlops_assets.forecasting.monitoring.change import PARTS, WORDS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "accuracy_over_time",
    "backtest_windows",
    "change_bridge",
    "coverage_over_time",
    "error_by_lead",
    "fan",
    "importances",
    "markdown_image",
    "policies",
    "sparkline",
    "to_png",
    "to_svg",
]


def importances(frame: pd.DataFrame, top: int = 20) -> "Figure":
    """Draw the features the model leans on most, as bars coloured by their group.

    Args:
        frame: columns `feature`, `group` and `importance`, one row per feature, in any order.
        top: how many to show; the rest are counted below.
    """
    ranked = frame.sort_values("importance", ascending=False, kind="stable", na_position="last")
    ranked = ranked.iloc[: ranked["importance"].notna().sum()]
    if ranked.empty:
        return look.nothing("Feature importances")
    shown = ranked.head(top)
    figure, axes = look.one_panel(height=1.3 + 0.24 * len(shown))
    groups = ranked.groupby("group", sort=False)["importance"].sum().sort_values(ascending=False)
    colours = {group: look.PALETTE[min(i, len(look.PALETTE) - 1)] for i, group in enumerate(groups.index)}
    rows = np.arange(len(shown))
    axes.barh(rows, shown["importance"], height=0.68, color=[colours[group] for group in shown["group"]])
    axes.set_yticks(rows, [look.shorten(name) for name in shown["feature"]])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.grid(axis="x", color=look.GRID)
    axes.set_xlabel("share of the forest's importance" + look.not_shown(len(ranked) - len(shown), "feature"))
    keys = [
        look.patch_key(colours[group], f"{group}  {look.percent(round(share / groups.sum(), 2))}")
        for group, share in groups.items()
    ]
    look.heading(figure, "Feature importances", keys)
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
            of one origin, which the title tells if there is the column `origin`, else the first timestamp.
        actuals: what came after the origin, in the columns of `history`.
        items: which items, in this order; by default those with the largest total in `history`.
        point: column of the point forecast.
        max_items: the most panels to draw.
        context: length of history to show, in horizons.
    """
    chosen = list(items) if items is not None else _largest(history, forecasts)
    drawn = chosen[:max_items]
    if forecasts.empty or not drawn:
        return look.nothing("Forecasts")
    first, last = look.ends(forecasts["timestamp"])
    shown = _recent(history, context * max(forecasts["timestamp"].nunique(), 7))
    after = actuals if actuals is not None else history.head(0)
    columns = min(len(drawn), look.columns(3 if len(drawn) > 4 else 2))
    rows = -(-len(drawn) // columns)
    figure = look.blank(height=0.9 + 2.1 * rows if rows > 1 else 3.5)
    bands = _bands(forecasts.columns)
    for i, item in enumerate(drawn):
        axes = figure.add_subplot(rows, columns, i + 1)
        look.tidy(axes)
        axes.grid(axis="y", color=look.GRID)
        axes.yaxis.set_major_formatter(lambda value, _: look.compact(value))
        axes.set_title(
            look.shorten(item, (40 if look.is_narrow() else 96) // columns), fontsize=9.5, color=look.INK, loc="left"
        )
        future = _item(forecasts, item)
        look.line(axes, _item(shown, item)["target"], color=look.MUTED, linewidth=1.1)
        for low, high, _ in bands:
            lower, upper = future[low].astype(float), future[high].astype(float)
            axes.fill_between(future.index, lower, upper, color=look.BLUE, alpha=0.2, linewidth=0)
        look.line(axes, future[point], color=look.BLUE, linewidth=1.8)
        look.line(axes, _item(after, item)["target"], color=look.ORANGE, linewidth=0, marker="o", markersize=2.8)
        look.time_axis(axes, shown["timestamp"].min() if len(shown) else first, last, ticks=8 // columns)
        look.widen_constant(axes)
    keys = [
        look.line_key(look.MUTED, "observed"),
        look.line_key(look.BLUE, f"forecast ({look.point_label(point)})"),
    ]
    for i, (_, _, share) in enumerate(bands):
        keys.append(look.patch_key(look.BLUE, f"{look.percent(share)} interval", alpha=0.2 + 0.16 * i))
    if len(after):
        keys.append(look.line_key(look.ORANGE, "what came", linewidth=0, marker="o", markersize=3.5))
    title = f"Forecasts from {look.date_label(forecasts['origin'].iloc[0] if 'origin' in forecasts else first)}"
    if len(chosen) > len(drawn):
        title += f": {len(drawn)} of {len(chosen)} items"
    look.heading(figure, title, keys)
    return figure


def backtest_windows(by_window: pd.DataFrame, metric: str, baseline: str = "seasonal_naive") -> "Figure":
    """Draw an error metric of every model in every backtest window, one line of points per window.

    With two models, one of them the baseline, each window also says how far the other is from it.

    Args:
        by_window: columns `model`, `window` (number, origin or name) and `metric`.
        metric: column of an error: not negative, lower is better.
        baseline: the model to compare with, drawn in grey.
    """
    title = f"Backtest: {look.label(metric)} per window"
    table = by_window.pivot_table(index="window", columns="model", values=metric, sort=False, observed=True)
    table = table.dropna(how="all").sort_index()
    if table.empty:
        return look.nothing(title)
    figure, axes = look.one_panel(height=1.5 + 0.34 * len(table))
    rows = np.arange(len(table))
    axes.hlines(rows, table.min(axis=1), table.max(axis=1), color=look.GRID, linewidth=4, zorder=1)
    colours = look.model_colours(table.columns, baseline)
    for model, colour in colours.items():
        axes.plot(table[model], rows, "o", color=colour, markersize=8, zorder=2)
    if len(table.columns) == 2 and baseline in table:
        margin = {"coordinates": axes.get_yaxis_transform(), "offset": (8, 0), "va": "center"}
        look.note(axes, f"against\n{look.label(baseline)}", (1, -0.95), **margin)
        change = table.drop(columns=baseline).iloc[:, 0] / table[baseline] - 1
        for row, share in enumerate(change):
            if np.isfinite(share):
                text = f"{share * 100:+.0f} %".replace("-", "−")
                look.note(axes, text, (1, row), color=look.BLUE if share < 0 else look.ORANGE, **margin)
    axes.set_yticks(rows, [look.window_label(window) for window in table.index])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(0, np.nanmax(table.to_numpy()) * 1.06 or 1.0)
    axes.set_xlabel(f"{look.label(metric)} (lower is better)")
    axes.grid(axis="x", color=look.GRID)
    look.heading(figure, title, [look.dot_key(colour, look.label(model)) for model, colour in colours.items()])
    return figure


def error_by_lead(frame: pd.DataFrame, metric: str, baseline: str = "seasonal_naive") -> "Figure":
    """Draw how an error metric grows with the lead, one line per model.

    Args:
        frame: columns `model`, `lead` (steps after the origin) and `metric`.
        metric: column of an error: not negative, lower is better.
        baseline: the model drawn in grey.
    """
    from matplotlib.ticker import MaxNLocator

    title = f"{look.label(metric)} by lead"
    table = (
        frame.pivot_table(index="lead", columns="model", values=metric, sort=False, observed=True)
        .dropna(how="all")
        .sort_index()
    )
    if table.empty:
        return look.nothing(title)
    figure, axes = look.one_panel(height=3.5)
    colours = look.model_colours(table.columns, baseline)
    for model, colour in colours.items():
        look.line(axes, table[model], color=colour, linewidth=1.8, marker="o", markersize=3.5)
    axes.set_ylim(0, np.nanmax(table.to_numpy()) * 1.12 or 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    first, last = look.ends(table.index)
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.set_xlabel("lead (steps after the origin)")
    axes.set_ylabel(f"{look.label(metric)} (lower is better)")
    axes.grid(axis="y", color=look.GRID)
    look.heading(figure, title, [look.line_key(colour, look.label(model)) for model, colour in colours.items()])
    return figure


def accuracy_over_time(
    frame: pd.DataFrame, metric: str, threshold: float | None = None, events: pd.DataFrame | None = None
) -> "Figure":
    """Draw an error metric over the partitions it was scored for, with its threshold and what happened.

    Args:
        frame: columns `timestamp` (the partition) and `metric`; a missing value is a gap in the line.
        metric: column of an error: not negative, lower is better.
        threshold: values above it are marked.
        events: columns `timestamp` and `label`, for instance a model's promotion: a vertical line each; with a column
            `end`, for instance of a holiday, the span until then is shaded.
    """
    title = f"{look.label(metric)} over time"
    values = frame.set_index("timestamp")[metric].astype(float).sort_index()
    if values.dropna().empty:
        return look.nothing(title)
    first, last = look.ends(values.index)
    figure, axes = look.one_panel(height=3.5)
    look.line(axes, values, color=look.BLUE, linewidth=1.4, marker="o", markersize=2.6)
    highest, keys = values.max(), []
    if threshold is not None:
        over = values.where(values > threshold)
        count = int(over.notna().sum())
        look.line(axes, over, color=look.ORANGE, linewidth=0, marker="o", markersize=5)
        axes.axhline(threshold, color=look.ORANGE, linewidth=1, linestyle=(0, (5, 3)))
        text = f"threshold {threshold:.3g}" + (f", exceeded {count}×" if count else "")
        keys = [look.line_key(look.ORANGE, text, linewidth=1, linestyle=(0, (5, 3)))]
        highest = max(highest, threshold)
    rows = look.mark_events(axes, events, values.index) if events is not None else 0
    axes.set_ylim(0, highest * (1.12 + 0.1 * rows) or 1.0)
    axes.set_ylabel(f"{look.label(metric)} (lower is better)")
    axes.grid(axis="y", color=look.GRID)
    look.time_axis(axes, first, last, ticks=9)
    look.heading(figure, f"{look.label(metric)}, {look.period_label(first, last)}", keys)
    return figure


def coverage_over_time(
    frame: pd.DataFrame, nominal: float, band: tuple[float, float] | None = None, events: pd.DataFrame | None = None
) -> "Figure":
    """Draw the share of actuals within the interval over the partitions, beside the share that it promises.

    Args:
        frame: columns `timestamp` (the partition) and `coverage`; a missing value is a gap.
        nominal: the promised share.
        band: lowest and highest share that is no breach; shaded.
        events: see `accuracy_over_time`.
    """
    title = f"Share of actuals within the {look.percent(nominal)} interval"
    values = frame.set_index("timestamp")["coverage"].astype(float).sort_index()
    if values.dropna().empty:
        return look.nothing(title)
    first, last = look.ends(values.index)
    figure, axes = look.one_panel(height=2.9)
    if band is not None:
        axes.axhspan(*band, color=look.BLUE, alpha=0.08, linewidth=0)
    axes.axhline(nominal, color=look.ORANGE, linewidth=1, linestyle=(0, (5, 3)))
    look.line(axes, values, color=look.BLUE, linewidth=1.0, alpha=0.45, marker="o", markersize=2.2)
    look.line(axes, values.rolling(7, min_periods=1).mean(), color=look.BLUE, linewidth=1.8)
    rows = look.mark_events(axes, events, values.index) if events is not None else 0
    axes.set_ylim(0, 1.02 + 0.1 * rows)
    axes.yaxis.set_major_formatter(lambda share, _: look.percent(share) if 0 < share <= 1 else "")
    axes.grid(axis="y", color=look.GRID)
    look.time_axis(axes, first, last, ticks=9)
    keys = [look.line_key(look.BLUE, "mean of seven"), look.line_key(look.ORANGE, "promised", linestyle=(0, (5, 3)))]
    look.heading(figure, title, keys)
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
        return look.nothing("Why the forecast changed")
    divided = bool(frame[list(PARTS)].notna().all(axis=None))
    parts = {name: WORDS[name] for name in PARTS} if divided else {"change": "change, undivided"}
    colours = dict(zip(parts, (look.GREY, look.BLUE, look.ORANGE), strict=False))
    shown = frame.sort_values("change", key=abs, ascending=False, kind="stable").head(top)
    shown = shown[shown["change"].abs() > 0]
    stacked = look.is_narrow()
    figure = look.blank(height=(4.2 if stacked else 2.2) + 0.2 * max(len(shown), 5) * (2 if stacked else 1))
    left, right = figure.subplots(*((2, 1) if stacked else (1, 2)))
    for axes in (left, right):
        look.tidy(axes)
        axes.grid(axis="x", color=look.GRID)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(lambda value, _: look.compact(value))
    sums = frame[["previous", *parts, "current"]].sum()
    labels = [f"from {look.date_label(frame['previous_origin'].iloc[0])}", *parts.values()]
    labels.append(f"from {look.date_label(frame['origin'].iloc[0])}")
    at = sums["previous"]
    ends = [at]
    digits = int(np.clip(2 - np.log10(max(float(sums[list(parts)].abs().max()), 1e-3)), 0, 5))
    for row, (name, colour) in enumerate(colours.items(), start=1):
        left.barh(row, sums[name], left=at, height=0.6, color=colour)
        left.vlines(at, row - 1, row + 0.3, color=look.MUTED, linewidth=0.8)
        at += sums[name]
        ends.append(at)
        text = f"{sums[name]:+,.{digits}f}".replace("-", "−")
        look.note(left, text, (max(ends[-2:]), row), "data", (4, 0), va="center")
    last = len(parts) + 1
    left.vlines(at, last - 1, last, color=look.MUTED, linewidth=0.8)
    for row, value in ((0, sums["previous"]), (last, at)):
        left.plot([value], [row], "D", color=look.INK, markersize=6)
        look.note(left, f"{value:,.{digits}f}", (value, row), "data", (7, 0), color=look.INK, va="center")
    room = max(np.ptp(ends), 1e-3 * max(map(abs, ends)), 1e-9)
    left.set_xlim(min(ends) - 0.1 * room, max(ends) + 0.7 * room)
    left.set_yticks(range(last + 1), labels)
    left.set_ylim(last + 0.6, -0.6)
    left.set_title(
        f"sum of all items over {frame['steps'].iloc[0]} timestamps", fontsize=9.5, color=look.INK, loc="left"
    )
    rows = np.arange(len(shown))
    up, down = np.zeros(len(shown)), np.zeros(len(shown))
    for name, colour in colours.items():
        values = shown[name].to_numpy(dtype=float)
        right.barh(rows, values, left=np.where(values >= 0, up, down), height=0.62, color=colour)
        up, down = up + np.maximum(values, 0), down + np.minimum(values, 0)
    right.plot(shown["change"], rows, "D", color=look.INK, markersize=4, linewidth=0)
    right.axvline(0, color=look.GREY, linewidth=0.8)
    right.set_yticks(rows, [look.shorten(name, 22) for name in shown["item_id"]])
    right.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    right.set_title(f"items that changed most: {len(shown)} of {len(frame)}", fontsize=9.5, color=look.INK, loc="left")
    keys = [look.patch_key(colour, parts[name]) for name, colour in colours.items()]
    keys.append(look.line_key(look.INK, "all of it", linewidth=0, marker="D", markersize=4))
    look.heading(figure, "Why the forecast changed", keys)
    return figure


def policies(plays: Mapping[str, pd.DataFrame], metric: str, trained: bool = True) -> "Figure":
    """Draw how retraining policies fared: the error under each, and when each asked for a retraining.

    Args:
        plays: name of the policy -> columns `partition`, `value`, `action`, `promoted` (see `replay.Play.days`).
        metric: name of the error.
        trained: whether retrainings were carried out: each policy has its own errors, and promotions are known.
    """
    title = f"{look.label(metric)} and retrainings by policy"
    frames = {
        name: days.assign(time=pd.to_datetime(days["partition"].str[:10]))
        for name, days in plays.items()
        if days["value"].notna().any()
    }
    if not frames:
        return look.nothing(title)
    figure = look.blank(height=3.4 + 0.28 * len(frames))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 0.35 * len(frames) + 0.3))
    colours = dict(zip(frames, look.PALETTE * len(frames), strict=False))
    for axes in (upper, lower):
        look.tidy(axes)
    lines = frames if trained else dict(list(frames.items())[:1])
    for name, days in reversed(lines.items()):
        smooth = days.set_index("time")["value"].rolling(5, min_periods=1).mean()
        look.line(upper, smooth, color=colours[name] if trained else look.INK, linewidth=1.4)
    for row, (name, days) in enumerate(frames.items()):
        asked = days[days["action"].isin(["grow", "refit"])]
        for promoted, face in ((True, colours[name]), (False, "white")):
            some = asked[asked["promoted"].astype(bool) == promoted]
            look.line(
                lower,
                pd.Series(row, index=some["time"]),
                color=colours[name],
                linewidth=0,
                marker="o",
                markersize=5,
                markerfacecolor=face,
            )
    lower.set_yticks(range(len(frames)), [look.shorten(name) for name in frames])
    lower.set_ylim(len(frames) - 0.5, -0.5)
    upper.set_ylim(bottom=0)
    upper.set_ylabel(f"{look.label(metric)}, mean of five")
    upper.grid(axis="y", color=look.GRID)
    first, last = look.ends(next(iter(frames.values()))["time"])
    look.time_axis(lower, first, last, ticks=9)
    known = "filled: the challenger became champion" if trained else "what came of them is not known"
    keys = [look.line_key(colours[name], name) for name in frames] if trained else []
    lower.set_xlabel(f"dots: retrainings; {known}", color=look.MUTED, fontsize=8.5)
    look.heading(figure, title, keys)
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


def _bands(columns: Iterable[str]) -> list[tuple[str, str, float]]:
    """Pair quantile columns from the outermost inwards: (lower, upper, share of values between them)."""
    names = [name for name in columns if re.fullmatch(r"q\d+(_\d+)?", name)]
    levels = sorted((float(name[1:].replace("_", ".")) / 100, name) for name in names)
    pairs = zip(levels[: len(levels) // 2], reversed(levels), strict=False)
    return [(low, high, upper - lower) for (lower, low), (upper, high) in pairs]
