"""Whose turn it is: commands that run one forecast on this machine come one after another."""

from collections.abc import Iterator
from contextlib import contextmanager

from mlops_assets.rounds.runner import Listener, Step
from mlops_assets.settings import Settings


@contextmanager
def turn_of(forecast: str, settings: Settings, listen: Listener) -> Iterator[None]:
    """Wait until no other command runs a forecast; one that is killed makes room at once.

    Args:
        forecast: its name.
        settings: whose data folder has the lock.
        listen: is told if another command has the turn.
    """
    from filelock import FileLock, Timeout

    folder = settings.data_folder / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{forecast}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        words = f"another command runs {forecast} on this machine: waiting until it has ended"
        listen(Step("", "waiting", "warning", message=words))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
