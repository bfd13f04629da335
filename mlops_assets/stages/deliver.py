"""Who of ours forecasts an origin: the champion, else an earlier one that still can, else seasonal naive; and why.

Before them all comes an external service that is champion and answers in time, see `external.together`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Literal, NamedTuple

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.partitions import end_of_next
from mlops_assets.errors import ExitCode, MlopsAssetsError, TerminalError
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.lost import UNLOADABLE
from mlops_assets.lifecycle.versions import Portable, require_fit
from mlops_assets.stages.predict import Maker
from mlops_assets.stages.shards.origin import Predicted
from mlops_assets.tracking.errors import TrackingError
from mlops_assets.tracking.registry import Version

CHAMPION = Maker.because
"""Value of the ledger's column `delivered_because`, beside `UNLOADABLE` and those of `decisions.why_nobody`."""
Make = Callable[[Sequence[str], Maker], Mapping[str, Predicted | MlopsAssetsError | ValueError]]
"""Forecasts from the origins of some partitions."""


class NoChampionError(TerminalError, LookupError):
    """There is no champion that could forecast, and the spec wants nobody else to (`deliver: champion_only`)."""

    exit_code: ClassVar[int] = ExitCode.NOT_ALLOWED


class _Turn(NamedTuple):
    """Somebody who may forecast: a version, or seasonal naive; why; and whether nobody comes after."""

    number: int | None
    because: str
    alone: bool = False


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
        self._loaded: dict[int, tuple[Portable, Version] | MlopsAssetsError | ValueError] = {}
        self._present, self._unknown = _present(life, self._log)
        self._why = decisions.why_nobody(self._log, graph.spec.name)
        self.said: dict[str, None] = {}
        """Why not the champion forecasts, in sentences, each once."""

    def __call__(self, keys: Sequence[str], make: Make) -> dict[str, Predicted]:
        """Forecast from the origins of some partitions.

        Args:
            keys: of the partitions.
            make: forecasts from some of them by whom it is told, and returns the error where that cannot be done.

        Raises:
            NoChampionError: there is no champion, and the spec wants nobody else to forecast.
            DataError: known covariates are missing over the horizon and the spec calls that an error.
            TrackingError, ModelFileError: the version that was asked for, or is the only one that may forecast, cannot
                be loaded.
        """
        turns = {key: self._turns(key) for key in keys}
        failed: dict[str, list[str]] = {key: [] for key in keys}
        made: dict[str, Predicted] = {}
        while waiting := [key for key in keys if key not in made]:
            together: dict[_Turn, list[str]] = {}
            for key in waiting:
                together.setdefault(next(turns[key]), []).append(key)
            for turn, own in together.items():
                for key, found in self._take(turn, own, make).items():
                    if isinstance(found, Predicted):
                        made[key] = found
                        self._tell(failed[key], turn)
                    elif turn.alone:
                        raise found
                    else:
                        failed[key].append(f"version {turn.number} cannot forecast: {found}")
        return {key: made[key] for key in keys}

    def _turns(self, key: str) -> "Iterator[_Turn]":
        """Yield who may forecast from an origin, the best first, and then seasonal naive."""
        if self._exact:
            yield _Turn(self._exact, CHAMPION, alone=True)
            return
        first = self._in_charge(key)
        if self._graph.spec.deliver == "champion_only":
            yield _Turn(self._only(first, self._why[1]), CHAMPION, alone=True)
            return
        instead = UNLOADABLE if first is not None else self._why[0]
        for number in self._candidates(first):
            yield _Turn(number, CHAMPION if number == first else instead)
        yield _Turn(None, instead, alone=True)

    def _take(
        self, turn: "_Turn", keys: Sequence[str], make: Make
    ) -> Mapping[str, Predicted | MlopsAssetsError | ValueError]:
        if turn.number is None:
            return make(keys, Maker(because=turn.because))
        try:
            forecaster, version = self._load(turn.number)
            if not turn.alone:
                require_fit(version, forecaster.model, self._graph.spec)
        except (MlopsAssetsError, ValueError) as error:
            return dict.fromkeys(keys, error)
        beyond = Maker.beyond if turn.alone else self._why[0]
        return make(keys, Maker(forecaster, version, turn.because, beyond))

    def _tell(self, failed: list[str], turn: "_Turn") -> None:
        """Note who forecasts, and why, unless it is the champion alone."""
        spec, who = self._graph.spec, "seasonal naive" if turn.number is None else f"version {turn.number}"
        if turn.because != CHAMPION:
            reasons = [*failed, *([] if turn.because == UNLOADABLE else [self._unknown or self._why[1]])]
            way_out = f"; mlops-assets run {spec.name} --retrain trains a new one" if failed else ""
            self.said[f"{who} forecasts in place of a champion: {'; '.join(reasons)}{way_out}"] = None
        if turn.number is None or turn.alone:
            return
        reach = self._load(turn.number)[0].model.task.horizon
        if reach < spec.horizon:
            self.said[
                f"{who} forecasts {reach} steps, the rest of the horizon of {spec.horizon} is seasonal naive's until a "
                "new version is champion"
            ] = None

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

    def _load(self, number: int) -> "tuple[Portable, Version]":
        """Load a version's forecaster, once."""
        if number not in self._loaded:
            try:
                version = self._life.versions.version(number)
                self._loaded[number] = self._life.versions.portable(version), version
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
