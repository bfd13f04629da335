"""A job of an outside service: what the ledger knows of it, and what it is called."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, Protocol

State = Literal[
    "intended", "submitted", "running", "succeeded", "collected", "failed", "cancelled", "expired", "refused"
]
"""`intended`: written down, perhaps being called · `submitted`, `running`: the service has it · `succeeded`: its result
is there · `collected`: its result is here · and the ends without one."""

OPEN: tuple[State, ...] = ("intended", "submitted", "running", "succeeded")
"""Where something is still to be done. A step that others follow goes to `collected` when the service is done."""

ENDED_BADLY: tuple[State, ...] = ("failed", "cancelled", "expired", "refused")

_ORDER: dict[State, int] = {"intended": 0, "submitted": 1, "running": 2, "succeeded": 3, "collected": 4}
_LONGEST_NAME = 63


@dataclass(frozen=True)
class Job:
    """A row of the table `mlops_jobs`. Moments are in UTC, without their zone.

    Attributes:
        job_key: hash of forecast, service, step, data version and parameters: the same work asked for twice is one job.
        forecast: whose it is.
        partition: of the forecast that asked for it first.
        service: that does it, such as `amazon_forecast`.
        step: of the service's chain, such as `predictor`.
        deadline: when it is given up.
        data_version: of the data that it works on.
        parameters: of the step, plain JSON values, no secret.
        exclusive: of all jobs with this text, at most one is with the service at a time; empty: no limit.
        after: the keys of the jobs whose success it waits for, by step; empty: none.
        last: whether its result is collected; the other steps only lead to it.
        created_by: run, person or orchestrator that asked for it.
        created_at: when.
        state: see `State`.
        since: when it came to this state.
        external_id: what the service calls it; empty: not known yet.
        earlier: the external id of each of them, by step; filled when it may start.
        attempt: calls that may have reached the service.
        revision: counts changes; whoever changes the row names the one they have seen.
        lease_owner: who is at it now.
        lease_until: until when nobody else is.
        next_look_at: when it is looked at.
        absent_since: since when the service has said that there is no such thing.
        holds: `exclusive` from the call to the service until its end.
        submitted_at: when the service took it.
        finished_at: when it ended.
        error: why it ended badly, or what the latest look met.
        cost: what the service tells: seconds, units, money.
    """

    job_key: str
    forecast: str
    partition: str
    service: str
    step: str
    deadline: datetime
    data_version: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    exclusive: str = ""
    after: Mapping[str, str] = field(default_factory=dict)
    last: bool = True
    created_by: str = ""
    created_at: datetime = datetime.min
    state: State = "intended"
    since: datetime = datetime.min
    external_id: str = ""
    earlier: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 0
    revision: int = 0
    lease_owner: str = ""
    lease_until: datetime | None = None
    next_look_at: datetime = datetime.min
    absent_since: datetime | None = None
    holds: str = ""
    submitted_at: datetime | None = None
    finished_at: datetime | None = None
    error: str = ""
    cost: Mapping[str, Any] = field(default_factory=dict)

    @property
    def external_name(self) -> str:
        """What the outside thing is called: letters, digits and `_`, a letter first, at most 63 of them."""
        return external_name(self.forecast, self.job_key)

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        return self.state in OPEN

    @property
    def waits_for_another(self) -> bool:
        """Whether a step before it has not succeeded yet."""
        return self.state == "intended" and bool(self.after) and not self.earlier

    def anew(self, **changes: Any) -> "Job":
        """Return the same work as another job that nothing has been done for; its key is of the key of this one."""
        names = ("forecast", "partition", "service", "step", "deadline", "data_version", "parameters", "exclusive")
        work = {name: getattr(self, name) for name in (*names, "after", "last", "created_by")}
        return Job(**{**work, "job_key": again_key(self.job_key), **changes})

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; moments in ISO 8601, in UTC."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        texts = {name: f"{value.isoformat()}Z" for name, value in values.items() if isinstance(value, datetime)}
        return {**values, **texts, "external_name": self.external_name}

    def may_become(self, state: State) -> bool:
        """Whether a state lies ahead: no job goes backwards, and none leaves its end."""
        if not self.open:
            return False
        return state in ENDED_BADLY or _ORDER[state] >= _ORDER[self.state]


class Step(Protocol):
    """What a job is made of; see `providers.protocol.Step`."""

    @property
    def name(self) -> str:
        """Of the step, once in a chain."""
        ...

    @property
    def parameters(self) -> dict[str, Any]:
        """Plain JSON values."""
        ...

    @property
    def exclusive(self) -> str:
        """Text that at most one job at a time holds; empty: no limit."""
        ...

    @property
    def reuse(self) -> str:
        """Span of time within which the step is made once, such as `2026-W48`; empty: once for each data version."""
        ...


def job_key(forecast: str, service: str, step: str, data_version: str, parameters: Mapping[str, Any]) -> str:
    """Return the key of a piece of work: 32 hexadecimal digits, the same for the same work.

    Raises:
        TypeError: parameters are no plain JSON values.
    """
    said = json.dumps([forecast, service, step, data_version, parameters], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def again_key(key: str) -> str:
    """Return the key of the job that does the work of one that ended badly."""
    return hashlib.sha256(f"{key} again".encode()).hexdigest()[:32]


def external_name(forecast: str, key: str) -> str:
    """Return what the outside thing of a job is called; see `Job.external_name`."""
    words = re.sub(r"\W", "_", forecast, flags=re.ASCII)
    if not words[:1].isalpha():
        words = f"f{words}"
    return f"{words[: _LONGEST_NAME - len(key) - 1]}_{key}"


def chain(
    forecast: str,
    partition: str,
    service: str,
    steps: Sequence[Step],
    data_version: str,
    deadline: datetime,
    created_by: str = "",
) -> list[Job]:
    """Return the jobs of a service's steps, each after all before it; `Ledger.intend` writes them down.

    A step that is made once in a span of time is one job for all partitions and data versions of it.
    """
    jobs: list[Job] = []
    for step in steps:
        version = step.reuse or data_version
        work = step.parameters if step.reuse else {**step.parameters, "partition": partition}
        jobs.append(
            Job(
                job_key=job_key(forecast, service, step.name, version, work),
                forecast=forecast,
                partition=partition,
                service=service,
                step=step.name,
                deadline=deadline,
                data_version=version,
                parameters=step.parameters,
                exclusive=step.exclusive,
                after={job.step: job.job_key for job in jobs},
                last=step is steps[-1],
                created_by=created_by,
            )
        )
    return jobs
