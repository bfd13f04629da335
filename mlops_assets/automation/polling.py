"""The sensor that looks at the jobs of external services, of all forecasts of the code location: no run ever waits."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.automation.collecting import collect_request
from mlops_assets.catalog.names import COLLECT, job_name
from mlops_assets.catalog.run_tags import JOB_KEY
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.jobs.job import ENDED_BADLY
from mlops_assets.jobs.resource import Jobs
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.secrets import scrub
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.external.asking import inputs_of

if TYPE_CHECKING:
    from mlops_assets.jobs.poller import Looked

NAME = "jobs"
SECONDS, MOST = 30, 1000
"""A tick begins no look after so long, and looks at so many jobs; Dagster ends one after a minute."""
TRIES, BETWEEN = 5, timedelta(minutes=2)
"""Runs that may try to fetch one result; the second so long after the service was done, each later one four times as
long after it, and at the deadline at the latest: storage that is away for ten minutes costs no forecast."""


def build_polling_sensor(specs: Sequence[ForecastSpec], jobs: Sequence[Any]) -> list[dg.SensorDefinition]:
    """Define the sensor `jobs`; none where no forecast has an external service.

    Its cursor says when each forecast was served last: they take turns. All else it knows from the ledger.

    Args:
        specs: all forecasts of the code location.
        jobs: all their jobs, among them `<name>_collect`.
    """
    asking = {spec.name: spec for spec in specs if spec.external is not None}
    collecting = [job for job in jobs if job.name in {job_name(spec, COLLECT) for spec in asking.values()}]
    if not asking:
        return []
    alone = all(spec.arrivals is None for spec in specs)  # else the sensor arrivals reads the queue of events

    @dg.sensor(
        name=NAME,
        jobs=collecting,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks external services how the jobs that are due are, has what is intended begun, and starts a "
        "run for each result that is there. A tick with nothing due is one query.",
    )
    def poll(
        context: dg.SensorEvaluationContext, tables: dg.ResourceParam[Tables], jobs: dg.ResourceParam[Jobs]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        from mlops_assets.jobs.poller import run_due

        if alone:
            _read_events(context, jobs, specs)
        served: dict[str, str] = json.loads(context.cursor or "{}")
        looked = run_due(
            jobs.ledger,
            lambda job: jobs.provider(asking[job.forecast]),
            lambda job: inputs_of(asking[job.forecast], tables, job),
            forecasts=asking,
            limit=MOST,
            seconds=SECONDS,
            served=served,
        )
        if not looked:
            return dg.SkipReason("no job is due")
        if words := jobs.wrong_clock():
            context.log.warning(words)
        now = jobs.ledger.now().isoformat(timespec="seconds")
        served |= {one.job.forecast: now for one in looked}
        context.update_cursor(json.dumps({name: served[name] for name in sorted(served) if name in asking}))
        for one in looked:
            job = one.job
            context.log.info(f"{job.forecast} {job.partition} {job.step} {job.job_key}: {one.event} {one.message}")
        requests = [*_requests(context.instance, asking, looked, jobs.ledger.now())]
        return requests or dg.SkipReason(f"looked at {len(looked)} jobs; none has ended")

    return [poll]


def _read_events(context: dg.SensorEvaluationContext, jobs: Jobs, specs: Sequence[ForecastSpec]) -> None:
    """Let jobs be due that the queue of events names; one that cannot be read costs nothing but that."""
    try:
        jobs.events(specs)
    except MlopsAssetsError as error:
        context.log.warning(f"the queue of events cannot be read: {scrub(str(error))}")


def _requests(
    instance: dg.DagsterInstance, specs: Mapping[str, ForecastSpec], looked: "Sequence[Looked]", now: datetime
) -> "list[dg.RunRequest]":
    """Return a run for each job that has ended and that no run is dealing with."""
    requests = []
    for job in (one.job for one in looked):
        if job.state == "succeeded" or job.state in ENDED_BADLY:
            runs = instance.get_runs(dg.RunsFilter(tags={JOB_KEY: job.job_key}), limit=TRIES)
            next_try = min(job.since + BETWEEN * 4 ** (len(runs) - 1), job.deadline) if runs else now
            if len(runs) < TRIES and all(run.is_finished for run in runs) and now >= next_try:
                requests.append(collect_request(specs[job.forecast], job.job_key, f"{job.state} {len(runs) + 1}"))
    return requests
