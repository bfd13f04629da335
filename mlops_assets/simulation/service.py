"""An outside service of the simulated world: it forecasts seasonal naive, and is at times in trouble."""

from dataclasses import dataclass, field
from enum import Enum

import pandas as pd

from mlops_assets.forecasting.model.baselines import SeasonalNaive
from mlops_assets.jobs.job import Job
from mlops_assets.jobs.providers.protocol import Inputs, Request, Status, Step
from mlops_assets.jobs.providers.service_errors import NotThereError
from mlops_assets.jobs.resource import Jobs
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec

EXTERNAL = {
    "service": "rest",
    "deadline": "10h",
    "rest": {
        "submit": {"url": "http://127.0.0.1:1/jobs", "body": {"name": "{name}", "rows": "{rows}"}},
        "describe": {"url": "http://127.0.0.1:1/jobs/{id}"},
    },
}
"""The block `external` of a spec that asks it; nothing is ever sent to the address."""


class Trouble(str, Enum):
    """What may be wrong with it."""

    NONE = "none"
    HANGS = "hangs"
    FAILS = "fails"
    NONSENSE = "nonsense"


@dataclass
class Service:
    """Forecasts whatever it is asked for; a job is done when it is asked for it after `finish`.

    Attributes:
        trouble: what is wrong with it.
    """

    name: str = "rest"
    trouble: Trouble = Trouble.NONE
    _asked: dict[str, Request] = field(default_factory=dict)
    _made: dict[str, pd.DataFrame] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    def finish(self) -> None:
        """Finish what it works on, unless it hangs."""
        if self.trouble != Trouble.HANGS:
            self._done.update(self._made)

    def steps(self, request: Request) -> list[Step]:
        """Return the one step that makes a forecast."""
        self._asked[request.partition] = request
        return [Step("forecast", {"origin": str(request.origin)})]

    def submit(self, job: Job, inputs: Inputs) -> str:
        """Begin a forecast."""
        request, history = self._asked[job.partition], inputs.history()
        made = SeasonalNaive(request.task).predict(history, request.origin)
        self._made[job.external_name] = made[["item_id", "timestamp", "mean", *request.task.quantile_columns]]
        return job.external_name

    def describe(self, job: Job) -> Status:
        """Say how it goes."""
        if job.external_name not in self._made:
            raise NotThereError("no such job")
        if job.external_name not in self._done:
            return Status("running", job.external_name)
        failed = self.trouble == Trouble.FAILS
        return Status("failed" if failed else "succeeded", job.external_name, "out of memory" if failed else "")

    def cancel(self, job: Job) -> None:
        """Forget a job."""
        self._made.pop(job.external_name, None)

    def collect(self, job: Job) -> pd.DataFrame:
        """Return a forecast; in trouble, one of nobody's items."""
        made = self._made[job.external_name]
        return made.assign(item_id="nobody") if self.trouble == Trouble.NONSENSE else made.copy()


class ServiceJobs(Jobs):
    """The jobs of an environment whose service is one of this process."""

    def __init__(self, settings: Settings, service: Service) -> None:
        super().__init__(settings)
        self._service = service

    def provider(self, spec: ForecastSpec) -> Service:
        """Return the service."""
        return self._service

    def exchange(self, spec: ForecastSpec) -> str:
        """Return that data are handed over nowhere."""
        return ""
