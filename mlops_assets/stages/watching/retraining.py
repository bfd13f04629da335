"""Asking the retraining policies: what they say is told, written down, and becomes a run that is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.alerts import messages
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.run_tags import ATTEMPT, BREACH, CHANGED, FORECAST, LOST
from mlops_assets.forecasting.decisions import policy
from mlops_assets.forecasting.decisions.guards import FUTILITY
from mlops_assets.forecasting.decisions.rules import AT_REST, CHALLENGE, REFIT, RETRAINING
from mlops_assets.forecasting.decisions.triggers import STOCK
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.answers import Answers, latest
from mlops_assets.lifecycle.launches import Launch, Launches
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.lost import lost_champion
from mlops_assets.lifecycle.meanings import changed_since_training, difference
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.evidence import gather, state_of
from mlops_assets.tracking.tracking import Tracking

FALSE_STARTS = 3
"""Runs that may end before they have claimed what they were launched for."""


@dataclass(frozen=True)
class Request:
    """A retraining that is asked for.

    Attributes:
        launch: what the run is to claim.
        key: of the run: with it, Dagster launches it once, and again only if it ended too early.
        forecast: whose it is.
    """

    launch: Launch
    key: str
    forecast: str

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the run."""
        return {FORECAST: self.forecast, **self.launch.tags()}


def ask(
    spec: ForecastSpec,
    tables: Tables,
    tracking: Tracking,
    clock: Clock,
    notifications: Notifications,
    instance: dg.DagsterInstance,
) -> Request | str:
    """Ask whether the model is to be trained anew: the champion is lost, the spec has changed, a policy says so.

    Every answer to something new is a row of `retraining_decisions`; tables and runs are the memory.

    Returns:
        What is asked for, or why nothing is.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    if (unasked := _unasked(spec, tables, tracking, clock, instance)) is not None:
        return unasked
    answers = Answers(tables, spec.name)
    log, now = answers.all(), clock.now()
    state = state_of(spec, tables, instance, now)
    if len(log) and log["state"].iloc[-1] == state:
        return _again(spec, tables, instance, latest(log))
    evidence = gather(spec, tables, tracking, clock, instance)
    said = policy.decide_all(evidence, spec.rules_of_retraining)
    # Told before it is written down: a process that dies in between tells once more, and that is told once only.
    for answer in said:
        if answer.breach and answer.rule not in STOCK:
            notifications.send(tables, messages.breach(spec.name, answer, notifications))
        if answer.guard == FUTILITY:
            notifications.send(tables, messages.futility(spec.name, answer, notifications))
    if not answers.add(log, said, evidence, state, now):
        return "another daemon has judged this at the same moment"
    rows = [policy.as_row(answer, evidence.champion) for answer in said]
    asked = next((row for row in rows if row["action"] not in AT_REST), None)
    return _told(rows) if asked is None else _request(spec, instance, asked)


def _unasked(
    spec: ForecastSpec, tables: Tables, tracking: Tracking, clock: Clock, instance: dg.DagsterInstance
) -> Request | str | None:
    """Ask for the training that no rule asks for: the champion is lost, or the spec has changed; None without a reason.

    Once: what the gate refuses is the latest version then, and runs that fail again and again are left to people.
    """
    life = Lifecycle(tables, tracking, clock, spec.name)
    for row in filter(None, (_lost(spec, tables, life), _changed(spec, tables, life))):
        if words := difference(tables, spec):
            return f"{row['reason']}, but {words}: mlops-assets reingest {spec.name}"
        runs = instance.get_runs(dg.RunsFilter(tags={FORECAST: spec.name, BREACH: row["breach"]}), limit=FALSE_STARTS)
        if len(runs) < FALSE_STARTS and not any(run.is_success for run in runs):
            asked = {**row, "attempt": 1, "action": REFIT, "policy": "", "becomes": CHALLENGE}
            return _request(spec, instance, asked)
    return None


def _lost(spec: ForecastSpec, tables: Tables, life: Lifecycle) -> dict[str, Any] | None:
    """Return the retraining to ask for where the champion is gone or cannot forecast, and no version waits."""
    life.settle()
    log = life.log.all()
    if log.empty or decisions.waiting(log):
        return None
    lost = lost_champion(tables, spec.name, log)
    if lost is None:
        return None
    return {"breach": f"{LOST} version {lost.version}", "champion": lost.version, "rule": LOST, "reason": lost.reason}


def _changed(spec: ForecastSpec, tables: Tables, life: Lifecycle) -> dict[str, Any] | None:
    """Return the retraining to ask for where the spec has changed since the latest version was trained."""
    versions = life.registry.versions() if life.champion() is not None else []
    why = changed_since_training(tables, spec, versions[0]) if versions else ""
    if not why:
        return None
    number = versions[0].number
    breach = f"{CHANGED} {spec.fingerprint()[:12]} after version {number}"
    return {"breach": breach, "champion": number, "rule": CHANGED, "reason": why}


def _told(rows: Sequence[Mapping[Any, Any]]) -> str:
    """Say what all policies have said; which of them only where there are several."""
    return "; ".join(f"{row['policy'] + ': ' if len(rows) > 1 else ''}{row['action']}: {row['reason']}" for row in rows)


def _again(spec: ForecastSpec, tables: Tables, instance: dg.DagsterInstance, last: pd.DataFrame) -> Request | str:
    """Ask once more for a retraining that nobody has claimed: the request may have been lost with its daemon."""
    rows = last.to_dict("records")
    said = f"nothing new since {max(last['partition']) or 'the last look'}; then: {_told(rows)}"
    asked = next((row for row in rows if row["action"] not in AT_REST), None)
    if asked is None:
        return said
    launches = Launches(tables, spec.name).all()
    if ((launches["breach"] == asked["breach"]) & (launches["attempt"] == asked["attempt"])).any():
        return said
    return _request(spec, instance, asked)


def _request(spec: ForecastSpec, instance: dg.DagsterInstance, row: Mapping[Any, Any]) -> Request | str:
    """Ask for the run of an answer; none if too many have ended too early."""
    whose = "" if row["policy"] in ("", RETRAINING) else f"policy {row['policy']}, "
    launch = Launch(
        breach=str(row["breach"]),
        attempt=int(row["attempt"]),
        champion=int(row["champion"]),
        action=str(row["action"]),
        reason=f"{whose}{row['rule']}: {row['reason']}",
        partition="",
        run_id="",
        policy=str(row["policy"]),
        becomes=str(row["becomes"]),
    )
    asked = {FORECAST: spec.name, BREACH: launch.breach, ATTEMPT: str(launch.attempt)}
    ended = [run for run in instance.get_runs(dg.RunsFilter(tags=asked), limit=FALSE_STARTS + 1) if run.is_finished]
    if len(ended) >= FALSE_STARTS:
        return (
            f"{len(ended)} runs for the breach {launch.breach} ended before training began: see {ended[0].run_id} in "
            "Dagster's runs; the next partition is judged anew"
        )
    key = f"{spec.name}: {launch.breach}, try {launch.attempt}, run {len(ended) + 1}"
    return Request(launch, key, spec.name)
