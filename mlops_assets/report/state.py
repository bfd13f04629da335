"""What there is to know of a forecast at present, from its tables, its registry and Dagster's runs."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import cached_property

import pandas as pd

from mlops_assets.alerts.messages import RUN_FAILURE
from mlops_assets.alerts.notifications import Notifications, told
from mlops_assets.catalog.graph import reach_of
from mlops_assets.catalog.names import (
    ANOMALIES,
    DATA_DRIFT,
    ENTRIES,
    EXTERNAL_FORECASTS,
    FORECASTS,
    FUTURE_COVARIATES,
    OBSERVATIONS,
    QUARANTINE,
    RETRAINING_DECISIONS,
)
from mlops_assets.catalog.partitions import partitions_of, rounds_of, window_of, with_steps
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.data import outliers
from mlops_assets.forecasting.data.grid import KEY
from mlops_assets.forecasting.evaluation.beside import scored
from mlops_assets.forecasting.evaluation.ledger import ALL, shown_numbers
from mlops_assets.forecasting.evaluation.metrics import outer_pair
from mlops_assets.forecasting.formatting import plain, stamp
from mlops_assets.forecasting.model.task import quantile_column
from mlops_assets.jobs.resource import Jobs
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.answers import latest
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.lost import champion_failed
from mlops_assets.lifecycle.meanings import difference
from mlops_assets.lifecycle.published import still_published
from mlops_assets.lifecycle.roles import Roles
from mlops_assets.reading.reader import Reader
from mlops_assets.report.ingestion import Instance, latest_ingestion, unstored
from mlops_assets.report.overview import (
    AccuracyState,
    AnomaliesState,
    ChampionState,
    DriftState,
    ExternalState,
    FailedRun,
    Overview,
    PolicyState,
    QuarantineState,
    StoredAsset,
)
from mlops_assets.report.problems import FAILED_DAYS, problems, warnings
from mlops_assets.report.reachable import Reachable
from mlops_assets.report.revised import revised
from mlops_assets.report.spending import spent
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.meter import Prices
from mlops_assets.resources.protocols import Models, Tables
from mlops_assets.resources.rows import Only
from mlops_assets.scale.shards import shards
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages import ahead, holes
from mlops_assets.stages.external.together import partition_of_stored
from mlops_assets.stages.remarks import outlier_sentence, silent_point, unasked_median
from mlops_assets.stages.score import beside_services, read_scores
from mlops_assets.stages.watching.anomalies import sentence
from mlops_assets.tracking.registry import Version
from mlops_assets.tracking.tracking import Tracking

LATEST = 7
"""Partitions that the mean of the accuracy is taken over."""
SHOWN = 5
"""Failed runs that are listed."""
TABLES, MLFLOW, RUNS = "tables", "MLflow", "Dagster's runs"
"""What is asked, as it is called where it does not answer."""


@dataclass(frozen=True)
class Sources:
    """Where the facts of a forecast come from.

    `instance` opens Dagster's records, where our own tables do not say what an earlier release has done; `models` and
    `jobs` are None where nobody asks for them.
    """

    spec: ForecastSpec
    tables: Tables
    tracking: Tracking
    clock: Clock
    notifications: Notifications
    instance: Instance = nullcontext
    models: Models | None = None
    jobs: Jobs | None = None
    prices: Prices | None = None

    @cached_property
    def life(self) -> Lifecycle:
        """The versions of the forecast's model."""
        return Lifecycle.of(self, self.spec.name)

    @cached_property
    def reader(self) -> Reader:
        """Answers questions to what is stored."""
        return Reader(self.spec, self.tables, self.clock, self.tracking, self.jobs)

    @cached_property
    def stored(self) -> ForecastTables:
        """The tables of the forecast."""
        return ForecastTables(self.tables, self.spec.name)


