"""A user's own history, lived again: how a declared forecast would have gone, day by day."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mlops_assets.catalog.partitions import complete_from, complete_keys, holding, partition_of, whole_window
from mlops_assets.catalog.run_tags import REASON
from mlops_assets.environments import Stores
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.data.grid import steps_after
from mlops_assets.forecasting.evaluation.backtest import steps_needed
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.simulation.forecast import Forecast
from mlops_assets.simulation.hands import Stages
from mlops_assets.simulation.journal import Day
from mlops_assets.simulation.telling import Teller
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages import ingest
from mlops_assets.stages.rescore import reread_keys

MOST_DAYS = 365
SHOWN = 8
"""Items, the largest, whose observations and forecasts a journal has."""


class SimulationError(UsageError):
    """A year that cannot be lived as asked; the message says why and what can."""


@dataclass
class OwnHistory:
    """The past of a forecast, of which each day knows only what lay before it.

    What its source says today is taken for what it said then: what came late, or was corrected, is not known any more.

    Attributes:
        forecast: with stores in memory; nothing that is stored for real is read or written.
        before: partitions of which the first model learns.
        dates: those that are lived.
        teller: reads the days.
    """

    forecast: Forecast
    before: Sequence[str]
    dates: Sequence[str]
    teller: Teller

    def __post_init__(self) -> None:
        """Take the stages for hands."""
        self._hands = Stages(self.teller)

    @classmethod
    def of(cls, forecast: Forecast, clock: Clock, days: int | None) -> "OwnHistory":
        """Find out what there is to live.

        Args:
            forecast: see `alone`.
            clock: says what the present is.
            days: of the latest to live; None: half of the history, at most a year.

        Raises:
            SimulationError: there is too little history, or fewer days than asked for.
            SourceError: the source cannot be read.
        """
        spec, graph = forecast.spec, forecast.graph
        keys = complete_keys(spec, clock.now())
        if not keys:
            raise SimulationError(f"{spec.name}: no partition is over yet; see partitions.start")
        rows = ingest.read_observations(graph, whole_window(graph.partitions, keys), clock)[0].accepted
        there = partition_of(rows["timestamp"], graph.partitions, keys).dropna()
        keys = [key for key in keys if there.min() <= key <= there.max()] if len(there) else []
        possible = [key for key in keys if key > _enough(spec, rows["timestamp"].min())] if keys else []
        if not possible:
            raise SimulationError(
                f"{spec.name}: {len(keys)} partitions have rows, too few to learn from before the first day that is "
                f"lived; a training needs {steps_needed(spec.task, spec.backtest.windows, spec.backtest.step)} steps"
            )
        if days is not None and days > len(possible):
            raise SimulationError(f"{spec.name}: at most {len(possible)} days can be lived; ask for fewer with --days")
        lived = possible[-(days or min(MOST_DAYS, max(1, len(keys) // 2))) :]
        largest = rows.groupby("item_id")["target"].sum().abs().nlargest(SHOWN).index
        return cls(forecast, keys[: keys.index(lived[0])], lived, Teller(forecast, frozenset(map(str, largest))))

    @property
    def spec(self) -> ForecastSpec:
        """The forecast."""
        return self.forecast.spec

    @property
    def stores(self) -> Stores:
        """Where it is kept."""
        return self.forecast.stores

    def live(self, number: int) -> Day:
        """Live a day: its round, and what the policies ask for."""
        key = self.dates[number]
        if number == 0:
            self._wake(self.before[-1])
            for rows in self._hands.history(self.before).rows:
                self.teller.know(rows)
            self._hands.train({REASON: "there is no champion"})
        self._wake(key)
        taken = self._hands.round(key, reread_keys(self.spec, key))
        self._hands.ask()
        return self.teller.tell(key, taken, alerts=self.teller.alerts())

    def _wake(self, key: str) -> None:
        self.forecast.wake(naive_utc(complete_from(self.spec, key)))


def alone(spec: ForecastSpec) -> ForecastSpec:
    """Return a spec as its past is lived: from its first row on, without services, and as the gate says."""
    lived = spec.partitions.model_copy(update={"start": spec.partitions.first_day, "history_from": None})
    return spec.model_copy(update={"external": None, "approval": "automatic", "partitions": lived})


def _enough(spec: ForecastSpec, first: pd.Timestamp) -> str:
    steps = steps_needed(spec.task, spec.backtest.windows, spec.backtest.step)
    return holding(spec, steps_after(first, steps, spec.frequency)[-1])
