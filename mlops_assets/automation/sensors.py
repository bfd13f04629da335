"""The sensors that look after forecasts: one of each kind for all, and those that earlier releases had for each."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from mlops_assets.automation import choice
from mlops_assets.automation.alerting import Alerting
from mlops_assets.automation.aliases import alias, has_aliases
from mlops_assets.automation.approvals import Approvals
from mlops_assets.automation.rescoring import Rescoring
from mlops_assets.automation.retraining import Retraining
from mlops_assets.automation.turns import Served, Tick, read_cursor, unasked, write_cursor
from mlops_assets.catalog.names import job_name
from mlops_assets.spec import BrokenSpec, ForecastSpec

KINDS = (Retraining, Approvals, Rescoring, Alerting)
Kind = type[Retraining] | type[Approvals] | type[Rescoring] | type[Alerting]
SECONDS = 60
"""Between two ticks."""


def build_sensors(
    specs: Sequence[ForecastSpec], broken: Sequence[BrokenSpec], jobs: Sequence[Any]
) -> list[dg.SensorDefinition]:
    """Define `retrain_on_breach`, `approvals`, `rescore` and `alerts`, each for all forecasts.

    Args:
        specs: of the forecasts.
        broken: of those whose spec cannot be used: people are told.
        jobs: of the forecasts, and perhaps others.
    """
    return [sensor for kind in KINDS for sensor in _for_all(kind, specs, broken, jobs)]


def _for_all(
    kind: Kind, specs: Sequence[ForecastSpec], broken: Sequence[BrokenSpec], jobs: Sequence[Any]
) -> list[dg.SensorDefinition]:
    served: list[Served] = [*specs, *broken] if kind.always else [*specs]
    if not served:
        return []
    wanted = {job_name(spec, kind.job) for spec in specs} if kind.job is not None else set()
    started = kind.always or choice.automated(served)

    @dg.sensor(
        name=kind.name,
        jobs=[job for job in jobs if job.name in wanted] or None,
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if started else dg.DefaultSensorStatus.STOPPED,
        description=f"{kind.about} Of all forecasts.",
        required_resource_keys={*kind.needs},
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        chosen = choice.choose(context, kind.name, served, kind.always)
        return _serve(kind, context, chosen.specs, chosen.words)

    return [sensor]


def build_aliases(spec: ForecastSpec, jobs: Sequence[Any]) -> list[dg.SensorDefinition]:
    """Define `<name>_` and retrain_on_breach, approvals, rescore, alerts, stopped: release 0.1.0 had them running.

    A deployment that has one running keeps it until the next release; the sensor for all leaves that forecast to it.
    """
    if not has_aliases(spec):
        return []
    return [_alias(kind, spec, jobs) for kind in KINDS]


def _alias(kind: Kind, spec: ForecastSpec, jobs: Sequence[Any]) -> dg.SensorDefinition:
    wanted = None if kind.job is None else [job for job in jobs if job.name == job_name(spec, kind.job)]

    @dg.sensor(
        name=alias(spec, kind.name),
        jobs=wanted,
        minimum_interval_seconds=SECONDS,
        description=f"The old name of {kind.name} for {spec.name} alone: start {kind.name} instead, or say "
        "automation: true. It goes with the next release.",
        required_resource_keys={*kind.needs},
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _serve(kind, context, [spec])

    return sensor


def _serve(
    kind: Callable[..., Any], context: dg.SensorEvaluationContext, specs: Sequence[Served], words: str = ""
) -> dg.SensorResult:
    """Give some forecasts their turns."""
    tick = Tick(read_cursor(context.cursor))
    tick.run(specs, kind(context, specs, tick.seen), context.log)
    context.update_cursor(write_cursor(tick.seen, specs))
    said = tick.words(len(specs)) if specs else "no forecast is served"
    if requests := [*unasked(tick.requests, context.instance)]:
        return dg.SensorResult(requests, asset_events=tick.events)
    return dg.SensorResult(skip_reason="; ".join(filter(None, (said, words))), asset_events=tick.events)
