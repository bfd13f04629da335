"""The picture of a replay: what each retraining policy would have done."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from mlops_assets.forecasting.charts import style
from mlops_assets.forecasting.decisions.rules import AT_REST

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def policies(plays: Mapping[str, pd.DataFrame], metric: str, trained: bool = True) -> "Figure":
    """Draw how retraining policies fared: the error under each, and when each asked for a retraining.

    Args:
        plays: name of the policy -> columns `timestamp` (where the partition begins), `value`, `action`, `promoted`, as
            `replay.Play.days` has them.
        metric: name of the error.
        trained: whether retrainings were carried out: each policy has its own errors, and promotions are known.
    """
    title = f"{style.label(metric)} and retrainings by policy"
    frames = {name: days for name, days in plays.items() if days["value"].notna().any()}
    if not frames:
        return style.nothing(title)
    figure = style.blank(height=3.4 + 0.28 * len(frames))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 0.35 * len(frames) + 0.3))
    colours = dict(zip(frames, style.PALETTE * len(frames), strict=False))
    for axes in (upper, lower):
        style.tidy(axes)
    lines = frames if trained else dict(list(frames.items())[:1])
    for name, days in reversed(lines.items()):
        smooth = days.set_index("timestamp")["value"].rolling(5, min_periods=1).mean()
        style.line(upper, smooth, color=colours[name] if trained else style.INK, linewidth=1.4)
    for row, (name, days) in enumerate(frames.items()):
        asked = days[~days["action"].isin(AT_REST)]
        for promoted, face in ((True, colours[name]), (False, "white")):
            some = asked[asked["promoted"].astype(bool) == promoted]
            style.line(
                lower,
                pd.Series(row, index=some["timestamp"]),
                color=colours[name],
                linewidth=0,
                marker="o",
                markersize=5,
                markerfacecolor=face,
            )
    lower.set_yticks(range(len(frames)), [style.shorten(name) for name in frames])
    lower.set_ylim(len(frames) - 0.5, -0.5)
    upper.set_ylim(bottom=0)
    upper.set_ylabel(f"{style.label(metric)}, mean of five")
    upper.grid(axis="y", color=style.GRID)
    first, last = style.ends(next(iter(frames.values()))["timestamp"])
    style.time_axis(lower, first, last, ticks=9)
    known = "filled: the challenger became champion" if trained else "what came of them is not known"
    keys = [style.line_key(colours[name], name) for name in frames] if trained else []
    lower.set_xlabel(f"dots: retrainings; {known}", color=style.MUTED, fontsize=8.5)
    style.heading(figure, title, keys)
    return figure