def overview(sources: Sources) -> Overview:
    """Collect the state of a forecast; what a store does not tell is named in `unreachable`, and the rest is told."""
    spec, now, reached = sources.spec, sources.clock.now(), Reachable()
    assets = reached.ask(TABLES, lambda: stored_assets(sources), ())
    log = reached.ask(TABLES, decisions.Decisions(sources.tables, spec.name).all, decisions.NONE)
    there = reached.ask(MLFLOW, sources.tracking.exists, False)
    life = sources.life if assets and (there or len(log)) else None
    version = reached.ask(MLFLOW, life.champion, None) if life is not None else None
    failed = reached.ask(TABLES, lambda: champion_failed(sources.tables, spec.name), False)
    backtest = reached.ask(MLFLOW, lambda: life.versions.metrics(version, there) if life and version else {}, {})
    rounds = rounds_of(spec)
    tick = rounds.next(now) if rounds is not None else None
    found = Overview(
        forecast=spec.name,
        description=spec.description,
        at=stamp(naive_utc(now).floor("min")),
        champion=reached.ask(TABLES, lambda: _champion(sources, version, log), None),
        waiting=tuple(decisions.waiting(log)),
        aside=tuple(decisions.aside(log)),
        assets=assets,
        accuracy=reached.ask(TABLES, lambda: _accuracy(sources, backtest), None),
        policies=reached.ask(TABLES, lambda: _policies(sources), ()),
        drift=reached.ask(TABLES, lambda: _drift(sources), None),
        quarantine=reached.ask(TABLES, lambda: _quarantine(sources), None),
        next_round=f"{tick:%Y-%m-%d %H:%M %Z}" if tick is not None else None,
        failed_runs=reached.ask(TABLES, lambda: _failed_runs(sources), ()),
        unobserved=reached.ask(TABLES, lambda: _unobserved(sources), ()),
        unforecast=reached.ask(TABLES, lambda: _unforecast(sources), ()),
        ingestion=reached.ask(RUNS, lambda: latest_ingestion(spec.name, sources.tables, sources.instance), None),
        standing=_standing(spec.name, version, log, failed),
        outliers=reached.ask(TABLES, lambda: _outliers(sources), ""),
        missing_ahead=reached.ask(TABLES, lambda: _missing_ahead(sources), ""),
        silent_point=reached.ask(TABLES, lambda: _silent_point(sources), ""),
        anomalies=reached.ask(TABLES, lambda: _anomalies(sources), None),
        external=reached.ask(TABLES, lambda: external_state(sources), None),
        changed_spec=reached.ask(TABLES, lambda: difference(sources.tables, spec), ""),
        revised=reached.ask(TABLES, lambda: revised(sources.tables, spec), ""),
        backtest=_backtest(spec, backtest),
        rolled_back=reached.ask(TABLES, lambda: still_published(sources.tables, spec.name, log), ""),
        spent=reached.ask(TABLES, lambda: spent(sources.tables, spec.name, sources.prices), ()),
        refused=decisions.refused(log, spec.name),
        refused_rows=reached.ask(TABLES, lambda: _refused_rows(sources), ""),
        unstored=reached.ask(TABLES, lambda: unstored(spec.name, sources.tables), {}),
    )
    found = replace(found, unreachable=reached.unreachable)
    return replace(found, problems=problems(spec, found, now), warnings=warnings(spec, found, now))


def _standing(name: str, version: Version | None, log: pd.DataFrame, failed: bool) -> str:
    """Say why nobody is champion, or that the champion has failed; nothing if all is well.

    Whether MLflow still has it is for `mlops-assets check` to see, and for the next round to decide on.
    """
    number = decisions.champion_of(log)
    if version is None and number is not None:
        return f"version {number} is gone, and no copy of it is kept: mlops-assets run {name} trains a new one"
    if version is None:
        return decisions.why_nobody(log, name)[1]
    if failed:
        return f"version {version.number} could not make the latest forecasts: mlops-assets run {name} trains a new one"
    return ""


def stored_assets(sources: Sources) -> tuple[StoredAsset, ...]:
    """Return the assets of which something is stored."""
    found = []
    for one in ENTRIES:
        if one.kind == "log" or not one.shown:
            continue
        stored = sources.stored.partitions(one.name) if one.partitioned else []
        if stored:
            found.append(StoredAsset(one.name, len(stored), max(stored)))
        elif not one.partitioned and sources.stored.exists(one.name):
            found.append(StoredAsset(one.name, None, None))
    return tuple(found)


def limit_of(spec: ForecastSpec, backtest: Mapping[str, float]) -> float | None:
    """Return the lowest value of `retraining.metric` that is a breach to any policy, given the champion's backtest."""
    own = backtest.get(spec.retraining.metric)
    watching = [rules for rules in spec.rules_of_retraining if rules.metric == spec.retraining.metric]
    limits = [rules.threshold for rules in watching]
    limits += [rules.relative * own for rules in watching if rules.relative is not None and own is not None]
    return min((limit for limit in limits if limit is not None), default=None)


