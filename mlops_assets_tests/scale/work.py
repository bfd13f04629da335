"""What workers do in these tests; light, for every process of theirs imports it."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlops_assets.errors import DataError


def double(number: int) -> int:
    return 2 * number


def whole(number: int) -> int:
    if number == 3:
        raise DataError("three is odd", advice=["mlops-assets list"])
    return os.getpid()


def deadly(folder: str, times: int, number: int) -> int:
    """Kill the process of task 2 so many times, and answer then."""
    if number == 2:
        for trial in range(times):
            file = Path(folder) / f"killed {trial}"
            if not file.exists():
                file.touch()
                os.kill(os.getpid(), signal.SIGKILL)
    return number


def rows_of(shard: Any, folder: str, key: list[str]) -> tuple[int, float]:
    """Read a shard as a whole: rows, and the sum of their targets."""
    from mlops_assets.io_managers.objects import ObjectTables
    from mlops_assets.resources.rows import Only

    frame = ObjectTables(base=folder).read(key, None, None, Only(items=shard))
    return len(frame), float(frame["target"].sum())


def greedy(megabytes: int, _: Any) -> int:
    """Take so much memory, and hold it for as long as a nanny takes to see it."""
    taken = bytearray(megabytes * 10**6)
    time.sleep(5)
    return len(taken)


def sleepy(number: int) -> int:
    time.sleep(0.5)
    return number


def without_package(name: str | None) -> None:
    """Let a worker seem to be without the package, or with the release of that name; None: as it is."""
    import importlib.metadata

    real = getattr(importlib.metadata, "_real_version", importlib.metadata.version)
    importlib.metadata._real_version = real  # pyright: ignore[reportAttributeAccessIssue]

    def version(asked: str) -> str:
        if name:
            return name
        raise importlib.metadata.PackageNotFoundError(asked)

    importlib.metadata.version = real if name is None else version


ADDRESS = ""


def opened(suffix: str = "") -> str:
    """What a user's own opener may return: a cluster, or the address of one."""
    return ADDRESS + suffix


def deadly_once(file: str, function: Callable[[Any], Any], task: Any) -> Any:
    """Do a task; the first time, kill who does it: on Spark the executor, which is a Java process above this one."""
    import psutil

    try:
        Path(file).touch(exist_ok=False)
    except FileExistsError:
        return function(task)
    above = [one for one in psutil.Process().parents() if one.name() == "java"]
    (above[0] if above else psutil.Process()).kill()
    time.sleep(60)
    return None


def doom(file: str) -> None:
    """Let the first of the workers that is given a task be killed in the midst of it; the file tells that it was."""
    from mlops_assets.scale import worker

    real = getattr(worker, "_real_perform", worker.perform)
    worker._real_perform = real  # pyright: ignore[reportAttributeAccessIssue]

    def perform(packed: bytes, task: Any) -> Any:
        try:
            Path(file).touch(exist_ok=False)
        except FileExistsError:
            return real(packed, task)
        return os.kill(os.getpid(), signal.SIGKILL)

    worker.perform = perform
