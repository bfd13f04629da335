"""The jobs of a forecast: the daily round, what is scored again, the training, the decision."""

from typing import Any

import dagster as dg

from mlops_assets.automation.aliases import has_aliases
from mlops_assets.catalog.asset_graph import asset_keys
from mlops_assets.catalog.names import DAILY, DECIDE, RESCORE, RETRAIN, assets_of, job_names
from mlops_assets.catalog.run_tags import FORECAST
from mlops_assets.report.health import declared, own_checks
from mlops_assets.resources.patience import RUN_AGAIN
from mlops_assets.spec import ForecastSpec

_DESCRIPTIONS = {
    DAILY: "The {kind} round of {name}: ingest one partition, forecast from it, score what it allows.",
    RESCORE: "Read partitions of {name} again that came late or were corrected, and score them again; "
    "the forecasts stay as they were made.",
    RETRAIN: "Train, backtest, register and, if the gate opens, promote a model of {name}.",
    DECIDE: "Decide on a version of {name}: by the gate, or as the config of champion says.",
}


def _selection(spec: ForecastSpec, job: str) -> dg.AssetSelection:
    """Return what a job makes, with the checks that its steps answer: none has a step for them alone."""
    own = [declared(one, spec).key for entry in assets_of(spec, job) for one in own_checks(spec, entry.name).values()]
    return dg.AssetSelection.assets(*asset_keys(spec, job)).without_checks() | dg.AssetSelection.checks(*own)


def build_jobs(spec: ForecastSpec) -> list[Any]:
    """Define `<name>_daily` (`_weekly`, ...) and `<name>_rescore` (partitioned), `<name>_retrain`, `<name>_decide`.

    Of a forecast with an external service, `<name>_collect` as well. A round that is not daily has its old name too.
    """
    jobs: list[Any] = []
    for job, description in _DESCRIPTIONS.items():
        name, *old = job_names(spec, job)
        about = description.format(name=spec.name, kind=spec.partition_kind)
        jobs.append(_job(spec, job, name, about))
        if has_aliases(spec):
            jobs += [_job(spec, job, alias, f"The old name of {name}. It goes with the next release.") for alias in old]
    if spec.external is None:
        return jobs
    from mlops_assets.automation.collecting import build_collect_job

    return [*jobs, build_collect_job(spec)]


def _job(spec: ForecastSpec, job: str, name: str, about: str) -> Any:
    again = {RUN_AGAIN: "true"} if job in (DAILY, RESCORE) else {}
    tags = {FORECAST: spec.name, **again}
    return dg.define_asset_job(name, selection=_selection(spec, job), description=about, tags=tags)