def _champion(sources: Sources, version: Version | None, log: pd.DataFrame) -> ChampionState | None:
    """Return who is champion; by the log alone where nothing else is known of the version."""
    number = version.number if version is not None else decisions.champion_of(log)
    if number is None:
        return None
    reigns = decisions.reigns(log)
    reign = reigns[reigns["version"] == number].iloc[-1:] if len(reigns) else reigns
    until, age = version.trained_until if version is not None else None, None
    if until is None and len(reign) and pd.notna(reign["trained_until"].iloc[0]):
        until = reign["trained_until"].iloc[0]
    latest = _latest_data(sources)
    if until is not None and latest is not None:
        age = max(0, (latest.normalize() - until.normalize()).days)
    return ChampionState(
        version=number,
        model_kind=version.kind if version is not None else "",
        since=plain(reign["since"].iloc[0].floor("s")) if len(reign) else None,
        decided_by=plain(reign["decided_by"].iloc[0]) if len(reign) else None,
        trained_until=plain(until),
        age_days=age,
        link=sources.tracking.links.version(sources.spec.name, number),
        choice=version.tags.get("choice", "") if version is not None else "",
    )


def _latest_data(sources: Sources) -> pd.Timestamp | None:
    """Return where the last stored partition of observations begins; None without one."""
    stored = sources.stored.partitions(OBSERVATIONS)
    try:
        return window_of(partitions_of(sources.spec), max(stored)).start if stored else None
    except UsageError:  # of another kind of partition than the spec's now, as `changed_spec` says
        return None


def _accuracy(sources: Sources, backtest: Mapping[str, float]) -> AccuracyState | None:
    metric = sources.spec.retraining.metric
    scores = read_scores(sources.tables, sources.spec)
    scores = scores[(scores["scope"] == ALL) & (scores["rows"] > 0)]
    if scores.empty:
        return None
    last = scores.iloc[-1]
    limit, latest = limit_of(sources.spec, backtest), scores.tail(sources.spec.retraining.window)
    pair = outer_pair(sources.spec.quantiles)
    nominal = float("nan") if pair is None else pair[1] - pair[0]
    outside = latest[(latest["coverage"] - nominal).abs() > sources.spec.gate.coverage_tolerance]
    return AccuracyState(
        partition=last["partition"],
        metric=metric,
        value=plain(last[metric]),
        limit=plain(limit),
        mean=plain(scores[metric].tail(LATEST).mean()),
        scores={name: plain(last[name]) for name in shown_numbers(sources.spec.task)},
        rows=int(last["rows"]),
        worse_than_naive=tuple(map(str, latest[latest["skill"] < 0]["partition"])),
        outside_coverage=tuple(map(str, outside["partition"])),
    )


def _backtest(spec: ForecastSpec, known: Mapping[str, float]) -> dict[str, float]:
    """Return what is shown of all that was measured in the training of the champion."""
    names = dict.fromkeys((spec.retraining.metric, "mase", "coverage"))
    return {
        name: round(known[name], 6) for own in names for name in (own, f"naive_{own}") if known.get(name) is not None
    }


def _policies(sources: Sources) -> tuple[PolicyState, ...]:
    rows = latest(sources.stored.read(RETRAINING_DECISIONS).sort_values("number", kind="stable"))
    told = [one.name for one in fields(PolicyState)]
    return tuple(PolicyState(**{name: plain(row[name]) for name in told}) for row in rows.to_dict("records"))


def _drift(sources: Sources) -> DriftState | None:
    stored = sources.stored.partitions(DATA_DRIFT)
    if not stored:
        return None
    rows = sources.stored.read(DATA_DRIFT, [max(stored)], ["drifted", "drift", "explanation", "p_value"])
    drifted = rows[rows["drifted"].astype(bool)]
    largest = plain(rows["drift"].max()) if len(rows) else None
    judged = int(rows["p_value"].notna().sum())
    return DriftState(max(stored), largest, tuple(drifted["explanation"]), judged)


def _anomalies(sources: Sources) -> AnomaliesState | None:
    stored = sources.stored.partitions(ANOMALIES)
    if not stored:
        return None
    rows = sources.stored.read(ANOMALIES, [max(stored)])
    return AnomaliesState(max(stored), len(rows), sentence(rows))


def _quarantine(sources: Sources) -> QuarantineState | None:
    stored = sources.stored.partitions(QUARANTINE)
    for partition in sorted(stored, reverse=True)[:LATEST]:
        rows = sources.stored.read(QUARANTINE, [partition])
        if len(rows):
            reasons = {str(reason): int(count) for reason, count in rows["reason"].value_counts().items()}
            return QuarantineState(partition, len(rows), reasons)
    return None


def _refused_rows(sources: Sources) -> str:
    """Return the partition that was read last, if its rejected rows are stored and its observations are not."""
    read, stored = (max(sources.stored.partitions(name), default="") for name in (QUARANTINE, OBSERVATIONS))
    return read if read > stored else ""


