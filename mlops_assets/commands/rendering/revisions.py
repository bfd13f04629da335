"""Revised values on a terminal: `mlops-assets revisions`."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from mlops_assets.analysis.revisions import RevisionsFound
from mlops_assets.forecasting.formatting import number, stamp


def parts(found: RevisionsFound, limit: int) -> Iterator[Any]:
    """Yield how values were revised, and the versions of the latest, for rich to print."""
    from rich.markup import escape
    from rich.table import Table

    words = str(found.revising) or f"none of {found.revising.values:,} values was revised after it was first stored"
    yield f"[bold]{found.forecast}[/bold]: {words}"
    ages = Table("so many days after it was first known", "share of the values that were revised later")
    for days, share in found.revising.after.items():
        ages.add_row(str(days), f"{share:.2%}")
    yield ages
    if len(found.rows) and limit:
        latest = found.rows.sort_values(["timestamp", "item_id", "known_at"], kind="stable").tail(limit)
        shown = Table("item", "timestamp", "target", "known since (UTC)", "until")
        for row in latest.to_dict("records"):
            until = "" if pd.isna(row["superseded_at"]) else stamp(row["superseded_at"].floor("s"))
            shown.add_row(
                escape(str(row["item_id"])),
                stamp(row["timestamp"]),
                number(row["target"]),
                stamp(row["known_at"].floor("s")),
                until,
            )
        yield shown
