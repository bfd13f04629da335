"""What the machine does on a day, behind one face: by the stages here, by Dagster's assets in `full`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import pandas as pd

from mlops_assets.catalog.names import DAILY, RESCORE, RETRAIN
from mlops_assets.catalog.partitions import partition_of, periods
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.simulation import rounds, training
from mlops_assets.simulation.rounds import Taken
from mlops_assets.simulation.telling import Teller
from mlops_assets.stages.rescore import reread_keys
from mlops_assets.stages.watching.retraining import Request, ask

TRAIN = "train"
"""The stage of `Day.cpu_seconds` that a training is."""


class Hands(Protocol):
    """Does what is asked for; what fails is a failed run, and raises nothing."""

    def history(self, keys: Sequence[str]) -> Taken:
        """Take in consecutive partitions, nothing else."""
        ...

    def round(self, key: str) -> Taken:
        """Make the round of a partition: those before it read again, ingested, forecast from, scored, looked at."""
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


def retrain(hands: Hands, teller: Teller) -> None:
    """Ask the policies, and train where they ask for it."""
    forecast = teller.forecast
    stores = forecast.stores
    with teller.stage("policies"):
        asked = ask(
            forecast.spec, stores.tables, stores.tracking, stores.clock, stores.notifications, forecast.instance
        )
    if isinstance(asked, Request):
        hands.train(asked.tags)


class Stages:
    """The stages by themselves, without Dagster.

    Args:
        teller: measures them, and knows what has changed.
    """

    def __init__(self, teller: Teller) -> None:
        self._teller, self._forecast = teller, teller.forecast

    def history(self, keys: Sequence[str]) -> Taken:
        """Take in consecutive partitions."""
        taken = Taken()
        with self._forecast.run(DAILY) as run:
            rounds.take(self._forecast, keys, run.run_id, taken)
        return taken

    def round(self, key: str) -> Taken:
        """Make the round of a partition."""
        forecast, stage, taken = self._forecast, self._teller.stage, Taken()
        if again := reread_keys(forecast.spec, key):
            with stage("ingest"), forecast.run(RESCORE) as run:
                rounds.take(forecast, again, run.run_id, taken)
        with forecast.run(DAILY) as run:
            with stage("ingest"):
                self._fill(key, taken)
                rounds.take(forecast, [key], run.run_id, taken)
            with stage("predict"):
                rounds.predict(forecast, key, run.run_id)
            with stage("score"):
                rounds.score(forecast, [key])
                rounds.watch(forecast, key)
        with stage("score"):
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
