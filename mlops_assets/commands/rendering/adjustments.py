"""What people have changed, on a terminal and as JSON: `mlops-assets adjust`."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from mlops_assets.adjustments.adjuster import Change
from mlops_assets.adjustments.log import ADJUST, DELTA, EVERYTHING, FACTOR
from mlops_assets.forecasting.formatting import number, plain_rows, stamp

MOST_ROWS = 40
"""Rows of a change, or of the log, that are shown."""
_SAYS = {"adjust": "adjusted", "withdraw": "withdrawn", "lock": "locked", "unlock": "unlocked"}


def changed(change: Change) -> Iterator[Any]:
    """Yield what a person has done, and what it makes of the forecast."""
    from rich.markup import escape
    from rich.table import Table

    entry = change.entry
    what = escape(_about(entry.item_id))
    done = f"number {change.number} by {escape(change.by)}" if change.number else "nothing was changed: a dry run"
    yield f"[bold]{change.forecast}[/bold]: {what} {_SAYS[entry.action]}, {_period(entry.since, entry.until)} ({done})"
    if change.rows.empty:
        yield "no forecast reaches that period yet"
        return
    shown = Table("item", "timestamp", "lead", "system", "published before", "published after")
    for row in change.rows.head(MOST_ROWS).to_dict("records"):
        values = [number(row[name]) for name in ("system", "before", "after")]
        shown.add_row(escape(str(row["item_id"])), stamp(row["timestamp"]), str(row["lead"]), *values)
    yield shown
    if (more := len(change.rows) - MOST_ROWS) > 0:
        yield f"and {more:,} more rows"


def listed(forecast: str, log: pd.DataFrame) -> Iterator[Any]:
    """Yield what people have changed, the latest last."""
    from rich.markup import escape
    from rich.table import Table

    if log.empty:
        yield f"{forecast}: nobody has adjusted it"
        return
    shown = Table("number", "made at (UTC)", "by", "what", "of", "period", "reason", "state")
    for row in log.tail(MOST_ROWS).to_dict("records"):
        told = (row["made_by"], _what(row), _about(row["item_id"]))
        why = " · ".join(part for part in (row["reason"], row["note"]) if part)
        period = _period(row["since"], row["until"])
        at = stamp(row["made_at"].floor("s"))
        shown.add_row(str(row["number"]), at, *map(escape, told), period, escape(why), row["state"])
    yield shown


def helped(forecast: str, found: Mapping[str, pd.DataFrame]) -> Iterator[Any]:
    """Yield whether people have helped."""
    from rich.markup import escape
    from rich.table import Table

    whole = found["all"]
    if whole.empty:
        yield f"{forecast}: no adjusted forecast has met its actual yet"
        return
    first = whole.iloc[0]
    verb = "added" if first["value_added"] >= 0 else "taken away"
    yield (
        f"[bold]{forecast}[/bold]: over {int(first['rows']):,} adjusted forecasts people have {verb} "
        f"{abs(first['share']):.1%} of the system's error: it was {number(first['system_error'])}, and of what was "
        f"published {number(first['published_error'])}"
    )
    for by, table in found.items():
        if by == "all":
            continue
        shown = Table(by, "rows", "naive error", "system error", "published error", "value added", "share", "better in")
        for row in table.to_dict("records"):
            errors = [number(row[name]) for name in ("naive_error", "system_error", "published_error", "value_added")]
            shown.add_row(
                escape(str(row[by])), f"{row['rows']:,}", *errors, f"{row['share']:.1%}", f"{row['better']:.0%}"
            )
        yield shown


def log_json(forecast: str, log: pd.DataFrame) -> dict[str, Any]:
    """Return the log as plain JSON types."""
    return {"forecast": forecast, "rows": plain_rows(log)}


def helped_json(forecast: str, found: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the tables of value added as plain JSON types."""
    return {"forecast": forecast, **{by: plain_rows(table) for by, table in found.items()}}


def _about(item: str) -> str:
    return "all items" if item == EVERYTHING else item


def _period(since: pd.Timestamp, until: pd.Timestamp) -> str:
    first, last = stamp(since), stamp(until.floor("s"))
    day = f"{since:%Y-%m-%d}"
    whole = since == since.normalize() and until >= until.normalize() + pd.Timedelta(hours=23, minutes=59)
    if whole:
        return day if since.normalize() == until.normalize() else f"{day} to {until:%Y-%m-%d}"
    return first if since == until else f"{first} to {last}"


def _what(row: Mapping[Any, Any]) -> str:
    if row["action"] != ADJUST:
        ends = "" if pd.isna(row["replaces"]) else f" {row['replaces']}"
        return f"{row['action']}{ends}"
    sign = {FACTOR: "× ", DELTA: "+ " if row["amount"] >= 0 else ""}.get(row["kind"], "= ")
    instead = "" if pd.isna(row["replaces"]) else f" (for {row['replaces']})"
    return f"{sign}{number(row['amount'])}{instead}"
