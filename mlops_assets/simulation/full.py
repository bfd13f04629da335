"""The machine's part of a day by Dagster's own assets and jobs, over the same stores in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import dagster as dg

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
from mlops_assets.catalog.partitions import complete_keys, ranges
from mlops_assets.catalog.run_tags import FORECAST, MAX_RETRIES, range_tags
from mlops_assets.definitions import Environment, assemble
from mlops_assets.environments import Stores
from mlops_assets.lifecycle.decisions import Decisions
from mlops_assets.simulation.forecast import Forecast
from mlops_assets.simulation.hands import TRAIN
from mlops_assets.simulation.rounds import Taken
from mlops_assets.simulation.telling import Teller
from mlops_assets.stages.holes import REACH
from mlops_assets.stages.rescore import judged, old_scores, reread_keys

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
    """Runs the jobs of the forecast in this process, each on the clock of its moment.

    The report is made on the first of a month alone: it changes nothing, and costs as much as the rest of a round.

    Args:
        teller: measures them.
    """

    def __init__(self, teller: Teller) -> None:
        self._teller, self._forecast = teller, teller.forecast
        resources = {one.name: getattr(self._forecast.stores, one.name) for one in fields(Stores)}
        resources |= {name: Present(self._forecast, name) for name in ("clock", "jobs", "tracking")}
        self._definitions = assemble([self._forecast.spec], Environment(resources, dg.in_process_executor))

    def history(self, keys: Sequence[str]) -> Taken:
        """Take in consecutive partitions."""
        self._run(DAILY, [keys[0], keys[-1]], self._keys(lambda one: one.step == INGEST))
        return Taken([self._forecast.observations(keys[-1]).read()], set(keys))

    def round(self, key: str) -> Taken:
        """Make the round of a partition, and score anew what has changed."""
        spec = self._forecast.spec
        again = reread_keys(spec, key)
        with self._teller.stage("round"):
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

    def _rescore(self) -> None:
        """Score what the sensor of late data finds outdated."""
        spec = self._forecast.spec
        keys = complete_keys(spec, self._forecast.stores.clock.now())
        for first, last in ranges(keys, old_scores(spec, keys, self._forecast.instance)):
            self._run(RESCORE, [first, last], judged(spec))

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
        """Execute a job, or some assets of it; return whether it has succeeded."""
        name = self._forecast.spec.name
        one = keys[0] if keys and keys[0] == keys[-1] else None
        span = range_tags(keys[0], keys[-1]) if keys and one is None else {}
        result = self._definitions.resolve_job_def(job_name(name, job)).execute_in_process(
            run_config={**(config or {}), **_SILENT},
            instance=self._forecast.instance,
            partition_key=one,
            asset_selection=selection,
            tags={FORECAST: name, MAX_RETRIES: "0", **span, **(tags or {})},
            raise_on_error=False,
        )
        return result.success

    def _taken(self, read: Sequence[str]) -> Taken:
        """Return what is stored of the partitions that a round may have read."""
        forecast = self._forecast
        set_aside = forecast.stores.tables.row_counts([forecast.spec.name, QUARANTINE], list(read))
        recent = forecast.observations(read[-1], REACH + 1)
        return Taken([recent.read()], set(recent.partitions or ()), sum(set_aside.values()))