def _outliers(sources: Sources) -> str:
    """Say which of the latest values are hardly true; of many items, one shard is in memory at a time."""
    spec, tables, key = sources.spec, sources.tables, [sources.spec.name, OBSERVATIONS]
    keys = sources.stored.partitions(OBSERVATIONS)[-reach_of(spec) - 1 :]
    found = [
        outliers.outliers(tables.read(key, keys, columns=["item_id", "timestamp", "target"], only=Only(items=shard)))
        for shard in (shards(tables, key, keys) if keys else ())
    ]
    return outlier_sentence(spec, pd.concat(found)) if found else ""


def _missing_ahead(sources: Sources) -> str:
    """Say which known covariates the latest forecasts had to do without over their horizon; nothing where none.

    Rows of another spec need not have the columns of this one: nothing is said before they are ingested anew.
    """
    spec, stored = sources.spec, sources.stored
    names, last = spec.covariates.all_known, stored.partitions(FORECASTS)[-1:]
    if not names or not last or spec.covariates.missing_future == "last" or difference(sources.tables, spec):
        return ""
    keys = stored.partitions(OBSERVATIONS)[-reach_of(spec) - 1 :]
    history, made = stored.read(OBSERVATIONS, keys, [*KEY, *names]), stored.delivered(FORECASTS, last, KEY)
    known = last[0] in stored.partitions(FUTURE_COVARIATES)
    future = stored.read(FUTURE_COVARIATES, last, [*KEY, *names]) if known else made[:0].reindex(columns=[*KEY, *names])
    missing = ahead.missing_ahead(spec.model_copy(update={"calendars": []}), history, future, made)
    return f"{last[0]}: {ahead.warning(missing, spec)}: mlops-assets run {spec.name}" if len(missing) else ""


def _silent_point(sources: Sources) -> str:
    stored = sources.stored.partitions(FORECASTS)
    if not stored or not unasked_median(sources.spec):
        return ""
    return silent_point(
        sources.spec, sources.stored.delivered(FORECASTS, [max(stored)], ["mean", quantile_column(0.5)])
    )


def external_state(sources: Sources) -> ExternalState | None:
    """Return how the external service of a forecast stands beside our model; None where its spec declares none."""
    if sources.spec.external is None:
        return None
    role, stored = Roles(sources.tables, sources.spec).of(), sources.stored
    last = stored.partitions(FORECASTS)[-1:]
    used = stored.delivered(FORECASTS, last, ["source", "delivered_because"]) if last else pd.DataFrame()
    rows = beside_services(sources.tables, sources.spec)
    own = rows[rows["service"] == role.service] if len(rows) else rows
    table = scored(own, sources.spec.task).drop(columns=["service"]).set_index("model")
    return ExternalState(
        service=role.service,
        role=role.role,
        declared=role.declared,
        since=stamp(role.since.floor("min")) if role.since is not None else None,
        decided_by=role.decided_by,
        reason=role.reason,
        latest=max(map(partition_of_stored, stored.partitions(EXTERNAL_FORECASTS)), default=None),
        delivered={str(name): ", ".join(sorted(used[name].unique())) for name in used},
        rows=int(table["rows"].max()) if len(table) else 0,
        scores={
            str(model): {str(name): plain(value) for name, value in numbers.items()}
            for model, numbers in table.drop(columns="rows").to_dict("index").items()
        },
    )


def _unobserved(sources: Sources) -> tuple[str, ...]:
    spec, tables, stored = sources.spec, sources.tables, sources.stored.partitions(OBSERVATIONS)
    if _latest_data(sources) is None:
        return ()
    last = max(stored)
    vain = [*holes.empty(spec, tables, last), *holes.without_rows(spec, tables, with_steps(spec, [last]))]
    return tuple(sorted({*holes.unread(spec, tables, last), *holes.unusual(spec, vain)}))


def _unforecast(sources: Sources) -> tuple[str, ...]:
    stored = sources.stored.partitions(FORECASTS)
    return tuple(holes.unforecast(sources.spec, sources.tables, max(stored), sources.clock.now())) if stored else ()


def _failed_runs(sources: Sources) -> tuple[FailedRun, ...]:
    """Return the latest failed runs that alerts have told of, the newest first."""
    since = naive_utc(sources.clock.now()) - timedelta(days=FAILED_DAYS)
    rows = told(sources.tables, sources.spec.name, RUN_FAILURE)
    latest = rows[rows["at"] > since].iloc[::-1].head(SHOWN)
    return tuple(
        FailedRun(str(row["key"]), str(row["what"]), stamp(row["at"].floor("min")), str(row["where"]))
        for row in latest.to_dict("records")
    )
