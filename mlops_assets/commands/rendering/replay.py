"""Policies over the same stretch of time, and the gate's decisions, on a terminal: `mlops-assets replay-policy`."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from rich.markup import escape

from mlops_assets.analysis.replay import Replay
from mlops_assets.forecasting.formatting import counted, number

SHOWN = 12
"""Retrainings, or decisions, that are listed one by one."""


def stretch(made: Replay) -> str:
    """Say which partitions are played, and why no earlier ones are, where those were removed."""
    first, last = made.span
    kept = f"; {made.kept}" if made.kept is not None else ""
    return f"Played over {first} to {last}{kept}."


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


def judged(made: Replay) -> Iterator[Any]:
    """Yield the gate's decisions beside what its rules of today make of the same numbers, the latest last."""
    from rich.table import Table

    if not made.gate:
        return
    others = sum(one.recorded != one.today for one in made.gate)
    shown = made.gate[-SHOWN:]
    earlier = f", the latest {SHOWN}" if len(made.gate) > SHOWN else ""
    title = f"The gate: {others} of {counted(len(made.gate), 'decision')} would be another by today's rules{earlier}"
    table = Table(
        "decision", "at", "version", "recorded", "today", "what has changed", title=title, title_justify="left"
    )
    for one in shown:
        today = "the same" if one.today == one.recorded else one.today
        at = f"{one.decided_at:%Y-%m-%d}"
        table.add_row(str(one.number), at, str(one.version), one.recorded, today, escape("; ".join(one.changed)))
    yield table
