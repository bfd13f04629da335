"""Late and corrected data: what is read again, and what is scored again because of it."""

import dagster as dg

from mlops_assets.catalog.names import RESCORE, job_name
from mlops_assets.catalog.partitions import complete_keys, latest_complete, ranges
from mlops_assets.catalog.run_tags import FORECAST, RESCORED_FOR, range_tags
from mlops_assets.resources.clock import Clock
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.rescore import judged, newest_stored, old_scores, reread_keys

TRIES = 3
UNDER_WAY = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def build_reread_schedule(spec: ForecastSpec) -> dg.ScheduleDefinition:
    """Define `<name>_reread_schedule`: the partitions before the latest one are read again, and scored again.

    The ledger stays as it is: a forecast is made with what was known then.
    """
    assert spec.schedule is not None

    @dg.schedule(
        name=f"{spec.name}_reread_schedule",
        cron_schedule=spec.schedule,
        execution_timezone=spec.time_zone,
        job_name=job_name(spec.name, RESCORE),
        description=f"Reads the {spec.partitions.reread} partitions before the latest complete one again: their rows "
        "may have come late or been corrected. Scores their forecasts again.",
    )
    def reread(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        moment = context.scheduled_execution_time
        last = latest_complete(spec, moment)
        keys = reread_keys(spec, last) if last is not None else []
        if not keys:
            return dg.SkipReason(f"no partition lies before the latest complete one at {moment}")
        return dg.RunRequest(run_key=f"{keys[0]} {keys[-1]} {last}", tags=range_tags(keys[0], keys[-1]))

    return reread


def build_rescore_sensor(spec: ForecastSpec) -> dg.SensorDefinition:
    """Define `<name>_rescore`; Dagster's record of what was stored when is its memory.

    The cursor only spares looking again: it is what was stored last, when nothing was to be scored.
    """

    @dg.sensor(
        name=job_name(spec.name, RESCORE),
        job_name=job_name(spec.name, RESCORE),
        minimum_interval_seconds=60,
        description="Scores a partition again when its observations or the forecasts of it are stored anew, or for the "
        "first time, when its observations come after its round.",
    )
    def rescore(
        context: dg.SensorEvaluationContext, clock: dg.ResourceParam[Clock]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        tags = {FORECAST: spec.name}
        if running := context.instance.get_runs(dg.RunsFilter(tags=tags, statuses=UNDER_WAY), limit=1):
            return dg.SkipReason(f"run {running[0].run_id} of {spec.name} is under way; it may be about to score")
        done = dg.SkipReason("every partition is scored on the observations and forecasts that are stored")
        last = latest_complete(spec, clock.now())
        # Which partitions are looked at, and how far forecasts reach into them.
        reach = f"{spec.partitions.first_day} {last} {spec.horizon}"
        state = f"{reach} {newest_stored(spec, context.instance)}"
        if state == context.cursor:
            return done
        keys = complete_keys(spec, clock.now())
        late = old_scores(spec, keys, context.instance)
        if not late:
            context.update_cursor(state)
            return done
        requests = []
        for first, last in ranges(keys, late):
            why = max(late[key] for key in keys[keys.index(first) : keys.index(last) + 1])
            asked = {**tags, RESCORED_FOR: str(why), **range_tags(first, last)}
            tries = len(context.instance.get_runs(dg.RunsFilter(tags=asked), limit=TRIES))
            if tries < TRIES:
                key = f"{first} {last} {why} try {tries + 1}"
                requests.append(dg.RunRequest(run_key=key, asset_selection=judged(spec), tags=asked))
        return requests or dg.SkipReason(f"{TRIES} runs could not score {', '.join(late)}; see Dagster's runs")

    return rescore
