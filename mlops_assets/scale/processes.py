"""Processes of this machine, started for a run."""

import os
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

from mlops_assets.scale import worker
from mlops_assets.scale.failures import WorkerLostError
from mlops_assets.scale.worker import Outcome

FAILURES = 3
"""Times that a task is given to another process after the one that did it has died."""
MOST = 8
"""Processes, unless more are asked for: each holds the libraries in its memory."""


def cores() -> int:
    """Return the number of processes that are of use on this machine."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(here, MOST)


class Processes:
    """Processes of this machine: when one is killed, all are replaced, and what they had begun is done again."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: Any = None

    def map(self, packed: bytes, tasks: Sequence[Any]) -> Iterator[Outcome]:
        """Yield the outcomes in order, see `Backend`."""
        todo, lost = deque(tasks), 0
        begun: deque[tuple[Any, Any]] = deque()
        with tempfile.TemporaryDirectory(prefix="mlops_assets_") as folder:
            file = Path(folder) / "function"
            file.write_bytes(packed)
            try:
                while todo or begun:
                    try:
                        while todo and len(begun) < 2 * self._workers:
                            begun.append((todo[0], self._open().submit(_perform, str(file), todo[0])))
                            todo.popleft()
                        outcome = begun[0][1].result()
                    except BrokenExecutor:
                        self.close()
                        todo.extendleft(task for task, _ in reversed(begun))
                        begun.clear()
                        lost += 1
                        if lost > FAILURES:
                            raise WorkerLostError.of(todo[0], lost) from None
                    else:
                        begun.popleft()
                        lost = 0
                        yield outcome
            finally:
                for _, future in begun:
                    future.cancel()

    def close(self) -> None:
        """End the processes."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, kill_workers=True)

    def _open(self) -> Any:
        if self._pool is None:
            from joblib.externals.loky import ProcessPoolExecutor

            self._pool = ProcessPoolExecutor(self._workers, env={"OMP_NUM_THREADS": "1"})
        return self._pool


def _perform(file: str, task: Any) -> Outcome:
    return worker.perform(_read(file), task)


@lru_cache(maxsize=1)
def _read(file: str) -> bytes:
    return Path(file).read_bytes()
