"""The part of Amazon Forecast's API that a chain needs, and QueryForecast; boto3 talks to it by `endpoint_url`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlops_assets.jobs.providers.exchange import Exchange
from mlops_assets.jobs.stand_in.amazon_json import (
    ACCOUNT,
    BUSY,
    FORECAST_STATES,
    NO_ENTRY,
    asked_of,
    error,
    region_of,
    without_nothing,
)
from mlops_assets.jobs.stand_in.seasonal import seasonal_forecasts
from mlops_assets.jobs.stand_in.world import Answer, Call, Operation, Thing, World, id_of, read_file

_PANDAS = {"D": "D", "W": "W-MON", "M": "MS", "Y": "YS", "H": "h", "1min": "min"}


@dataclass(frozen=True)
class _Kind:
    """A kind of thing: how it is called, what its description and its line in a list have of the request."""

    word: str
    plural: str
    told: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    at_once: bool = False


_KINDS = {
    "DatasetGroup": _Kind("dataset-group", "DatasetGroups", ("DatasetArns", "Domain"), (), True),
    "Dataset": _Kind(
        "dataset", "Datasets", ("Domain", "DatasetType", "DataFrequency", "Schema"), ("DatasetType", "Domain"), True
    ),
    "DatasetImportJob": _Kind(
        "dataset-import-job", "DatasetImportJobs",
        ("DatasetArn", "DataSource", "TimestampFormat", "ImportMode", "Format"), ("DataSource", "ImportMode"),
    ),
    "AutoPredictor": _Kind(
        "predictor", "Predictors",
        ("ForecastHorizon", "ForecastTypes", "ForecastFrequency", "DataConfig", "OptimizationMetric"),
    ),
    "Forecast": _Kind("forecast", "Forecasts", ("ForecastTypes", "PredictorArn"), ("PredictorArn",)),
    "ForecastExportJob": _Kind(
        "forecast-export-job", "ForecastExportJobs", ("ForecastArn", "Destination", "Format"), ("Destination",)
    ),
}  # fmt: skip
_LISTS = {f"List{kind.plural}": name for name, kind in _KINDS.items()}


def operation(world: World, call: Call) -> Operation | None:
    """Return what a call asks of Amazon Forecast; None if it is for another."""
    service = "forecast"
    name, body = asked_of(call, "AmazonForecast"), call.body
    if not name and (name := asked_of(call, "AmazonForecastRuntime")):
        service = "forecastquery"
    if not name:
        return None
    thing = next((found for value in body.values() if (found := _thing(world, value))), None)
    kind = name.removeprefix("Create").removeprefix("Describe")
    job = str(body.get(_name_of(kind)) or (thing.name if thing else ""))

    def run() -> Answer:
        if name.startswith("Create") and kind in _KINDS:
            return _create(world, kind, call)
        if name.startswith("Describe") and kind in _KINDS:
            return _describe(world, kind, str(body.get(_arn_of(kind))))
        if name in _LISTS:
            return _list(world, _LISTS[name], body)
        if name == "StopResource":
            return _stop(thing)
        if name == "QueryForecast":
            return _query(world, body)
        return error("UnknownOperationException", f"the stand-in does not know {name}")

    changes = name.startswith(("Create", "Stop"))
    return Operation(f"{service}.{name}", job, changes, run, BUSY, NO_ENTRY)


def _create(world: World, kind: str, call: Call) -> Answer:
    body, name = call.body, str(call.body.get(_name_of(kind), ""))
    needed = [found for value in _arns_in(body) if (found := _thing(world, value))]
    if len(needed) < len(_arns_in(body)):
        return error("ResourceNotFoundException", f"{name} is made of something that is not there")
    if unready := [one.name for one in needed if world.state(one) != "succeeded" and not _KINDS[one.kind].at_once]:
        return error("ResourceInUseException", f"{unready[0]} is not ACTIVE")
    # Import jobs have a name within their dataset; all else has its own within the account.
    within = f"{needed[0].name}/" if kind == "DatasetImportJob" else ""
    suffix = f"_01{id_of(name, 24).upper()}" if kind == "AutoPredictor" else ""
    arn = f"arn:aws:forecast:{region_of(call)}:{ACCOUNT}:{_KINDS[kind].word}/{within}{name}{suffix}"
    if world.get(kind, arn) is not None:
        return error("ResourceAlreadyExistsException", f"{_KINDS[kind].word} {name} already exists")
    try:
        held, wrong = _work(world, kind, body), ""
    except (KeyError, ValueError, AttributeError) as trouble:
        held, wrong = None, f"{trouble!r}"
    if wrong:
        return error("InvalidInputException", wrong)
    thing = world.add(kind, name, arn, body)
    thing.held = held
    return Answer({_arn_of(kind): arn})


def _work(world: World, kind: str, body: Mapping[str, Any]) -> Any:
    """Do the work of a thing at once; it is told of when its time is over."""
    if kind == "DatasetImportJob":
        dataset = world.get("Dataset", body["DatasetArn"])
        assert dataset is not None
        rows = _imported(body["DataSource"]["S3Config"]["Path"], dataset.request["Schema"]["Attributes"])
        dataset.held = rows
        return rows
    if kind == "Forecast":
        return _forecast(world, body)
    if kind == "ForecastExportJob":
        forecast = world.get("Forecast", body["ForecastArn"])
        assert forecast is not None
        name = str(body["ForecastExportJobName"])
        rows = world.spoilt(name, forecast.held)
        if rows is not None:
            _export(body["Destination"]["S3Config"]["Path"], name, rows)
    return None


def _imported(path: str, attributes: list[Mapping[str, str]]) -> pd.DataFrame:
    import io

    names = [one["AttributeName"] for one in attributes]
    content = read_file(path)
    if content is None:
        raise ValueError(f"no such file: {path}")
    rows = pd.read_csv(io.BytesIO(content), header=None, names=names, dtype={"item_id": str})
    if "timestamp" in names:
        rows["timestamp"] = pd.to_datetime(rows["timestamp"], format="%Y-%m-%d %H:%M:%S")
    return rows


def _forecast(world: World, body: Mapping[str, Any]) -> pd.DataFrame:
    predictor = world.get("AutoPredictor", body["PredictorArn"])
    assert predictor is not None
    group = world.get("DatasetGroup", predictor.request["DataConfig"]["DatasetGroupArn"])
    assert group is not None
    datasets = [found for arn in group.request["DatasetArns"] if (found := world.get("Dataset", arn))]
    targets = next(one.held for one in datasets if one.request["DatasetType"] == "TARGET_TIME_SERIES")
    told = predictor.request
    levels = [float(level) for level in body.get("ForecastTypes") or told["ForecastTypes"] if level != "mean"]
    frequency = _PANDAS.get(told["ForecastFrequency"]) or str(told["ForecastFrequency"])
    rows = targets.rename(columns={"target_value": "target"})
    return seasonal_forecasts(rows, frequency, int(told["ForecastHorizon"]), levels)


def _export(path: str, name: str, rows: pd.DataFrame) -> None:
    """Write the rows in two parts, with the columns that the service has."""
    names = {"timestamp": "date"} | {column: f"p{column[1:]}" for column in rows.columns if column[:1] == "q"}
    table = rows.rename(columns=names)
    table["date"] = rows["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    exchange, half = Exchange(path.rstrip("/")), len(table) // 2
    for number, part in enumerate((table.iloc[:half], table.iloc[half:])):
        exchange.write_table(f"{name}_2026-01-01T00-00-00Z_part{number}.csv", part)


def _describe(world: World, kind: str, arn: str) -> Answer:
    thing = world.get(kind, arn)
    if thing is None:
        return error("ResourceNotFoundException", f"no {_KINDS[kind].word} {arn}")
    told = {name: thing.request.get(name) for name in _KINDS[kind].told}
    return Answer(without_nothing(told | _said_of(world, thing)))


def _list(world: World, kind: str, body: Mapping[str, Any]) -> Answer:
    """List a kind, ten at a time, so that whoever reads one page only is found out."""
    wanted = [(one["Key"], one["Value"], one["Condition"] == "IS") for one in body.get("Filters", [])]
    things = [
        thing
        for thing in world.things(kind)
        if all((thing.request.get(key) == value) == equal for key, value, equal in wanted)
    ]
    start = int(body.get("NextToken", "0"))
    lines = [
        without_nothing({name: thing.request.get(name) for name in _KINDS[kind].listed} | _said_of(world, thing))
        for thing in things[start : start + 10]
    ]
    if kind in ("Dataset", "DatasetGroup"):
        lines = [{name: value for name, value in line.items() if name != "Status"} for line in lines]
    more = {"NextToken": str(start + 10)} if start + 10 < len(things) else {}
    return Answer({_KINDS[kind].plural: lines, **more})


def _said_of(world: World, thing: Thing) -> dict[str, Any]:
    state = "succeeded" if _KINDS[thing.kind].at_once else world.state(thing)
    return {
        _arn_of(thing.kind): thing.id,
        _name_of(thing.kind): thing.name,
        "Status": FORECAST_STATES[state],
        "Message": "out of luck" if state == "failed" else None,
        "CreationTime": thing.made_at,
        "LastModificationTime": thing.made_at + (0 if state == "running" else world.latency),
    }


def _stop(thing: Thing | None) -> Answer:
    if thing is None:
        return error("ResourceNotFoundException", "no such resource")
    thing.stopped = True
    return Answer({})


def _query(world: World, body: Mapping[str, Any]) -> Answer:
    forecast = world.get("Forecast", str(body.get("ForecastArn")))
    if forecast is None:
        return error("ResourceNotFoundException", "no such forecast")
    rows = forecast.held[forecast.held["item_id"] == body.get("Filters", {}).get("item_id")]
    if rows.empty:
        return error("InvalidInputException", "no such item_id")
    times = rows["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    predictions = {
        column.replace("q", "p", 1): [
            {"Timestamp": time, "Value": float(value)} for time, value in zip(times, rows[column], strict=True)
        ]
        for column in rows.columns
        if column not in ("item_id", "timestamp")
    }
    return Answer({"Forecast": {"Predictions": predictions}})


def _thing(world: World, value: Any) -> Thing | None:
    arn = str(value)
    return next((found for kind in _KINDS if (found := world.get(kind, arn))), None)


def _arns_in(body: Mapping[str, Any]) -> list[str]:
    """Return the ARNs of what a thing is made of, the role's aside."""
    data = body.get("DataConfig", {})
    single = [body.get(name) for name in ("DatasetArn", "PredictorArn", "ForecastArn")]
    return [arn for arn in [*single, data.get("DatasetGroupArn"), *body.get("DatasetArns", [])] if arn]


def _name_of(kind: str) -> str:
    return f"{kind.removeprefix('Auto')}Name"


def _arn_of(kind: str) -> str:
    return f"{kind.removeprefix('Auto')}Arn"
