"""Pictures of errors: by backtest window, by lead."""

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
