"""What an external service is asked to forecast, and the data that it is given."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pandas as pd

from mlops_assets.catalog.graph import Graph, reach_of
from mlops_assets.catalog.names import FUTURE_COVARIATES, OBSERVATIONS
from mlops_assets.catalog.partitions import origin_of, window_of
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.forecasting.data.vintages import KNOWN_AT
from mlops_assets.forecasting.delivery import costs
from mlops_assets.forecasting.model.task import Task
from mlops_assets.jobs.job import Job, chain
from mlops_assets.jobs.providers.protocol import Request
from mlops_assets.jobs.resource import Jobs
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.ahead import future_of
from mlops_assets.stages.predict import known_at
from mlops_assets.stages.train import data_hash, history_of

MOST = 31
"""The latest origins of one run that a service is asked for: it is paid for each, and a backfill may be of years."""


class Known:
    """What is known at the origin of a partition, read from the tables when it is asked for; nothing later."""

    def __init__(self, graph: Graph, tables: Tables, key: str) -> None:
        self._graph, self._stored, self._key = graph, ForecastTables(tables, graph.spec.name), key
        self.origin = origin_of(graph.spec, window_of(graph.partitions, key))

    def history(self) -> pd.DataFrame:
        """Return all observations up to the origin, as our own models learn from them.

        Raises:
            DataError: there are none.
        """
        return self._observed(None)

    def recent(self) -> pd.DataFrame:
        """Return those of them that a forecast of ours sees; raises as `history`."""
        return self._observed(reach_of(self._graph.spec) + 1)

    def items(self) -> set[str]:
        """Return all items that were ever observed up to the origin's partition."""
        keys = [key for key in self._stored.partitions(OBSERVATIONS) if key <= self._key]
        return {*self._stored.read(OBSERVATIONS, keys, ["item_id"])["item_id"]}

    def future(self) -> pd.DataFrame | None:
        """Return the known covariates over the horizon, as our own forecast gets them; None without such covariates."""
        spec = self._graph.spec
        if not spec.covariates.all_known:
            return None
        known = None
        if spec.covariates.known:
            rows = self._stored.read(FUTURE_COVARIATES, [self._key])
            known = rows[rows["partition"] == self._key].drop(columns=["partition", KNOWN_AT])
        return future_of(spec, self.recent(), known, self.origin)

    def _observed(self, count: int | None) -> pd.DataFrame:
        keys = [key for key in self._stored.partitions(OBSERVATIONS) if key <= self._key]
        rows = self._stored.read(OBSERVATIONS, keys[-count:] if count else keys)
        return known_at(self._graph, self._key, history_of(self._graph.spec, rows))[0]


def asked_for(keys: Sequence[str]) -> Sequence[str]:
    """Return those of a run's partitions that a service is asked for."""
    return keys[-MOST:]


def asked_of(task: Task, history: pd.DataFrame) -> Task:
    """Return the task that a service is given: with the quantiles, too, that the costs of an error need."""
    return replace(task, quantiles=costs.quantiles(task, history))


def plan(graph: Graph, jobs: Jobs, tables: Tables, keys: Sequence[str], now: datetime, created_by: str) -> list[Job]:
    """Return the jobs of the service that forecast from some partitions, each step after those before it.

    Asked again with the same observations, they are the same jobs, with the same keys.

    Args:
        graph: of the forecast, whose spec declares the service.
        jobs: know who speaks with the service.
        tables: where the observations are.
        keys: of the partitions; see `asked_for`.
        now: the present moment: the deadline counts from it.
        created_by: who asks.
    """
    spec, external, planned = graph.spec, graph.spec.external, []
    assert external is not None, "there is something to plan only for a spec that declares a service"
    deadline = naive_utc(now).to_pydatetime() + external.patience
    for key in asked_for(keys):
        known = Known(graph, tables, key)
        history = known.recent()
        version = data_hash(history.sort_values(["item_id", "timestamp"]))
        request = Request(
            forecast=spec.name,
            partition=key,
            origin=known.origin,
            task=asked_of(spec.task, history),
            data_version=version,
            exchange=jobs.exchange(spec),
        )
        steps = jobs.provider(spec).steps(request)
        planned += chain(spec.name, key, external.service, steps, version, deadline, created_by)
    return planned


def inputs_of(spec: ForecastSpec, tables: Tables, job: Job) -> Known:
    """Return the data of a job."""
    return Known(Graph(spec), tables, job.partition)
