"""The engine: a function and its tasks in, results in their order out, wherever they are made."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from mlops_assets.resources import meter
from mlops_assets.scale import worker
from mlops_assets.scale.address import LOCAL, Address
from mlops_assets.scale.backend import Backend
from mlops_assets.scale.dask_cluster import DaskCluster
from mlops_assets.scale.failures import EngineUnavailableError
from mlops_assets.scale.opener import require_module
from mlops_assets.scale.processes import Processes, cores
from mlops_assets.scale.spark_session import SparkSession

Task = TypeVar("Task")
Result = TypeVar("Result")


class Engine(BaseModel):
    """Where work on shards is done: in this process, in processes of this machine, on a cluster.

    What has to be opened for it is opened when it is first needed, and closed with the resource, after a run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(default=LOCAL, description="As MLOPS_ENGINE takes it.")
    _opened: Backend | None = PrivateAttr(default=None)

    @classmethod
    def at(cls, address: str) -> "Engine":
        """Return the engine of an address; a mistake in it is said at once, not when a table needs a second shard.

        Raises:
            EngineAddressError: it is none.
        """
        where = Address.of(address)
        require_module(where)
        return cls(address=where.text)

    @classmethod
    def local(cls) -> "Engine":
        """Return the engine that works in this process, one task after the other."""
        return cls(address=f"{LOCAL}?workers=1")

    @property
    def is_local(self) -> bool:
        """Whether it works on this machine, without a cluster."""
        return self._where.kind == LOCAL

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task], *, here: bool = False) -> Iterator[Result]:
        """Yield the results of a function for each task, in the order of the tasks.

        Args:
            function: of a module, or a `functools.partial` of one; it is sent once, with all that it holds.
            tasks: what it is called with, few if they are large; what they return is held for a few tasks only.
            here: in this process, whatever the address says.

        Raises:
            EngineUnavailableError: the engine does not answer, or has gone away.
            WorkerReleaseError: a worker has another release of this package, or none.
            WorkerLostError: a task has ended every worker that it was given to.
            MlopsAssetsError: what the function raised; any other exception likewise.
        """
        if here or not self._elsewhere(len(tasks)):
            yield from map(function, tasks)
            return
        try:
            self._opened = self._opened or open_backend(self._where)
            for outcome in self._opened.map(worker.pack(function), tasks):
                meter.add(worker_seconds=outcome.seconds)
                yield outcome.answer()
        except EngineUnavailableError:
            self.close()  # so that a step that is tried again opens it anew
            raise

    def ping(self) -> str:
        """Say where it is; of a scheduler of Dask that is there, a worker must answer first.

        Raises:
            EngineUnavailableError, WorkerReleaseError, MissingExtraError: see `map`.
        """
        if self.is_local:
            return f"processes of this machine, at most {_workers(self._where)}, where a table is large"
        if self._where.kind != "dask" or self._where.place == LOCAL or self._where.opener:
            return f"{self.address}, not tried: it is opened by the first step that needs it"
        list(self.map(abs, [1]))
        return f"{self.address} answers, and has workers"

    def close(self) -> None:
        """End what was opened; it is opened again when it is needed."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    @cached_property
    def _where(self) -> Address:
        return Address.of(self.address)

    def _elsewhere(self, tasks: int) -> bool:
        """Whether so many tasks are done outside this process."""
        if not tasks:
            return False
        # A daemonic process may have no children.
        alone = tasks == 1 or _workers(self._where) == 1 or multiprocessing.current_process().daemon
        return not (self.is_local and alone)


def open_backend(where: Address) -> Backend:
    """Open the engine of an address.

    Raises:
        EngineUnavailableError, MissingExtraError: see `Engine.map`.
    """
    if where.kind == "dask":
        return DaskCluster(where)
    if where.kind != LOCAL:
        return SparkSession(where)
    return Processes(_workers(where))


def _workers(where: Address) -> int:
    return where.only(workers=int).get("workers") or cores() if where.kind == LOCAL else 0
