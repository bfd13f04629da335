"""A year from its first day to its last: lived, told in a journal, and compared with what others would have done."""

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import pandas as pd

from mlops_assets.environments import Stores, assets_of
from mlops_assets.forecasting.model import model_file
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.release import package_version
from mlops_assets.settings import Settings
from mlops_assets.simulation.ahead import ahead_of, spare
from mlops_assets.simulation.courses import ORIGINS, courses
from mlops_assets.simulation.forecast import Forecast
from mlops_assets.simulation.hands import Hands, Stages
from mlops_assets.simulation.journal import Day, Journal
from mlops_assets.simulation.life import Life
from mlops_assets.simulation.own import OwnHistory, SimulationError, alone
from mlops_assets.simulation.telling import Teller
from mlops_assets.simulation.world import World
from mlops_assets.sources.revisions.git import described
from mlops_assets.spec import ForecastSpec

FEW_ORIGINS = 12
"""On which the policies are compared where a training may take long."""
_GARBAGE = 20_000
"""Objects made, more than given back, after which garbage is looked for."""
_LONG = 60
"""Days that are worth the start of another process."""
Listener = Callable[[Day], None]
"""Told of each day as soon as it is over."""


class Lived(Protocol):
    """A life whose days come one after the other."""

    @property
    def spec(self) -> ForecastSpec:
        """The forecast."""
        ...

    @property
    def stores(self) -> Stores:
        """Where it is kept."""
        ...

    @property
    def dates(self) -> Sequence[str]:
        """The partitions that there are to live, oldest first."""
        ...

    def live(self, number: int) -> Day:
        """Live the day of a number, from 0; each day once, in order."""
        ...


def of_world(
    seed: int, days: int, until: str, listen: Listener, full: bool = False, kept: Path | None = None
) -> Journal:
    """Live a made-up year.

    Args:
        seed: what its world is drawn from.
        days: that it has.
        until: the last day to live; empty: all.
        listen: told of each day.
        full: by Dagster's assets and jobs, not by the stages alone.
        kept: folder that is made, for what is stored in the end; None: nothing is kept.

    Raises:
        SimulationError: there are too few days for anything to happen, or the last one to live is none of them.
    """
    world = World.of(seed, days)
    processes = 0 if full or days < _LONG or not spare() else 1
    with TemporaryDirectory() as folder, quiet(), ahead_of(world, processes) as ahead:
        life = Life(world, Path(folder), _assets if full else Stages, ahead)
        left_out = [kind.value for kind in world.left_out]
        journal = year(life, listen, seed, until, "full" if full else "fast", left_out)
        if kept is not None:
            life.forecast.keep(kept)
        return journal


def _assets(teller: Teller) -> Hands:
    from mlops_assets.simulation.full import Assets

    return Assets(teller)


def of_history(spec: ForecastSpec, settings: Settings, days: int | None, until: str, listen: Listener) -> Journal:
    """Live the history of a forecast again; see `own.OwnHistory`.

    Args:
        spec: the forecast.
        settings: say what the present is.
        days: of the latest to live; None: half of the history, at most a year.
        until: the last day to live; empty: all.
        listen: told of each day.

    Raises:
        SimulationError: there is too little history, or the last day to live is not in it.
        SourceError: the source cannot be read.
    """
    with TemporaryDirectory() as folder, quiet():
        forecast = Forecast(alone(spec), Path(folder))
        with assets_of(settings):
            history = OwnHistory.of(forecast, Clock.of(settings), days)
        return year(history, listen, until=until, origins=FEW_ORIGINS)


@contextmanager
def quiet() -> Iterator[None]:
    """Let nothing be logged, as alerts of a made-up forecast are for its journal, and let copies be cheap.

    Hundreds of thousands of objects stay from the first day on: looking through them for garbage is a twentieth of a
    day, unless it is done rarely.
    """
    loggers = logging.getLogger("dagster.builtin"), logging.getLogger("mlops_assets")
    before, often = [one.level for one in loggers], gc.get_threshold()
    for one in loggers:
        one.setLevel(logging.CRITICAL + 1)
    gc.set_threshold(_GARBAGE, *often[1:])
    try:
        with pd.option_context("mode.copy_on_write", True):  # copies that nobody changes are a tenth of a day
            yield
    finally:
        gc.set_threshold(*often)
        for one, level in zip(loggers, before, strict=True):
            one.setLevel(level)


def year(
    life: Lived,
    listen: Listener,
    seed: int | None = None,
    until: str = "",
    mode: str = "fast",
    left_out: Sequence[str] = (),
    origins: int = ORIGINS,
) -> Journal:
    """Live the days of a life, and return their journal.

    Args:
        life: whose.
        listen: told of each day.
        seed: what its world is drawn from; None: the days are a user's own.
        until: the last day to live; empty: all.
        mode: how it is lived, in a word.
        left_out: kinds of happenings that its world has none of.
        origins: on which the policies are compared.

    Raises:
        SimulationError: `until` is no day of it.
    """
    if until and until not in life.dates:
        raise SimulationError(f"--until {until}: the days to live are {life.dates[0]} to {life.dates[-1]}")
    model_file.dumps({})  # what it imports is charged to no training
    days: list[Day] = []
    for number, date in enumerate(life.dates):
        if until and date > until:
            break
        days.append(life.live(number))
        listen(days[-1])
    spec = life.spec
    journal = Journal(
        spec.name,
        package_version(),
        described(Path.cwd()),
        seed,
        len(life.dates),
        mode,
        spec.gate.metric,
        spec.frequency,
        tuple(left_out),
        tuple(days),
    )
    return replace(journal, courses=courses(spec, life.stores.tables, days, origins))
