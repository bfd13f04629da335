"""The machine's part of a day by Dagster's own assets, jobs and sensors, over the same stores in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import dagster as dg

from mlops_assets.alerts.failures import is_expected, reason_of
from mlops_assets.automation.alerting import Alerting
from mlops_assets.automation.approvals import Approvals
from mlops_assets.automation.jobs import build_jobs
from mlops_assets.automation.rescoring import Rescoring
from mlops_assets.automation.retraining import Retraining
from mlops_assets.automation.sensors import build_sensors
from mlops_assets.catalog import run_tags
from mlops_assets.catalog.asset_graph import asset_keys
from mlops_assets.catalog.names import (
    DAILY,
    EXTERNAL_JOBS,
    FORECAST_ACCURACY,
    FORECASTS,
    INGEST,
    QUARANTINE,
    REPORT,
    RESCORE,
    RETRAIN,
    TRAINING_SET,
    CatalogEntry,
    assets_of,
    job_name,
    step_name,
)
from mlops_assets.catalog.run_tags import FORECAST, MAX_RETRIES, range_tags
from mlops_assets.definitions import Environment, assemble
from mlops_assets.environments import Stores
from mlops_assets.lifecycle.decisions import Decisions
from mlops_assets.rounds.runner import StepBugError
from mlops_assets.simulation.forecast import Forecast
from mlops_assets.simulation.hands import POLICIES, ROUND, TRAIN
from mlops_assets.simulation.rounds import Taken
from mlops_assets.simulation.telling import Teller
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.holes import REACH

_MENDED = (FORECASTS, EXTERNAL_JOBS, FORECAST_ACCURACY)
"""Assets of a round that is made up for."""
_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Present:
    """Stands for a resource as it is at the moment, of which Dagster would keep a copy.

    Args:
        forecast: whose stores have it.
        name: of the resource.
    """

    def __init__(self, forecast: Forecast, name: str) -> None:
        self._forecast, self._name = forecast, name

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self._forecast.stores, self._name), name)


class Assets:
    """Runs the jobs of the forecast and lets its sensors look, in this process, on the clock of the moment.

    The report is made on the first of a month alone: it changes nothing, and costs as much as the rest of a round.

    Args:
        teller: measures them.
    """

    def __init__(self, teller: Teller) -> None:
        self._teller, self._forecast = teller, teller.forecast
        resources = {one.name: getattr(self._forecast.stores, one.name) for one in fields(Stores)}
        resources |= {name: Present(self._forecast, name) for name in ("clock", "jobs", "tracking")}
        self._environment = Environment(resources, dg.in_process_executor)
        self._cursors: dict[str, str | None] = {}
        self._assembled: tuple[ForecastSpec, dg.Definitions] | None = None

    def history(self, keys: Sequence[str]) -> Taken:
        """Take in consecutive partitions."""
        self._run(DAILY, [keys[0], keys[-1]], self._keys(lambda one: one.step == INGEST))
        return Taken([self._forecast.observations(keys[-1]).read()], set(keys))

    def round(self, key: str, again: Sequence[str] = ()) -> Taken:
        """Make the round of a partition, and score anew what has changed."""
        with self._teller.stage(ROUND):
            if again:
                self._run(RESCORE, [again[0], again[-1]])
            self._run(DAILY, [key, key], self._keys(lambda one: one.name != REPORT or key.endswith("-01")))
            self._rescore()
        return self._taken([*again, key])

    def mend(self, key: str) -> bool:
        """Forecast from a partition, and score that."""
        made = self._run(DAILY, [key, key], self._keys(lambda one: one.name in _MENDED))
        self._rescore()
        return made

    def train(self, tags: Mapping[str, str], until: str = "") -> int | None:
        """Train, and let the gate decide."""
        spec, log = self._forecast.spec, Decisions(self._forecast.stores.tables, self._forecast.spec.name)
        before = len(log.all())
        config = {"ops": {step_name(spec.name, TRAINING_SET): {"config": {"until": until}}}} if until else {}
        with self._teller.stage(TRAIN):
            self._run(RETRAIN, selection=asset_keys(spec, RETRAIN), config=config, tags=tags)
        decided = log.all()
        return int(decided["version"].iloc[-1]) if len(decided) > before else None

    def ask(self) -> None:
        """Let the sensor of the policies look, and the one that carries out what people have decided."""
        with self._teller.stage(POLICIES):
            self._tick(Approvals.name)
            requests = self._tick(Retraining.name)
        for request in requests:
            self.train(request.tags)

    def tell(self) -> None:
        """Let the sensor of alerts look."""
        self._tick(Alerting.name)

    def _rescore(self) -> None:
        """Let the sensor of late data look."""
        for request in self._tick(Rescoring.name):
            self._run(RESCORE, selection=request.asset_selection, tags=request.tags)

    def _tick(self, name: str) -> Sequence[dg.RunRequest]:
        """Let a sensor look once, with the cursor that it has left; return the runs that it asks for."""
        spec = self._forecast.spec
        (sensor,) = (one for one in build_sensors([spec], [], build_jobs(spec)) if one.name == name)
        needed = {name: self._environment.resources[name] for name in sensor.required_resource_keys}
        instance, cursor = self._forecast.instance, self._cursors.get(name)
        with dg.build_sensor_context(instance=instance, cursor=cursor, resources=needed) as context:
            answer = sensor.evaluate_tick(context)
        self._cursors[name] = answer.cursor
        return answer.run_requests or ()

    def _keys(self, wanted: Callable[[CatalogEntry], bool]) -> list[dg.AssetKey]:
        """Return the keys of some assets of the daily round."""
        spec = self._forecast.spec
        return [dg.AssetKey([spec.name, one.name]) for one in assets_of(spec, DAILY) if wanted(one)]

    def _run(
        self,
        job: str,
        keys: Sequence[str] = (),
        selection: Sequence[dg.AssetKey] | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> bool:
        """Execute a job, or some assets of it; return whether it has succeeded.

        Raises:
            StepBugError: see `require_no_bug`.
        """
        spec = self._forecast.spec
        one = keys[0] if keys and keys[0] == keys[-1] else None
        span = range_tags(keys[0], keys[-1]) if keys and one is None else {}
        result = (
            self._definitions()
            .resolve_job_def(job_name(spec, job))
            .execute_in_process(
                run_config={**(config or {}), **_SILENT},
                instance=self._forecast.instance,
                partition_key=one,
                asset_selection=selection,
                tags={FORECAST: spec.name, MAX_RETRIES: "0", **span, **(tags or {})},
                raise_on_error=False,
            )
        )
        require_no_bug(result)
        return result.success

    def _definitions(self) -> dg.Definitions:
        """Return what is declared, made anew where the spec is another."""
        spec = self._forecast.spec
        if self._assembled is None or self._assembled[0] is not spec:
            self._assembled = spec, assemble([spec], self._environment)
        return self._assembled[1]

    def _taken(self, read: Sequence[str]) -> Taken:
        """Return what is stored of the partitions that a round may have read."""
        forecast = self._forecast
        set_aside = forecast.stores.tables.row_counts([forecast.spec.name, QUARANTINE], list(read))
        recent = forecast.observations(read[-1], REACH + 1)
        return Taken([recent.read()], set(recent.partitions or ()), sum(set_aside.values()))


def require_no_bug(result: dg.ExecuteInProcessResult) -> None:
    """See that a run has succeeded, or that its steps failed of what is expected to go wrong, such as a late file.

    Raises:
        StepBugError: it has failed of anything else; the message names the step, and why.
    """
    if result.success:
        return
    failed = result.filter_events(lambda event: event.is_step_failure)
    bugs = [f"step {event.step_key}: {reason_of(event)}" for event in failed if not is_expected(event)]
    if bugs or not failed:
        run = result.dagster_run
        raise StepBugError(f"{run.job_name} {run_tags.partition_of(run.tags)}: {'; '.join(bugs) or 'no step failed'}")
