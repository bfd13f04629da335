"""Forecasts from some origins, shard by shard: each reads its own history, and the driver none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mlops_assets.catalog.graph import Graph, known_after
from mlops_assets.catalog.names import FORECASTS, FUTURE_COVARIATES
from mlops_assets.catalog.partitions import origin_of, window_of
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.scale.shards import Shard, apply_by_shard, shards
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.predict import Maker, forecast_some, known_at, nothing_known
from mlops_assets.stages.remarks import Remarks
from mlops_assets.stages.shards.frames import Frames, latest_of, observed
from mlops_assets.stages.shards.origin import Origin, Part, Predicted
from mlops_assets.stages.train import history_of

Answers = dict[str, Part | MlopsAssetsError | ValueError | None]


@dataclass(frozen=True)
class Reading:
    """What forecasting from some origins reads.

    Attributes:
        spec: the forecast.
        observations: key and partitions of the observations, as far back as a forecast sees.
        future: the same of the known covariates; None without such.
        until: the latest timestamp of any item.
    """

    spec: ForecastSpec
    observations: tuple[Sequence[str], Sequence[str] | None]
    future: tuple[Sequence[str], Sequence[str] | None] | None
    until: pd.Timestamp | None

    def known(self, tables: Tables, shard: Shard = None) -> "Known":
        """Read what is known of a shard's items."""
        only = Only(items=shard) if shard else None
        observations = observed(StoredTable(tables, *self.observations), self.spec, only)
        future = tables.read(*self.future, only=only) if self.future else None
        return Known(
            Graph(self.spec),
            history_of(self.spec, observations, end=self.until),
            future,
            Remarks.of(self.spec, observations),
        )


@dataclass(frozen=True)
class Known:
    """What is known of some items.

    Attributes:
        graph: of the forecast.
        history: canonical frame, as models want it.
        future: known covariates, by partition; None without such.
        odd: what is odd about the observations.
    """

    graph: Graph
    history: pd.DataFrame
    future: pd.DataFrame | None
    odd: Remarks

    def forecast(self, keys: Sequence[str], maker: Maker) -> Answers:
        """Forecast these items from the origins of some partitions, or say of each why not."""
        return {key: self._from(key, maker) for key in keys}

    def _from(self, key: str, maker: Maker) -> Part | MlopsAssetsError | ValueError | None:
        known = None if self.future is None else known_after({FUTURE_COVARIATES: self.future}, key)
        window = window_of(self.graph.partitions, key)
        try:
            odd = self.odd.within(window.start, window.end)
            return forecast_some(self.graph, key, self.history, known, maker, odd)
        except (MlopsAssetsError, ValueError) as error:
            return error


def forecast_shard(shard: Shard, tables: Tables, reading: Reading, keys: Sequence[str], maker: Maker) -> Answers:
    """Read what is known of a shard's items, and forecast them from the origins of some partitions."""
    return reading.known(tables, shard).forecast(keys, maker)


class Forecasts:
    """Forecasts all items from the origins of some partitions, by whoever is told to; see `deliver.Make`."""

    def __init__(
        self, graph: Graph, engine: Engine, observations: StoredTable, future: StoredTable | None, keys: Sequence[str]
    ) -> None:
        """Find out which shards there are; the items of a single one are read at once.

        Args:
            graph: of the forecast.
            engine: where shards are forecast.
            observations: as far back as a forecast sees.
            future: known covariates; None without such.
            keys: of the partitions.

        Raises:
            DataError: nothing was observed up to one of the origins.
        """
        self._graph, self._engine, self._tables = graph, engine, observations.tables
        stored = observations.partitions
        self._shards = shards(self._tables, observations.key, stored)
        self._reading = Reading(
            graph.spec,
            (observations.key, stored),
            None if future is None else (future.key, future.partitions),
            latest_of(observations) if self.many and graph.spec.fill == "zero" else None,
        )
        self._known: Known | None = None
        if not self.many:
            if not self._shards:
                raise nothing_known(graph, keys[0])
            self._known = self._reading.known(self._tables)
            for key in keys:
                known_at(graph, key, self._known.history)

    @property
    def many(self) -> bool:
        """Whether the items are too many to be read at once."""
        return len(self._shards) > 1

    def __call__(self, keys: Sequence[str], maker: Maker) -> Mapping[str, Predicted | MlopsAssetsError | ValueError]:
        """Forecast from the origins of some partitions.

        Returns:
            Of each what is forecast, or why it cannot be.

        Raises:
            DataError: nothing was observed up to one of the origins.
        """
        spec, partitions = self._graph.spec, self._graph.partitions
        origins = {
            key: Origin(spec, origin_of(spec, window_of(partitions, key)), Frames(FORECASTS) if self.many else None)
            for key in keys
        }
        for answers in self._answers(keys, maker):
            for key, part in answers.items():
                origins[key].add(part)
        return {key: self._predicted(key, origin) for key, origin in origins.items()}

    def _answers(self, keys: Sequence[str], maker: Maker) -> Iterator[Answers]:
        if self._known is not None:
            return iter([self._known.forecast(keys, maker)])
        return apply_by_shard(
            self._engine, forecast_shard, self._shards, self._tables, self._reading, list(keys), maker
        )

    def _predicted(self, key: str, origin: Origin) -> Predicted | MlopsAssetsError | ValueError:
        if not origin.known():
            raise nothing_known(self._graph, key)
        try:
            return origin.predicted()
        except (MlopsAssetsError, ValueError) as error:
            return error
