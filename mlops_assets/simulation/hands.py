"""What the machine does on a day, behind one face: by the stages here, by Dagster's assets in `full`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Protocol

import pandas as pd

from mlops_assets.alerts.failures import failed_since
from mlops_assets.catalog.names import DAILY, RESCORE, RETRAIN
from mlops_assets.catalog.partitions import partition_of, periods
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.simulation import rounds, training
from mlops_assets.simulation.rounds import Taken
from mlops_assets.simulation.telling import Teller
from mlops_assets.stages.watching.retraining import Request, ask
from mlops_assets.stages.watching.telling import tell_all

ROUND, POLICIES, TRAIN = "round", "policies", "train"
"""Stages of `Day.cpu_seconds`."""


class Hands(Protocol):
    """Does what is asked for; what fails is a failed run, and raises nothing."""

    def history(self, keys: Sequence[str]) -> Taken:
        """Take in consecutive partitions, nothing else."""
        ...

    def round(self, key: str, again: Sequence[str] = ()) -> Taken:
        """Make the round of a partition: it is ingested, forecast from, scored and looked at.

        Args:
            key: the partition.
            again: those before it that are read again first.
        """
        ...

    def mend(self, key: str) -> bool:
        """Forecast from a partition whose round has failed, and score that; return whether it is made."""
        ...

    def train(self, tags: Mapping[str, str], until: str = "") -> int | None:
        """Train, and let the gate decide.

        Args:
            tags: of the run.
            until: key of the last partition to learn from; empty: the latest complete one.

        Returns:
            The version; None where there is none.
        """
        ...

    def ask(self) -> None:
        """Ask the policies, and train where they ask for it."""
        ...

    def tell(self) -> None:
        """Tell people of what no run can tell itself."""
        ...


class Stages:
    """The stages by themselves, without Dagster.

    Args:
        teller: measures them, and knows what has changed.
    """

    def __init__(self, teller: Teller) -> None:
        self._teller, self._forecast = teller, teller.forecast
        self._began = datetime.now(timezone.utc)

    def history(self, keys: Sequence[str]) -> Taken:
        """Take in consecutive partitions."""
        taken = Taken()
        with self._forecast.run(DAILY) as run:
            rounds.take(self._forecast, keys, run.run_id, taken)
        return taken

    def round(self, key: str, again: Sequence[str] = ()) -> Taken:
        """Make the round of a partition."""
        forecast, taken = self._forecast, Taken()
        with self._teller.stage(ROUND):
            if again:
                with forecast.run(RESCORE) as run:
                    rounds.take(forecast, again, run.run_id, taken)
            with forecast.run(DAILY) as run:
                self._fill(key, taken)
                rounds.take(forecast, [key], run.run_id, taken)
                rounds.predict(forecast, key, run.run_id)
                rounds.score(forecast, [key])
                rounds.watch(forecast, key)
            rounds.score(forecast, sorted({*self._changed(taken)} - {key}))
        return taken

    def mend(self, key: str) -> bool:
        """Forecast from a partition, and score that."""
        with self._forecast.run(DAILY) as run:
            rounds.predict(self._forecast, key, run.run_id)
            later = [one for one in self._forecast.observations().partitions or () if one >= key]
            rounds.score(self._forecast, later[: periods(self._forecast.spec, self._forecast.spec.horizon) + 1])
            return True
        return False

    def train(self, tags: Mapping[str, str], until: str = "") -> int | None:
        """Train, and let the gate decide."""
        with self._teller.stage(TRAIN), self._forecast.run(RETRAIN, tags) as run:
            if training.claim(self._forecast, run):
                return training.train_and_judge(self._forecast, run, until)[1].version
        return None

    def ask(self) -> None:
        """Ask the policies, and train where they ask for it."""
        forecast, stores = self._forecast, self._forecast.stores
        with self._teller.stage(POLICIES):
            asked = ask(
                forecast.spec, stores.tables, stores.tracking, stores.clock, stores.notifications, forecast.instance
            )
        if isinstance(asked, Request):
            self.train(asked.tags)

    def tell(self) -> None:
        """Tell people of what no run can tell itself."""
        forecast, stores = self._forecast, self._forecast.stores
        failed = failed_since(forecast.instance, self._began)
        tell_all(forecast.spec, stores.tables, stores.notifications, failed, stores.clock.now())

    def _fill(self, key: str, taken: Taken) -> None:
        try:
            rounds.fill(self._forecast, key, taken)
        except MlopsAssetsError:
            return  # reading the partition itself says what is wrong

    def _changed(self, taken: Taken) -> Iterator[str]:
        """Yield the partitions that have changed."""
        for rows in taken.rows:
            times = pd.Series([at for _, at in self._teller.changed(rows)], dtype="datetime64[us]")
            yield from partition_of(times, self._forecast.graph.partitions, sorted(taken.read)).dropna()
