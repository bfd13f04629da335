"""The schedule of a forecast's daily round."""

import dagster as dg

from mlops_assets.automation.rescoring import UNDER_WAY, build_reread_schedule, default_status
from mlops_assets.catalog.names import DAILY, job_name
from mlops_assets.catalog.partitions import before, latest_complete, ranges
from mlops_assets.catalog.run_tags import TICK, partition_of, range_tags
from mlops_assets.errors import TransientError
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.holes import LONGEST_GAP, unforecast


def build_schedules(spec: ForecastSpec) -> list[dg.ScheduleDefinition]:
    """Define `<name>_daily_schedule` if the spec has a schedule: at each tick, the latest complete partition.

    A tick asks too for what earlier ones should have: Dagster itself makes up for none of them.

    With `partitions.reread`, also `<name>_reread_schedule`. They are on from the start with `automation: true`; with
    `false` there are none.
    """
    if spec.schedule is None or spec.automation is False:
        return []
    job = job_name(spec.name, DAILY)

    @dg.schedule(
        name=f"{job}_schedule",
        cron_schedule=spec.schedule,
        execution_timezone=spec.time_zone,
        job_name=job,
        default_status=default_status(spec),
        description=f"Runs the {spec.partition_kind} round of {spec.name} for the latest complete partition, and for "
        "those that earlier ticks asked for in vain: the daemon was down, or their run was lost.",
    )
    def daily_schedule(
        context: dg.ScheduleEvaluationContext, tables: dg.ResourceParam[Tables]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        moment = context.scheduled_execution_time
        key = latest_complete(spec, moment)
        if key is None:
            return dg.SkipReason(f"the first partition, from {spec.partitions.start}, has not ended at {moment}")
        # To Dagster, run keys of two ticks are two: each minute, or each day after partitions.end, would ask again.
        if context.instance.get_runs(dg.RunsFilter(job_name=job, tags={TICK: key}), limit=1):
            return dg.SkipReason(f"an earlier tick has asked for {key}; what that left out, the next partition's does")
        try:
            missed = unforecast(spec, tables, key, moment)
        except TransientError as error:  # the present round is asked for all the same: it may begin when they are back
            context.log.warning(f"the tables do not say what earlier ticks have missed: {error}")
            missed = []
        busy = _under_way(spec, context.instance)
        missed = [one for one in missed if not any(first <= one <= last for first, last in busy)]
        rounds = ranges([*before(spec, key, LONGEST_GAP), key], {*missed, key})
        return [_request(first, last, key) for first, last in rounds]

    return [daily_schedule, *([build_reread_schedule(spec)] if spec.partitions.reread else [])]


def _request(first: str, last: str, key: str) -> dg.RunRequest:
    """Ask for the round of some partitions, at the tick that asks for `key`."""
    run_key, tags = key if first == last == key else f"{first} {last} with {key}", {TICK: key}
    if first == last:
        return dg.RunRequest(run_key=run_key, partition_key=first, tags=tags)
    return dg.RunRequest(run_key=run_key, tags={**range_tags(first, last), **tags})


def _under_way(spec: ForecastSpec, instance: dg.DagsterInstance) -> list[tuple[str, str]]:
    """Return the first and last partitions of the daily rounds that are under way."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job_name(spec.name, DAILY), statuses=UNDER_WAY))
    spans = [partition_of(run.tags).partition("...") for run in runs]
    return [(first, last or first) for first, _, last in spans]
