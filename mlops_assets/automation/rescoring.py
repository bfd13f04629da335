"""Late and corrected data: what is read again, and what is scored again because of it."""

from collections.abc import Mapping, Sequence

import dagster as dg

from mlops_assets.automation.turns import Seen, Served, Turn
from mlops_assets.catalog.names import RESCORE, job_name
from mlops_assets.catalog.partitions import complete_keys, latest_complete, ranges
from mlops_assets.catalog.run_tags import FORECAST, RESCORED_FOR, range_tags
from mlops_assets.lifecycle.retention import scorable
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.rescore import judged, newest_stored, old_scores, reread_keys

TRIES = 3
UNDER_WAY = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def default_status(spec: ForecastSpec) -> dg.DefaultScheduleStatus:
    """Return whether a forecast's schedules are on before anybody switches them."""
    return dg.DefaultScheduleStatus.RUNNING if spec.automation else dg.DefaultScheduleStatus.STOPPED


def build_reread_schedule(spec: ForecastSpec) -> dg.ScheduleDefinition:
    """Define `<name>_reread_schedule`: the partitions before the latest one are read again, and scored again.

    The ledger stays as it is: a forecast is made with what was known then.
    """
    assert spec.schedule is not None

    @dg.schedule(
        name=f"{spec.name}_reread_schedule",
        cron_schedule=spec.schedule,
        execution_timezone=spec.time_zone,
        job_name=job_name(spec, RESCORE),
        default_status=default_status(spec),
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


class Rescoring:
    """Has outdated scores made anew; Dagster's record of what was stored when is its memory."""

    name, job, always = RESCORE, RESCORE, False
    about = (
        "Scores a partition again when its observations or the forecasts of it are stored anew, or for the first time, "
        "when its observations come after its round."
    )
    needs = ("clock",)

    def __init__(self, context: dg.SensorEvaluationContext, specs: Sequence[Served], seen: Mapping[str, Seen]) -> None:
        self._instance = context.instance
        self._now = context.resources.clock.now()
        self._newest = newest_stored([spec.name for spec in specs], self._instance)

    def sign(self, spec: Served) -> str:
        """Return what was stored last, which partitions are looked at, and how far forecasts reach into them."""
        assert isinstance(spec, ForecastSpec)
        reach = f"{spec.partitions.first_day} {latest_complete(spec, self._now)} {spec.horizon}"
        return f"{reach} {self._newest[spec.name]}"

    def look(self, spec: Served, seen: Seen) -> Turn:
        """Ask for the runs that score again; what several could not score is left to people."""
        assert isinstance(spec, ForecastSpec)
        tags = {FORECAST: spec.name}
        if running := self._instance.get_runs(dg.RunsFilter(tags=tags, statuses=UNDER_WAY), limit=1):
            words = f"run {running[0].run_id} of {spec.name} is under way; it may be about to score"
            return Turn(words, again=True)
        keys = complete_keys(spec, self._now)
        kept = scorable(spec, keys, self._now)
        late = {key: event for key, event in old_scores(spec, keys, self._instance).items() if key in kept}
        if not late:
            return Turn("every partition is scored on the observations and forecasts that are stored")
        requests = []
        for first, last in ranges(keys, late):
            why = max(late[key] for key in keys[keys.index(first) : keys.index(last) + 1])
            asked = {**tags, RESCORED_FOR: str(why), **range_tags(first, last)}
            tries = len(self._instance.get_runs(dg.RunsFilter(tags=asked), limit=TRIES))
            if tries < TRIES:
                requests.append(
                    dg.RunRequest(
                        run_key=f"{spec.name} {first} {last} {why} try {tries + 1}",
                        job_name=job_name(spec, RESCORE),
                        asset_selection=judged(spec),
                        tags=asked,
                    )
                )
        if not requests:
            return Turn(f"{TRIES} runs could not score {', '.join(late)}; see Dagster's runs")
        return Turn(f"asks for {', '.join(late)} to be scored again", requests)
