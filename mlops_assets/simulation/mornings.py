"""The mornings of a simulated year: the stages of ingestion on the world's clock, without Dagster."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import OBSERVATIONS, QUARANTINE
from mlops_assets.catalog.partitions import partition_of, window_of
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.lifecycle.revisions import Revisions
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.simulation.world import START, World
from mlops_assets.spec import ForecastSpec, load_spec
from mlops_assets.stages import ingest

NAME = "simulated"
MORNING = pd.Timedelta(hours=30)
"""From the beginning of a day until the next morning's round."""


def declare(folder: Path) -> ForecastSpec:
    """Write the spec of the simulated forecast into a folder, and read it."""
    fields = {
        "name": NAME,
        "description": "Sales of a made-up world.",
        "source": {"kind": "file", "path": "sales.csv"},
        "columns": {"item_id": "item", "timestamp": "day", "target": "sales"},
        "frequency": "D",
        "partitions": {"kind": "daily", "start": f"{START:%Y-%m-%d}"},
        "horizon": 7,
        "model": {"parameters": {"n_estimators": 10, "n_jobs": 1}, "max_training_rows": 2000},
        "backtest": {"windows": 2},
    }
    file = folder / f"{NAME}.yaml"
    file.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
    return load_spec(file)


@dataclass
class Mornings:
    """Takes in what a world gives, a day at a time.

    Attributes:
        world: what happens.
        folder: of the source's file and the spec.
        tables: where it is stored.
    """

    world: World
    folder: Path
    tables: MemoryTables = field(default_factory=MemoryTables)

    def __post_init__(self) -> None:
        """Write the spec; the source's file has to be there for that."""
        self.world.source(0).to_csv(self.folder / "sales.csv", index=False)
        self.graph = Graph(declare(self.folder))

    def ingest(self, day: int) -> Sequence[pd.Timestamp]:
        """Take in a day, what came late and what is given anew; return the days that were asked for."""
        clock = Clock(fixed=(self.world.date(day) + MORNING).isoformat())
        self.world.source(day).to_csv(self.folder / "sales.csv", index=False)
        ingest.fill(self.graph, self.tables, clock, self._key(day))
        read = [*self.world.revised_on(day), day]
        for one in read:
            self._take(self._key(one), clock)
        return [self.world.date(one) for one in read]

    def stored(self) -> pd.DataFrame:
        """Return all stored observations."""
        return self.tables.read([NAME, OBSERVATIONS])

    def _key(self, day: int) -> str:
        return f"{self.world.date(day):%Y-%m-%d}"

    def _take(self, key: str, clock: Clock) -> None:
        checked, _ = ingest.read_observations(self.graph, window_of(self.graph.partitions, key), clock)
        intake = ingest.take_in(self.graph, self.tables, checked, [key])
        self.tables.write([NAME, QUARANTINE], ingest.quarantine_of(checked, self.graph, [key]), key)
        if key in intake.untouched:
            return
        found = Revisions(self.graph, self.tables).settle(OBSERVATIONS, intake.rows, [key], naive_utc(clock.now()))
        rows = found.rows[partition_of(found.rows["timestamp"], self.graph.partitions, [key]) == key]
        self.tables.write([NAME, OBSERVATIONS], rows, key, **self.graph.observed)
