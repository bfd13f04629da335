"""A batch transform of SageMaker by boto3: a line of JSON for each item in, a line of forecasts out.

Lines are those of DeepAR, which any other container may take and give too:
https://docs.aws.amazon.com/sagemaker/latest/dg/deepar-in-formats.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from mlops_assets.forecasting.data.grid import steps_after
from mlops_assets.forecasting.model.task import quantile_column
from mlops_assets.jobs.job import Job
from mlops_assets.jobs.providers.aws import AwsClient
from mlops_assets.jobs.providers.exchange import Exchange
from mlops_assets.jobs.providers.placeholders import asked
from mlops_assets.jobs.providers.protocol import Inputs, Request, ServiceState, Status, Step
from mlops_assets.jobs.providers.service_errors import RefusedByServiceError, UnsureError, WrongAnswerError
from mlops_assets.resources.secrets import scrub
from mlops_assets.spec.external import SageMaker, filled

_STATES: dict[str, ServiceState] = {
    "InProgress": "running",
    "Stopping": "running",
    "Completed": "succeeded",
    "Failed": "failed",
    "Stopped": "failed",
}
_LINES = "application/jsonlines"
_NOT_FOUND = "Could not find requested job"


@dataclass(frozen=True)
class SageMakerService:
    """One transform job. Its lines come back in their order; the items are kept beside them."""

    declared: SageMaker
    environ: Mapping[str, str]
    name: str = field(default="sagemaker", init=False)

    def steps(self, request: Request) -> list[Step]:
        """Return the one step."""
        declared = self.declared
        return [
            Step("transform", asked(request) | {"model": declared.model, "dynamic": list(declared.dynamic_features)})
        ]

    def submit(self, job: Job, inputs: Inputs) -> str:
        """Hand over the lines and begin. A name that is taken is ours: it is asked for by name next."""
        exchange, name, told = Exchange(job.parameters["exchange"]), _name(job), job.parameters
        lines = _lines(inputs.history(), inputs.future(), told)
        source = exchange.write(
            f"{job.external_name}/input.jsonl", "".join(json.dumps(line) + "\n" for line in lines.values()).encode()
        )
        exchange.write(f"{job.external_name}/items.json", json.dumps(list(lines)).encode())
        asked_for = {"output_types": ["mean", "quantiles"], "quantiles": [f"{level:g}" for level in told["quantiles"]]}
        try:
            self._client.make(
                "create_transform_job",
                "TransformJobArn",
                TransformJobName=name,
                ModelName=filled(told["model"], self.environ),
                BatchStrategy="SingleRecord",
                Environment={
                    "DEEPAR_INFERENCE_CONFIG": json.dumps(asked_for),
                    "FORECAST_FREQUENCY": told["frequency"],
                    "FORECAST_HORIZON": str(told["horizon"]),
                },
                TransformInput={
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
                    "ContentType": _LINES,
                    "SplitType": "Line",
                },
                TransformOutput={
                    "S3OutputPath": exchange.at(f"{job.external_name}/output"),
                    "Accept": _LINES,
                    "AssembleWith": "Line",
                },
                TransformResources={
                    "InstanceType": self.declared.instance_type,
                    "InstanceCount": self.declared.instances,
                },
            )
        except RefusedByServiceError as error:
            if "must be unique" in error.message or "already exists" in error.message:
                raise UnsureError(error.message) from None
            raise
        return name

    def describe(self, job: Job) -> Status:
        """Ask by name, which is its id."""
        answer = self._client.read("describe_transform_job", TransformJobName=_name(job))
        said = str(answer.get("TransformJobStatus"))
        if said not in _STATES:
            raise WrongAnswerError(f"sagemaker: the transform is in the state {said[:80]!r}, which is not known here")
        start, end = answer.get("TransformStartTime"), answer.get("TransformEndTime")
        cost = {"seconds": (end - start).total_seconds()} if start and end else {}
        reason = scrub(str(answer.get("FailureReason") or said)) if _STATES[said] == "failed" else ""
        return Status(_STATES[said], _name(job), reason, cost)

    def cancel(self, job: Job) -> None:
        """Stop it."""
        self._client.stop("stop_transform_job", TransformJobName=_name(job))

    def collect(self, job: Job) -> pd.DataFrame:
        """Join the lines with their items, on the grid of time."""
        exchange, told = Exchange(job.parameters["exchange"]), job.parameters
        path = f"{job.external_name}/output/input.jsonl.out"
        content, items = exchange.read_made(path), exchange.read_made(f"{job.external_name}/items.json")
        steps = steps_after(pd.Timestamp(told["origin"]), told["horizon"], told["frequency"])
        try:
            lines = [json.loads(line) for line in content.decode().splitlines() if line.strip()]
            rows = [_rows(item, line, steps) for item, line in zip(json.loads(items), lines, strict=True)]
            return pd.concat(rows, ignore_index=True)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            said = " ".join(str(error).split())[:200]
            raise WrongAnswerError(f"{exchange.at(path)}: not a line of forecasts for each item: {said}") from None

    @cached_property
    def _client(self) -> AwsClient:
        declared = self.declared
        return AwsClient("sagemaker", declared.region, declared.endpoint_url, self.environ, _NOT_FOUND)


def _name(job: Job) -> str:
    """Return the job's name as SageMaker takes it: letters, digits, and single `-` within."""
    return "-".join(part for part in job.external_name.split("_") if part)


def _lines(history: pd.DataFrame, future: pd.DataFrame | None, told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a line for each item: where it starts, its targets without a gap, known covariates to the horizon."""
    origin, dynamic = pd.Timestamp(told["origin"]), list(told["dynamic"])
    if missing := [name for name in dynamic if name not in history]:
        raise RefusedByServiceError(f"external.sagemaker.dynamic_features: no known covariate {', '.join(missing)}")
    ahead = steps_after(origin, told["horizon"], told["frequency"])
    by_item = {} if future is None else dict(tuple(future.groupby("item_id")))
    lines = {}
    for item, rows in history[history["timestamp"] <= origin].groupby("item_id"):
        known = rows.set_index("timestamp").sort_index()
        grid = pd.date_range(known.index[0], ahead[0], freq=told["frequency"], inclusive="left")
        targets = known["target"].reindex(grid)
        line: dict[str, Any] = {
            "start": f"{grid[0]:%Y-%m-%d %H:%M:%S}",
            "target": [None if pd.isna(value) else float(value) for value in targets],
        }
        if dynamic:
            after = by_item[item].set_index("timestamp") if item in by_item else known.iloc[:0]
            whole = pd.concat([known[dynamic], after.reindex(columns=dynamic)]).reindex(grid.append(ahead))
            line["dynamic_feat"] = [whole[name].ffill().bfill().fillna(0).astype(float).tolist() for name in dynamic]
        lines[str(item)] = line
    return lines


def _rows(item: str, line: Mapping[str, Any], steps: pd.DatetimeIndex) -> pd.DataFrame:
    values = {"mean": line["mean"]} if "mean" in line else {}
    values |= {quantile_column(float(level)): found for level, found in line.get("quantiles", {}).items()}
    if not values or any(len(found) != len(steps) for found in values.values()):
        raise ValueError(f"{item} has not {len(steps)} steps of mean and quantiles")
    return pd.DataFrame({"item_id": item, "timestamp": steps, **values})
