"""The log of decisions on who is champion: it decides, and the registry's aliases mirror it.

A registry has no compare-and-set: of two promoters that look, compare and move an alias, the slower wins. Here a
decision is the next numbered partition of the table `<name>/decisions`, which can be created only once. Who comes
second reads the log again, compares with the champion of now, and decides anew.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar

import pandas as pd

from mlops_assets.catalog.column import without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.log import Log, numbered
from mlops_assets.catalog.names import DECISIONS
from mlops_assets.errors import ExitCode, UsageError
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables

ROLE = "role"
"""Kind of a decision on what an external service's forecasts are for: it is about no version."""


@dataclass(frozen=True)
class Entry:
    """One decision.

    Attributes:
        kind: `gate`, `approval`, `rejection`, `rollback`, `loss`, `takeover` (from another environment), or `role`: of
            an external service, see `roles`.
        outcome: `promoted`, `refused`, `awaiting approval`, `kept aside`, `rejected`, `rolled back`, `gone` or `taken
            over`; of a role, `champion` or `shadow`.
        version: the version that was decided on; of a rollback, the one that comes back; 0 of a role.
        champion_before: who was champion.
        champion_after: who is champion from now on.
        decided_by: `gate`, `MLflow`, or who.
        reason: in words.
        rules: the gate's verdict and rules as JSON, or an empty text.
        evidence: hash of all that the gate looked at: the same evidence is not judged twice. Of a takeover, the
            checksum of the model's file.
        trained_until: last timestamp the version has learnt from.
        data_version: hash of its training rows.
        spec_hash: hash of its spec.
        git_commit: commit of the code that trained it.
        spec_commit: commit of the folder that its spec is in.
        source_version: of the source, as `source.version` knows it.
        trigger: why it was trained; of a role, the service; of a takeover, the environment that it comes from.
        breach: key of the breach that asked for the training; empty without one.
        cpu_seconds: processor time of the training.
        run_id: Dagster run that decided; empty on the command line.
        proof: how a person has proven who they are, see `approvers.Person`.
    """

    kind: str
    outcome: str
    version: int
    champion_before: int | None
    champion_after: int | None
    decided_by: str
    reason: str
    rules: str = ""
    evidence: str = ""
    trained_until: pd.Timestamp | None = None
    data_version: str = ""
    spec_hash: str = ""
    git_commit: str = ""
    spec_commit: str = ""
    source_version: str = ""
    trigger: str = ""
    breach: str = ""
    cpu_seconds: float | None = None
    run_id: str = ""
    proof: str = ""


class DecisionError(UsageError):
    """A person asked for a decision that cannot be taken; the message says why and what can."""

    exit_code: ClassVar[int] = ExitCode.NOT_ALLOWED


class Decisions:
    """The decisions on one forecast's versions, oldest first."""

    def __init__(self, tables: Tables, name: str) -> None:
        self._log = Log(tables, name, DECISIONS)

    def all(self) -> pd.DataFrame:
        """Return all decisions on versions, one row each, oldest first.

        `number` counts from 1, those on roles with them; `decided_at` is in UTC.
        """
        return _without(self._every(), ROLE)

    def roles(self) -> pd.DataFrame:
        """Return all decisions on the role of an external service, in the same form."""
        every = self._every()
        return every[every["kind"] == ROLE].reset_index(drop=True)

    def _every(self) -> pd.DataFrame:
        rows = self._log.rows()
        return rows if rows["number"].is_monotonic_increasing else rows.sort_values("number", ignore_index=True)

    def append(self, decide: Callable[[pd.DataFrame], Entry | None], now: datetime) -> tuple[int, Entry] | None:
        """Decide on the log as it is, and write that down before anybody else writes.

        Args:
            decide: makes a decision from the log on versions; called again when somebody was faster. None: nothing to
                decide.
            now: the present moment, aware.

        Returns:
            The decision's number and the decision, or None if there was nothing to decide.
        """
        moment = naive_utc(now)
        while True:
            every = self._every()
            entry = decide(_without(every, ROLE))
            if entry is None:
                return None
            number = len(every) + 1
            if self._log.add({"number": number, "decided_at": moment, **asdict(entry)}, numbered(number)):
                return number, entry


