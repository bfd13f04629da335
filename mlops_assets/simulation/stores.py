"""What a simulated forecast is kept in: memory, and what has not changed is converted once."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import dagster as dg
import pandas as pd
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import InMemoryEventLogStorage
from pydantic import PrivateAttr

from mlops_assets.io_managers.base import Parts, Tables
from mlops_assets.io_managers.keys import folder
from mlops_assets.io_managers.memory import MemoryModels, MemoryTables
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.rows import Only

_MOST = 200
"""Frames that are kept."""


class _Kept(NamedTuple):
    """A frame, and the partitions whose rows it holds: the name of each, its claim, and which table it was."""

    state: Sequence[tuple[str | None, int, int]]
    frame: pd.DataFrame


_NOTHING = _Kept((), pd.DataFrame())


class KeptTables(MemoryTables):
    """Tables in memory that keep what was read of them; of what has only grown since, the new partitions are read."""

    _clock: Clock = PrivateAttr(default_factory=Clock)
    _frames: dict[str, _Kept] = PrivateAttr(default_factory=dict)

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
        asked = repr((key, partitions and partitions[0], partitions and len(partitions) == 1, columns, only))
        stored = self._tables.get(folder(key), {})
        names = sorted(stored, key=str) if partitions is None else [one for one in partitions if one in stored]
        state = [(name, stored[name][0], id(stored[name][1])) for name in names]
        known = self._frames.pop(asked, _NOTHING)
        if known.state != state:
            new = [str(name) for name in names[len(known.state) :]] if known.state else []
            more = super().read(key, new, columns, only) if new and known.state == state[: -len(new)] else None
            if more is not None and [*more.dtypes.items()] == [*known.frame.dtypes.items()]:
                known = _Kept(state, pd.concat([known.frame, more], ignore_index=True))
            else:
                known = _Kept(state, super().read(key, partitions, columns, only))
        self._frames[asked] = known  # the latest last
        if len(self._frames) > _MOST:
            self._frames.pop(next(iter(self._frames)))
        return known.frame.copy(deep=not pd.options.mode.copy_on_write)  # lazily, where whoever changes it copies it

    def copy_to(self, other: Tables) -> None:
        """Store all of them in another place."""
        for path, parts in self._tables.items():
            tables: Parts = {name: table for name, (_, table) in parts.items()}
            other.replace(path.split("/"), tables, {"allow_new_columns": True}, time.time_ns())


class KeptModels(MemoryModels):
    """Models in memory that keep the one that was loaded last: each day asks for the champion."""

    _last: tuple[bytes, Any] = PrivateAttr(default=(b"", None))

    def load(self, key: Sequence[str]) -> Any:
        """Return a model, built from its bytes unless it is the last one."""
        data = self._entry(key)[1]
        if self._last[0] is not data:
            self._last = data, super().load(key)
        return self._last[1]


_UNREAD = {
    dg.DagsterEventType.ENGINE_EVENT,
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_INPUT,
    dg.DagsterEventType.STEP_OUTPUT,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.LOADED_INPUT,
    dg.DagsterEventType.HANDLED_OUTPUT,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
}
"""Events that neither a sensor nor a report asks for: more than half of all, and writing them was a tenth of a day."""


class _HeldEvents(InMemoryEventLogStorage):
    """Dagster's events in memory, over the connection that it holds: another for each question was 7 % of a day."""

    def __init__(self) -> None:
        self._there: set[str] = set()
        super().__init__()

    def store_event(self, event: EventLogEntry) -> None:
        """Keep an event that somebody may ask for."""
        if event.dagster_event is not None and event.dagster_event.event_type not in _UNREAD:
            super().store_event(event)

    def has_table(self, table_name: str) -> bool:
        """Whether a table is there: none ever goes, and each event asks for several."""
        if table_name not in self._there and super().has_table(table_name):
            self._there.add(table_name)
        return table_name in self._there

    @contextmanager
    def _connect(self) -> Iterator[Any]:
        with self._db_lock, self._held_conn.begin():
            yield self._held_conn


def instance() -> dg.DagsterInstance:
    """Return an ephemeral instance of Dagster, for one thread."""
    made = dg.DagsterInstance.ephemeral()
    made.event_log_storage.dispose()
    made._event_storage = _HeldEvents()
    made._event_storage.register_instance(made)
    return made
