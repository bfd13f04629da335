"""What the source says on the days to come, read by another process while a day is lived.

It hangs on nothing that is decided: on a second core, reading costs the life no time.
"""

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.partitions import whole_window
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.data.contract import Checked
from mlops_assets.resources.clock import Clock
from mlops_assets.scale.processes import cores
from mlops_assets.simulation.forecast import REREAD, SOURCE, declare
from mlops_assets.simulation.world import World
from mlops_assets.stages import ingest

MORNING = pd.Timedelta(hours=24 + 6)
"""When the round of a day is made: on the day after it."""
_DEPTH = 4
"""Days that are read ahead."""


@dataclass(frozen=True)
class Morning:
    """What the source says on the morning after a day.

    Attributes:
        source: what it holds, see `World.source`.
        text: its file.
        readings: what the contract says of the partitions that the round reads; without what cannot be read.
        cpu_seconds: that this has taken another process.
    """

    source: pd.DataFrame
    text: str
    readings: Mapping[tuple[str, ...], Checked] = field(default_factory=dict)
    cpu_seconds: float = 0.0


def morning_of(world: World, number: int) -> Morning:
    """Return what the source says after a day of a number; nothing of it is read yet."""
    source = world.source(number)
    return Morning(source, source.to_csv(index=False))


def reads(world: World, number: int) -> tuple[Sequence[str], Sequence[str]]:
    """Return the partition of a day, and those before it that are read again then."""
    again = range(REREAD, 0, -1) if world.date(number).dayofweek == 0 else ()
    return [key_of(world, number)], [key_of(world, number - back) for back in again]


def key_of(world: World, number: int) -> str:
    """Return the partition of a day's number."""
    return f"{world.date(number):%Y-%m-%d}"


class Ahead:
    """Reads the days to come in another process; what is not there in time is made here.

    Args:
        world: whose source it is.
        pool: does it; None: there is no core for it.
    """

    def __init__(self, world: World, pool: Any = None) -> None:
        self._world, self._pool = world, pool
        self._asked: dict[int, Future[Morning]] = {}
        self._next = 0

    def morning(self, number: int) -> Morning:
        """Return what the source says after a day."""
        self._ask(number)
        asked = self._asked.pop(number, None)
        made = asked is not None and asked.done() and not asked.cancelled() and asked.exception() is None
        return asked.result() if asked is not None and made else morning_of(self._world, number)

    def stop(self) -> None:
        """Let nothing more be read."""
        self._pool = None
        for asked in self._asked.values():
            asked.cancel()

    def _ask(self, number: int) -> None:
        self._next = max(self._next, number + 1)
        while self._pool is not None and self._next < min(number + 1 + _DEPTH, self._world.days):
            try:
                self._asked[self._next] = self._pool.submit(_read, self._world, self._next)
            except (BrokenExecutor, RuntimeError):
                self._pool = None
            self._next += 1


def spare() -> bool:
    """Return whether there is a core for another process, which may be begun here."""
    return cores() > 1 and not multiprocessing.current_process().daemon


@contextmanager
def ahead_of(world: World, processes: int = 1) -> Iterator[Ahead]:
    """Read a world's source ahead; by no other process where there are to be none."""
    if not processes:
        yield Ahead(world)
        return
    from joblib.externals.loky import ProcessPoolExecutor

    pool: Any = ProcessPoolExecutor(processes, env={"OMP_NUM_THREADS": "1"})
    ahead = Ahead(world, pool)
    try:
        yield ahead
    finally:
        ahead.stop()
        pool.shutdown(wait=True)


def _read(world: World, number: int) -> Morning:
    began, made = process_time(), morning_of(world, number)
    with TemporaryDirectory() as folder:
        graph = Graph(declare(Path(folder), world, number))
        (Path(folder) / SOURCE).write_text(made.text, encoding="utf-8")
        clock, readings = Clock(fixed=(world.date(number) + MORNING).isoformat()), {}
        for keys in filter(None, reads(world, number)):
            try:
                window = whole_window(graph.partitions, keys)
                readings[tuple(keys)] = ingest.read_observations(graph, window, clock)[0]
            except MlopsAssetsError:
                continue  # the round itself says why
    return Morning(made.source, made.text, readings, process_time() - began)
