"""An external service that makes the same forecasts: which one, how it is reached, and what its forecasts are for."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from inspect import signature
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema, field_validator, model_validator

from mlops_assets.forecasting.model import extensions
from mlops_assets.spec.extensions import named, resolved
from mlops_assets.spec.parts import VARIABLE, MisfitError, Name, Part, choice

Service = Literal["rest", "amazon_forecast", "databricks", "sagemaker"]
Every = Literal["day", "week", "month", "never"]

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_DURATION = r"^[1-9][0-9]{0,3}[mhd]$"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PATH_DESCRIPTION = "a path in its JSON such as job.id or items.0.id"


def _address(value: str) -> str:
    """Return an address of a web service as it stands in the spec, with placeholders and variables in it."""
    if value.startswith("${"):
        return value
    try:
        parts = urlsplit(re.sub(r"\$?\{\w*\}", "x", value))
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError
    except ValueError:
        raise ValueError("not an address such as https://api.example.com/v1/jobs/{id}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("no user or password in an address: send them as a header")
    return value


def _of_variable(value: str) -> str:
    if not VARIABLE.search(value):
        raise ValueError("no secret in the file: write ${NAME} and set that variable")
    return value


Address = Annotated[str, Field(min_length=1), AfterValidator(_address)]
SecretText = Annotated[str, AfterValidator(_of_variable)]
Words = Annotated[list[Name], Field(min_length=1)]


class Submit(Part):
    """How a REST service is asked to begin."""

    url: Address = Field(description="Address; {name} and others stand for what is asked: docs/external_jobs.md.")
    method: Literal["POST", "PUT"] = Field(default="POST", description="Of the request.")
    body: dict[str, Any] = Field(
        description="The JSON that is sent. A text in it that is one placeholder, such as '{rows}', is replaced by its "
        "value; within a text, by its text.",
    )
    id: Name | None = Field(
        default=None,
        description=f"Where the answer has the id of the job: {_PATH_DESCRIPTION}. Default: the service calls it by "
        "our {name}.",
    )
    idempotency_header: Name | None = Field(
        default=None, description="Header that gets our name of the job, so that the same request is one job."
    )


class Describe(Part):
    """How a REST service says how a job is going."""

    url: Address = Field(description="Address, with {id}.")
    by_name: Address | None = Field(
        default=None,
        description="Address that finds a job by {name}, asked after a crash or a lost answer. Default: it is "
        "submitted again, and the service knows it by submit.idempotency_header.",
    )
    id: Name | None = Field(
        default=None, description=f"Where the answer of by_name has the id: {_PATH_DESCRIPTION}. Default: as submit."
    )
    state: Name = Field(default="status", description="Where the answer has the state.")
    running: Words = Field(default=["queued", "pending", "running"], description="Words for: not yet.")
    succeeded: Words = Field(default=["succeeded", "done", "completed"], description="Words for: there.")
    failed: Words = Field(default=["failed", "error", "cancelled"], description="Words for: never.")
    reason: Name | None = Field(default=None, description="Where the answer says why it failed.")
    cost: dict[Name, Name] = Field(
        default_factory=dict, description="What to note of the cost, and where the answer has it: {seconds: usage.s}."
    )

    @model_validator(mode="after")
    def _one_meaning(self) -> "Describe":
        seen: set[str] = set()
        for field in ("running", "succeeded", "failed"):
            words = {word.casefold() for word in getattr(self, field)}
            if twice := sorted(words & seen):
                raise MisfitError(field, f"{twice[0]!r} has another meaning already")
            seen |= words
        return self


class Cancel(Part):
    """How a REST service is asked to stop."""

    url: Address = Field(description="Address, with {id}.")
    method: Literal["POST", "PUT", "DELETE"] = Field(default="DELETE", description="Of the request.")


class Result(Part):
    """Where the rows of a REST service are."""

    url: Address | None = Field(default=None, description="Address of JSON, with {id}. Default: the state's answer.")
    file: Name | None = Field(
        default=None, description="A file that the service writes into the exchange, such as result.csv, in its place."
    )
    records: Name | None = Field(
        default=None, description="Where the JSON has the list of rows, or an object whose lists are columns."
    )
    columns: dict[Name, Name] = Field(
        default_factory=dict,
        description="Our columns and what the service calls them: {item_id: sku, timestamp: ds, mean: yhat, q10: lo}.",
    )
    next: Name | None = Field(default=None, description="Where the JSON has the address of the next page, if any.")

    @model_validator(mode="after")
    def _one_place(self) -> "Result":
        if self.file is not None and (self.url is not None or self.next is not None):
            raise MisfitError("file", "give either file or url")
        return self


class Rest(Part):
    """Any service that takes a request over HTTP and works on it."""

    headers: dict[Name, str] = Field(
        default_factory=dict, description="Request headers, never shown: 'Authorization: Bearer ${TOKEN}'."
    )
    submit: Submit = Field(description="How it is asked to begin.")
    describe: Describe | None = Field(
        default=None,
        description="How it says how a job is going. Default: the answer to submit is the result, which the exchange "
        "keeps.",
    )
    cancel: Cancel | None = Field(default=None, description="How it is asked to stop. Default: it is not.")
    result: Result = Field(default_factory=Result, description="Where its rows are.")
    hosts: list[Name] = Field(
        default_factory=list, description="Other hosts that addresses in its answers may lead to (with the headers)."
    )
    timeout: float = Field(default=30.0, gt=0, le=600, description="Seconds until a request counts as lost.")

    @model_validator(mode="after")
    def _found_again(self) -> "Rest":
        submit, describe = self.submit, self.describe
        if describe and not (submit.id is None or submit.idempotency_header or describe.by_name):
            raise MisfitError(
                "describe.by_name",
                "how is a job found whose answer was lost? Give by_name, or submit.idempotency_header, or leave "
                "submit.id out if the service calls the job by our {name}",
            )
        return self

    @field_validator("headers")
    @classmethod
    def _named(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not _HEADER.fullmatch(name):
                raise MisfitError(name, "the name of a header is letters, digits and -")
        return value


AMAZON_FREQUENCIES = {
    "D": "D", "W": "W", "MS": "M", "ME": "M", "YS": "Y", "YE": "Y",
    "h": "H", "30min": "30min", "15min": "15min", "10min": "10min", "5min": "5min", "min": "1min", "1min": "1min",
}  # fmt: skip
"""Frequencies that Amazon Forecast has, by the rule of ours."""


class AmazonForecast(Part):
    """Amazon Forecast by boto3; keys come from the cloud's own variables."""

    region: Name = Field(description="Such as eu-west-1.")
    role_arn: Name = Field(description="Role by which the service reads and writes the exchange.")
    endpoint_url: Address | None = Field(default=None, description="Another address than Amazon's, as for tests.")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Further arguments of CreateAutoPredictor: {OptimizationMetric: WAPE}."
    )


