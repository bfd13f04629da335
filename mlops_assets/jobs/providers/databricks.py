"""A job of Databricks by its Jobs API 2.2; data and forecasts go through the exchange.

Fields: https://docs.databricks.com/api/workspace/jobs/runnow and .../jobs/getrun.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mlops_assets.jobs.job import Job
from mlops_assets.jobs.providers.exchange import Exchange, as_forecasts
from mlops_assets.jobs.providers.placeholders import asked
from mlops_assets.jobs.providers.protocol import Inputs, Request, ServiceState, Status, Step
from mlops_assets.jobs.providers.service_errors import NotThereError, RefusedByServiceError, WrongAnswerError
from mlops_assets.jobs.providers.web_client import WebClient
from mlops_assets.spec.external import Databricks, filled
from mlops_assets.spec.parts import VARIABLE

_RUNNING = {"BLOCKED", "PENDING", "QUEUED", "RUNNING", "TERMINATING", "WAITING"}
_SECONDS = {"setup_duration": "setup", "execution_duration": "execution", "queue_duration": "queue"}


@dataclass(frozen=True)
class DatabricksService:
    """One run of the job that the spec names; Databricks gives the same run to the same idempotency token."""

    declared: Databricks
    environ: Mapping[str, str]
    name: str = field(default="databricks", init=False)

    def steps(self, request: Request) -> list[Step]:
        """Return the one step."""
        return [Step("run", asked(request) | {"job_id": self.declared.job_id})]

    def submit(self, job: Job, inputs: Inputs) -> str:
        """Hand over the data and run the job."""
        body = {
            "job_id": job.parameters["job_id"],
            "idempotency_token": job.external_name,
            "job_parameters": self._parameters(job, inputs),
        }
        answer = self._client.change("POST", self._url("run-now"), self._place, json=body)
        run = answer.get("run_id") if isinstance(answer, dict) else None
        if not isinstance(run, int):
            raise WrongAnswerError(f"{self._place}: its answer to run-now has no run_id")
        return str(run)

    def describe(self, job: Job) -> Status:
        """Ask by the run's id; there is no asking by name, and running it once more gives the same run."""
        if not job.external_id:
            raise NotThereError(f"{self._place}: no run is known; the same token gives the same run")
        try:
            answer = self._client.read(self._url("runs/get"), self._place, params={"run_id": job.external_id})
        except RefusedByServiceError as error:
            if "does not exist" in error.message:
                raise NotThereError(error.message) from None
            raise
        status = answer.get("status") if isinstance(answer, dict) else None
        if not isinstance(status, dict):
            raise WrongAnswerError(f"{self._place}: its answer to runs/get has no status")
        return Status(_state(status, self._place), job.external_id, self._reason(status), _cost(answer))

    def cancel(self, job: Job) -> None:
        """Cancel the run."""
        if job.external_id:
            self._client.change("POST", self._url("runs/cancel"), self._place, json={"run_id": int(job.external_id)})

    def collect(self, job: Job) -> pd.DataFrame:
        """Read the file that the job has written."""
        exchange, path = Exchange(job.parameters["exchange"]), f"{job.external_name}/{self.declared.result}"
        return as_forecasts(exchange.read_table(path), exchange.at(path))

    def _parameters(self, job: Job, inputs: Inputs) -> dict[str, str]:
        """Hand over the data, and say where they are and what is asked for; all values are texts."""
        exchange, told = Exchange(job.parameters["exchange"]), job.parameters
        future = inputs.future()
        ours = {
            "name": job.external_name,
            "forecast": job.forecast,
            "partition": job.partition,
            "origin": told["origin"],
            "frequency": told["frequency"],
            "horizon": str(told["horizon"]),
            "quantiles": ",".join(f"{level:g}" for level in told["quantiles"]),
            "data_url": exchange.write_table(f"{job.external_name}/history.csv", inputs.history()),
            "result_url": exchange.at(f"{job.external_name}/{self.declared.result}"),
        }
        if future is not None:
            ours["future_url"] = exchange.write_table(f"{job.external_name}/future.csv", future)
        return {**ours, **filled(self.declared.parameters, self.environ)}

    def _reason(self, status: Mapping[str, Any]) -> str:
        details = status.get("termination_details")
        if not isinstance(details, dict) or details.get("code") == "SUCCESS":
            return ""
        return self._client.clean(": ".join(str(details[key]) for key in ("code", "message") if details.get(key)))

    def _url(self, method: str) -> str:
        return f"{filled(self.declared.host, self.environ).rstrip('/')}/api/2.2/jobs/{method}"

    @property
    def _place(self) -> str:
        return "Databricks"

    @property
    def _client(self) -> WebClient:
        headers = {"Authorization": f"Bearer {self.declared.token}"}
        secrets = tuple(self.environ.get(name, "") for name in VARIABLE.findall(self.declared.model_dump_json()))
        return WebClient(headers, "external.databricks.token", self.declared.timeout, (), self.environ, secrets)


def _state(status: Mapping[str, Any], place: str) -> ServiceState:
    state = status.get("state")
    if state in _RUNNING:
        return "running"
    details = status.get("termination_details")
    code = details.get("code") if isinstance(details, dict) else None
    if state != "TERMINATED" or not code:
        raise WrongAnswerError(
            f"{place}: the run is in the state {str(state)[:80]!r} ({code}), which is not known here"
        )
    return "succeeded" if code == "SUCCESS" else "failed"


def _cost(answer: Mapping[str, Any]) -> dict[str, float]:
    """Return seconds; Databricks counts milliseconds."""
    return {ours: answer[name] / 1000 for name, ours in _SECONDS.items() if isinstance(answer.get(name), int)}
