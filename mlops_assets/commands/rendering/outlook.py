"""One item's forecast on a terminal: `mlops-assets show`."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.forecasting.formatting import figures, number, stamp
from mlops_assets.reading.outputs.outlook import Outlook

_BARS = "▁▂▃▄▅▆▇█"


def parts(name: str, found: Outlook) -> Iterator[Any]:
    """Yield where the forecast comes from, history and forecast as small bars, and the rows, for rich to print."""
    from rich.markup import escape
    from rich.table import Table

    rows = found.forecasts
    last = rows.sort_values("origin", kind="stable").to_dict("records")[-1]
    version = f"version {last['model_version']}" if last["model_version"] else last["source"]
    made = f", made {last['created_at']:%Y-%m-%d %H:%M} UTC" if pd.notna(last["created_at"]) else ""
    yield f"[bold]{escape(found.item)}[/bold] of {name}: from {stamp(last['origin'])} by {version}{made}"
    yield from outlook_bars(found)
    adjusted = bool(rows["adjustment"].notna().any())
    table = Table("timestamp", "forecast")
    for title in [*([f"{found.share:.0%} interval"] if found.interval is not None else []), *["adjusted"] * adjusted]:
        table.add_column(title)
    for row in rows.to_dict("records"):
        texts = [stamp(row["timestamp"]), number(row[found.point], 1)]
        if found.interval is not None:
            texts.append(" to ".join(number(row[level], 1) for level in found.interval))
        if adjusted:
            texts.append("" if pd.isna(row["adjustment"]) else f"#{row['adjustment']}")
        table.add_row(*texts)
    yield table


def outlook_bars(found: Outlook) -> Iterator[str]:
    """Lines of bars of one scale: what was observed, then the forecast between the ends of its interval."""
    history, rows = found.history["target"].to_numpy(float), found.forecasts
    lines = {"forecast": rows[found.point].to_numpy(float)}
    if found.interval is not None:
        low, high = (rows[level].to_numpy(float) for level in found.interval)
        lines = {found.interval[1]: high, **lines, found.interval[0]: low}
    every = np.concatenate([history, *lines.values()])
    if np.isnan(every).all():
        return
    least, most = float(np.nanmin(every)), float(np.nanmax(every))
    wide = max(map(len, [*lines, "observed"]))
    gap = " " * len(history)
    for title, values in lines.items():
        before = bars(history, least, most) if title == "forecast" else gap
        yield f"  {title:<{wide}}  {before} {bars(values, least, most)}"
    observed = f"the first {len(history)} are what was observed" if len(history) else "nothing was observed just before"
    yield f"  from {figures(least)} to {figures(most)}; {observed}"


def bars(values: np.ndarray, least: float, most: float) -> str:
    """Return numbers as bars between two ends; a gap where one is missing."""
    span = most - least
    places = np.zeros(len(values)) if span <= 0 else (values - least) / span * (len(_BARS) - 1)
    return "".join(" " if np.isnan(place) else _BARS[round(place)] for place in places)
