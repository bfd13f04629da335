"""Turns: one tick serves many forecasts, within a budget of time; what is as it was costs no more than to see that."""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2s
from typing import Protocol

import dagster as dg

from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.formatting import counted, few
from mlops_assets.resources.secrets import scrub
from mlops_assets.spec import BrokenSpec, ForecastSpec

BUDGET = 20.0
"""Seconds after which a tick begins no further turn; Dagster gives up on one after a minute."""
PAUSE = 600.0
"""Seconds after which a forecast has a turn though its sign is the same: what happens in MLflow moves no sign."""

Served = ForecastSpec | BrokenSpec
"""What has turns; one whose spec cannot be used has them where people are told."""


@dataclass(frozen=True)
class Seen:
    """What is known of a forecast from its last turn.

    Attributes:
        at: when that began, in seconds since 1970; 0 before the first.
        sign: a hash of the sign that it had then; empty if it is to have the next turn in any case.
    """

    at: int = 0
    sign: str = ""


@dataclass(frozen=True)
class Turn:
    """What has come of a turn.

    Attributes:
        words: for people.
        requests: runs that are asked for.
        events: that Dagster is told of its assets.
        again: whether it is to have a turn in the next tick, too.
    """

    words: str
    requests: Sequence[dg.RunRequest] = ()
    events: Sequence[dg.AssetCheckEvaluation] = ()
    again: bool = False


class Watch(Protocol):
    """What a sensor does for a forecast; made anew for each tick."""

    def sign(self, spec: Served) -> str:
        """Return, cheaply, all that what there is to do depends on."""
        ...

    def look(self, spec: Served, seen: Seen) -> Turn:
        """Do what there is to do."""
        ...


@dataclass
class Tick:
    """One evaluation of a sensor.

    Attributes:
        seen: what is known of each forecast, from the cursor, and for it.
        requests: runs that are asked for.
        events: that Dagster is told of assets.
        told: of each forecast that had a turn, what came of it.
        failed: of each whose turn has failed, the error.
        left: how many have their turn in the next tick.
    """

    seen: dict[str, Seen]
    requests: list[dg.RunRequest] = field(default_factory=list)
    events: list[dg.AssetCheckEvaluation] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    left: int = 0

    def run(self, specs: Sequence[Served], watch: Watch, log: logging.Logger) -> None:
        """Give each forecast its turn, those first that have waited longest; what fails stops no other.

        Raises:
            Exception: that of the first, if the turns of all have failed.
        """
        began, now = time.monotonic(), int(time.time())
        waiting = sorted(specs, key=lambda spec: self._of(spec).at)
        for number, spec in enumerate(waiting):
            if time.monotonic() - began > BUDGET:
                self.left = len(waiting) - number
                break
            try:
                self._turn(spec, watch, now)
            except Exception as error:
                self.failed[spec.name] = error
                self.seen[spec.name] = Seen(now)
                unexpected = not isinstance(error, MlopsAssetsError)
                log.error(f"{spec.name}: {scrub(str(error))}", exc_info=error if unexpected else None)
        if self.failed and len(self.failed) == len(waiting):
            raise next(iter(self.failed.values()))

    def words(self, count: int) -> str:
        """Say what has come of it, failures first.

        Args:
            count: how many forecasts are served; of a single one the name is not said.
        """
        failed = [f"{name} failed: {type(error).__name__}: {scrub(str(error))}" for name, error in self.failed.items()]
        told = [*self.told.values()] if count == 1 else [f"{name}: {words}" for name, words in self.told.items()]
        left = [f"{self.left} more have their turn in the next tick"] if self.left else []
        said = [few(part) for part in (failed, told) if part] + left
        return "; ".join(said) or f"nothing is new of {counted(count, 'forecast')}"

    def _of(self, spec: Served) -> Seen:
        return self.seen.get(spec.name, Seen())

    def _turn(self, spec: Served, watch: Watch, now: int) -> None:
        sign, seen = blake2s(watch.sign(spec).encode(), digest_size=6).hexdigest(), self._of(spec)
        if sign == seen.sign and now - seen.at < PAUSE:
            return
        turn = watch.look(spec, seen)
        self.requests += turn.requests
        self.events += turn.events
        self.told[spec.name] = turn.words
        self.seen[spec.name] = Seen(now, "" if turn.again or turn.requests else sign)


def unasked(requests: Sequence[dg.RunRequest], instance: dg.DagsterInstance) -> Iterator[dg.RunRequest]:
    """Yield the requests that no run was made for: Dagster knows only those of the same sensor."""
    for request in requests:
        if not instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": str(request.run_key)}), limit=1):
            yield request


def read_cursor(text: str | None) -> dict[str, Seen]:
    """Read a sensor's cursor; one that an earlier release has left is none."""
    try:
        return {name: Seen(*values) for name, values in json.loads(text or "{}").items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def write_cursor(seen: Mapping[str, Seen], specs: Sequence[Served]) -> str:
    """Write a sensor's cursor: of those forecasts that it serves."""
    known = {spec.name: seen[spec.name] for spec in specs if spec.name in seen}
    return json.dumps({name: [one.at, one.sign] for name, one in known.items()}, separators=(",", ":"))
