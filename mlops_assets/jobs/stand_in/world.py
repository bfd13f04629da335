"""What the stand-in has made and been asked: shared by all the services that it plays."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Literal

import pandas as pd

from mlops_assets.jobs.providers.exchange import Exchange, table_of
from mlops_assets.jobs.stand_in.faults import Faults

ThingState = Literal["running", "succeeded", "failed", "stopped", "unknown"]


@dataclass(frozen=True)
class Answer:
    """An answer to a call: JSON, and a status."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A call as it came: method, path, the first value of each parameter, headers with small letters, JSON."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Operation:
    """A call that a service knows.

    Attributes:
        name: such as `rest.submit` or `forecast.CreateForecast`.
        job: name of the job that it is about; empty: none.
        changes: whether it changes something.
        run: does it.
        busy: what the service says if it has too much to do.
        no_entry: what it says to who may not ask.
    """

    name: str
    job: str
    changes: bool
    run: Callable[[], Answer]
    busy: Answer
    no_entry: Answer


@dataclass
class Thing:
    """Something that was made and takes its time.

    Attributes:
        kind: of the service, such as `rest` or `Forecast`.
        name: that it was given.
        id: by which the service knows it.
        request: it was made of.
        made_at: seconds since 1970.
        stopped: whether somebody stopped it.
        held: what the service keeps of it: rows.
    """

    kind: str
    name: str
    id: str
    request: Mapping[str, Any]
    made_at: float
    stopped: bool = False
    held: Any = None


class World:
    """All things, calls and faults, behind one lock.

    Attributes:
        latency: seconds that a job takes.
        faults: that hold.
    """

    def __init__(self, latency: float = 0.0, faults: Faults | None = None) -> None:
        self.latency, self.faults, self.lock = latency, faults or Faults(), RLock()
        self._calls: Counter[tuple[str, str]] = Counter()
        self._things: dict[tuple[str, str], Thing] = {}

    def note(self, operation: str, job: str) -> None:
        """Count a call."""
        self._calls[operation, job] += 1

    def calls(self) -> list[dict[str, Any]]:
        """Return how often what was asked of which job."""
        return [{"operation": what, "job": job, "count": count} for (what, job), count in self._calls.items()]

    def things(self, kind: str | None = None) -> list[Thing]:
        """Return all things, or those of a kind, in the order in which they were made."""
        return [thing for thing in self._things.values() if kind in (None, thing.kind)]

    def add(self, kind: str, name: str, external_id: str, request: Mapping[str, Any]) -> Thing:
        """Make a thing."""
        thing = Thing(kind, name, external_id, request, time.time())
        self._things[kind, external_id] = thing
        return thing

    def get(self, kind: str, external_id: str) -> Thing | None:
        """Return a thing by its id."""
        return self._things.get((kind, external_id))

    def named(self, kind: str, name: str) -> Thing | None:
        """Return a thing by its name."""
        return next((thing for thing in self.things(kind) if thing.name == name), None)

    def forget(self) -> None:
        """Forget all things, calls and faults."""
        self._calls.clear()
        self._things.clear()
        self.faults.all.clear()

    def state(self, thing: Thing) -> ThingState:
        """Return how far a thing is, or is said to be."""
        of = self.faults.of_job
        if thing.stopped:
            return "stopped"
        if of("unknown_state", thing.name):
            return "unknown"
        if of("lie", thing.name):
            return "succeeded"
        late = of("late", thing.name)
        seconds = self.latency + (late.seconds if late else 0.0)
        if of("hang", thing.name) or time.time() < thing.made_at + seconds:
            return "running"
        return "failed" if of("fail", thing.name) else "succeeded"

    def spoilt(self, job: str, rows: pd.DataFrame) -> pd.DataFrame | None:
        """Return the rows of a job as its faults leave them; None: there are none."""
        of = self.faults.of_job
        if of("lie", job):
            return None
        if of("short_rows", job):
            rows = rows[rows["timestamp"] < rows["timestamp"].max()]
        if of("doubled_rows", job):
            rows = pd.concat([rows, rows], ignore_index=True)
        if of("unknown_items", job):
            rows = pd.concat([rows, rows.head(1).assign(item_id="nobody_knows_me")], ignore_index=True)
        if of("other_forecast", job):
            last, first = rows["timestamp"].max(), rows["timestamp"].min()
            rows = rows.assign(timestamp=rows["timestamp"] + (last - first) + pd.Timedelta(days=1))
        return rows


def id_of(name: str, length: int = 12) -> str:
    """Return an id that looks like one, the same for the same name."""
    return hashlib.sha256(name.encode()).hexdigest()[:length]


def read_file(address: str) -> bytes | None:
    """Read a file by its address: of a folder or of object storage."""
    folder, _, name = address.rpartition("/")
    return Exchange(folder).read(name)


def read_rows(address: str) -> pd.DataFrame:
    """Read a table with `item_id` and `timestamp`."""
    table = table_of(read_file(address) or b"", address)
    return table.assign(item_id=table["item_id"].astype(str), timestamp=pd.to_datetime(table["timestamp"]))


def write_rows(address: str, rows: pd.DataFrame) -> None:
    """Write a table where it was asked for."""
    folder, _, name = address.rpartition("/")
    Exchange(folder).write_table(name, rows)
