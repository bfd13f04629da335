"""What the commands on a model's life need: approve, reject, rollback, history."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd

from mlops_assets.environments import open_stores
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.decisions import Entry
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec


@contextmanager
def opened(settings: Settings, spec: ForecastSpec) -> Iterator[Lifecycle]:
    """Open the versions of a forecast's model."""
    with open_stores(settings) as stores:
        yield Lifecycle(stores.tables, stores.tracking, stores.clock, spec.name)


def words(spec: ForecastSpec, number: int, entry: Entry) -> str:
    """Say in a line what a decision has changed."""
    before = f"version {entry.champion_before}" if entry.champion_before else "nobody"
    if entry.champion_after != entry.champion_before:
        return f"{spec.name}: version {entry.champion_after} is champion, {before} was (decision {number})"
    return f"{spec.name}: version {entry.version} is {entry.outcome}; {before} stays champion (decision {number})"


def history(life: Lifecycle, at: str | None) -> dict[str, Any]:
    """Return who was champion when, and every decision.

    Args:
        life: the versions.
        at: a moment such as 2013-12-31 or 2013-12-31T06:00:00+01:00 (UTC without an offset); None: all of it.

    Returns:
        `champions` and `decisions` as lists of JSON values; with a moment, `at` and only the champion of then.

    Raises:
        ValueError: it is not a moment.
    """
    log = life.log.all()
    reigns = decisions.reigns(log)
    if at is not None:
        from mlops_assets.settings import moment

        then = pd.Timestamp(moment(at)).tz_localize(None)
        reigns = reigns[(reigns["since"] <= then) & (reigns["until"].isna() | (reigns["until"] > then))]
        log = log[log["number"].isin(reigns["number"])]
    return {
        "forecast": life.name,
        "at": at,
        "champions": _records(reigns.drop(columns="rules")),
        "decisions": _log(log),
    }


def _log(log: pd.DataFrame) -> list[dict[str, Any]]:
    rows = _records(log)
    for row in rows:
        row["rules"] = decisions.verdict_of(row["rules"] or "")
    return rows


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(frame.to_json(orient="records", date_format="iso", date_unit="s"))


def tables(found: dict[str, Any]) -> Iterator[Any]:
    """Render a result of `history` for a terminal."""
    from rich.table import Table

    at = f" at {found['at']}" if found["at"] else ""
    if not found["champions"]:
        yield f"{found['forecast']}: nobody was champion{at}" if at else f"{found['forecast']}: no champion yet"
    else:
        champions = Table(
            "version", "since (UTC)", "until", "decided by", "how", "trained until", title=f"champion{at}"
        )
        for row in found["champions"]:
            shown = (row[name] or "–" for name in ("since", "until", "decided_by", "kind", "trained_until"))
            champions.add_row(str(row["version"]), *map(_spaced, shown))
        yield champions
    listed = Table("#", "decided (UTC)", "version", "outcome", "by", "reason", title="decisions")
    for row in found["decisions"]:
        said = (row[name] for name in ("outcome", "decided_by", "reason"))
        listed.add_row(str(row["number"]), _spaced(row["decided_at"]), str(row["version"]), *said)
    if found["decisions"]:
        yield listed
    if found["at"]:
        for row in found["decisions"]:
            yield _evidence(row)


def _spaced(moment: str) -> str:
    return moment.replace("T", " ").removesuffix("Z")


def _evidence(row: dict[str, Any]) -> str:
    rules = row["rules"]["rules"] if row["rules"] else []
    lines = [f"evidence of decision {row['number']} (data {row['data_version']}, commit {row['git_commit'] or '–'}):"]
    lines += [f"  {rule['state']:<15} {rule['name']}: {rule['message']}" for rule in rules]
    return "\n".join(lines)
