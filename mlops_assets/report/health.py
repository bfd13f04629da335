"""The checks of a forecast as Dagster knows them: what is declared, what came of each, and which answers are news."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from mlops_assets.catalog.names import ANOMALIES, DATA_DRIFT, FORECAST_ACCURACY, QUARANTINE, assets_of
from mlops_assets.report.overview import Overview
from mlops_assets.report.problems import CHECKS, Case, Check, findings
from mlops_assets.spec import ForecastSpec

SEVERITIES = {"error": dg.AssetCheckSeverity.ERROR, "warn": dg.AssetCheckSeverity.WARN}
OF_STEPS = ("contract", "anomalies")
"""Checks that the step of their asset answers itself, so that no other step may declare them."""
ALL_IS_WELL = "nothing to look at"


def checks_of(spec: ForecastSpec) -> list[Check]:
    """Return the checks of a forecast, without those that its spec has switched off or that are of no asset of it."""
    assets = {one.name for one in assets_of(spec)}
    return [one for one in CHECKS if one.asset in assets and one.severity(spec) != "off" and _asked(one, spec)]


def declared(check: Check, spec: ForecastSpec) -> dg.AssetCheckSpec:
    """Return what Dagster is told of a check."""
    key = dg.AssetKey([spec.name, check.asset])
    return dg.AssetCheckSpec(check.name, asset=key, description=check.description, blocking=check.blocks)


def own_checks(spec: ForecastSpec, asset: str) -> dict[str, Check]:
    """Return the checks that an asset's own step declares and answers, by name."""
    return {one.name: one for one in checks_of(spec) if one.asset == asset and one.name in OF_STEPS}


def answer(
    check: Check, spec: ForecastSpec, words: Iterable[str], numbers: Mapping[str, Any] | None = None
) -> dg.AssetCheckResult:
    """Return what came of a check, for the step that has found it out: it holds where nothing is said."""
    said = list(words)
    return dg.AssetCheckResult(
        passed=not said,
        asset_key=dg.AssetKey([spec.name, check.asset]),
        check_name=check.name,
        severity=SEVERITIES.get(check.severity(spec), dg.AssetCheckSeverity.WARN),
        description="; ".join(said) or ALL_IS_WELL,
        metadata=numbers or {},
    )


def answers(spec: ForecastSpec, state: Overview, now: datetime) -> list[dg.AssetCheckResult]:
    """Return what came of each check of a forecast, by its state; of what could not be read nothing is said."""
    said: dict[Check, list[str]] = {}
    for one in findings(Case(spec, state, now)):
        said.setdefault(one.check, []).append(one.words)
    known = [one for one in checks_of(spec) if one in said or not state.unreachable]
    return [answer(one, spec, said.get(one, ()), _numbers(one, state)) for one in known]


def news(
    instance: dg.DagsterInstance, found: Iterable[dg.AssetCheckResult], making: dg.AssetKey | None = None
) -> list[dg.AssetCheckEvaluation]:
    """Return those answers that are other than the latest ones that Dagster knows, or that it counts no more.

    To Dagster, a check whose asset has been made since, by another run, is not evaluated.

    Args:
        instance: knows the latest answers.
        found: the present ones.
        making: the asset that is about to be made.
    """
    by_key = {key_of(one): one for one in found}
    known = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(by_key))
    entries = [one.asset_entry for one in instance.get_asset_records(list({key.asset_key for key in by_key}))]
    made = {entry.asset_key: entry.last_materialization_record for entry in entries}

    def counts(key: dg.AssetCheckKey, result: dg.AssetCheckResult) -> bool:
        record, last = known.get(key), made.get(key.asset_key)
        if record is None or key.asset_key == making or not _same(record.evaluation, result):
            return False
        return last is None or record.run_id == last.run_id or _target(record.evaluation) == last.storage_id

    return [_evaluation(one, made.get(key.asset_key)) for key, one in by_key.items() if not counts(key, one)]


def tell(
    context: dg.AssetExecutionContext, spec: ForecastSpec, state: Overview, now: datetime, asset: str = ""
) -> None:
    """Tell Dagster within the step of an asset what has come of the checks, of one asset or of all, as `news` says."""
    found = [one for one in answers(spec, state, now) if asset in ("", _key(one).path[-1])]
    for one in news(context.instance, found, context.asset_key):
        context.log_event(one)  # pyright: ignore[reportArgumentType]


def key_of(result: dg.AssetCheckResult) -> dg.AssetCheckKey:
    """Return which check an answer is of."""
    return dg.AssetCheckKey(_key(result), str(result.check_name))


def _asked(check: Check, spec: ForecastSpec) -> bool:
    return check.name != "external_service" or spec.external is not None


def _key(result: dg.AssetCheckResult) -> dg.AssetKey:
    assert result.asset_key is not None
    return dg.AssetKey.from_coercible(result.asset_key)


def _same(known: object, found: dg.AssetCheckResult) -> bool:
    """Whether Dagster knows an answer already; a check that was planned, and whose run has died, has none."""
    return isinstance(known, dg.AssetCheckEvaluation) and (known.passed, known.severity, known.description) == (
        found.passed,
        found.severity,
        found.description,
    )


def _target(evaluation: dg.AssetCheckEvaluation | None) -> int | None:
    """Return the storage id of the materialization that an answer is of."""
    target = evaluation and evaluation.target_materialization_data
    return target.storage_id if target else None


def _evaluation(result: dg.AssetCheckResult, made: dg.EventLogRecord | None) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=_key(result),
        check_name=str(result.check_name),
        passed=bool(result.passed),
        metadata=result.metadata,
        severity=result.severity,
        description=result.description,
        target_materialization_data=made
        and AssetCheckEvaluationTargetMaterializationData(
            storage_id=made.storage_id, run_id=made.run_id, timestamp=made.timestamp
        ),
    )


def _numbers(check: Check, state: Overview) -> dict[str, Any]:
    """Return the figures that a check has judged, which Dagster draws over time."""
    score, scores = state.accuracy, state.accuracy.scores if state.accuracy is not None else {}
    figures: dict[str, dict[str, Any]] = {
        "accuracy": {score.metric: score.value, "limit": score.limit} if score is not None else {},
        "better_than_naive": {"skill": scores.get("skill")},
        "interval_coverage": {"coverage": scores.get("coverage")},
        "bias": {"bias": scores.get("bias")},
        "drift": {"drift": state.drift.drift} if state.drift is not None else {},
        "anomalies": {"anomalies": state.anomalies.rows} if state.anomalies is not None else {},
        "quarantine": {"rows": state.quarantine.rows} if state.quarantine is not None else {},
    }
    named = {
        FORECAST_ACCURACY: score,
        DATA_DRIFT: state.drift,
        ANOMALIES: state.anomalies,
        QUARANTINE: state.quarantine,
    }
    of = named.get(check.asset)
    found = {**figures.get(check.name, {}), **({"partition": of.partition} if of is not None else {})}
    return {name: value for name, value in found.items() if value is not None}
