"""Who of ours forecasts an origin: the champion, else an earlier one that still can, else seasonal naive; and why.

Before them all comes an external service that is champion and answers in time, see `external.together`.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Literal

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.partitions import end_of_next
from mlops_assets.errors import ExitCode, MlopsAssetsError, TerminalError
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.lost import UNLOADABLE
from mlops_assets.lifecycle.versions import require_fit
from mlops_assets.stages.predict import Predicted, forecast, known_at
from mlops_assets.tracking.errors import TrackingError
from mlops_assets.tracking.registry import Version

if TYPE_CHECKING:
    from mlops_assets.forecasting.model.kinds import Model

CHAMPION = "champion"
"""Value of the ledger's column `delivered_because`, beside `UNLOADABLE` and those of `decisions.why_nobody`."""


class NoChampionError(TerminalError, LookupError):
    """There is no champion that could forecast, and the spec wants nobody else to (`deliver: champion_only`)."""

    exit_code: ClassVar[int] = ExitCode.NOT_ALLOWED


class Deliverer:
    """Forecasts origins of one forecast, each by the best that can.

    An origin is the latest one until the partition after it has ended. Before the first decision nobody was champion;
    such an origin gets the present one, as does the latest.
    """

    def __init__(
        self,
        graph: Graph,
        life: Lifecycle,
        now: datetime,
        champion: Literal["then", "now"] = "then",
        version: int = 0,
    ) -> None:
        """Find out who is in charge.

        Args:
            graph: of the forecast.
            life: knows who is and was champion, and has their models.
            now: the present moment.
            champion: `then`: for a past origin, who was champion while it was the latest; `now`: who is champion.
            version: exactly this one, whoever is or was champion; 0: see `champion`.
        """
        self._graph, self._life, self._now, self._of, self._exact = graph, life, now, champion, version
        self._log = life.log.all()
        self._loaded: dict[int, tuple[Model, Version] | MlopsAssetsError | ValueError] = {}
        self._present, self._unknown = _present(life, self._log)
        self.said: dict[str, None] = {}
        """Why not the champion forecasts, in sentences, each once."""

    def __call__(self, key: str, observations: pd.DataFrame, future: pd.DataFrame | None) -> Predicted:
        """Forecast from the origin of a partition; see `predict.forecast`.

        Raises:
            NoChampionError: there is no champion, and the spec wants nobody else to forecast.
            DataError: nothing was observed up to the origin, or known covariates are missing over the horizon and the
                spec calls that an error.
            TrackingError, ModelFileError: the version that was asked for, or is the only one that may forecast, cannot
                be loaded.
        """
        graph, spec = self._graph, self._graph.spec
        if self._exact:
            return forecast(graph, key, observations, future, *self._load(self._exact))
        known_at(graph, key, observations)
        first = self._in_charge(key)
        nobody, words = decisions.why_nobody(self._log, spec.name)
        if spec.deliver == "champion_only":
            return forecast(graph, key, observations, future, *self._load(self._only(first, words)))
        failed = []
        for number in self._candidates(first):
            try:
                forecaster, version = self._load(number)
                require_fit(version, forecaster, spec)
                because = CHAMPION if number == first else UNLOADABLE if first is not None else nobody
                made = forecast(graph, key, observations, future, forecaster, version, because, nobody)
            except (MlopsAssetsError, ValueError) as error:
                failed.append(f"version {number} cannot forecast: {error}")
                continue
            self._tell(failed, f"version {number}", because, words)
            if forecaster.task.horizon < spec.horizon:
                self.said[
                    f"version {number} forecasts {forecaster.task.horizon} steps, the rest of the horizon of "
                    f"{spec.horizon} is seasonal naive's until a new version is champion"
                ] = None
            return made
        because = UNLOADABLE if first is not None else nobody
        self._tell(failed, "seasonal naive", because, words)
        return forecast(graph, key, observations, future, None, None, because)

    def _tell(self, failed: list[str], who: str, because: str, words: str) -> None:
        """Note who forecasts, and why, unless it is the champion."""
        if because == CHAMPION:
            return
        reasons = [*failed, *([] if because == UNLOADABLE else [self._unknown or words])]
        way_out = f"; mlops-assets run {self._graph.spec.name} --retrain trains a new one" if failed else ""
        self.said[f"{who} forecasts in place of a champion: {'; '.join(reasons)}{way_out}"] = None

    def _only(self, first: int | None, words: str) -> int:
        if first is None:
            name = self._graph.spec.name
            raise NoChampionError(
                f"{name} has no champion, and only a champion may forecast (deliver: champion_only): {words}",
                advice=[f"mlops-assets run {name}", f"mlops-assets history {name}"],
            )
        return first

    def _in_charge(self, key: str) -> int | None:
        """Return the number of the champion that an origin is for; None without one."""
        end = end_of_next(self._graph.spec, key)
        then = decisions.champion_of(self._log, end) if self._of == "then" and end <= self._now else None
        return then or self._present

    def _candidates(self, first: int | None) -> Iterator[int]:
        """Yield who may forecast, the best first: the champion, the one of now, then earlier ones, the latest first."""
        numbers = [first, self._present, *decisions.former(self._log)]
        yield from dict.fromkeys(number for number in numbers if number is not None)

    def _load(self, number: int) -> "tuple[Model, Version]":
        """Load a version's forecaster, once."""
        if number not in self._loaded:
            try:
                version = self._life.versions.version(number)
                self._loaded[number] = self._life.versions.forecaster(version), version
            except (MlopsAssetsError, ValueError) as error:
                self._loaded[number] = error
        found = self._loaded[number]
        if isinstance(found, Exception):
            raise found
        return found


def _present(life: Lifecycle, log: pd.DataFrame) -> tuple[int | None, str]:
    """Return who is champion, and why that cannot be told: before the first decision, only MLflow knows."""
    if len(log):
        return decisions.champion_of(log), ""
    try:
        alias = life.champion()
    except TrackingError as error:
        return None, str(error)
    return (alias.number if alias else None), ""
