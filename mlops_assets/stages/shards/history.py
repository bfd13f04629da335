"""The history of all items: read at once where it is small, else shard by shard by whoever works on it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import pandas as pd

from mlops_assets.catalog.graph import Graph, reach_of
from mlops_assets.catalog.partitions import window_of
from mlops_assets.forecasting.data.grid import is_there, parse_frequency
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.revisions import Moments, Revisions
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only, Span
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.scale.shards import Shard, apply_by_shard, shards
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.known import AsKnown
from mlops_assets.stages.shards.frames import latest_of
from mlops_assets.stages.shards.kept import Kept
from mlops_assets.stages.train import cleaned, history_of

TARGETS = ["item_id", "timestamp", "target"]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Part:
    """What is stored of some of the items, or of all.

    Attributes:
        spec: the forecast.
        observations: canonical frame, as it was observed.
        end: the latest timestamp of all items; None: of these.
        past: what was known of them at each origin; None where the spec does not ask for it.
    """

    spec: ForecastSpec
    observations: pd.DataFrame
    end: pd.Timestamp | None = None
    past: AsKnown | None = None

    @cached_property
    def history(self) -> pd.DataFrame:
        """The observations as the engine wants them, see `history_of`."""
        return history_of(self.spec, self.observations, self.end) if self.past is None else self.past.history

    @cached_property
    def targets(self) -> pd.DataFrame:
        """The history without what the calendars say."""
        return cleaned(self.spec, self.observations, self.end) if self.past is None else self.past.history

    def then(self, origin: pd.Timestamp | None) -> "Part":
        """Return what was known at an origin, where the spec asks for it; with None, what is known now."""
        if self.past is None or origin is None:
            return self
        past = self.past.until(origin)
        return Part(self.spec, past.today, self.end, past)

    def seen(self, origin: pd.Timestamp) -> pd.DataFrame:
        """Return what a forecast from an origin sees: the history, as it was known there where the spec asks for it."""
        return self.history if self.past is None else self.past.at(origin)

    def renewed(self, rows: pd.DataFrame, task: Task) -> pd.DataFrame:
        """Return training rows of a task with what was known at their origins, where the spec asks for it."""
        return rows if self.past is None else self.past.renewed(rows, task)


@dataclass(frozen=True)
class Reading:
    """How a shard's part is read: key, partitions and columns of the observations.

    Attributes:
        moments: since when partitions are known; None: what was known before is not asked for.
        kept: what has been read already; None: nothing is kept.
    """

    spec: ForecastSpec
    key: Sequence[str]
    partitions: Sequence[str] | None
    columns: Sequence[str] | None
    end: pd.Timestamp | None
    moments: Moments | None
    kept: Kept | None = None

    def part(self, tables: Tables, items: Shard | Sequence[str]) -> Part:
        """Read the part of some items; None: of all."""
        only = None if items is None else Only(items=items)

        def load(columns: Sequence[str] | None) -> pd.DataFrame:
            return tables.read(self.key, self.partitions, columns, only)

        if self.kept is not None and isinstance(items, Span):
            rows = self.kept.read(items, self.columns, load)
        else:
            rows = load(self.columns)
        past = AsKnown.of(Graph(self.spec), tables, rows, self.moments, only) if self.moments is not None else None
        return Part(self.spec, rows, self.end, past)


class Histories:
    """The history of all items of a forecast."""

    def __init__(self, graph: Graph, engine: Engine, observations: StoredTable, count: int | None = None) -> None:
        """Begin; nothing is read yet.

        Args:
            graph: of the forecast.
            engine: where shards are worked on.
            observations: those that count.
            count: number of shards. Default: by the number of rows.
        """
        self._graph, self.engine, self._observations, self._count = graph, engine, observations, count
        self._kept: Kept | None = None

    @cached_property
    def _shards(self) -> list[Shard]:
        table = self._observations
        return shards(table.tables, table.key, table.partitions, count=self._count)

    @property
    def many(self) -> bool:
        """Whether the items are too many to be read at once."""
        return len(self._shards) > 1

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Read no shard twice in the meantime, where workers see the disk of this machine."""
        if not self.many:
            yield
            return
        with Kept.opened() as kept:
            self._kept = kept
            try:
                yield
            finally:
                self._kept = None

    @cached_property
    def whole(self) -> Part:
        """All items, read at once."""
        return self._reading(None, None).part(self._observations.tables, None)

    @cached_property
    def _moments(self) -> Moments | None:
        return Revisions(self._graph, self._observations.tables).moments() if self._graph.spec.as_known else None

    def _reading(self, columns: Sequence[str] | None, end: pd.Timestamp | None) -> Reading:
        spec, table = self._graph.spec, self._observations
        columns = columns if self._moments is None else None
        return Reading(spec, table.key, table.partitions, columns, end, self._moments, self._kept)

    def each(self, function: Callable[..., Result], *arguments: object, only_targets: bool = False) -> Iterator[Result]:
        """Yield what a function returns for each part, in the order of the items.

        Args:
            function: of a module; it is given a `Part` and the arguments.
            arguments: what else it is given; sent once.
            only_targets: whether the parts need no covariates but static ones.
        """
        if not self.many:
            return iter([function(self.whole, *arguments)])
        spec, table = self._graph.spec, self._observations
        columns = [*TARGETS, *spec.covariates.static] if only_targets else None
        reading = self._reading(columns, self._end)
        return apply_by_shard(self.engine, _on_shard, self._shards, table.tables, reading, function, arguments)

    def of(self, items: Sequence[str]) -> Part:
        """Return the part of some of many items, of which nothing else is read."""
        return self._reading(None, self._end).part(self._observations.tables, items)

    def seen_from(self, origin: pd.Timestamp) -> "Histories":
        """Return of the history what a forecast from an origin sees, of which nothing else is read."""
        table, graph = self._observations, self._graph
        keys = [key for key in table.partitions or [] if window_of(graph.partitions, key).start <= origin]
        return Histories(graph, self.engine, replace(table, partitions=keys[-reach_of(graph.spec) - 1 :]), self._count)

    def first_observed(self) -> pd.Timestamp:
        """Return the first timestamp of an observed target, outlier or not; NaT without any."""
        if not self.many:
            rows = self.whole.observations
            return rows.loc[rows["target"].notna(), "timestamp"].min()
        for key in self._observations.partitions or []:
            rows = self._observations.read(["timestamp", "target"], partitions=[key]).dropna()
            if len(rows):
                return rows["timestamp"].min()
        return pd.NaT  # pyright: ignore[reportReturnType]

    def last(self, until: pd.Timestamp | None = None) -> pd.Timestamp:
        """Return the last timestamp of the history up to a moment, or of all; NaT without any."""
        if not self.many:
            times = self.whole.history["timestamp"]
            return times.max() if until is None else times[times <= until].max()
        found, spec = self._observed(until), self._graph.spec
        if until is not None and spec.fill == "zero" and not pd.isna(found):
            grid = pd.date_range(found, min(until, self._latest), freq=parse_frequency(spec.frequency), unit="us")
            return max(found, grid[is_there(grid, spec.frequency, spec.zone)].max())
        return found

    @property
    def _end(self) -> pd.Timestamp | None:
        """The latest timestamp of all items, where a part must know it."""
        return self._latest if self._graph.spec.fill == "zero" else None

    @cached_property
    def _latest(self) -> pd.Timestamp:
        return self._observed()

    def _observed(self, until: pd.Timestamp | None = None) -> pd.Timestamp:
        """Return the last timestamp that is stored up to a moment; NaT without any."""
        keys, partitions = self._observations.partitions or [], self._graph.partitions
        if until is not None:
            keys = [key for key in keys if window_of(partitions, key).start <= until]
        found = latest_of(self._observations, keys, until)
        return pd.NaT if found is None else found  # pyright: ignore[reportReturnType]


def _on_shard(
    shard: Shard,
    tables: Tables,
    reading: Reading,
    function: Callable[..., Result],
    arguments: Sequence[object],
) -> Result:
    return function(reading.part(tables, shard), *arguments)
