"""Pictures of errors: by backtest window, by lead, over time."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.forecasting.charts import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def backtest_windows(by_window: pd.DataFrame, metric: str, baseline: str = "seasonal_naive") -> "Figure":
    """Draw an error metric of every model in every backtest window, one line of points per window.

    With two models, one of them the baseline, each window also says how far the other is from it.

    Args:
        by_window: columns `model`, `window` (number, origin or name) and `metric`.
        metric: column of an error: not negative, lower is better.
        baseline: the model to compare with, drawn in grey.
    """
    title = f"Backtest: {style.label(metric)} per window"
    table = by_window.pivot_table(index="window", columns="model", values=metric, sort=False, observed=True)
    table = table.dropna(how="all").sort_index()
    if table.empty:
        return style.nothing(title)
    figure, axes = style.one_panel(height=1.5 + 0.34 * len(table))
    rows = np.arange(len(table))
    axes.hlines(rows, table.min(axis=1), table.max(axis=1), color=style.GRID, linewidth=4, zorder=1)
    colours = style.model_colours(table.columns, baseline)
    for model, colour in colours.items():
        axes.plot(table[model], rows, "o", color=colour, markersize=8, zorder=2)
    if len(table.columns) == 2 and baseline in table:
        margin = {"coordinates": axes.get_yaxis_transform(), "offset": (8, 0), "va": "center"}
        style.note(axes, f"against\n{style.label(baseline)}", (1, -0.95), **margin)
        change = table.drop(columns=baseline).iloc[:, 0] / table[baseline] - 1
        for row, share in enumerate(change):
            if np.isfinite(share):
                text = f"{share * 100:+.0f} %".replace("-", "−")
                style.note(axes, text, (1, row), color=style.BLUE if share < 0 else style.ORANGE, **margin)
    axes.set_yticks(rows, [style.window_label(window) for window in table.index])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(0, np.nanmax(table.to_numpy()) * 1.06 or 1.0)
    axes.set_xlabel(f"{style.label(metric)} (lower is better)")
    axes.grid(axis="x", color=style.GRID)
    style.heading(figure, title, [style.dot_key(colour, style.label(model)) for model, colour in colours.items()])
    return figure


def error_by_lead(frame: pd.DataFrame, metric: str, baseline: str = "seasonal_naive") -> "Figure":
    """Draw how an error metric grows with the lead, one line per model.

    Args:
        frame: columns `model`, `lead` (steps after the origin) and `metric`.
        metric: column of an error: not negative, lower is better.
        baseline: the model drawn in grey.
    """
    from matplotlib.ticker import MaxNLocator

    title = f"{style.label(metric)} by lead"
    table = (
        frame.pivot_table(index="lead", columns="model", values=metric, sort=False, observed=True)
        .dropna(how="all")
        .sort_index()
    )
    if table.empty:
        return style.nothing(title)
    figure, axes = style.one_panel(height=3.5)
    colours = style.model_colours(table.columns, baseline)
    for model, colour in colours.items():
        style.line(axes, table[model], color=colour, linewidth=1.8, marker="o", markersize=3.5)
    axes.set_ylim(0, np.nanmax(table.to_numpy()) * 1.12 or 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    first, last = style.ends(table.index)
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.set_xlabel("lead (steps after the origin)")
    axes.set_ylabel(f"{style.label(metric)} (lower is better)")
    axes.grid(axis="y", color=style.GRID)
    style.heading(figure, title, [style.line_key(colour, style.label(model)) for model, colour in colours.items()])
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
    title = f"{style.label(metric)} over time"
    values = frame.set_index("timestamp")[metric].astype(float).sort_index()
    if values.dropna().empty:
        return style.nothing(title)
    first, last = style.ends(values.index)
    figure, axes = style.one_panel(height=3.5)
    style.line(axes, values, color=style.BLUE, linewidth=1.4, marker="o", markersize=2.6)
    highest, keys = values.max(), []
    if threshold is not None:
        over = values.where(values > threshold)
        count = int(over.notna().sum())
        style.line(axes, over, color=style.ORANGE, linewidth=0, marker="o", markersize=5)
        axes.axhline(threshold, color=style.ORANGE, linewidth=1, linestyle=(0, (5, 3)))
        text = f"threshold {threshold:.3g}" + (f", exceeded {count}×" if count else "")
        keys = [style.line_key(style.ORANGE, text, linewidth=1, linestyle=(0, (5, 3)))]
        highest = max(highest, threshold)
    rows = style.mark_events(axes, events, values.index) if events is not None else 0
    axes.set_ylim(0, highest * (1.12 + 0.1 * rows) or 1.0)
    axes.set_ylabel(f"{style.label(metric)} (lower is better)")
    axes.grid(axis="y", color=style.GRID)
    style.time_axis(axes, first, last, ticks=9)
    style.heading(figure, f"{style.label(metric)}, {style.period_label(first, last)}", keys)
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
    title = f"Share of actuals within the {style.percent(nominal)} interval"
    values = frame.set_index("timestamp")["coverage"].astype(float).sort_index()
    if values.dropna().empty:
        return style.nothing(title)
    first, last = style.ends(values.index)
    figure, axes = style.one_panel(height=2.9)
    if band is not None:
        axes.axhspan(*band, color=style.BLUE, alpha=0.08, linewidth=0)
    axes.axhline(nominal, color=style.ORANGE, linewidth=1, linestyle=(0, (5, 3)))
    style.line(axes, values, color=style.BLUE, linewidth=1.0, alpha=0.45, marker="o", markersize=2.2)
    style.line(axes, values.rolling(7, min_periods=1).mean(), color=style.BLUE, linewidth=1.8)
    rows = style.mark_events(axes, events, values.index) if events is not None else 0
    axes.set_ylim(0, 1.02 + 0.1 * rows)
    axes.yaxis.set_major_formatter(lambda share, _: style.percent(share) if 0 < share <= 1 else "")
    axes.grid(axis="y", color=style.GRID)
    style.time_axis(axes, first, last, ticks=9)
    keys = [
        style.line_key(style.BLUE, "mean of seven"),
        style.line_key(style.ORANGE, "promised", linestyle=(0, (5, 3))),
    ]
    style.heading(figure, title, keys)
    return figure
