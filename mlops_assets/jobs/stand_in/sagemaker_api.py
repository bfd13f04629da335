"""The part of SageMaker's API that a batch transform needs; boto3 talks to it by `endpoint_url`."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from mlops_assets.forecasting.model.task import quantile_column
from mlops_assets.jobs.providers.exchange import Exchange
from mlops_assets.jobs.stand_in.amazon_json import (
    ACCOUNT,
    BUSY,
    NO_ENTRY,
    TRANSFORM_STATES,
    asked_of,
    error,
    region_of,
    without_nothing,
)
from mlops_assets.jobs.stand_in.seasonal import seasonal_forecasts
from mlops_assets.jobs.stand_in.world import Answer, Call, Operation, Thing, World, read_file

_TOLD = ("TransformJobName", "ModelName", "BatchStrategy", "Environment", "TransformInput", "TransformOutput")


def operation(world: World, call: Call) -> Operation | None:
    """Return what a call asks of SageMaker; None if it is for another."""
    name = asked_of(call, "SageMaker")
    if not name:
        return None
    job = str(call.body.get("TransformJobName", ""))
    runs = {"CreateTransformJob": _create, "DescribeTransformJob": _describe, "StopTransformJob": _stop}

    def run() -> Answer:
        known = runs.get(name)
        return known(world, call, job) if known else error("UnknownOperationException", f"no {name} in the stand-in")

    return Operation(f"sagemaker.{name}", job, name != "DescribeTransformJob", run, BUSY, NO_ENTRY)


def _create(world: World, call: Call, name: str) -> Answer:
    if world.named("sagemaker", name) is not None:
        return error("ValidationException", "Job name must be unique within an AWS account and region")
    arn = f"arn:aws:sagemaker:{region_of(call)}:{ACCOUNT}:transform-job/{name}"
    body = call.body
    try:
        lines = _forecasts(world, body, name)
    except (KeyError, ValueError) as trouble:
        return error("ValidationException", f"{trouble!r}")
    world.add("sagemaker", name, arn, body)
    if lines is not None:
        source = body["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"].rpartition("/")[2]
        output = Exchange(body["TransformOutput"]["S3OutputPath"].rstrip("/"))
        output.write(f"{source}.out", "".join(json.dumps(line) + "\n" for line in lines).encode())
    return Answer({"TransformJobArn": arn})


def _forecasts(world: World, body: Mapping[str, Any], name: str) -> list[dict[str, Any]] | None:
    """Return a line for each line; None where the job's faults leave none."""
    content = read_file(body["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"])
    if content is None:
        raise ValueError("no such input")
    environment = body["Environment"]
    told = json.loads(environment["DEEPAR_INFERENCE_CONFIG"])
    frequency, horizon = environment["FORECAST_FREQUENCY"], int(environment["FORECAST_HORIZON"])
    levels = [float(level) for level in told["quantiles"]]
    found = []
    for line in content.decode().splitlines():
        given = json.loads(line)
        times = pd.date_range(given["start"], periods=len(given["target"]), freq=frequency)
        rows = pd.DataFrame({"item_id": "one", "timestamp": times, "target": given["target"]}).astype({"target": float})
        own = world.spoilt(name, seasonal_forecasts(rows, frequency, horizon, levels, times[-1]))
        if own is None:
            return None
        quantiles = {f"{level:g}": own[quantile_column(level)].tolist() for level in levels}
        found.append({"mean": own["mean"].tolist(), "quantiles": quantiles})
    return found


def _describe(world: World, call: Call, name: str) -> Answer:
    thing = world.named("sagemaker", name)
    if thing is None:
        return _not_found(name)
    state = world.state(thing)
    over = state not in ("running", "unknown")
    told = {field: thing.request.get(field) for field in _TOLD}
    return Answer(
        without_nothing(
            told
            | {
                "TransformJobArn": thing.id,
                "TransformJobStatus": TRANSFORM_STATES[state],
                "FailureReason": "out of luck" if state == "failed" else None,
                "TransformResources": thing.request["TransformResources"],
                "CreationTime": thing.made_at,
                "TransformStartTime": thing.made_at,
                "TransformEndTime": thing.made_at + world.latency if over else None,
            }
        )
    )


def _stop(world: World, call: Call, name: str) -> Answer:
    thing: Thing | None = world.named("sagemaker", name)
    if thing is None:
        return _not_found(name)
    thing.stopped = True
    return Answer({})


def _not_found(name: str) -> Answer:
    return error("ValidationException", f"Could not find requested job with name: {name}")
