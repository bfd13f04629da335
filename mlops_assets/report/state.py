"""What there is to know of a forecast at present, from its tables, its registry and Dagster's runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.names import DATA_DRIFT, ENTRIES, FORECASTS, OBSERVATIONS, QUARANTINE, RETRAINING_DECISIONS
from mlops_assets.catalog.partitions import expected, rounds_of
from mlops_assets.catalog.run_tags import is_of
from mlops_assets.forecasting.charts.style import label
from mlops_assets.forecasting.formatting import plain, stamp
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.score import read_scores
from mlops_assets.tracking.registry import Version
from mlops_assets.tracking.tracking import Tracking

LATEST = 7
"""Partitions that the mean of the accuracy is taken over."""
FAILED_DAYS, SHOWN = 7, 5


@dataclass(frozen=True)
class Sources:
    """Where the facts of a forecast come from; `instance` is None where Dagster has never run."""

    spec: ForecastSpec
    tables: Tables
    tracking: Tracking
    clock: Clock
    notifications: Notifications
    instance: dg.DagsterInstance | None = None

    @cached_property
    def life(self) -> Lifecycle:
        """The versions of the forecast's model."""
        return Lifecycle(self.tables, self.tracking, self.clock, self.spec.name)

    def table(self, name: str, partitions: Sequence[str] | None = None, columns: Sequence[str] | None = None) -> Any:
        """Return a table of the forecast, empty if it is not there."""
        key = [self.spec.name, name]
        if not self.tables.exists(key):
            return pd.DataFrame(columns=list(columns or []))
        return self.tables.read(key, partitions=partitions, columns=columns)


@dataclass(frozen=True)
class Overview:
    """The state of a forecast, in plain JSON types.

    Attributes:
        forecast: its name.
        description: its line.
        at: the moment, in UTC.
        champion: version, since, decided_by, trained_until, age_days, link; None without one.
        waiting: versions that wait for approval.
        assets: name, partitions (how many are stored; None of an asset without), last.
        accuracy: partition, metric, value, limit (the lowest that is a breach; None: off), mean (of the last
            `LATEST`), mase, naive_mase, skill, coverage, rows; None before anything was scored.
        policy: partition, action, rule, breach (empty: none), reason of the retraining policy's latest answer; None
            without.
        drift: partition, drift, drifted (sentences), judged (features that could be); None if it was not measured.
        quarantine: partition, rows, reasons, of the latest partition that has any; None if there is none.
        next_round: when the schedule ticks next; None without a schedule.
        failed_runs: job, ended, link of the latest failed runs of the last `FAILED_DAYS` days, at most `SHOWN`.
        problems: what a person should look at, in sentences; empty when all is well.
    """

    forecast: str
    description: str
    at: str
    champion: dict[str, Any] | None
    waiting: list[int]
    assets: list[dict[str, Any]]
    accuracy: dict[str, Any] | None
    policy: dict[str, Any] | None
    drift: dict[str, Any] | None
    quarantine: dict[str, Any] | None
    next_round: str | None
    failed_runs: list[dict[str, str]]
    problems: list[str] = field(default_factory=list)


