"""Why the forecasts of an origin differ from those of the origin before: models and data swapped one by one."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import pandas as pd

from mlops_assets.catalog.column import typed, without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.graph import Graph, known_after
from mlops_assets.catalog.names import FORECAST_CHANGE, FORECASTS, FUTURE_COVARIATES, OBSERVATIONS
from mlops_assets.catalog.partitions import before, origin_of, window_of
from mlops_assets.errors import DataError, MlopsAssetsError
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.monitoring import change
from mlops_assets.lifecycle.versions import Portable, Versions
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.scale.shards import Shard, apply_by_shard, shards
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.ahead import future_of
from mlops_assets.stages.predict import UNREGISTERED, ask, on_the_clock
from mlops_assets.stages.shards.frames import existing, latest_of, observed
from mlops_assets.stages.train import history_of

COLUMNS = TABLES[FORECAST_CHANGE]
HEAD = 2000
"""Rows of an origin that tell what holds for all of them."""


@dataclass(frozen=True)
class Pair:
    """Two origins whose forecasts are compared, and what of them holds for all items.

    Attributes:
        keys: the partitions, the earlier first.
        origins: their origins.
        versions: the versions that made their forecasts.
        runs: the runs that stored them.
        shared: timestamps that both reach.
        steps: leads up to which each reaches them. As far as was forecast then, which is not the spec's horizon if that
            has changed since.
    """

    keys: tuple[str, str]
    origins: tuple[pd.Timestamp, pd.Timestamp]
    versions: tuple[int, int]
    runs: tuple[str, str]
    shared: frozenset[pd.Timestamp]
    steps: tuple[int, int]

    @property
    def swapped(self) -> list[int]:
        """Which of the two origins is forecast from once more."""
        if not self.shared:
            return []
        return [number for number, known in enumerate((self.same_run, self.same_version)) if not known]

    @property
    def same_run(self) -> bool:
        """Whether both were made from the same history, so that nothing in it is revised."""
        return self.runs[0] == self.runs[1]

    @property
    def same_version(self) -> bool:
        """Whether one version made both."""
        return self.versions[0] == self.versions[1]


class Explanation:
    """Explains the change of an origin's forecasts; models are loaded when they are needed, and once."""

    def __init__(self, graph: Graph, versions: Versions, engine: Engine, inputs: Mapping[str, StoredTable]) -> None:
        """Find out which shards of the items there are; those of a single one are read at once.

        Args:
            graph: of the forecast.
            versions: of the model.
            engine: where the items of a shard are forecast once more.
            inputs: observations, known covariates and the ledger.
        """
        self.graph, self.inputs, self._engine = graph, dict(inputs), engine
        observations = inputs[OBSERVATIONS]
        self._shards = shards(observations.tables, observations.key, observations.partitions) or [None]
        many = len(self._shards) > 1
        until = latest_of(observations) if many and graph.spec.fill == "zero" else None
        self._reading = Reading(graph.spec, self.inputs, until)
        self._items = None if many else self._reading.items()
        self._forecaster = cache(lambda number: versions.portable(versions.version(number)))

    def __call__(self, key: str) -> pd.DataFrame:
        """Return the table of a partition; without rows if the previous origin has no forecasts in the ledger."""
        pair = self._pair(key)
        if pair is None:
            return without_rows(COLUMNS)
        old, model, why = pair.versions[0], None, ""
        try:
            if pair.swapped:
                self._require_known(pair)
                model = None if old == UNREGISTERED else self._forecaster(old)
        except (MlopsAssetsError, ValueError) as error:
            why = str(error)
        answers = self._answers(pair, model, bool(why))
        why = why or next(filter(None, (answer.why for answer in answers)), "")
        why = why or (answers[0].silent if all(answer.silent for answer in answers) else "")
        table = pd.concat([answer.rows for answer in answers], ignore_index=True)
        if why:
            table[list(change.PARTS)] = float("nan")
            why = f"version {old}, which made the previous forecasts, cannot make them again: {why}"
        table = change.largest_first(table).assign(
            origin=pair.origins[1],
            previous_origin=pair.origins[0],
            previous_version=old,
            model_version=pair.versions[1],
            undivided=why,
        )
        return typed(table, COLUMNS)

    def _answers(self, pair: Pair, model: Portable | None, lost: bool) -> "list[Answer]":
        if self._items is not None:
            return [self._items.compared(pair, model, lost)]
        tables = self.inputs[OBSERVATIONS].tables
        return list(apply_by_shard(self._engine, of_shard, self._shards, tables, self._reading, pair, model, lost))

    def _require_known(self, pair: Pair) -> None:
        """Raise DataError unless the known covariates are stored that the forecasts are made with once more."""
        if FUTURE_COVARIATES in self.inputs:
            table = self.inputs[FUTURE_COVARIATES]
            counts = table.tables.row_counts(table.key, [pair.keys[number] for number in pair.swapped])
            for number in pair.swapped:
                if not counts.get(pair.keys[number]):
                    raise DataError(f"the known covariates of partition {pair.keys[number]} are not stored")

    def _pair(self, key: str) -> Pair | None:
        """Return what is compared for a partition; None if one of the origins has no forecasts of ours."""
        spec, partitions = self.graph.spec, self.graph.partitions
        earlier = before(spec, key)
        if not earlier:
            return None
        first, second = (self._head(name) for name in (earlier[0], key))
        if first.empty or second.empty:
            return None
        shared = frozenset(first["timestamp"]) & frozenset(second["timestamp"])
        origins = [origin_of(spec, window_of(partitions, name)) for name in (earlier[0], key)]
        steps = [int(rows["lead"][rows["timestamp"].isin(shared)].max()) if shared else 0 for rows in (first, second)]
        return Pair(
            keys=(earlier[0], key),
            origins=(origins[0], origins[1]),
            versions=(int(first["model_version"].iloc[0]), int(second["model_version"].iloc[0])),
            runs=(first["run_id"].iloc[0], second["run_id"].iloc[0]),
            shared=shared,
            steps=(steps[0], steps[1]),
        )

    def _head(self, key: str) -> pd.DataFrame:
        """Return our forecasts of the first items of a partition: each has all leads, and all are of one run."""
        table = self.inputs[FORECASTS]
        columns = ["item_id", "timestamp", "lead", "model_version", "run_id", "job_key"]
        if key not in (table.partitions or ()):
            return pd.DataFrame(columns=columns)
        batches = table.batches(columns, partitions=[key], rows=max(HEAD, 2 * self.graph.spec.horizon))
        # A service cannot be asked what it had forecast from other data.
        return next((own for batch in batches if len(own := ledger.own(batch))), pd.DataFrame(columns=columns))


