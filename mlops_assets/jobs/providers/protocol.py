"""What a forecasting service has to be able to do for us, behind one protocol.

A chain of steps is one forecast, from handing over data to its rows. Each step is a job of the ledger and one thing at
the service, which bears the job's `external_name`: so it is found again after a crash, and never made twice. What the
steps before it have made stands in the job's `earlier`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import pandas as pd

from mlops_assets.forecasting.model.task import Task
from mlops_assets.jobs.job import Job

ServiceState = Literal["running", "succeeded", "failed"]


@dataclass(frozen=True)
class Step:
    """One step of a chain.

    Attributes:
        name: of the step, unique in its chain.
        parameters: plain JSON types without secrets: all that the step needs besides the data.
        exclusive: of all jobs with this text, at most one is with the service at a time; empty: no limit.
        reuse: span of time such as `2026-W48`: within it the step is made once, whatever the data; empty: for each
            version of the data.
    """

    name: str
    parameters: dict[str, Any]
    exclusive: str = ""
    reuse: str = ""


@dataclass(frozen=True)
class Request:
    """What is asked of a service.

    Attributes:
        forecast: name of the forecast.
        partition: key of the partition that is forecast from.
        origin: last timestamp that is known.
        task: the same in the engine's words: frequency, horizon, quantiles, covariates.
        data_version: of the observations.
        exchange: folder or prefix in object storage where data of this forecast are handed over; empty: none.
    """

    forecast: str
    partition: str
    origin: pd.Timestamp
    task: Task
    data_version: str
    exchange: str


@dataclass(frozen=True)
class Status:
    """What a service says of a job.

    Attributes:
        state: of the work.
        external_id: by which the service knows it.
        reason: why it failed, in the service's words.
        cost: what the service tells of it, such as seconds or units.
    """

    state: ServiceState
    external_id: str
    reason: str = ""
    cost: Mapping[str, Any] = field(default_factory=dict)


class Inputs(Protocol):
    """The data of a request, read only by the steps that send them."""

    def history(self) -> pd.DataFrame:
        """Return the observations until the origin: `item_id`, `timestamp`, `target`, covariates."""
        ...

    def future(self) -> pd.DataFrame | None:
        """Return known covariates by `item_id` and `timestamp` after the origin; None where there are none."""
        ...


class Provider(Protocol):
    """One kind of service.

    Every method raises `ServiceError`s only: `BusyError`, `UnreachableError`, `UnsureError`, `NotThereError`,
    `RefusedByServiceError`, `WrongAnswerError`; no message of theirs shows a secret.
    """

    @property
    def name(self) -> str:
        """Of the service: the `source` of its rows in the ledger."""
        ...

    def steps(self, request: Request) -> list[Step]:
        """Return the chain that makes this forecast. Pure: the same request has the same steps."""
        ...

    def submit(self, job: Job, inputs: Inputs) -> str:
        """Have the service begin, and return its id. What it has already under the job's name is adopted."""
        ...

    def describe(self, job: Job) -> Status:
        """Ask how it goes: by `external_id`, or by `external_name` while that is empty.

        Raises:
            NotThereError: the service has no such thing.
        """
        ...

    def cancel(self, job: Job) -> None:
        """Have the service stop, if it can and there still is something to stop."""
        ...

    def collect(self, job: Job) -> pd.DataFrame:
        """Return the rows of the last step: `item_id`, `timestamp` (naive), and `mean`, `q10`, ... as the service has.

        Raises:
            WrongAnswerError: what the service gives is no table of forecasts.
        """
        ...
