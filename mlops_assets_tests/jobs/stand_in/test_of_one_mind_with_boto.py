"""Requests and answers that pass between boto3 and the stand-in, held against botocore's own models of the services."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.validate import ParamValidator

from mlops_assets.jobs.stand_in import StandIn, server
from mlops_assets.jobs.stand_in.faults import Fault
from mlops_assets.jobs.stand_in.world import Answer, Call, Operation, World
from mlops_assets_tests.jobs.providers.shop import Shop
from mlops_assets_tests.jobs.providers.test_amazon_forecast import shop_at
from mlops_assets_tests.jobs.providers.test_sagemaker import EXTERNAL as TRANSFORM

LOOSE = ("String", "Arn", "S3Path", "S3Uri")
"""Shapes whose pattern is not kept: the model calls roles an Arn of forecast and ARNs a String; here are folders."""
Seen = list[tuple[str, Any, Answer]]


@cache
def model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Operation, request and answer of each call to a service of Amazon's."""
    found: Seen = []

    def recording(ask: Callable[[World, Call], Operation | None]) -> Callable[[World, Call], Operation | None]:
        def operation(world: World, call: Call) -> Operation | None:
            asked = ask(world, call)
            if asked is None or asked.name.startswith(("rest.", "databricks.")):
                return asked

            def run() -> Answer:
                answer = asked.run()
                found.append((asked.name, call.body, answer))
                return answer

            return replace(asked, run=run)

        return operation

    monkeypatch.setattr(server, "_SERVICES", tuple(recording(ask) for ask in server._SERVICES))
    return found


def misfits(value: Any, shape: Any, path: str = "") -> list[str]:
    """Say which texts have not the pattern, or are none of the words, that a model names; botocore does not."""
    if shape.type_name == "structure":
        return [line for name, part in value.items() for line in misfits(part, shape.members[name], f"{path}.{name}")]
    if shape.type_name == "list":
        return [line for part in value for line in misfits(part, shape.member, f"{path}[]")]
    pattern = shape.metadata.get("pattern") if shape.name not in LOOSE else None
    words = shape.metadata.get("enum")
    wrong = (pattern and not re.fullmatch(pattern, str(value))) or (words and value not in words)
    return [f"{path}: {value!r}"] if wrong else []


def check(seen: Seen) -> set[str]:
    """Hold all calls against the models, and return their names."""
    for name, body, answer in seen:
        service, _, operation = name.partition(".")
        known = model(service).operation_model(operation)
        if answer.status == 200:
            for value, shape in ((body, known.input_shape), (answer.body, known.output_shape)):
                if shape is None:
                    continue
                assert ParamValidator().validate(value, shape).generate_report() == "", name
                assert misfits(value, shape) == [], name
        else:
            codes = {error.name for error in known.error_shapes}
            assert answer.body["__type"] in codes | {"ValidationException"}, name
    return {name.partition(".")[2] for name, _, _ in seen}


def test_amazon_forecast(stand_in: StandIn, seen: Seen, tmp_path: Path):
    shop = shop_at(stand_in, tmp_path)
    _, jobs = shop.run()
    for job in jobs:
        shop.provider.describe(replace(job, external_id=""))
        shop.provider.submit(job, shop)  # once more: it exists already
    shop.provider.cancel(jobs[-1])
    stand_in.world.faults.all.append(Fault("fail"))
    shop.provider.describe(replace(jobs[1], external_id=""))
    assert check(seen) == {
        "CreateDataset", "CreateDatasetGroup", "CreateDatasetImportJob", "CreateAutoPredictor", "CreateForecast",
        "CreateForecastExportJob", "DescribeDatasetImportJob", "DescribeAutoPredictor", "DescribeForecast",
        "DescribeForecastExportJob", "ListDatasets", "ListDatasetGroups", "ListDatasetImportJobs", "ListPredictors",
        "ListForecasts", "ListForecastExportJobs", "StopResource",
    }  # fmt: skip


def test_forecastquery(stand_in: StandIn, seen: Seen, tmp_path: Path):
    shop = shop_at(stand_in, tmp_path)
    rows, jobs = shop.run()
    seen.clear()
    client = boto3.client("forecastquery", endpoint_url=stand_in.url, region_name="eu-west-1")
    answer = client.query_forecast(ForecastArn=jobs[2].external_id, Filters={"item_id": "hats"})
    assert check(seen) == {"QueryForecast"}
    values = [one["Value"] for one in answer["Forecast"]["Predictions"]["p50"]]
    assert values == pytest.approx(rows[rows["item_id"] == "hats"]["q50"].tolist())


def test_sagemaker_transform(stand_in: StandIn, seen: Seen, tmp_path: Path):
    shop = Shop(TRANSFORM.format(url=stand_in.url), tmp_path)
    (job,) = shop.jobs()
    with pytest.raises(LookupError):
        shop.provider.describe(job)
    shop.run()
    stand_in.world.faults.all.append(Fault("fail"))
    shop.provider.describe(job)
    shop.provider.cancel(job)
    assert check(seen) == {"CreateTransformJob", "DescribeTransformJob", "StopTransformJob"}


def test_a_wrong_field_would_be_found():
    shape = model("forecast").operation_model("DescribeForecast").output_shape
    wrong = {"ForecastName": "no-name", "Status": "ACTIVE", "Stat": 1}
    assert "Stat" in ParamValidator().validate(wrong, shape).generate_report()
    del wrong["Stat"]
    assert misfits(wrong, shape) == [".ForecastName: 'no-name'"]
