"""The tables of a simulated forecast: in memory, and what has not changed is converted once."""

import time
from collections.abc import Sequence
from datetime import datetime

import pandas as pd
from pydantic import PrivateAttr

from mlops_assets.io_managers.base import Parts, Tables
from mlops_assets.io_managers.keys import folder
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.rows import Only

_MOST = 200
"""Frames that are kept."""


class KeptTables(MemoryTables):
    """Tables in memory that keep what was read of them, for as long as nobody writes there."""

    _clock: Clock = PrivateAttr(default_factory=Clock)
    _frames: dict[str, tuple[object, pd.DataFrame]] = PrivateAttr(default_factory=dict)

    def wake(self, clock: Clock) -> None:
        """Let it be the moment of a clock."""
        self._clock = clock

    def present(self) -> datetime:
        """Return the moment that it is there: months are those of the simulated life."""
        return self._clock.now()

    def read(
        self,
        key: Sequence[str],
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        only: Only | None = None,
    ) -> pd.DataFrame:
        """Return a table as one frame; arguments as of the store."""
        asked = repr((key, partitions and (len(partitions), partitions[0], partitions[-1]), columns, only))
        stored = self._tables.get(folder(key), {})
        names = sorted(stored, key=str) if partitions is None else [one for one in partitions if one in stored]
        state = tuple((name, stored[name][0], id(stored[name][1])) for name in names)
        known = self._frames.pop(asked, None)
        if known is None or known[0] != state:
            known = state, super().read(key, partitions, columns, only)
        self._frames[asked] = known  # the latest last
        if len(self._frames) > _MOST:
            self._frames.pop(next(iter(self._frames)))
        return known[1].copy()

    def copy_to(self, other: Tables) -> None:
        """Store all of them in another place."""
        for path, parts in self._tables.items():
            tables: Parts = {name: table for name, (_, table) in parts.items()}
            other.replace(path.split("/"), tables, {"allow_new_columns": True}, time.time_ns())
