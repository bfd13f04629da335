"""A forecast whose tables are written by hand: no training, no Dagster."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import FORECAST_ACCURACY, FORECASTS, OBSERVATIONS
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.segments import segments
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.reading.reader import Reader
from mlops_assets.resources.clock import Clock
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.score import keep_scores
from mlops_assets_tests.worlds import DAYS, declare

MORNING = pd.Timedelta(hours=30)
"""From the beginning of a day until the next morning's round."""


@dataclass
class StoredForecast:
    """A daily forecast of shops; of each day the observations, the forecast from it, and the scores of it.

    Attributes:
        spec: the forecast.
        tables: where it is.
        ids: of the items.
        days: that rounds were made of.
        rng: where the numbers come from.
    """

    spec: ForecastSpec
    tables: Any
    ids: list[str]
    days: pd.DatetimeIndex
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @property
    def reader(self) -> Reader:
        """Reads it, the day after the last round."""
        return self.at(self.days[-1] + pd.Timedelta(days=2))

    def at(self, moment: pd.Timestamp) -> Reader:
        """Return the reader of a moment."""
        return Reader(self.spec, self.tables, Clock(fixed=moment.isoformat()))

    def observe(self, day: pd.Timestamp, at: pd.Timestamp | None = None, ids: list[str] | None = None) -> pd.DataFrame:
        """Store the observations of a day; rows that say something else were superseded before, see `revisions`."""
        ids = self.ids if ids is None else ids
        rows = pd.DataFrame({"item_id": ids, "timestamp": day, "target": self._values(len(ids)), "rain": 0.5})
        rows = rows.assign(known_at=day + MORNING if at is None else at)
        self.write(OBSERVATIONS, day, rows)
        return rows

    def forecast(
        self, day: pd.Timestamp, at: pd.Timestamp | None = None, ids: list[str] | None = None, **columns: Any
    ) -> pd.DataFrame:
        """Store a forecast from a day."""
        ids, task = self.ids if ids is None else ids, self.spec.task
        steps = np.arange(1, task.horizon + 1)
        rows = pd.DataFrame(
            {
                "item_id": np.repeat(ids, len(steps)),
                "origin": day,
                "lead": np.tile(steps, len(ids)),
                "timestamp": day + pd.to_timedelta(np.tile(steps, len(ids)), unit="D"),
            }
        )
        middle = self._values(len(rows))
        rows["mean"] = rows["naive"] = middle
        for level, name in zip(task.quantiles, task.quantile_columns, strict=True):
            rows[name] = middle + 10 * (level - 0.5)
        rows = rows.assign(
            source="champion", mase_scale=2.0, rmsse_scale=2.5, model_version=1, trained_until=self.days[0],
            delivered_because="champion", role="delivered", job_key="", run_id="",
            created_at=day + MORNING if at is None else at,
        ).assign(**columns)  # fmt: skip
        self.write(FORECASTS, day, rows)
        return rows

    def score(self, day: pd.Timestamp) -> None:
        """Store what the forecasts of a day were worth."""
        key, partition = [self.spec.name, FORECASTS], f"{day:%Y-%m-%d}"
        made = self.tables.read(key) if self.tables.exists(key) else pd.DataFrame()
        came = self.tables.read([self.spec.name, OBSERVATIONS], [partition])
        rows = ledger.match(made, came, self.spec.task, False)
        self.write(FORECAST_ACCURACY, day, rows)
        if len(honest := ledger.honest(rows)):
            found = ledger.scores(honest, self.spec.task, segments(ledger.delivered(honest)))
            keep_scores(self.tables, self.spec, {partition: found}, day + MORNING)

    def _values(self, count: int) -> np.ndarray:
        return self.rng.uniform(50, 150, count).round(2)

    def write(self, name: str, day: pd.Timestamp, rows: pd.DataFrame) -> None:
        """Store rows of a table as the partition of a day; columns that are left out are missing."""
        graph = Graph(self.spec)
        empty = graph.without_rows(name)
        rows = rows.reindex(columns=empty.columns).astype(empty.dtypes.to_dict())
        options = graph.observed if name == OBSERVATIONS else {"allow_new_columns": True}
        self.tables.write([self.spec.name, name], rows, f"{day:%Y-%m-%d}", **options)


def store(
    folder: Path, tables: Any = None, items: int | list[str] = 3, rounds: int = 12, **changes: Any
) -> StoredForecast:
    """Write a forecast with some rounds.

    Args:
        folder: for its spec.
        tables: where to; None: in memory.
        items: number of them, or their ids.
        rounds: days, each with observations, scores and a forecast.
        changes: of the spec.
    """
    spec = declare(folder / "forecasts", **{"retraining": None, **changes})
    ids = [f"shop {number}" for number in range(items)] if isinstance(items, int) else items
    tables = MemoryTables() if tables is None else tables
    made = StoredForecast(spec, tables, ids, DAYS[:rounds])
    for day in made.days:
        made.observe(day)
        made.score(day)
        made.forecast(day)
    return made
