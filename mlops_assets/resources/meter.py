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
from typing import Any

import dagster as dg

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


class Prices(dg.ConfigurableResource):
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
def metered(context: Any) -> Iterator[None]:
    """Measure a part of a step: an input that is loaded, the asset's function, an output that is stored.

    With the output, all that the step took until then is said in its metadata (of several partitions at once: each
    has its share) and noted for `entries_of`.

    Args:
        context: of an asset, or of what an IO manager stores or loads.
    """
    step = _step(context)
    if step is None:
        yield
        return
    with _lock:
        spent = _book.steps.setdefault(step, Spent())
    with _into(spent):
        yield
    if isinstance(context, dg.OutputContext):
        asset = tuple(context.asset_key.path) if context.has_asset_key else None
        partitions = max(1, len(list(context.asset_partition_keys))) if context.has_asset_partitions else 1
        with _lock:
            taken = replace(spent)
            spent.__init__()  # a function that yields several outputs goes on in the same account
            _book.entries.setdefault(step[0], []).append(Entry(step[1], asset, partitions, taken))
        context.add_output_metadata(taken.rounded(partitions))
        give_memory_back()


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


def _step(context: Any) -> tuple[str, str] | None:
    """Return the run and the step that a context is of; None outside a step."""
    try:
        if isinstance(context, dg.AssetExecutionContext):
            return context.run.run_id, context.get_step_execution_context().step.key
        return context.step_context.run_id, context.step_context.step.key
    except dg.DagsterInvariantViolationError:
        return None
