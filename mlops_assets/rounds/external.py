"""One look at the jobs of an external service outside of Dagster: ask, fetch what is there, tell what it changes."""

from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.catalog.names import COLLECT, EXTERNAL_FORECASTS, FORECASTS, job_name
from mlops_assets.environments import Stores
from mlops_assets.rounds.runner import Listener, Step
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.external.collect import look

if TYPE_CHECKING:
    from mlops_assets.jobs.poller import Looked


def take_a_look(spec: ForecastSpec, stores: Stores, instance: dg.DagsterInstance, listen: Listener) -> "list[Looked]":
    """Look once at each job of a forecast that is due, and tell Dagster which forecasts have changed by it.

    Args:
        spec: the forecast, whose spec declares a service.
        stores: where everything is kept.
        instance: is told, so that the scores of what has changed are known to be old.
        listen: hears of what was fetched, and of what will not come.
    """
    looked, results = look(spec, stores)
    for result in results:
        if result.changed:
            event = dg.AssetMaterialization([spec.name, FORECASTS], result.words, partition=result.partition)
            instance.report_runless_asset_event(event)
    step = job_name(spec, COLLECT), EXTERNAL_FORECASTS
    for result in results:
        state = "done" if result.good else "warning"
        listen(Step(*step, state, message=f"{result.partition}: {result.words}"))
    if looked and (words := stores.jobs.wrong_clock()):
        listen(Step(*step, "warning", message=words))
    waiting = sum(one.job.open and one.job.last for one in looked)
    if waiting:
        listen(Step(*step, "warning", message=f"{waiting} not there yet: mlops-assets jobs run-due"))
    return looked