@dataclass(frozen=True)
class Answer:
    """What comes of some items.

    Attributes:
        rows: as `change.bridge` returns them.
        why: they cannot be forecast once more; empty if they were, or need not be.
        silent: why nothing is forecast of them, if nothing was observed of any lately.
    """

    rows: pd.DataFrame
    why: str = ""
    silent: str = ""


@dataclass(frozen=True)
class Reading:
    """What is read of the items.

    Attributes:
        spec: the forecast.
        inputs: observations, known covariates and the ledger.
        until: the latest timestamp of any item; None: of those at hand.
    """

    spec: ForecastSpec
    inputs: Mapping[str, StoredTable]
    until: pd.Timestamp | None

    def items(self, shard: Shard = None) -> "Items":
        """Read what is known of a shard's items."""
        only, made = Only(items=shard), self.inputs[FORECASTS]
        future = self.inputs[FUTURE_COVARIATES].read(None, only) if FUTURE_COVARIATES in self.inputs else None
        columns = existing(made, ["item_id", "origin", "timestamp", self.spec.task.point_column, "job_key"])
        history = history_of(self.spec, observed(self.inputs[OBSERVATIONS], self.spec, only), self.until)
        return Items(self.spec, history, future, ledger.own(made.read(columns, only)))


@dataclass(frozen=True)
class Items:
    """What is known of some items.

    Attributes:
        spec: the forecast.
        history: canonical frame, as models want it.
        future: known covariates, by partition; None without such.
        made: our rows of the ledger.
    """

    spec: ForecastSpec
    history: pd.DataFrame
    future: pd.DataFrame | None
    made: pd.DataFrame

    def compared(self, pair: Pair, model: Portable | None, lost: bool) -> Answer:
        """Divide the change between two origins.

        Args:
            pair: of origins.
            model: that made the earlier forecasts; None: seasonal naive did, or it is not needed.
            lost: whether the model cannot be had, so that nothing is forecast once more.
        """
        previous, current = (self.made[self.made["origin"] == origin] for origin in pair.origins)
        replayed = previous if pair.same_run else None
        updated = current if pair.same_version else None
        why, point = "", self.spec.task.point_column
        silent = self._silent(pair) if pair.swapped else ""
        nothing = pd.DataFrame(columns=["item_id", "timestamp", point])
        try:
            if 0 in pair.swapped and not lost:
                replayed = nothing if silent else self._predict(pair, 0, model)
            if 1 in pair.swapped and not lost:
                updated = nothing if silent else self._predict(pair, 1, model)
        except (MlopsAssetsError, ValueError) as error:
            why = str(error)
        return Answer(change.bridge(previous, current, point, replayed, updated, pair.shared), why, silent)

    def _silent(self, pair: Pair) -> str:
        """Say why nothing can be forecast of any of the items; empty if it can."""
        from mlops_assets.forecasting.model.baselines import recent_rows

        try:
            recent_rows(self.history, self.spec.task, pair.origins[pair.swapped[0]])
        except DataError as error:
            return str(error)
        return ""

    def _predict(self, pair: Pair, number: int, model: Portable | None) -> pd.DataFrame | None:
        """Forecast from one of the origins, with what is stored now of what can be known there."""
        from mlops_assets.forecasting.model.baselines import SeasonalNaive

        spec, origin = self.spec, pair.origins[number]
        known = None if self.future is None else known_after({FUTURE_COVARIATES: self.future}, pair.keys[number])
        history = self.history[self.history["timestamp"] <= origin]
        task = replace(spec.task, horizon=pair.steps[number])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnusualInput)  # said when the forecasts were made
            given = future_of(spec, history, known, origin)
            made = ask(model.model if model else SeasonalNaive(spec.task), task, history, origin, given)
        return on_the_clock(spec, made)


def of_shard(shard: Shard, tables: Tables, reading: Reading, pair: Pair, model: Portable | None, lost: bool) -> Answer:
    """Read what is known of a shard's items, and divide the change between two origins."""
    return reading.items(shard).compared(pair, model, lost)
