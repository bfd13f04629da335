"""The sensor that carries out the retraining policies."""

import dagster as dg

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.names import RETRAIN, job_name
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.watching.retraining import ask
from mlops_assets.tracking.tracking import Tracking


def build_retraining_sensor(spec: ForecastSpec) -> dg.SensorDefinition:
    """Define `<name>_retrain_on_breach`; tables and runs are its memory, so it needs no cursor."""

    @dg.sensor(
        name=f"{spec.name}_retrain_on_breach",
        job_name=job_name(spec.name, RETRAIN),
        minimum_interval_seconds=60,
        description=f"Requests {job_name(spec.name, RETRAIN)} when the champion is lost, the spec has changed or a "
        "policy (retraining, policies) finds a reason, and otherwise says why not. Every answer to something new is a "
        "row of retraining_decisions.",
    )
    def retrain_on_breach(
        context: dg.SensorEvaluationContext,
        tables: dg.ResourceParam[Tables],
        tracking: dg.ResourceParam[Tracking],
        clock: dg.ResourceParam[Clock],
        notifications: dg.ResourceParam[Notifications],
    ) -> dg.RunRequest | dg.SkipReason:
        asked = ask(spec, tables, tracking, clock, notifications, context.instance)
        if isinstance(asked, str):
            return dg.SkipReason(asked)
        return dg.RunRequest(run_key=asked.key, tags=asked.tags)

    return retrain_on_breach
