"""The schedule of a forecast's daily round."""

import dagster as dg

from mlops_assets.automation.rescoring import build_reread_schedule
from mlops_assets.catalog.names import DAILY, job_name
from mlops_assets.catalog.partitions import latest_complete
from mlops_assets.spec import ForecastSpec


def build_schedules(spec: ForecastSpec) -> list[dg.ScheduleDefinition]:
    """Define `<name>_daily_schedule` if the spec has a schedule: at each tick, the latest complete partition.

    With `partitions.reread`, also `<name>_reread_schedule`.
    """
    if spec.schedule is None:
        return []
    job = job_name(spec.name, DAILY)

    @dg.schedule(
        name=f"{job}_schedule",
        cron_schedule=spec.schedule,
        execution_timezone=spec.time_zone,
        job_name=job,
        description=f"Runs the daily round of {spec.name} for the latest complete partition.",
    )
    def daily_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        moment = context.scheduled_execution_time
        key = latest_complete(spec, moment)
        if key is None:
            return dg.SkipReason(f"the first partition, from {spec.partitions.start}, has not ended at {moment}")
        # The run key makes a second tick for the same partition harmless, also after partitions.end.
        return dg.RunRequest(run_key=key, partition_key=key)

    return [daily_schedule, *([build_reread_schedule(spec)] if spec.partitions.reread else [])]
