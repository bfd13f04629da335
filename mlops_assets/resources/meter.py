"""The cost meter: what the steps of this process have taken of processor, memory and time.

Steps of one process run one after the other. What is measured is this process; the work of others is added by whoever
gave it to them (`add`).
"""

import ctypes
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

_PROC = Path("/proc/self")


@dataclass(eq=False)
class Spent:
    """What something has taken.

    Attributes:
        cpu_seconds: of this process: user and system, all its threads.
        worker_seconds: CPU seconds of other processes and machines that worked for it.
        peak_memory_mb: the most resident memory of this process meanwhile (10^6 bytes); where the system cannot tell
            of a while, since the process began.
        waited_seconds: from asking others until they had answered.
        saved_seconds: CPU seconds that the same work took before, and that were not spent again.
    """

    cpu_seconds: float = 0.0
    worker_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    waited_seconds: float = 0.0
    saved_seconds: float = 0.0

    def rounded(self, shares: int = 1) -> dict[str, float]:
        """Return the numbers by name, those that add up divided by `shares`; to the millisecond, and to 0.1 MB."""
        return {
            name: round(value, 1) if name == PEAK else round(value / shares, 3) for name, value in asdict(self).items()
        }


PEAK = "peak_memory_mb"
NUMBERS = tuple(asdict(Spent()))
"""The names of what is measured, as metadata and as columns."""


@dataclass(frozen=True)
class Prices:
    """What is paid.

    Attributes:
        cpu_hour: for an hour of one processor, in whatever money; None: not known.
    """

    cpu_hour: float | None = None


@dataclass(frozen=True)
class Entry:
    """What a step has taken until it stored something, or until it failed.

    Attributes:
        step: its key in Dagster.
        asset: the key of what it stored, part by part; None if that is no asset, or if it failed.
        partitions: of the asset that it stored at once; 1 of an asset without partitions, 0 if it failed.
        spent: what it took.
    """

    step: str
    asset: tuple[str, ...] | None
    partitions: int
    spent: Spent


@dataclass
class _Book:
    open: list[Spent] = field(default_factory=list)
    mark: float = 0.0
    steps: dict[tuple[str, str], Spent] = field(default_factory=dict)
    entries: dict[str, list[Entry]] = field(default_factory=dict)


_book, _lock = _Book(), threading.RLock()


@contextmanager
def metering() -> Iterator[Spent]:
    """Measure what is done here; also a part of something that is measured as a whole."""
    with _into(Spent()) as spent:
        yield spent


def add(worker_seconds: float = 0.0, waited: float = 0.0, saved: float = 0.0) -> None:
    """Add what cannot be measured from here to what is being measured; outside of that it is lost.

    Args:
        worker_seconds: CPU seconds of another process, or machine.
        waited: seconds from asking somebody until the answer was there.
        saved: CPU seconds that were not spent, for what they gave the last time was used again.
    """
    with _lock:
        for spent in set(_book.open):
            spent.worker_seconds += worker_seconds
            spent.waited_seconds += waited
            spent.saved_seconds += saved


@contextmanager
def metering_step(run_id: str, step: str) -> Iterator[None]:
    """Measure a part of a step, which is added to the step's account."""
    with _lock:
        account = _book.steps.setdefault((run_id, step), Spent())
    with _into(account):
        yield


def stored(run_id: str, step: str, asset: tuple[str, ...] | None, partitions: int) -> Spent:
    """Note that a step has stored something; what it took until then is said, and noted for `entries_of`.

    Args:
        run_id: of the run.
        step: its key, whose account begins anew: a function that yields several outputs goes on.
        asset: see `Entry`.
        partitions: see `Entry`.
    """
    with _lock:
        account = _book.steps[run_id, step]
        taken = replace(account)
        account.__init__()
        _book.entries.setdefault(run_id, []).append(Entry(step, asset, partitions, taken))
    return taken


def give_memory_back() -> None:
    """Return to the system what allocators keep for later: it would be held for used, by this step or the next."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library than GNU's
            ctypes.CDLL(None).malloc_trim(0)


def entries_of(run_id: str) -> list[Entry]:
    """Return, once, what the steps of a run have taken in this process; what nothing was stored for comes last."""
    with _lock:
        left = {step: _book.steps.pop(step) for step in list(_book.steps) if step[0] == run_id}
        rest = [Entry(step, None, 0, spent) for (_, step), spent in left.items() if spent.cpu_seconds >= 0.001]
        return _book.entries.pop(run_id, []) + rest


@contextmanager
def _into(spent: Spent) -> Iterator[Spent]:
    with _lock:
        _charge()
        _book.open.append(spent)
        _forget_peak()
    try:
        yield spent
    finally:
        with _lock:
            _charge()
            _book.open.remove(spent)


def _charge() -> None:
    """Charge what was done since the last time to all that is being measured, each once."""
    now, peak = time.process_time(), _peak_memory_mb() if _book.open else 0.0
    for spent in set(_book.open):
        spent.cpu_seconds += now - _book.mark
        spent.peak_memory_mb = max(spent.peak_memory_mb, peak)
    _book.mark = now


def _forget_peak() -> None:
    """Let the peak of the resident memory begin at what is resident now; only Linux can."""
    with suppress(OSError):
        (_PROC / "clear_refs").write_text("5", encoding="ascii")


def _peak_memory_mb() -> float:
    """Return the peak of the resident memory since `_forget_peak`, or since the process began."""
    with suppress(OSError, ValueError, StopIteration):
        lines = (_PROC / "status").read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
