"""Amazon Forecast by boto3: import of the data, auto predictor, forecast, export, rows.

A forecast has one dataset group for good, for a predictor is of one. What a step makes is found again by its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

import pandas as pd

from mlops_assets.forecasting.data.grid import steps_after
from mlops_assets.forecasting.model.task import quantile_column
from mlops_assets.jobs.job import Job
from mlops_assets.jobs.providers.amazon_tables import amazon_stamps, item_metadata, related_series, target_series
from mlops_assets.jobs.providers.aws import AwsClient
from mlops_assets.jobs.providers.exchange import Exchange, as_forecasts
from mlops_assets.jobs.providers.placeholders import asked
from mlops_assets.jobs.providers.protocol import Inputs, Request, ServiceState, Status, Step
from mlops_assets.jobs.providers.service_errors import (
    NotThereError,
    RefusedByServiceError,
    WrongAnswerError,
)
from mlops_assets.jobs.providers.spans import span_of
from mlops_assets.resources.secrets import scrub
from mlops_assets.spec.external import AMAZON_FREQUENCIES, AmazonForecast, Every, filled

_STAMPS = "yyyy-MM-dd HH:mm:ss"
_DOMAIN = "CUSTOM"
_STATES: dict[str, ServiceState] = {
    "ACTIVE": "succeeded",
    "CREATE_PENDING": "running", "CREATE_IN_PROGRESS": "running",
    "CREATE_STOPPING": "running",
    "CREATE_STOPPED": "failed", "CREATE_FAILED": "failed",
    "DELETE_PENDING": "failed", "DELETE_IN_PROGRESS": "failed", "DELETE_FAILED": "failed",
    "UPDATE_PENDING": "running", "UPDATE_IN_PROGRESS": "running", "UPDATE_FAILED": "failed",
}  # fmt: skip


@dataclass(frozen=True)
class _Kind:
    """What a step makes: how it is described, and found in the list of all of its kind by its name."""

    describe: str
    listed: str
    key: str
    name: str
    arn: str


_KINDS = {
    "import": _Kind(
        "describe_dataset_import_job", "list_dataset_import_jobs", "DatasetImportJobs",
        "DatasetImportJobName", "DatasetImportJobArn",
    ),
    "predictor": _Kind("describe_auto_predictor", "list_predictors", "Predictors", "PredictorName", "PredictorArn"),
    "forecast": _Kind("describe_forecast", "list_forecasts", "Forecasts", "ForecastName", "ForecastArn"),
    "export": _Kind(
        "describe_forecast_export_job", "list_forecast_export_jobs", "ForecastExportJobs",
        "ForecastExportJobName", "ForecastExportJobArn",
    ),
    "dataset": _Kind("describe_dataset", "list_datasets", "Datasets", "DatasetName", "DatasetArn"),
    "group": _Kind(
        "describe_dataset_group", "list_dataset_groups", "DatasetGroups", "DatasetGroupName", "DatasetGroupArn"
    ),
}  # fmt: skip


@dataclass(frozen=True)
class AmazonForecastService:
    """The whole chain. The id of an import is those of all its import jobs, with a space between them."""

    declared: AmazonForecast
    every: Every
    environ: Mapping[str, str]
    name: str = field(default="amazon_forecast", init=False)

    def steps(self, request: Request) -> list[Step]:
        """Return the chain; the predictor is trained once within `every`."""
        whole = asked(request)
        lasting = {name: value for name, value in whole.items() if name not in ("partition", "origin")}
        predictor = {**lasting, "holidays": request.task.holidays, "further": dict(self.declared.parameters)}
        alone = f"{self.name}/{request.forecast}"
        return [
            Step("import", whole, alone),
            Step("predictor", predictor, alone, span_of(self.every, request.origin)),
            Step("forecast", whole, alone),
            Step("export", whole, alone),
        ]

    def submit(self, job: Job, inputs: Inputs) -> str:
        """Begin a step, or go on with one that was begun under its name."""
        if job.step == "import":
            return self._import(job, inputs)
        if job.step == "predictor":
            made = self._client.make("create_auto_predictor", "PredictorArn", **self._predictor(job))
        elif job.step == "forecast":
            self._require_our_data(job)
            made = self._client.make(
                "create_forecast",
                "ForecastArn",
                ForecastName=job.external_name,
                PredictorArn=job.earlier["predictor"],
                ForecastTypes=_forecast_types(job),
            )
        else:
            made = self._client.make(
                "create_forecast_export_job",
                "ForecastExportJobArn",
                ForecastExportJobName=job.external_name,
                ForecastArn=job.earlier["forecast"],
                Destination={"S3Config": self._place(self._exchange(job).at(f"{job.external_name}/"))},
                Format="CSV",
            )
        return made or self._found(job.step, job.external_name)[0]

    def describe(self, job: Job) -> Status:
        """Describe by ARN, or find the ARN by name."""
        kind = _KINDS[job.step]
        arns = job.external_id.split() or self._found(job.step, job.external_name)
        if job.step == "import" and not job.external_id and len(arns) < len(_series(job)):
            raise NotThereError(f"amazon_forecast: of {len(_series(job))} imports only {len(arns)} have been begun")
        answers = [self._client.read(kind.describe, **{kind.arn: arn}) for arn in arns]
        states = [_state(answer, job.step) for answer in answers]
        worst: ServiceState = "failed" if "failed" in states else "running" if "running" in states else "succeeded"
        said = [str(answer.get("Message") or answer["Status"]) for answer in answers if _state(answer, "") == "failed"]
        return Status(worst, " ".join(arns), scrub("; ".join(said)), _cost(answers))

    def cancel(self, job: Job) -> None:
        """Stop what can be stopped: it stays at the service, stopped."""
        for arn in job.external_id.split():
            self._client.stop("stop_resource", ResourceArn=arn)

    def collect(self, job: Job) -> pd.DataFrame:
        """Read all parts of the export, on our grid of time; a time that is not in it stays as it is."""
        exchange, asked_for = self._exchange(job), job.parameters
        names = [name for name in exchange.below(job.external_name) if name.endswith(".csv")]
        if not names:
            raise WrongAnswerError(f"{exchange.at(job.external_name)}: the export is there, and no file of it")
        columns = {"timestamp": "date"} | {
            quantile_column(level): f"p{level * 100:g}" for level in asked_for["quantiles"]
        }
        parts = [as_forecasts(exchange.read_table(name), exchange.at(name), columns) for name in names]
        found = pd.concat(parts, ignore_index=True)
        origin, frequency = pd.Timestamp(asked_for["origin"]), asked_for["frequency"]
        ours = pd.Series(steps_after(origin, asked_for["horizon"], frequency))
        by_theirs = dict(zip(amazon_stamps(ours, frequency), ours, strict=True))
        return found.assign(timestamp=found["timestamp"].map(lambda stamp: by_theirs.get(stamp, stamp)))

    def _import(self, job: Job, inputs: Inputs) -> str:
        history, asked_for = inputs.history(), job.parameters
        tables = {"TARGET_TIME_SERIES": target_series(history, asked_for["frequency"])}
        if known := [name for name in asked_for["known"] if name in history]:  # those of calendars are not
            tables["RELATED_TIME_SERIES"] = related_series(history, inputs.future(), known, asked_for["frequency"])
        if asked_for["static"]:
            tables["ITEM_METADATA"] = item_metadata(history, asked_for["static"])
        datasets: dict[str, str] = {}
        for kind, (_, schema) in tables.items():
            of_time = {} if kind == "ITEM_METADATA" else {"DataFrequency": _frequency(asked_for["frequency"])}
            name = f"{_group(job)}_{kind.partition('_')[0].lower()}"
            made = self._client.make(
                "create_dataset",
                "DatasetArn",
                DatasetName=name,
                Domain=_DOMAIN,
                DatasetType=kind,
                Schema={"Attributes": schema},
                **of_time,
            )
            datasets[kind] = made or self._found("dataset", name)[0]
        self._client.make(
            "create_dataset_group",
            "DatasetGroupArn",
            DatasetGroupName=_group(job),
            Domain=_DOMAIN,
            DatasetArns=list(datasets.values()),
        )
        imports = []
        for kind, (table, _) in tables.items():
            path = self._exchange(job).write_table(f"{job.external_name}/{kind.lower()}.csv", table, header=False)
            made = self._client.make(
                "create_dataset_import_job",
                "DatasetImportJobArn",
                DatasetImportJobName=job.external_name,
                DatasetArn=datasets[kind],
                DataSource={"S3Config": self._place(path)},
                TimestampFormat=_STAMPS,
                ImportMode="FULL",
                Format="CSV",
            )
            imports.append(made or self._import_of(datasets[kind], job.external_name))
        return " ".join(imports)

    def _import_of(self, dataset: str, name: str) -> str:
        only = {"Key": "DatasetArn", "Value": dataset, "Condition": "IS"}
        return self._found("import", name, Filters=[only])[0]

    def _predictor(self, job: Job) -> dict[str, Any]:
        asked_for = job.parameters
        unknown = {"frontfill": "none", "middlefill": "nan", "backfill": "nan"}
        data: dict[str, Any] = {
            "DatasetGroupArn": self._found("group", _group(job))[0],
            "AttributeConfigs": [{"AttributeName": "target_value", "Transformations": unknown}],
        }
        if asked_for["holidays"]:
            country = asked_for["holidays"].partition("-")[0]
            data["AdditionalDatasets"] = [{"Name": "holiday", "Configuration": {"CountryCode": [country]}}]
        further = filled(dict(asked_for["further"]), self.environ)
        return {
            "PredictorName": job.external_name,
            "ForecastHorizon": asked_for["horizon"],
            "ForecastTypes": _forecast_types(job),
            "ForecastFrequency": _frequency(asked_for["frequency"]),
            "DataConfig": data | further.pop("DataConfig", {}),
            **further,
        }

    def _require_our_data(self, job: Job) -> None:
        """A forecast is made of the latest data of its group: refuse it if another round's came after ours."""
        ours = job.earlier["import"].split()[0]
        dataset = self._client.read("describe_dataset_import_job", DatasetImportJobArn=ours)["DatasetArn"]
        only = {"Key": "DatasetArn", "Value": dataset, "Condition": "IS"}
        imports = list(self._client.listed("list_dataset_import_jobs", "DatasetImportJobs", Filters=[only]))
        latest = max(imports, key=lambda one: one["CreationTime"], default=None)
        if latest is not None and latest["DatasetImportJobArn"] != ours:
            raise RefusedByServiceError(
                f"amazon_forecast: the data of {job.partition} have been replaced by those of "
                f"{latest['DatasetImportJobName']}, before it was forecast from them"
            )

    def _found(self, kind_name: str, name: str, **only: Any) -> list[str]:
        """Return the ARNs of all things of a kind with this name."""
        kind = _KINDS[kind_name]
        arns = [one[kind.arn] for one in self._client.listed(kind.listed, kind.key, **only) if one[kind.name] == name]
        if not arns:
            raise NotThereError(f"amazon_forecast: no {kind_name} {name}")
        return arns

    def _place(self, path: str) -> dict[str, str]:
        return {"Path": path, "RoleArn": filled(self.declared.role_arn, self.environ)}

    def _exchange(self, job: Job) -> Exchange:
        return Exchange(job.parameters["exchange"])

    @cached_property
    def _client(self) -> AwsClient:
        return AwsClient("forecast", self.declared.region, self.declared.endpoint_url, self.environ)


