"""A Dask cluster: one that is there, or one that is opened for a run and closed after it."""

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mlops_assets.errors import MissingExtraError
from mlops_assets.scale import worker
from mlops_assets.scale.address import LOCAL, Address
from mlops_assets.scale.backend import ahead
from mlops_assets.scale.failures import EngineAddressError, EngineUnavailableError, WorkerLostError
from mlops_assets.scale.opener import open_by_path
from mlops_assets.scale.processes import cores
from mlops_assets.scale.worker import Outcome

PATIENCE = 20.0
"""Seconds that a scheduler may take to answer."""
WORKERLESS = 60.0
"""Seconds that a cluster may be without a worker; one that is opened for a run may wait longer for its machines."""
_OPENING = 600.0
_LARGE = 2**20
"""Bytes of a function from which on workers get it once, and from one another, instead of with each task."""
_OWN = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # A worker keeps no results, so it has nothing to spill; what a task leaves to the allocator would pause it.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
}
"""Settings of a cluster that is opened here."""
_FEW = 16
"""Tasks that are begun before the first result is fetched, or more: a cluster that adapts itself sees the work."""


class DaskCluster:
    """The workers of a scheduler: a future a task, a few ahead; what a worker that died had begun is done again."""

    def __init__(self, where: Address) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise MissingExtraError.of(f"MLOPS_ENGINE={where.text}", "distributed", "dask") from error
        self._where = where
        self._checked = False
        self._cluster: Any = None
        if where.place == LOCAL or where.opener:
            self._cluster = _local(where) if where.place == LOCAL else open_by_path(where)
        else:
            _require_protocol(where)
        try:
            there = f"{where.protocol or 'tcp'}://{where.place}"
            self._client: Any = Client(self._cluster or there, timeout=PATIENCE, set_as_default=False)
        except (TypeError, ValueError) as error:
            raise EngineAddressError(f"MLOPS_ENGINE={where.text}: {error}") from error
        except OSError as error:
            raise EngineUnavailableError(
                f"MLOPS_ENGINE={where.text}: no scheduler of Dask has answered there within {PATIENCE:g} s: {error}",
                advice=["dask scheduler --no-dashboard --port 8786"],
            ) from error

    def map(self, packed: bytes, tasks: Sequence[Any]) -> Iterator[Outcome]:
        """Yield the outcomes in order, see `Backend`."""
        from distributed import KilledWorker

        begun: list[Any] = []

        def submit(call: Any, *arguments: Any) -> Any:
            # Not scattered: the scheduler keeps what is large, and sends it again if all that held it have died.
            with self._there(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Sending large graph")
                begun.append(self._client.submit(call, *arguments, pure=False))
            return begun[-1]

        threads = self._require_workers()
        try:
            function = submit(bytes, packed) if len(packed) > _LARGE else packed
            perform = partial(submit, worker.perform, function)
            for task, future in ahead(perform, tasks, max(_FEW, 2 * threads)):
                try:
                    outcome = self._result(future)
                except KilledWorker as error:
                    memory = getattr(error.last_worker, "memory_limit", 0)
                    raise WorkerLostError.of(task, error.allowed_failures + 1, _size(memory)) from error
                begun.remove(future)
                yield outcome
        finally:
            with suppress(Exception):
                self._client.cancel(begun)

    def close(self) -> None:
        """Close the connection, and the cluster if it was opened for this."""
        for opened in (self._client, self._cluster):
            with suppress(Exception):
                opened.close(timeout=PATIENCE)

    def _result(self, future: Any) -> Outcome:
        """Wait for a future as long as the scheduler is there, and somebody works for it."""
        from distributed import TimeoutError as Late
        from distributed import wait

        last_seen = time.monotonic()
        while True:
            with self._there():
                try:
                    with self._client.as_current():
                        wait(future, timeout=PATIENCE / 2)
                    # It is made, but may be lost with its worker, and wait for another one.
                    return future.result(timeout=WORKERLESS)
                except Late:
                    self._replace_lost()
                    if self._busy():
                        last_seen = time.monotonic()
            if time.monotonic() - last_seen > WORKERLESS:
                raise EngineUnavailableError(
                    f"MLOPS_ENGINE={self._where.text}: nobody has worked for {WORKERLESS:g} s: its workers are gone, "
                    "or paused, for they have little memory left"
                )

    def _require_workers(self) -> int:
        """Wait for the first worker, refuse those of another release, and return the number of threads."""
        from distributed import TimeoutError as Late

        with self._there():
            self._replace_lost()
            seconds = WORKERLESS if self._cluster is None else _OPENING
            try:
                self._client.wait_for_workers(1, timeout=seconds)
            except Late:
                raise EngineUnavailableError(
                    f"MLOPS_ENGINE={self._where.text}: the scheduler has had no worker for {seconds:g} s",
                    advice=[
                        f"dask worker {self._client.scheduler.address} --nthreads 1 --memory-limit 2GiB --no-dashboard"
                    ],
                ) from None
            if not self._checked:
                # A function of the standard library: a worker without this package can be asked, too.
                found = self._client.run(version, "mlops-assets", on_error="return")
                for where, release in found.items():
                    if isinstance(release, str | PackageNotFoundError):
                        worker.require_release(release if isinstance(release, str) else None, where)
                self._checked = True
            return sum(one["nthreads"] for one in self._workers().values())

    def _replace_lost(self) -> None:
        """Start workers of our own cluster anew whose nanny has given up: it does if one dies while it starts."""
        if self._where.place == LOCAL:
            self._cluster.scale(len(self._cluster.worker_spec))

    def _workers(self) -> dict[str, Any]:
        """Ask the scheduler for its workers."""
        return self._client.sync(self._client.scheduler.identity, n_workers=-1, callback_timeout=PATIENCE)["workers"]

    def _busy(self) -> bool:
        """Ask the scheduler whether any worker has something to do, and is not paused.

        Its answer on the workers alone would not do: what that says of tasks is as old as the last heartbeat, and a
        worker whose task holds the interpreter has none.
        """
        doing = self._client.sync(self._client.scheduler.processing, workers=None, callback_timeout=PATIENCE)
        paused = {where for where, one in self._workers().items() if one.get("status") == "paused"}
        return any(tasks for where, tasks in doing.items() if where not in paused)

    @contextmanager
    def _there(self) -> Iterator[None]:
        """Say of whatever goes wrong with the connection that the engine is not there."""
        from distributed import CancelledError
        from distributed import TimeoutError as Late

        try:
            yield
        except (CancelledError, Late, OSError, RuntimeError) as error:
            raise EngineUnavailableError(
                f"MLOPS_ENGINE={self._where.text}: the scheduler of Dask does not answer any more: {error}"
            ) from error


def _require_protocol(where: Address) -> None:
    """Refuse what Dask cannot speak before a client tries, which would hold the exit of the process for 40 seconds.

    Raises:
        EngineAddressError: no such protocol, or no certificates for it.
    """
    from distributed.comm.registry import get_backend
    from distributed.security import Security

    try:
        get_backend(where.protocol or "tcp")
    except ValueError as error:
        raise EngineAddressError(f"MLOPS_ENGINE={where.text}: {error}") from error
    if where.protocol == "tls" and Security().get_connection_args("client")["ssl_context"] is None:
        raise EngineAddressError(
            f"MLOPS_ENGINE={where.text}: there are no certificates for it; name them in "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and "
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY"
        )


def _local(where: Address) -> Any:
    """Open a cluster of processes on this machine; no page of it can be looked at."""
    from dask import config
    from distributed import LocalCluster

    options = where.only(workers=int, memory=str)
    with config.set(_OWN):
        try:
            return LocalCluster(
                n_workers=options.get("workers") or cores(),
                threads_per_worker=1,
                memory_limit=options.get("memory", "auto"),
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            )
        except ValueError as error:
            raise EngineAddressError(f"MLOPS_ENGINE={where.text}: {error}") from error


def _size(memory: int) -> str:
    from dask.utils import format_bytes

    return format_bytes(memory) if memory else ""
