"""Who was champion when, and what was decided, on a terminal: `mlops-assets history`, `approve`, ..."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from mlops_assets.lifecycle.approvers import VALID_SECONDS, Request
from mlops_assets.lifecycle.decisions import Entry
from mlops_assets.lifecycle.history import History


def decision_line(forecast: str, number: int, entry: Entry) -> str:
    """Say in a line what a decision has changed."""
    before = f"version {entry.champion_before}" if entry.champion_before else "nobody"
    if entry.champion_after != entry.champion_before:
        return f"{forecast}: version {entry.champion_after} is champion, {before} was (decision {number})"
    return f"{forecast}: version {entry.version} is {entry.outcome}; {before} stays champion (decision {number})"


def signed_lines(request: Request, environment: str, signature: str) -> Iterator[str]:
    """Say how a signed decision is carried out, in an environment."""
    told = asdict(request)
    name, version, decision = (told.pop(field) for field in ("forecast", "version", "decision"))
    config = {"decision": decision, "version": version, **told, "signature": signature}
    said, hours = {"approve": "approved", "reject": "rejected"}[decision], VALID_SECONDS // 3600
    what = f"{decision} version {version} of {name} in {environment}"
    yield f"{request.by} would {what}: once, within {hours} hours, either"
    yield f"in Dagster, the config of {name}/champion (job {name}_decide):\n  {json.dumps(config)}"
    yield f"or in MLflow, two tags of version {version} in this order:\n  approval_signature  {signature}"
    yield f"  approval            {said} by {request.by}: {request.reason}"


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
        proof = (row["proof"] or "").partition(" ")[0]
        by = f"{row['decided_by']} ({proof})" if proof else row["decided_by"]
        said = (row["outcome"], by, row["reason"])
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
