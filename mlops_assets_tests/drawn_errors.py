"""The errors of a forecast over a year, drawn from a seed and not forecast: a policy alone is tried on them.

Who is in charge, and on which data it was trained, decides how large they are. Used by the tests of policies and by
`benchmarks/policy.py`; a year in which everything is real but the world is lived in `mlops_assets.simulation`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mlops_assets.forecasting.decisions.evidence import Champion
from mlops_assets.forecasting.decisions.policy import Answer
from mlops_assets.forecasting.decisions.replay import TrainingOutcome
from mlops_assets.forecasting.decisions.rules import CHALLENGE, REPLACE

START = pd.Timestamp("2024-01-01")
BACKTEST = 14
"""Days that a model's own backtest looks back on."""


@dataclass(frozen=True)
class DrawnErrors:
    """What happens, by number of the day.

    Attributes:
        regime: the old patterns end; a model must have seen some days of the new ones.
        drift: from, to: the series wander away from whatever has been learnt, a little each day.
        outage: from, to: the source gives nothing.
        broken: a day of nonsense in the data.
        shift: the series become harder to forecast, for any model.
        margin: by how much a challenger must beat the champion.
        noise: relative deviation of a day's error.
        base: the error of a model that knows the world as it is.
    """

    seed: int = 0
    days: int = 366
    regime: int | None = 80
    drift: tuple[int, int] | None = (140, 200)
    outage: tuple[int, int] | None = (230, 238)
    broken: int | None = 260
    shift: int | None = 300
    margin: float = 0.02
    noise: float = 0.1
    base: float = 0.1

    @property
    def partitions(self) -> Sequence[str]:
        return self._keys

    @cached_property
    def _keys(self) -> Sequence[str]:
        return [f"{START + pd.Timedelta(days=day):%Y-%m-%d}" for day in range(self.days)]

    @cached_property
    def luck(self) -> np.ndarray:
        return np.exp(np.random.default_rng(self.seed).normal(0, self.noise, self.days))

    def end(self, partition: str) -> pd.Timestamp:
        return pd.Timestamp(partition) + pd.Timedelta(days=1)

    def stored(self, partition: str) -> bool:
        day = self._day(partition)
        return self.outage is None or not self.outage[0] <= day < self.outage[1]

    def given(self, partition: str) -> Champion | None:
        return self._model(1, -1) if partition == self.partitions[0] else None

    def scores(self, champion: Champion, since: str, partition: str) -> Mapping[str, float] | None:
        if not self.stored(partition):
            return None
        day = self._day(partition)
        value = self._expected(self._trained(champion), day) * self.luck[day]
        return {"rows": 100, "wql": value * (6 if day == self.broken else 1)}

    def train(self, champion: Champion, partition: str, answer: Answer) -> TrainingOutcome:
        day = self._day(partition)
        model = self._model(champion.version + 1, day)
        better = self._expected(day, day) < (1 - self.margin) * self._expected(self._trained(champion), day)
        return TrainingOutcome(model, {CHALLENGE: better, REPLACE: True}.get(answer.becomes, False), 10.0)

    def _day(self, partition: str) -> int:
        return (pd.Timestamp(partition) - START).days

    def _trained(self, champion: Champion) -> int:
        return (champion.trained_until - START).days

    def _model(self, version: int, day: int) -> Champion:
        own = np.mean([self._expected(then, then) for then in range(day - BACKTEST + 1, day + 1)])
        return Champion(version, START + pd.Timedelta(days=day), {"wql": float(own)})

    def _expected(self, trained: int, day: int) -> float:
        factor = 1.0
        if self.regime is not None and day >= self.regime:
            factor *= 1.6 if trained < self.regime else 1 + 0.6 * np.exp(-(trained - self.regime) / 3)
        if self.drift is not None:
            first, last = self.drift
            gone = np.clip(day, first, last) - np.clip(trained, first, last)
            factor *= 1 + 0.012 * gone
        if self.shift is not None and day >= self.shift:
            factor *= 1.6
        return self.base * factor
