"""Policies over the same stretch of time on a terminal: `mlops-assets replay-policy`."""

from typing import Any

import pandas as pd

from mlops_assets.analysis.replay import Replay
from mlops_assets.forecasting.formatting import number

SHOWN = 12
"""Retrainings that are listed one by one."""


def table(made: Replay) -> Any:
    """Return a table of the variants, for rich to print."""
    from rich.table import Table

    head = f"mean {made.metric}" + ("" if made.trained else " (stored)")
    table = Table("policy", "retrainings", "promoted", "CPU seconds", head, "at")
    for name, played in made.plays.items():
        facts = played.summary()
        when = facts["at"]
        shown = ", ".join(when[:6]) + (f", … {when[-1]}" if len(when) > 6 else "")
        promoted = str(facts["promoted"]) if made.trained else "?"
        cost = "?" if pd.isna(facts["cpu_seconds"]) else number(facts["cpu_seconds"], 1)
        table.add_row(name, str(facts["retrainings"]), promoted, cost, number(facts["mean"], 4), shown)
    return table


def launches(made: Replay, name: str) -> Any:
    """Return a table of the retrainings that a variant's policies would have asked for, the latest last."""
    from rich.table import Table

    asked = made.plays[name].retrainings
    shown = asked.tail(SHOWN)
    earlier = f", the latest {SHOWN} of {len(asked)}" if len(asked) > SHOWN else ""
    table = Table("at", "policy", "training", "as", "why", title=f"Retrainings {name}{earlier}", title_justify="left")
    for row in shown.to_dict("records"):
        table.add_row(row["partition"], row["policy"], row["action"], row["becomes"], row["reason"])
    return table
