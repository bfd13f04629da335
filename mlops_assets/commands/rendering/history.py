"""Who was champion when, and what was decided, on a terminal: `mlops-assets history`, `approve`, ..."""

from collections.abc import Iterator
from typing import Any

from mlops_assets.lifecycle.decisions import Entry
from mlops_assets.lifecycle.history import History


def decision_line(forecast: str, number: int, entry: Entry) -> str:
    """Say in a line what a decision has changed."""
    before = f"version {entry.champion_before}" if entry.champion_before else "nobody"
    if entry.champion_after != entry.champion_before:
        return f"{forecast}: version {entry.champion_after} is champion, {before} was (decision {number})"
    return f"{forecast}: version {entry.version} is {entry.outcome}; {before} stays champion (decision {number})"


def tables(history: History) -> Iterator[Any]:
    """Render the history of a forecast's model for a terminal."""
    from rich.table import Table

    at = f" at {history.at}" if history.at else ""
    if not history.champions:
        yield f"{history.forecast}: nobody was champion{at}" if at else f"{history.forecast}: no champion yet"
    else:
        champions = Table(
            "version", "model", "since (UTC)", "until", "decided by", "how", "trained until", title=f"champion{at}"
        )
        for row in history.champions:
            shown = (
                row[name] or "–" for name in ("model_kind", "since", "until", "decided_by", "kind", "trained_until")
            )
            champions.add_row(str(row["version"]), *map(_spaced, shown))
        yield champions
    listed = Table("#", "decided (UTC)", "version", "model", "outcome", "by", "reason", title="decisions")
    for row in history.decisions:
        said = (row[name] for name in ("outcome", "decided_by", "reason"))
        listed.add_row(
            str(row["number"]), _spaced(row["decided_at"]), str(row["version"]), row["model_kind"] or "–", *said
        )
    if history.decisions:
        yield listed
    if history.roles:
        switches = Table("#", "decided (UTC)", "service", "role", "by", "reason", title="external service")
        for row in history.roles:
            said = (row[name] for name in ("service", "role", "decided_by", "reason"))
            switches.add_row(str(row["number"]), _spaced(row["decided_at"]), *said)
        yield switches
    if history.at:
        for row in history.decisions:
            yield _evidence(row)


def _spaced(moment: str) -> str:
    return moment.replace("T", " ").removesuffix("Z")


def _evidence(row: dict[str, Any]) -> str:
    rules = row["rules"]["rules"] if row["rules"] else []
    lines = [f"evidence of decision {row['number']} (data {row['data_version']}, commit {row['git_commit'] or '–'}):"]
    lines += [f"  {rule['state']:<15} {rule['name']}: {rule['message']}" for rule in rules]
    return "\n".join(lines)
