"""Why the forecasts of an origin differ from those of the origin before: models and data swapped one by one."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd

from mlops_assets.catalog.column import typed, without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.graph import Graph, known_after
from mlops_assets.catalog.names import FORECAST_CHANGE, FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import before, origin_of, window_of
from mlops_assets.errors import DataError, MlopsAssetsError
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.model.task import Task
from mlops_assets.forecasting.monitoring import change
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.stages.ahead import future_of
from mlops_assets.stages.predict import UNREGISTERED, ask, on_the_clock
from mlops_assets.stages.train import history_of

COLUMNS = TABLES[FORECAST_CHANGE]


class Explanation:
    """Explains the change of an origin's forecasts; models are loaded when they are needed, and once."""

    def __init__(self, graph: Graph, life: Lifecycle, inputs: Mapping[str, pd.DataFrame]) -> None:
        self.graph = graph
        self.inputs = inputs
        self.ledger = ledger.own(inputs[FORECASTS])  # a service cannot be asked what it had forecast from other data
        self.history = history_of(graph.spec, inputs[OBSERVATIONS])
        self._forecaster = cache(lambda number: _load(life, graph.spec.task, number))

    def __call__(self, key: str) -> pd.DataFrame:
        """Return the table of a partition; without rows if the previous origin has no forecasts in the ledger."""
        nothing = without_rows(COLUMNS)
        spec, partitions = self.graph.spec, self.graph.partitions
        earlier = before(spec, key)
        if not earlier:
            return nothing
        origin, first = (origin_of(spec, window_of(partitions, name)) for name in (key, earlier[0]))
        previous, current = (self.ledger[self.ledger["origin"] == moment] for moment in (first, origin))
        if previous.empty or current.empty:
            return nothing
        old, new = (int(rows["model_version"].iloc[0]) for rows in (previous, current))
        # Both made by one run: from the same history, so that nothing in it is revised.
        replayed = previous if previous["run_id"].iloc[0] == current["run_id"].iloc[0] else None
        updated = current if old == new else None
        shared, undivided = set(previous["timestamp"]) & set(current["timestamp"]), ""
        # As far as was forecast then, which is not the spec's horizon if that has changed since.
        steps, ahead = (
            int(rows["lead"][rows["timestamp"].isin(shared)].max() if shared else 0) for rows in (previous, current)
        )
        try:
            if shared and replayed is None:
                replayed = self._predict(old, earlier[0], first, steps)
            if shared and updated is None:
                updated = self._predict(old, key, origin, ahead)
        except (MlopsAssetsError, ValueError) as error:
            undivided = f"version {old}, which made the previous forecasts, cannot make them again: {error}"
        table = change.bridge(previous, current, self.graph.spec.task.point_column, replayed, updated).assign(
            origin=origin, previous_origin=first, previous_version=old, model_version=new, undivided=undivided
        )
        return typed(table, COLUMNS)

    def _predict(self, number: int, key: str, origin: pd.Timestamp, horizon: int) -> pd.DataFrame:
        """Forecast so many steps from an origin, with what is stored now of what can be known there."""
        spec = self.graph.spec
        known = known_after(self.inputs, key)
        if known is not None and known.empty:
            raise DataError(f"the known covariates of partition {key} are not stored")
        history = self.history[self.history["timestamp"] <= origin]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnusualInput)  # said when the forecasts were made
            given = future_of(spec, history, known, origin)
            made = ask(self._forecaster(number), replace(spec.task, horizon=horizon), history, origin, given)
        return on_the_clock(spec, made)


def _load(life: Lifecycle, task: Task, number: int) -> Any:
    """Load a version's forecaster; TrackingError, ModelFileError or ValueError if that cannot be done."""
    from mlops_assets.forecasting.model.baselines import SeasonalNaive

    if number == UNREGISTERED:
        return SeasonalNaive(task)
    return life.versions.forecaster(life.versions.version(number))
