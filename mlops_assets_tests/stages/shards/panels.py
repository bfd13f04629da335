"""Two stored panels to hold shards against: the example, cut small, and intermittent items with all that is odd."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import mlops_assets
from mlops_assets.catalog.graph import Graph, reach_of
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.lifecycle.versions import Portable
from mlops_assets.resources.stored import StoredTable
from mlops_assets.spec import ForecastSpec, load_spec
from mlops_assets.stages import train
from mlops_assets_tests.worlds import declare, portable

EXAMPLE = Path(mlops_assets.__file__).parent / "forecasts"


@dataclass(frozen=True)
class Panel:
    """A forecast whose observations are stored, and a model of it.

    Attributes:
        spec: the forecast.
        tables: what is stored.
        model: learnt from what lies before the last fortnight.
        keys: the partitions after that, oldest first.
        count: so many shards its items are cut into.
    """

    spec: ForecastSpec
    tables: MemoryTables
    model: Portable
    keys: list[str]
    count: int

    @property
    def graph(self) -> Graph:
        """What follows from the spec."""
        return Graph(self.spec)

    def table(self, name: str, keys: Sequence[str]) -> StoredTable:
        """Return some partitions of a stored table."""
        there = self.tables.partitions(self.stored(name))
        return StoredTable(self.tables, self.stored(name), [key for key in keys if key in there])

    def observed(self, key: str) -> StoredTable:
        """Return the observations that a forecast from a partition sees."""
        keys = [one for one in self.tables.partitions(self.stored("observations")) if one <= key]
        return self.table("observations", keys[-reach_of(self.spec) - 1 :])

    def stored(self, name: str) -> list[str]:
        """Return the key of a table."""
        return [self.spec.name, name]


def example() -> Panel:
    """Five months of the flights of two of New York's airports."""
    spec = load_spec(EXAMPLE / "nyc_departures.yaml")
    model = spec.model.model_copy(update={"parameters": {"n_estimators": 4, "n_jobs": 1}, "max_training_rows": 1000})
    every_day = spec.partitions.model_copy(update={"start": "2013-01-01", "history_from": None})
    rows = pd.read_csv(EXAMPLE / "nyc_departures.csv", parse_dates=["date"])
    rows = rows[(rows["date"] < "2013-06-01") & (rows["origin"] != "JFK")].rename(
        columns={"date": "timestamp", "departures": "target"}
    )
    spec = spec.model_copy(update={"model": model, "partitions": every_day})
    return _stored(spec, rows.assign(item_id=rows["origin"] + "/" + rows["carrier"]), 3)


def intermittent(folder: Path, items: int = 20) -> Panel:
    """Demand that is mostly zero, absent rows that mean it, an outlier, late, missing and strange covariates."""
    days = pd.date_range("2024-03-01", "2024-05-31", freq="D")
    spec = declare(
        folder,
        fill="zero",
        covariates={"known": ["promo"], "past": ["rain", "late"], "static": ["kind"]},
        minimum=0,
        quantiles=[0.05, 0.5, 0.9],
    )
    rng, frames = np.random.default_rng(5), []
    for number in range(items):
        size = rng.poisson(3.0, len(days)) * (rng.random(len(days)) < 0.15 + 0.04 * number)
        frames.append(
            pd.DataFrame(
                {
                    "item_id": f"item {number:02d}",
                    "timestamp": days,
                    "target": size.astype(float),
                    "promo": (rng.random(len(days)) < 0.2).astype(float),
                    "rain": rng.random(len(days)).round(2),
                    "late": rng.random(len(days)).round(2),
                    "kind": "odd" if number % 3 else "even",
                }
            )
        )
    rows = pd.concat(frames, ignore_index=True)
    rows.loc[rows["timestamp"] >= "2024-05-18", "late"] = np.nan
    rows.loc[rows["timestamp"] >= "2024-05-20", "rain"] += 50.0
    rows.loc[(rows["item_id"] == "item 13") & (rows["timestamp"] == "2024-05-20"), "target"] = 40_000.0
    rows.loc[(rows["item_id"] == "item 07") & (rows["timestamp"] >= "2024-05-19"), "kind"] = "new"
    rows.loc[(rows["item_id"] == "item 19") & (rows["timestamp"] > "2024-05-10"), "target"] *= 1e4
    ended = (rows["item_id"] == "item 11") & (rows["timestamp"] > "2024-04-10")
    begins = (rows["item_id"] == "item 12") & (rows["timestamp"] < "2024-05-28")
    return _stored(spec, rows[(rows["target"] > 0) & ~ended & ~begins], 7)


def _stored(spec: ForecastSpec, rows: pd.DataFrame, count: int) -> Panel:
    names = ["item_id", "timestamp", "target", *spec.covariate_columns]
    rows = rows[names].astype({"timestamp": "datetime64[us]", "target": float}).sort_values(["item_id", "timestamp"])
    tables, day = MemoryTables(), rows["timestamp"].dt.strftime("%Y-%m-%d")
    for key, own in rows.groupby(day):
        tables.write([spec.name, "observations"], own, str(key), allow_new_columns=True)
    known, keys = spec.covariates.all_known, sorted(day.unique())[-14:]
    if known:
        for key in keys:
            ahead = (rows["timestamp"] > key) & (rows["timestamp"] <= pd.Timestamp(key) + pd.Timedelta(days=5))
            future = rows.loc[ahead, ["item_id", "timestamp", *known]].assign(partition=key)
            tables.write([spec.name, "future_covariates"], future, key)
    history = train.history_of(spec, rows)
    forecaster = train.fit(train.training_set(Graph(spec), history, keys[0]), train.Fitting(spec.task))[0]
    return Panel(spec, tables, portable(forecaster), keys, count)
