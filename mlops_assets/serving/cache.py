"""What was asked before need not be asked again while nothing that is stored has changed."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.io_managers.base import Tables

LOOK_SECONDS = 1.0
"""What is stored is looked at again after this time, or twenty times as long as a look takes."""
_SHARE = 20
WORTH_SECONDS = 0.15
"""An answer is kept that took more of a processor."""
MOST_BYTES, LARGEST_BYTES = 256_000_000, 64_000_000
"""Of all answers that are kept, and of one."""


@dataclass(frozen=True)
class Look:
    """What was stored of a forecast at a moment.

    Attributes:
        at: the moment, by the monotonic clock.
        until: it is not looked again before.
        stamps: of each table, what changes with any of its partitions.
    """

    at: float
    until: float
    stamps: dict[str, str]

    def of(self, *tables: str) -> str:
        """Return what changes with any partition of these tables; of none: of all."""
        named = tables or sorted(self.stamps)
        return " ".join(f"{table}={self.stamps.get(table, '')}" for table in named)


class Looks:
    """Looks at what is stored of forecasts, now and then.

    Args:
        tables: opens the store.
    """

    def __init__(self, tables: "Callable[[], Tables]") -> None:
        self._tables = tables
        self._seen: dict[str, Look] = {}
        self._locks: dict[str, threading.Lock] = {}

    def latest(self, forecast: str) -> Look | None:
        """Return the look that was last taken, without taking one."""
        return self._seen.get(forecast)

    def look(self, forecast: str) -> Look:
        """Return what is stored, as it was at most a second ago or a few."""
        seen = self._seen.get(forecast)
        if seen is not None and time.monotonic() < seen.until:
            return seen
        with self._locks.setdefault(forecast, threading.Lock()):
            seen = self._seen.get(forecast)
            if seen is not None and time.monotonic() < seen.until:  # another thread has looked meanwhile
                return seen
            at, tables = time.monotonic(), self._tables()
            stamps = {}
            for name in tables.children([forecast]):
                versions = sorted((key or "", version) for key, version in tables.versions([forecast, name]).items())
                stamps[name] = hashlib.sha256(repr(versions).encode()).hexdigest()[:16]
            took = time.monotonic() - at
            self._seen[forecast] = Look(at, time.monotonic() + max(LOOK_SECONDS, _SHARE * took), stamps)
            return self._seen[forecast]


class Frames:
    """Answers that took long, each until something of its forecast changes; those asked for last are kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[str, pd.DataFrame, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._asking: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, stamp: str, make: "Callable[[], pd.DataFrame]") -> "pd.DataFrame":
        """Return an answer that is kept, or make it: once, however many ask for it at the same time.

        Args:
            key: of the question.
            stamp: of what is stored, see `Look.of`.
            make: makes the answer, which nobody changes afterwards.
        """
        with self._lock:
            asking = self._asking.setdefault((key, stamp), threading.Lock())
        try:
            with asking:
                found = self._find(key, stamp)
                if found is None:
                    before = time.thread_time()
                    found = make()
                    if time.thread_time() - before > WORTH_SECONDS:
                        self._keep(key, stamp, found)
                return found
        finally:
            with self._lock:
                self._asking.pop((key, stamp), None)

    def _find(self, key: Hashable, stamp: str) -> "pd.DataFrame | None":
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept[0] != stamp:
                return None
            self._kept.move_to_end(key)
            return kept[1]

    def _keep(self, key: Hashable, stamp: str, frame: "pd.DataFrame") -> None:
        size = int(frame.memory_usage(deep=True).sum())
        with self._lock:
            self._bytes -= self._kept.pop(key, ("", frame, 0))[2]
            if size > LARGEST_BYTES:
                return
            self._kept[key] = (stamp, frame, size)
            self._bytes += size
            while self._bytes > MOST_BYTES:
                self._bytes -= self._kept.popitem(last=False)[1][2]
