"""The journal of a simulated year: what came on each day, what was decided and why, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Point:
    """An observation that came in, or came anew.

    Attributes:
        item: whose it is.
        at: its timestamp, ISO 8601.
        value: the target.
    """

    item: str
    at: str
    value: float


@dataclass(frozen=True)
class Fan:
    """What was forecast for an item.

    Attributes:
        item: whose it is.
        at: timestamp of each step, ISO 8601.
        low: the lowest stored quantile, by step.
        middle: the point forecast, by step.
        high: the highest stored quantile, by step.
        source: who made it, as the ledger has it, such as `champion` or `seasonal_naive`.
    """

    item: str
    at: tuple[str, ...]
    low: tuple[float, ...]
    middle: tuple[float, ...]
    high: tuple[float, ...]
    source: str = "champion"


@dataclass(frozen=True)
class Happened:
    """What happens in the world.

    Attributes:
        kind: as `world.Kind` calls it.
        item: whom it befalls; empty: all.
        begins: whether this is its first day; else it goes on.
    """

    kind: str
    item: str = ""
    begins: bool = True


@dataclass(frozen=True)
class Asked:
    """What a retraining policy has answered (`policy.Answer`).

    Attributes:
        policy: its name.
        action: `keep`, `refresh`, `refit`, ...
        reason: why, in words and numbers.
        rule: the rule that fired; "": none.
        guard: the guard that held a retraining back; "": none.
    """

    policy: str
    action: str
    reason: str
    rule: str = ""
    guard: str = ""


@dataclass(frozen=True)
class Decided:
    """What became of a version.

    Attributes:
        version: its number.
        outcome: as the log of decisions has it, such as `promoted`, `refused` or `rolled back`.
        reason: why, in words.
        failed: the rules of the gate that it did not pass.
    """

    version: int
    outcome: str
    reason: str
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """An alert.

    Attributes:
        kind: of the event that people are told of.
        message: what they read.
    """

    kind: str
    message: str


@dataclass(frozen=True)
class JobEvent:
    """Something that befell a job of an outside service.

    Attributes:
        job: which.
        state: in which it is now.
        message: why.
    """

    job: str
    state: str
    message: str = ""


@dataclass(frozen=True)
class Day:
    """A day as it was lived.

    Attributes:
        date: the partition, ISO 8601.
        happened: what began or went on in the world.
        came: rows that were stored for the first time.
        quarantined: rows that were set aside.
        revised: rows that were stored anew with another value.
        observed: what came or came anew, by item.
        asked: what the policies answered.
        decided: what became of versions.
        champion: the champion's version at the end of the day; 0: there is none.
        forecasts: what was published from this day.
        wql: weighted quantile loss of what came, by the forecasts of it; None: nothing to score.
        naive: the same of seasonal naive, whose point is all of its quantiles.
        alerts: what people were told.
        jobs: what befell jobs of outside services.
        cpu_seconds: processor time by stage: `round`, `policies`, `train`, ...
        faults: what the auditor found wrong, in words.
    """

    date: str
    happened: tuple[Happened, ...] = ()
    came: int = 0
    quarantined: int = 0
    revised: int = 0
    observed: tuple[Point, ...] = ()
    asked: tuple[Asked, ...] = ()
    decided: tuple[Decided, ...] = ()
    champion: int = 0
    forecasts: tuple[Fan, ...] = ()
    wql: float | None = None
    naive: float | None = None
    alerts: tuple[Told, ...] = ()
    jobs: tuple[JobEvent, ...] = ()
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Course:
    """How the same days would have gone with another policy.

    Attributes:
        name: of the policy.
        note: what the figures stand for, where they are not the whole truth; "": they are.
        wql: by day; None: nothing to score.
        cpu_seconds: of its trainings, by day.
        verdict: how good its forecasts would have been against those that were lived, in words; "": it is these.
    """

    name: str
    note: str
    wql: tuple[float | None, ...]
    cpu_seconds: tuple[float, ...]
    verdict: str = ""


@dataclass(frozen=True)
class Journal:
    """All days of a simulated year.

    Attributes:
        forecast: its name.
        release: the package's version.
        commit: of the code, with `-dirty` behind it after local changes; "": not known.
        seed: what the world is drawn from; None: the days are a user's own.
        planned: days that the world has; those lived may be fewer.
        mode: `fast` (the stages by themselves) or `full` (Dagster's assets).
        metric: by which the gate and the policies go.
        frequency: of the observations, as the spec says it.
        left_out: kinds of happenings that this seed has none of.
        days: those that were lived.
        courses: what other policies would have done with them.
    """

    forecast: str
    release: str
    commit: str
    seed: int | None
    planned: int
    mode: str = "fast"
    metric: str = "wql"
    frequency: str = "D"
    left_out: tuple[str, ...] = ()
    days: tuple[Day, ...] = ()
    courses: tuple[Course, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        """What the auditor found wrong on all days, each with its date."""
        return tuple(f"{day.date}: {fault}" for day in self.days for fault in day.faults)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types; figures that are no numbers are null."""
        from pydantic import TypeAdapter

        return TypeAdapter(Journal).dump_python(self, mode="json")

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Journal:
        """Read what `to_json` has made.

        Raises:
            pydantic.ValidationError: it is no journal.
        """
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_python(fields)
