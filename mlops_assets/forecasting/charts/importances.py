"""The picture of what the model leans on."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.forecasting.charts import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def importances(frame: pd.DataFrame, top: int = 20) -> "Figure":
    """Draw the features the model leans on most, as bars coloured by their group.

    Args:
        frame: columns `feature`, `group` and `importance`, one row per feature, in any order.
        top: how many to show; the rest are counted below.
    """
    ranked = frame.sort_values("importance", ascending=False, kind="stable", na_position="last")
    ranked = ranked.iloc[: ranked["importance"].notna().sum()]
    if ranked.empty:
        return style.nothing("Feature importances")
    shown = ranked.head(top)
    figure, axes = style.one_panel(height=1.3 + 0.24 * len(shown))
    groups = ranked.groupby("group", sort=False)["importance"].sum().sort_values(ascending=False)
    colours = {group: style.PALETTE[min(i, len(style.PALETTE) - 1)] for i, group in enumerate(groups.index)}
    rows = np.arange(len(shown))
    axes.barh(rows, shown["importance"], height=0.68, color=[colours[group] for group in shown["group"]])
    axes.set_yticks(rows, [style.shorten(name) for name in shown["feature"]])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.grid(axis="x", color=style.GRID)
    axes.set_xlabel("share of the model's importance" + style.not_shown(len(ranked) - len(shown), "feature"))
    keys = [
        style.patch_key(colours[group], f"{group}  {style.percent(round(share / groups.sum(), 2))}")
        for group, share in groups.items()
    ]
    style.heading(figure, "Feature importances", keys)
    return figure