def _without(log: pd.DataFrame, kind: str) -> pd.DataFrame:
    others = (log["kind"] != kind).to_numpy()
    return log if others.all() else log[others].reset_index(drop=True)


NONE = without_rows(TABLES[DECISIONS])
"""The log before the first decision."""


def entry_of(row: "pd.Series[Any]") -> tuple[int, Entry]:
    """Return the number and the decision of a row of the log."""
    values: dict[str, Any] = {name: None if pd.isna(row[name]) else row[name] for name in Entry.__dataclass_fields__}
    for name in ("version", "champion_before", "champion_after"):
        values[name] = None if pd.isna(row[name]) else int(row[name])
    return int(row["number"]), Entry(**values)


def champion_of(log: pd.DataFrame, at: datetime | None = None) -> int | None:
    """Return who is champion after the decisions of a log, or was at a moment; None for nobody."""
    if at is not None:
        log = log[log["decided_at"] <= naive_utc(at)]
    return _number(log["champion_after"].iloc[-1]) if len(log) else None


def champion_before(log: pd.DataFrame) -> int | None:
    """Return who was champion before the present one came in: where a rollback leads."""
    present = champion_of(log)
    entered = log[
        (log["champion_after"] == present) & (log["champion_before"] != present) & (log["kind"] != "rollback")
    ]
    return _number(entered["champion_before"].iloc[-1]) if present is not None and len(entered) else None


def rolled_back_last(log: pd.DataFrame) -> int | None:
    """Return whom the rollback has taken out that brought the present champion in; None where it came otherwise."""
    changed = log[log["champion_after"].fillna(-1) != log["champion_before"].fillna(-1)]
    last = changed.iloc[-1:]
    return _number(last["champion_before"].iloc[0]) if (last["kind"] == "rollback").any() else None


def was_champion(log: pd.DataFrame, number: int) -> bool:
    """Whether a version is, or ever was, champion: the gate or a person has let it in."""
    return bool((log["champion_after"] == number).any())


def former(log: pd.DataFrame) -> list[int]:
    """Return who has been champion, the latest first, without those that a person has rolled back."""
    left = {*log.loc[log["kind"] == "rollback", "champion_before"].dropna().astype(int)}
    numbers = log.loc[log["champion_after"].notna(), "champion_after"].astype(int)
    return [number for number in dict.fromkeys(numbers[::-1]) if number not in left]


def why_nobody(log: pd.DataFrame, name: str) -> tuple[str, str]:
    """Return why nobody is champion: as the ledger's `delivered_because` says it, and as a sentence with a way out."""
    if log.empty:
        return "no_champion", f"no version of {name} has been judged yet: mlops-assets run {name} trains one"
    last = log.iloc[-1]
    version, reason = f"version {last['version']}", str(last["reason"])
    approve = f"mlops-assets approve {name} {last['version']} --by YOU --reason WHY"
    if last["outcome"] == "awaiting approval":
        return "no_champion", f"{version} waits for approval: {approve}"
    if last["outcome"] not in ("refused", "rejected"):
        return "no_champion", reason
    return "refused", (
        f"{version} was {last['outcome']} by {last['decided_by']} ({reason}). Each round trains another and judges "
        f"it anew; mlops-assets history {name} lists the decisions, {approve} --force takes this one all the same"
    )


def reigns(log: pd.DataFrame) -> pd.DataFrame:
    """Return who was champion from when to when, oldest first.

    Returns:
        version, since, until (NaT: still), number (of the decision), kind, decided_by, reason, trained_until, rules.
    """
    changed = log[log["champion_after"].fillna(-1) != log["champion_before"].fillna(-1)]
    columns = ["number", "kind", "decided_by", "reason", "trained_until", "rules"]
    spans = changed[columns].copy()
    spans.insert(0, "version", changed["champion_after"])
    spans.insert(1, "since", changed["decided_at"])
    spans.insert(2, "until", changed["decided_at"].shift(-1))
    return spans[spans["version"].notna()].reset_index(drop=True)


def milestones(log: pd.DataFrame) -> pd.DataFrame:
    """Return what happened to the model, each at the end of the data it knew: timestamp and label."""
    told = log[log["trained_until"].notna() & (log["outcome"] != "unchanged")]
    label = "v" + told["version"].astype(str) + " " + told["outcome"].astype(str)
    return pd.DataFrame({"timestamp": told["trained_until"], "label": label})


