"""The schedule of a forecast's rounds."""

from collections.abc import Mapping, Sequence

import dagster as dg

from mlops_assets.automation.aliases import has_aliases
from mlops_assets.automation.choice import where_running
from mlops_assets.automation.rescoring import UNDER_WAY, build_reread_schedule, default_status
from mlops_assets.catalog.names import DAILY, job_name, job_names, schedule_name
from mlops_assets.catalog.partitions import before, latest_complete, ranges
from mlops_assets.catalog.run_tags import TICK, partition_of, range_tags
from mlops_assets.errors import TransientError
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.holes import LONGEST_GAP, unforecast


def build_schedules(spec: ForecastSpec) -> list[dg.ScheduleDefinition]:
    """Define `<name>_daily_schedule` (`_weekly_`, ...) if the spec has a schedule.

    At each tick, it asks for the latest complete partition, and for what earlier ticks should have asked for: Dagster
    itself makes up for none of them. With `partitions.reread`, also `<name>_reread_schedule`. They are on from the
    start with `automation: true`; with `false` there are none.

    In release 0.1.0 each was called `<name>_daily_schedule`: one that is running goes on, alone.
    """
    if spec.schedule is None or spec.automation is False:
        return []
    job, *old = job_names(spec, DAILY) if has_aliases(spec) else [job_name(spec, DAILY)]
    about = (
        f"Runs the {spec.partition_kind} round of {spec.name} for the latest complete partition, and for those that "
        "earlier ticks asked for in vain: the daemon was down, or their run was lost."
    )
    aliases = [schedule_name(alias) for alias in old]
    gone = f"The old name of {schedule_name(job)}: start that instead. It goes with the next release."
    return [
        _build_schedule(spec, job, about, leaves_to=aliases),
        *(_build_schedule(spec, alias, gone) for alias in old),
        *([build_reread_schedule(spec)] if spec.partitions.reread else []),
    ]


def _build_schedule(spec: ForecastSpec, job: str, about: str, leaves_to: Sequence[str] = ()) -> dg.ScheduleDefinition:
    """Define the schedule of a round.

    Args:
        spec: the forecast.
        job: that it starts.
        about: its description.
        leaves_to: schedules of the same round; while one of them is running, this one asks for nothing.
    """
    assert spec.schedule is not None

    @dg.schedule(
        name=schedule_name(job),
        cron_schedule=spec.schedule,
        execution_timezone=spec.time_zone,
        job_name=job,
        default_status=default_status(spec),
        description=about,
    )
    def round_schedule(
        context: dg.ScheduleEvaluationContext, tables: dg.ResourceParam[Tables]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        for name in leaves_to:
            if where := where_running(name, context.instance):
                way = "stop it, or say automation: true (MLOPS_AUTOMATION=true), and this one goes on"
                return dg.SkipReason(f"left to {name} of {where}, an old name that runs until the next release: {way}")
        moment = context.scheduled_execution_time
        key = latest_complete(spec, moment)
        if key is None:
            return dg.SkipReason(f"the first partition, from {spec.partitions.start}, has not ended at {moment}")
        # To Dagster, run keys of two ticks are two: each minute, or each day after partitions.end, would ask again.
        if _runs(spec, context.instance, tags={TICK: key}, limit=1):
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

    return round_schedule


def _request(first: str, last: str, key: str) -> dg.RunRequest:
    """Ask for the round of some partitions, at the tick that asks for `key`."""
    run_key, tags = key if first == last == key else f"{first} {last} with {key}", {TICK: key}
    if first == last:
        return dg.RunRequest(run_key=run_key, partition_key=first, tags=tags)
    return dg.RunRequest(run_key=run_key, tags={**range_tags(first, last), **tags})


def _under_way(spec: ForecastSpec, instance: dg.DagsterInstance) -> list[tuple[str, str]]:
    """Return the first and last partitions of the rounds that are under way."""
    spans = [partition_of(run.tags).partition("...") for run in _runs(spec, instance, UNDER_WAY)]
    return [(first, last or first) for first, _, last in spans]


def _runs(
    spec: ForecastSpec,
    instance: dg.DagsterInstance,
    statuses: Sequence[dg.DagsterRunStatus] | None = None,
    tags: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> list[dg.DagsterRun]:
    """Return the rounds, by whichever of their names; `limit` for each."""
    return [
        run
        for name in job_names(spec, DAILY)
        for run in instance.get_runs(dg.RunsFilter(job_name=name, statuses=statuses, tags=tags), limit=limit)
    ]
