"""What there is to know of a forecast at present, from its tables, its registry and Dagster's runs."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta

import pandas as pd

from mlops_assets.alerts.messages import RUN_FAILURE
from mlops_assets.alerts.notifications import told
from mlops_assets.catalog.graph import reach_of
from mlops_assets.catalog.names import (
    ANOMALIES,
    DATA_DRIFT,
    EXTERNAL_FORECASTS,
    FORECASTS,
    FUTURE_COVARIATES,
    OBSERVATIONS,
    QUARANTINE,
    RETRAINING_DECISIONS,
)
from mlops_assets.catalog.partitions import rounds_of, with_steps
from mlops_assets.forecasting.data import outliers
from mlops_assets.forecasting.data.grid import KEY
from mlops_assets.forecasting.evaluation.beside import scored
from mlops_assets.forecasting.evaluation.ledger import ALL, shown_numbers
from mlops_assets.forecasting.evaluation.metrics import outer_pair
from mlops_assets.forecasting.formatting import plain, stamp
from mlops_assets.forecasting.model.task import quantile_column
from mlops_assets.lifecycle.answers import latest
from mlops_assets.lifecycle.meanings import difference
from mlops_assets.lifecycle.published import still_published
from mlops_assets.lifecycle.roles import Roles
from mlops_assets.report.decided import TABLES, decided_state, latest_data
from mlops_assets.report.ingestion import latest_ingestion, unstored
from mlops_assets.report.overview import (
    AccuracyState,
    AnomaliesState,
    DriftState,
    ExternalState,
    FailedRun,
    Overview,
    PolicyState,
    QuarantineState,
)
from mlops_assets.report.problems import FAILED_DAYS, Case, problems, warnings
from mlops_assets.report.reachable import Reachable
from mlops_assets.report.revised import revised
from mlops_assets.report.sources import Sources
from mlops_assets.report.spending import spent
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.rows import Only
from mlops_assets.scale.shards import shards
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages import ahead, holes
from mlops_assets.stages.external.together import partition_of_stored
from mlops_assets.stages.remarks import outlier_sentence, silent_point, unasked_median
from mlops_assets.stages.score import beside_services, read_scores
from mlops_assets.stages.watching.anomalies import sentence

LATEST = 7
"""Partitions that the mean of the accuracy is taken over."""
SHOWN = 5
"""Failed runs that are listed."""
RUNS = "Dagster's runs"
"""What else is asked, as it is called where it does not answer."""


def overview(sources: Sources) -> Overview:
    """Collect the state of a forecast; what a store does not tell is named in `unreachable`, and the rest is told."""
    spec, now, reached = sources.spec, sources.clock.now(), Reachable()
    known = decided_state(sources, reached)
    log, backtest = known.log, known.backtest
    rounds = rounds_of(spec)
    tick = rounds.next(now) if rounds is not None else None
    found = replace(
        known.state,
        accuracy=reached.ask(TABLES, lambda: _accuracy(sources, backtest), None),
        policies=reached.ask(TABLES, lambda: _policies(sources), ()),
        drift=reached.ask(TABLES, lambda: _drift(sources), None),
        quarantine=reached.ask(TABLES, lambda: _quarantine(sources), None),
        next_round=f"{tick:%Y-%m-%d %H:%M %Z}" if tick is not None else None,
        failed_runs=reached.ask(TABLES, lambda: _failed_runs(sources), ()),
        unobserved=reached.ask(TABLES, lambda: _unobserved(sources), ()),
        unforecast=reached.ask(TABLES, lambda: _unforecast(sources), ()),
        ingestion=reached.ask(RUNS, lambda: latest_ingestion(spec.name, sources.tables, sources.instance), None),
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
        refused_rows=reached.ask(TABLES, lambda: _refused_rows(sources), ""),
        unstored=reached.ask(TABLES, lambda: unstored(spec.name, sources.tables), {}),
    )
    found = replace(found, unreachable=reached.unreachable)
    case = Case(spec, found, now)
    return replace(found, problems=problems(case), warnings=warnings(case))


def limit_of(spec: ForecastSpec, backtest: Mapping[str, float]) -> float | None:
    """Return the lowest value of `retraining.metric` that is a breach to any policy, given the champion's backtest."""
    own = backtest.get(spec.retraining.metric)
    watching = [rules for rules in spec.rules_of_retraining if rules.metric == spec.retraining.metric]
    limits = [rules.threshold for rules in watching]
    limits += [rules.relative * own for rules in watching if rules.relative is not None and own is not None]
    return min((limit for limit in limits if limit is not None), default=None)


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
    if latest_data(sources) is None:
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