def _series(job: Job) -> list[str]:
    """Return what is imported: targets, and what goes with them."""
    return [
        "target",
        *(["related"] if job.parameters["known"] else []),
        *(["item"] if job.parameters["static"] else []),
    ]


def _group(job: Job) -> str:
    """Name the dataset group; other columns or another frequency are another one."""
    told = job.parameters
    schema = repr((told["frequency"], sorted(told["known"]), sorted(told["static"])))
    return f"{job.forecast[:40]}_{sha256(schema.encode()).hexdigest()[:8]}"


def _frequency(alias: str) -> str:
    return AMAZON_FREQUENCIES[alias.partition("-")[0]]


def _forecast_types(job: Job) -> list[str]:
    return [*(f"{level:g}" for level in job.parameters["quantiles"]), "mean"]


def _state(answer: Mapping[str, Any], step: str) -> ServiceState:
    said = str(answer.get("Status"))
    if said not in _STATES:
        raise WrongAnswerError(f"amazon_forecast: the {step} is in the state {said[:80]!r}, which is not known here")
    return _STATES[said]


def _cost(answers: list[dict[str, Any]]) -> dict[str, Any]:
    times = [(one.get("CreationTime"), one.get("LastModificationTime")) for one in answers]
    spans = [(end - start).total_seconds() for start, end in times if start and end]
    return {"seconds": max(spans)} if spans else {}
