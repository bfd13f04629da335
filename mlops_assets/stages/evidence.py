"""What the retraining policies look at, read from tables, registry and runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import dagster as dg
import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import (
    DATA_DRIFT,
    DECISIONS,
    FORECAST_ACCURACY,
    FORECASTS,
    OBSERVATIONS,
    RETRAINING_DECISIONS,
    RETRAINING_LAUNCHES,
)
from mlops_assets.catalog.partitions import holding, latest_tick, window_of
from mlops_assets.forecasting.decisions.evidence import Champion, Evidence
from mlops_assets.lifecycle.answers import Answers
from mlops_assets.lifecycle.decisions import Decisions
from mlops_assets.lifecycle.launches import Launches
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.score import version_scores
from mlops_assets.tracking.tracking import Tracking


def gather(
    spec: ForecastSpec, tables: Tables, tracking: Tracking, clock: Clock, instance: dg.DagsterInstance
) -> Evidence:
    """Collect what there is to judge at the present moment.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    life = Lifecycle(tables, tracking, clock, spec.name)
    version = life.champion()
    champion = None
    if version is not None and version.trained_until is not None:
        champion = Champion(version.number, version.trained_until, life.registry.metrics(version))
    stored = tables.partitions([spec.name, OBSERVATIONS])
    windows = Graph(spec).partitions
    launches = Launches(tables, spec.name).results(life.log.all(), instance)
    policies, log = spec.rules_of_retraining, Answers(tables, spec.name).all()
    return Evidence(
        champion=champion,
        stored=stored,
        until=window_of(windows, stored[-1]).end if stored else None,
        accuracy=version_scores(tables, spec, champion),
        log=log.assign(at=log["at"].dt.tz_localize("UTC").dt.tz_convert(spec.zone).dt.tz_localize(None)),
        launches=launches,
        drift=_drift_since(tables, spec, champion) if any(rules.drift is not None for rules in policies) else None,
        new_rows=new_rows(tables, spec, champion, stored) if any(rules.new_rows for rules in policies) else None,
        ticks=ticks(spec, clock.now()),
    )


def ticks(spec: ForecastSpec, now: datetime) -> Mapping[str, pd.Timestamp]:
    """Return the latest tick of each scheduled policy that has ticked, naive, in the spec's zone."""
    schedules = {policy.name: policy.trigger.schedule for policy in spec.policies}
    found = {name: latest_tick(spec, cron, now) for name, cron in schedules.items() if cron is not None}
    return {name: pd.Timestamp(tick).tz_localize(None) for name, tick in found.items() if tick is not None}


def new_rows(tables: Tables, spec: ForecastSpec, champion: Champion | None, stored: Sequence[str]) -> int:
    """Return how many observations came after the champion's training."""
    if champion is None:
        return 0
    first = holding(spec, champion.trained_until)
    later = [key for key in stored if key >= first]
    if not later:
        return 0
    rows = tables.read([spec.name, OBSERVATIONS], partitions=later, columns=["timestamp"])
    return int((rows["timestamp"] > champion.trained_until).sum())


def _drift_since(tables: Tables, spec: ForecastSpec, champion: Champion | None) -> pd.DataFrame | None:
    """Return the same since the champion's training began to count: a breach belongs to one champion."""
    since = holding(spec, champion.trained_until) if champion is not None else ""
    return drift_history(tables, spec.name, [key for key in tables.partitions([spec.name, DATA_DRIFT]) if key >= since])


def drift_history(tables: Tables, name: str, partitions: Sequence[str] | None = None) -> pd.DataFrame | None:
    """Return the largest drift of each partition of `data_drift`, all or some: partition, drift.

    None if nobody has measured it.
    """
    key = [name, DATA_DRIFT]
    if not tables.exists(key):
        return None
    if partitions is not None and not partitions:
        return pd.DataFrame({"partition": pd.Series(dtype=object), "drift": pd.Series(dtype=float)})
    rows = tables.read(key, partitions=partitions, columns=["partition", "drift"])
    largest = rows.groupby("partition")["drift"].max()
    return pd.DataFrame({"partition": largest.index, "drift": largest.to_numpy()})


def state_of(spec: ForecastSpec, tables: Tables, instance: dg.DagsterInstance, now: datetime) -> str:
    """Return, cheaply, all on which an answer can depend: as long as it is the same there is nothing new to judge."""
    name = spec.name
    latest = [
        max(tables.partitions([name, table]), default="") for table in (FORECAST_ACCURACY, OBSERVATIONS, DATA_DRIFT)
    ]
    decisions = Decisions(tables, name).all()
    results = Launches(tables, name).results(decisions, instance)["result"]
    rules = [part.model_dump_json() for part in (spec.retraining, *spec.policies)]
    return "|".join([*latest, str(len(decisions)), *results, *map(str, ticks(spec, now).values()), *rules])


def moved(spec: ForecastSpec, tables: Tables, now: datetime) -> str:
    """Return, by lists of partitions alone, what changes with the state: only the end of a run changes none of it."""
    parts = [FORECAST_ACCURACY, OBSERVATIONS, DATA_DRIFT, FORECASTS]
    logs = [DECISIONS, RETRAINING_DECISIONS, RETRAINING_LAUNCHES]
    stored = [tables.partitions([spec.name, table]) for table in (*parts, *logs)]
    counts = [f"{len(keys)} {max(keys, default='')}" for keys in stored]
    rules = [part.model_dump_json() for part in (spec.retraining, *spec.policies)]
    return "|".join([*counts, *map(str, ticks(spec, now).values()), *rules, spec.fingerprint()])
