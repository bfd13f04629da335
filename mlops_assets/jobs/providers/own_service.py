"""Services of others: a class of somebody's package behind the protocol of ours, its errors told in our words."""

from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd

from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.model import extensions
from mlops_assets.jobs.job import Job
from mlops_assets.jobs.providers.exchange import as_forecasts
from mlops_assets.jobs.providers.placeholders import asked
from mlops_assets.jobs.providers.protocol import Inputs, Request, Status, Step
from mlops_assets.jobs.providers.service_errors import (
    RefusedByServiceError,
    UnreachableError,
    UnsureError,
    WrongAnswerError,
)
from mlops_assets.resources import foreign
from mlops_assets.spec.external import External, filled


class OwnJobs(Protocol):
    """What a class of one's own has to have: made with `external.parameters`, its methods as those of `Provider`.

    It may have `steps` and `cancel` too. Without the former a forecast is one step, whose parameters are what is asked:
    origin, horizon, frequency, quantiles. `NotThereError` says that there is no such job; an `OSError` is tried again.
    """

    def submit(self, job: Job, inputs: Inputs) -> str:
        """Have the service begin, and return its id; what it has already as `job.external_name` is adopted."""
        ...

    def describe(self, job: Job) -> Status:
        """Ask how it goes, by `external_id`, or by `external_name` while that is empty."""
        ...

    def collect(self, job: Job) -> pd.DataFrame:
        """Return the rows: `item_id`, `timestamp` and `mean`, `q10`, ..."""
        ...


class OwnService:
    """A service of a class of somebody's own."""

    def __init__(self, external: External, environ: Mapping[str, str]) -> None:
        self._place = external.service
        made = extensions.resolve(extensions.SERVICES, external.service)
        self._service = extensions.called(
            extensions.SERVICES, external.service, made, **filled(external.parameters, environ)
        )
        extensions.require(extensions.SERVICES, external.service, self._service, ("submit", "describe", "collect"))
        self.name = str(getattr(self._service, "name", type(self._service).__name__.lower()))

    def steps(self, request: Request) -> list[Step]:
        """Return the chain of the class, or one step."""
        if hasattr(self._service, "steps"):
            return self._ask(RefusedByServiceError, UnreachableError, self._service.steps, request)
        return [Step("forecast", asked(request))]

    def submit(self, job: Job, inputs: Inputs) -> str:
        """Have the service begin."""
        return str(self._ask(RefusedByServiceError, UnsureError, self._service.submit, job, inputs))

    def describe(self, job: Job) -> Status:
        """Ask how it goes."""
        found = self._ask(WrongAnswerError, UnreachableError, self._service.describe, job)
        if not isinstance(found, Status):
            raise WrongAnswerError(f"{self._place}: describe gives {type(found).__name__}, not a Status")
        return found

    def cancel(self, job: Job) -> None:
        """Have the service stop, if the class can."""
        if hasattr(self._service, "cancel"):
            self._ask(WrongAnswerError, UnreachableError, self._service.cancel, job)

    def collect(self, job: Job) -> pd.DataFrame:
        """Return the rows, by our names and types."""
        found = self._ask(WrongAnswerError, UnreachableError, self._service.collect, job)
        if not isinstance(found, pd.DataFrame):
            raise WrongAnswerError(f"{self._place}: collect gives {type(found).__name__}, not a pandas.DataFrame")
        return as_forecasts(found, self._place)

    def _ask(self, refused: type[MlopsAssetsError], away: type[MlopsAssetsError], function: Any, *given: Any) -> Any:
        return foreign.call(self._place, refused, away, function, *given)
