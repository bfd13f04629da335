"""A whole round in memory: what tests of a project run, and what is left nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.catalog.partitions import complete_keys, periods
from mlops_assets.definitions import Environment, assemble
from mlops_assets.environments import stores_of
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.model.kinds import lookback
from mlops_assets.resources.clock import Clock
from mlops_assets.rounds.round import forecast, ingest, train
from mlops_assets.rounds.runner import Runner
from mlops_assets.settings import Settings
from mlops_assets.sources.asset_rows import reaching
from mlops_assets.spec import ForecastSpec, load_spec
from mlops_assets.tracking.memory import MemoryTracking

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class InMemory:
    """What a round has stored.

    Attributes:
        spec: the forecast.
        partition: that was forecast from.
        resources: of the run, by name: `tables` and `models` in memory, `tracking` in place of MLflow, and the others.
    """

    spec: ForecastSpec
    partition: str
    resources: dict[str, Any]

    def read(self, name: str) -> pd.DataFrame:
        """Return a table, such as `forecasts`, `observations`, `quarantine`, `backtest` (docs/tables.md)."""
        return self.resources["tables"].read([self.spec.name, name])


def run_in_memory(
    spec: ForecastSpec | str | PathLike[str], partition: str | None = None, history: int | None = None
) -> InMemory:
    """Ingest, train, judge, forecast and score, by the assets themselves, with everything kept in memory.

    Args:
        spec: the forecast, or the path of its YAML file.
        partition: to forecast from. Default: the latest complete one.
        history: partitions to ingest, that one included. Default: as many as the model and its backtest need.

    Raises:
        SpecError: the file cannot be used.
        UsageError: there is no such partition, or none has ended yet.
        RunFailedError: a step failed; the message says which, and why.
    """
    spec = spec if isinstance(spec, ForecastSpec) else load_spec(Path(spec))
    stores = stores_of(Settings.read({"MLOPS_ENV": "test"}))
    keys = _keys(spec, partition, history, stores.clock)
    resources = {**vars(stores), "tracking": MemoryTracking(), "jobs": dg.ResourceDefinition.none_resource()}
    definitions = assemble([spec], Environment(resources, dg.in_process_executor))
    with reaching(lambda: stores.tables), dg.DagsterInstance.ephemeral() as instance:
        run = Runner(definitions, instance, lambda _: None)
        ingest(run, spec, keys[0], keys[-1])
        train(run, spec, keys[-1], "a test")
        forecast(run, spec, keys[-1:])
    return InMemory(spec, keys[-1], resources)


def _keys(spec: ForecastSpec, partition: str | None, history: int | None, clock: Clock) -> list[str]:
    """Return the partitions that are ingested."""
    keys = complete_keys(spec, clock.now())
    if not keys:
        raise UsageError(f"{spec.name}: the first partition, from {spec.partitions.start}, has not ended yet")
    if partition is not None and partition not in keys:
        raise UsageError(f"{spec.name} has no partition {partition!r}; they run from {keys[0]} to {keys[-1]}")
    last = len(keys) if partition is None else keys.index(partition) + 1
    step = spec.backtest.step or spec.horizon
    steps = lookback(spec.task) + spec.backtest.windows * step + spec.horizon
    return keys[max(0, last - (history or periods(spec, steps))) : last]