def overview(sources: Sources) -> Overview:
    """Collect the state of a forecast.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    spec, now = sources.spec, sources.clock.now()
    assets = stored_assets(sources)
    life = sources.life if assets else None  # asking MLflow would make its database
    log = life.log.all() if life is not None else decisions.NONE
    version = life.champion() if life is not None else None
    rounds = rounds_of(spec)
    tick = rounds.get_next_partition_window(now, respect_bounds=False) if rounds is not None else None
    found = Overview(
        forecast=spec.name,
        description=spec.description,
        at=stamp(naive_utc(now).floor("min")),
        champion=_champion(sources, life, version, log) if life is not None and version is not None else None,
        waiting=decisions.waiting(log),
        assets=assets,
        accuracy=_accuracy(sources, life.registry.metrics(version) if life is not None and version is not None else {}),
        policy=_policy(sources),
        drift=_drift(sources),
        quarantine=_quarantine(sources),
        next_round=f"{tick.start:%Y-%m-%d %H:%M %Z}" if tick is not None else None,
        failed_runs=_failed_runs(sources),
    )
    found.problems.extend(_problems(sources, found))
    return found


def stored_assets(sources: Sources) -> list[dict[str, Any]]:
    """Return the stored assets: name, partitions (None of one without) and the last partition."""
    found = []
    for one in ENTRIES:
        key = [sources.spec.name, one.name]
        if one.kind == "log" or not one.shown:
            continue
        stored = sources.tables.partitions(key) if one.partitioned else []
        if stored:
            found.append({"name": one.name, "partitions": len(stored), "last": max(stored)})
        elif not one.partitioned and sources.tables.exists(key):
            found.append({"name": one.name, "partitions": None, "last": None})
    return found


def limit_of(spec: ForecastSpec, backtest: Mapping[str, float]) -> float | None:
    """Return the lowest value of the policy's metric that is a breach, given the champion's own backtest."""
    rules = spec.retraining
    own = backtest.get(rules.metric)
    limits = [rules.threshold, rules.relative * own if rules.relative is not None and own is not None else None]
    return min((limit for limit in limits if limit is not None), default=None)


def _champion(sources: Sources, life: Lifecycle, version: Version, log: pd.DataFrame) -> dict[str, Any]:
    reigns = decisions.reigns(log)
    reign = reigns[reigns["version"] == version.number].iloc[-1:] if len(reigns) else reigns
    until, age = version.trained_until, None
    stored = sources.tables.partitions([sources.spec.name, OBSERVATIONS])
    if until is not None and stored:
        age = max(0, (pd.Timestamp(max(stored)[:10]) - until.normalize()).days)
    return {
        "version": version.number,
        "since": plain(reign["since"].iloc[0].floor("s")) if len(reign) else None,
        "decided_by": plain(reign["decided_by"].iloc[0]) if len(reign) else None,
        "trained_until": plain(until),
        "age_days": age,
        "link": life.registry.link(version.number) if sources.tracking.ui else "",
    }


def _accuracy(sources: Sources, backtest: Mapping[str, float]) -> dict[str, Any] | None:
    metric = sources.spec.retraining.metric
    scores = read_scores(sources.tables, sources.spec.name)
    scores = scores[(scores["scope"] == "all") & (scores["rows"] > 0)]
    if scores.empty:
        return None
    last = scores.iloc[-1]
    limit = limit_of(sources.spec, backtest)
    return {
        "partition": last["partition"],
        "metric": metric,
        "value": plain(last[metric]),
        "limit": plain(limit),
        "mean": plain(scores[metric].tail(LATEST).mean()),
        **{name: plain(last[name]) for name in ("mase", "naive_mase", "skill", "coverage")},
        "rows": int(last["rows"]),
    }


def _policy(sources: Sources) -> dict[str, Any] | None:
    log = sources.table(RETRAINING_DECISIONS)
    if log.empty:
        return None
    last = log.sort_values("number").iloc[-1]
    return {name: plain(last[name]) for name in ("partition", "action", "rule", "breach", "reason")}


def _drift(sources: Sources) -> dict[str, Any] | None:
    stored = sources.tables.partitions([sources.spec.name, DATA_DRIFT])
    if not stored:
        return None
    rows = sources.table(DATA_DRIFT, [max(stored)], ["drifted", "drift", "explanation", "p_value"])
    drifted = rows[rows["drifted"].astype(bool)]
    largest = plain(rows["drift"].max()) if len(rows) else None
    judged = int(rows["p_value"].notna().sum())
    return {"partition": max(stored), "drift": largest, "drifted": drifted["explanation"].tolist(), "judged": judged}


def _quarantine(sources: Sources) -> dict[str, Any] | None:
    stored = sources.tables.partitions([sources.spec.name, QUARANTINE])
    for partition in sorted(stored, reverse=True)[:LATEST]:
        rows = sources.table(QUARANTINE, [partition])
        if len(rows):
            reasons = {str(reason): int(count) for reason, count in rows["reason"].value_counts().items()}
            return {"partition": partition, "rows": len(rows), "reasons": reasons}
    return None


def _failed_runs(sources: Sources) -> list[dict[str, str]]:
    if sources.instance is None:
        return []
    since = naive_utc(sources.clock.now()).tz_localize("UTC").to_pydatetime() - timedelta(days=FAILED_DAYS)
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    found = []
    for record in sources.instance.get_run_records(failed, limit=100):
        run = record.dagster_run
        if is_of(run, sources.spec.name):
            ended = stamp(naive_utc(record.update_timestamp).floor("min"))
            link = sources.notifications.run_link(run.run_id)
            found.append({"run_id": run.run_id, "job": run.job_name, "ended": ended, "link": link})
    return found[:SHOWN]


def _problems(sources: Sources, found: Overview) -> list[str]:
    spec, words = sources.spec, []
    last = {asset["name"]: asset["last"] for asset in found.assets}
    if not last:
        return [f"nothing is stored yet: mlops-assets run {spec.name}"]
    if found.champion is None:
        words.append(f"there is no champion, so nothing can be forecast: mlops-assets history {spec.name} says why")
    due = expected(spec, sources.clock.now())
    if due is not None:
        late = [name for name in (OBSERVATIONS, FORECASTS) if name in last and last[name] < due[0]]
        words += [f"{name} are stale: {due[0]} should be there, {last[name]} is the last" for name in late]
    accuracy = found.accuracy
    if accuracy is not None and accuracy["limit"] is not None and (accuracy["value"] or 0) > accuracy["limit"]:
        name, value, limit = label(accuracy["metric"]), accuracy["value"], accuracy["limit"]
        words.append(f"{name} of {accuracy['partition']} is {value:.3f}, above {limit:.3f}")
    present = f"v{found.champion['version']} " if found.champion is not None else "none"
    if found.policy is not None and (found.policy["breach"] or "").startswith(present):  # not one of a past champion
        said = f"{found.policy['action']}: {found.policy['reason']}"
        words.append(
            f"the retraining policy saw a breach ({found.policy['rule']}) at {found.policy['partition']}: {said}"
        )
    if found.waiting:
        words.append(f"waiting for approval: version {', '.join(map(str, found.waiting))}")
    if found.quarantine is not None and found.quarantine["partition"] == last.get(OBSERVATIONS):
        words.append(f"{found.quarantine['rows']} rows of {found.quarantine['partition']} are in quarantine")
    words += [f"drift: {sentence}" for sentence in (found.drift or {}).get("drifted", [])[:3]]
    if found.failed_runs:
        newest = found.failed_runs[0]
        words.append(
            f"a run has failed within {FAILED_DAYS} days: {newest['job']}, {newest['ended']} ({newest['link']})"
        )
    return words
