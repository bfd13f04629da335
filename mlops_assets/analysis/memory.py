"""How much memory this process takes."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def growth() -> Iterator[Callable[[], float | None]]:
    """Give a function that tells, after the block, the most MB by which the process was larger during it."""
    start, most, done = resident_mb(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.02):
            most = max(most, (resident_mb() or 0.0) - (start or 0.0))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: None if start is None else round(most, 1)
    finally:
        done.set()
        watcher.join()


def resident_mb() -> float | None:
    """Return the resident memory of this process now in MB, or None where the system has no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def peak_mb() -> float | None:
    """Return the peak resident memory of this process in MB, or None where the system does not tell (Windows)."""
    try:
        import resource
        import sys
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