class Databricks(Part):
    """A job of Databricks that reads its data from the exchange and writes its forecasts there."""

    host: Address = Field(description="Workspace: https://adb-1234.5.azuredatabricks.net; may hold ${VARIABLE}.")
    token: SecretText = Field(description="Access token, as ${DATABRICKS_TOKEN}.")
    job_id: int = Field(ge=1, description="The job that is run.")
    parameters: dict[str, str] = Field(
        default_factory=dict, description="Further job parameters; those of ours: docs/external_jobs.md."
    )
    result: Name = Field(default="result.csv", description="File that the job writes: CSV, or .parquet.")
    timeout: float = Field(default=30.0, gt=0, le=600, description="Seconds until a request counts as lost.")


class SageMaker(Part):
    """A batch transform of SageMaker with a model that takes and gives JSON lines as DeepAR does."""

    region: Name = Field(description="Such as eu-west-1.")
    model: Name = Field(description="Name of the model at SageMaker.")
    instance_type: Name = Field(default="ml.m5.large", description="Of the machines.")
    instances: int = Field(default=1, ge=1, le=100, description="How many machines.")
    endpoint_url: Address | None = Field(default=None, description="Another address than Amazon's, as for tests.")
    dynamic_features: list[Name] = Field(
        default_factory=list, description="Known covariates that the model was trained with, in its order."
    )


BLOCKS: dict[Service, type[Part]] = {
    "rest": Rest,
    "amazon_forecast": AmazonForecast,
    "databricks": Databricks,
    "sagemaker": SageMaker,
}


def _known(value: str) -> str:
    """Return a service, ours or a class of others; ValueError where there is none."""
    if value not in BLOCKS:
        if not extensions.is_path(value) and value not in (own := extensions.names(extensions.SERVICES)):
            raise ValueError(choice(value, [*BLOCKS, *own]))
        resolved(extensions.SERVICES, value)
    return value