def refused(log: pd.DataFrame, name: str) -> str:
    """Say that the latest decision refused a challenger; empty if it did not."""
    if log.empty or log.iloc[-1]["outcome"] != "refused":
        return ""
    last = log.iloc[-1]
    by = last["decided_by"]
    return f"version {last['version']} was refused by {by} ({last['reason']}): mlops-assets history {name}"


def waiting(log: pd.DataFrame) -> list[int]:
    """Return the versions that wait for a person: those whose last decision is `awaiting approval`."""
    last = log.drop_duplicates("version", keep="last")
    return [int(number) for number in last.loc[last["outcome"] == "awaiting approval", "version"]]


def aside(log: pd.DataFrame) -> list[int]:
    """Return the versions that stand beside the champion, of those that came after it."""
    last, champion = log.drop_duplicates("version", keep="last"), champion_of(log) or 0
    return [int(n) for n in last.loc[last["outcome"] == "kept aside", "version"] if int(n) > champion]


def highest(log: pd.DataFrame) -> int:
    """Return the highest number of a version that was decided on; 0 without any."""
    return int(log["version"].max()) if log["version"].notna().any() else 0


def rolled_back(log: pd.DataFrame, data_version: str, spec_hash: str) -> str:
    """Return by whom and when a training (its data and its spec) was rolled back last, or an empty text.

    A person who approved it since has lifted that.
    """
    same = (log["data_version"] == data_version) & (log["spec_hash"] == spec_hash)
    versions = set(log.loc[same & log["kind"].isin(["gate", "approval"]), "version"].dropna().astype(int))
    about = log[
        ((log["kind"] == "rollback") & log["champion_before"].isin(versions))
        | ((log["kind"] == "approval") & log["version"].isin(versions))
    ]
    if about.empty or about["kind"].iloc[-1] != "rollback":
        return ""
    last = about.iloc[-1]
    return f"by {last['decided_by']} on {last['decided_at']:%Y-%m-%d %H:%M} UTC: {last['reason']}"


def evidence_of(parts: Sequence[object]) -> str:
    """Return a hash of what a decision rests on (32 hex digits)."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:32]


def page(name: str, number: int, entry: Entry) -> str:
    """Return a decision as a short Markdown page."""
    lines = [
        f"### {name}: {entry.outcome} (decision {number})",
        "",
        entry.reason,
        "",
        f"- version: {entry.version}, trained until {entry.trained_until}",
        f"- champion before: {entry.champion_before or 'none'}, after: {entry.champion_after or 'none'}",
        f"- decided by: {entry.decided_by}" + (f" (proven by {entry.proof})" if entry.proof else ""),
    ]
    lines += [f"- trained because: {entry.trigger}"] if entry.trigger else []
    lines += [f"- data {entry.data_version}, spec {entry.spec_hash}, commit {entry.git_commit or 'unknown'}"]
    lines += [f"- commit of the spec: {entry.spec_commit}"] if entry.spec_commit else []
    lines += [f"- version of the source: {entry.source_version}"] if entry.source_version else []
    if (verdict := verdict_of(entry.rules)) is not None:
        lines += [f"- verdict: {verdict['verdict']}", "", "| rule | outcome | numbers |", "|---|---|---|"]
        lines += [f"| {rule['name']} | {rule['state']} | {rule['message']} |" for rule in verdict["rules"]]
    return "\n".join(lines)


def verdict_of(rules: str) -> dict[str, Any] | None:
    """Return the gate's verdict that a decision keeps as JSON; None of a decision without one.

    Returns:
        `verdict`, and `rules`: name, state, message and numbers of each.
    """
    if not rules:
        return None

    verdict = json.loads(rules)
    # Release 0.1.0 called a rule's message its words.
    told = [{("message" if name == "words" else name): rule[name] for name in rule} for rule in verdict["rules"]]
    return {**verdict, "rules": told}


def _number(value: object) -> int | None:
    return None if pd.isna(value) else int(value)  # pyright: ignore[reportArgumentType, reportCallIssue]
