"""What an external service has made, fetched by a run of its own: `<name>_collect`."""

from dataclasses import dataclass
from typing import Any

import dagster as dg

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.names import COLLECT, FORECASTS, job_name, step_name
from mlops_assets.catalog.run_tags import FORECAST, JOB_KEY
from mlops_assets.jobs.resource import Jobs
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.external.collect import finish


@dataclass(frozen=True)
class _Opened:
    """What a run has been given."""

    tables: Tables
    notifications: Notifications
    clock: Clock
    jobs: Jobs


class CollectConfig(dg.Config):
    """Which job is dealt with."""

    job_key: str


def collect_request(spec: ForecastSpec, job_key: str, state: str) -> dg.RunRequest:
    """Return the request of the run that deals with an ended job: asked for twice, it is one run."""
    config = {"ops": {step_name(spec.name, COLLECT): {"config": {"job_key": job_key}}}}
    return dg.RunRequest(
        run_key=f"{job_key} {state}",
        job_name=job_name(spec, COLLECT),
        run_config=config,
        tags={FORECAST: spec.name, JOB_KEY: job_key},
    )


def build_collect_job(spec: ForecastSpec) -> Any:
    """Define `<name>_collect`, for a spec with an external service."""

    @dg.op(name=step_name(spec.name, COLLECT))
    def collect(
        context: dg.OpExecutionContext,
        config: CollectConfig,
        tables: dg.ResourceParam[Tables],
        notifications: dg.ResourceParam[Notifications],
        clock: dg.ResourceParam[Clock],
        jobs: dg.ResourceParam[Jobs],
    ) -> None:
        stores = _Opened(tables, notifications, clock, jobs)
        for result in finish(spec, stores, config.job_key, context.run_id):
            context.log.info(f"{result.partition}: {result.words}")
            if result.changed:
                key = dg.AssetKey([spec.name, FORECASTS])
                context.log_event(dg.AssetMaterialization(key, result.words, partition=result.partition))

    @dg.job(
        name=job_name(spec, COLLECT),
        description=f"Fetch what the external service has made of {spec.name}, check it, and put it into the ledger.",
        tags={FORECAST: spec.name},
    )
    def job() -> None:
        collect()

    return job