class External(Part):
    """A service that makes the same forecasts, beside ours or in their place."""

    service: Annotated[str, AfterValidator(_known), WithJsonSchema(named(extensions.SERVICES, BLOCKS))] = Field(
        description="Which one; its own fields stand below its name. Or a class of your own, by path or entry point."
    )
    parameters: dict[Name, Any] = Field(
        default_factory=dict, description="Of a class of your own: what it is made with; may hold ${VARIABLE}."
    )
    role: Literal["shadow", "champion"] = Field(
        default="shadow",
        description="shadow: its forecasts are scored beside ours. champion: they are delivered, and ours if they are "
        "late.",
    )
    every: Every = Field(default="week", description="How often the service trains anew, where it trains by itself.")
    deadline: str = Field(
        default="10h",
        json_schema_extra={"pattern": _DURATION},
        description="So long after the round began, its forecast is late: 30m, 10h, 2d.",
    )
    exchange: Name | None = Field(
        default=None,
        description="Folder or object storage (s3://bucket/prefix) where data are handed over; may hold ${VARIABLE}.",
    )
    rest: Rest | None = Field(default=None, description="Of service: rest.")
    amazon_forecast: AmazonForecast | None = Field(default=None, description="Of service: amazon_forecast.")
    databricks: Databricks | None = Field(default=None, description="Of service: databricks.")
    sagemaker: SageMaker | None = Field(default=None, description="Of service: sagemaker.")

    @field_validator("deadline")
    @classmethod
    def _a_duration(cls, value: str) -> str:
        if not re.fullmatch(_DURATION, value):
            raise ValueError("a whole number and m, h or d: 30m, 10h, 2d")
        return value

    @property
    def patience(self) -> timedelta:
        """How long after the round began the forecast is waited for."""
        return timedelta(**{_UNITS[self.deadline[-1]]: int(self.deadline[:-1])})

    @model_validator(mode="after")
    def _its_own_fields(self) -> "External":
        for name, block in BLOCKS.items():
            if name == self.service and getattr(self, name) is None:
                raise MisfitError(name, f"say how it is reached: {', '.join(block.model_fields)}")
            if name != self.service and getattr(self, name) is not None:
                raise MisfitError(name, f"belongs to service: {name}, and this is {self.service}")
        if self.service in BLOCKS and self.parameters:
            raise MisfitError("parameters", f"belong to a class of your own, and this is {self.service}")
        if self.service not in BLOCKS:
            try:
                signature(resolved(extensions.SERVICES, self.service)).bind(**self.parameters)
            except TypeError as error:
                raise MisfitError("parameters", f"{self.service} is made with others: {error}") from None
        if self.exchange is None and self._hands_over:
            raise MisfitError("exchange", "say where data are handed over: a folder, or s3://bucket/prefix")
        return self

    def check(self, frequency: str, horizon: int, quantiles: Sequence[float]) -> None:
        """Raise MisfitError if the service cannot make such a forecast."""
        if self.service == "amazon_forecast":
            if frequency.partition("-")[0] not in AMAZON_FREQUENCIES:
                raise MisfitError("external.service", f"amazon_forecast has no frequency {frequency}")
            if horizon > 500:
                raise MisfitError("external.service", "amazon_forecast has at most 500 steps ahead")
            if any(round(level * 100, 6) % 1 for level in quantiles):
                raise MisfitError("external.service", "amazon_forecast has quantiles of whole percents only")
        remote = self.service in ("amazon_forecast", "sagemaker")
        if remote and self._endpoint is None and not (self.exchange or "").startswith(("s3://", "${")):
            raise MisfitError("external.exchange", f"{self.service} reads and writes s3://bucket/prefix only")

    @property
    def _endpoint(self) -> str | None:
        block = self.amazon_forecast or self.sagemaker
        return block.endpoint_url if block is not None else None

    @property
    def _hands_over(self) -> bool:
        """Whether data are handed over in files."""
        rest = self.rest
        if rest is None:
            return self.service in BLOCKS
        return rest.describe is None or rest.result.file is not None or "{data_url}" in str(rest.submit.body)


Json = TypeVar("Json")


def filled(value: Json, environ: Mapping[str, str]) -> Json:
    """Return a text, or JSON with texts in it, with the environment's values in the place of its `${VARIABLE}`."""
    found: Any = value
    if isinstance(value, str):
        found = VARIABLE.sub(lambda one: environ.get(one.group(1), ""), value)
    elif isinstance(value, dict):
        found = {name: filled(part, environ) for name, part in value.items()}
    elif isinstance(value, list):
        found = [filled(part, environ) for part in value]
    return found
