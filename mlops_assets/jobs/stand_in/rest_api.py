"""A forecasting service as anybody might build one: `/v1/forecasts` for jobs, `/v1/forecast` for an answer at once."""

import json
from urllib.parse import quote

import pandas as pd

from mlops_assets.jobs.stand_in.seasonal import seasonal_forecasts
from mlops_assets.jobs.stand_in.world import (
    Answer,
    Call,
    Operation,
    Thing,
    World,
    id_of,
    read_rows,
    write_rows,
)

_BUSY = Answer({"error": {"message": "too many requests"}}, 429, {"Retry-After": "1"})
_NO_ENTRY = Answer({"error": {"message": "the token has expired"}}, 401)
_UNKNOWN = Answer({"error": {"message": "no such forecast"}}, 404)
_PAGE_ROWS = 1000
_STATES = {
    "running": "running",
    "succeeded": "done",
    "failed": "failed",
    "stopped": "cancelled",
    "unknown": "levitating",
}


def operation(world: World, call: Call) -> Operation | None:
    """Return what a call asks of this service; None if it is for another."""
    parts = call.path.strip("/").split("/")
    if parts[:2] == ["v1", "forecast"] and call.method == "POST":
        name = str(call.body.get("name", ""))
        return Operation("rest.now", name, True, lambda: _now(world, call), _BUSY, _NO_ENTRY)
    if parts[:2] != ["v1", "forecasts"]:
        return None
    if len(parts) == 2:
        name = call.query.get("name", "") if call.method == "GET" else str(call.body.get("name", ""))
        if call.method == "GET":
            return Operation("rest.find", name, False, lambda: _find(world, name), _BUSY, _NO_ENTRY)
        return Operation("rest.submit", name, True, lambda: _submit(world, call), _BUSY, _NO_ENTRY)
    thing = world.get("rest", parts[2])
    name = thing.name if thing else parts[2]
    if parts[3:] == ["result"]:
        return Operation("rest.result", name, False, lambda: _result(world, thing, call), _BUSY, _NO_ENTRY)
    if call.method == "DELETE":
        return Operation("rest.cancel", name, True, lambda: _cancel(thing), _BUSY, _NO_ENTRY)
    return Operation("rest.describe", name, False, lambda: _describe(world, thing), _BUSY, _NO_ENTRY)


def _submit(world: World, call: Call) -> Answer:
    name = str(call.body.get("name") or "")
    key = call.headers.get("idempotency-key") or name
    external_id = f"job-{id_of(key)}"
    thing = world.get("rest", external_id) if key else None
    if thing is None:
        rows = _forecasts(call)
        if isinstance(rows, Answer):
            return rows
        thing = world.add("rest", name or external_id, external_id, call.body)
        thing.held = world.spoilt(thing.name, rows)
        if thing.held is not None and call.body.get("result_url"):
            write_rows(call.body["result_url"], thing.held)
    return Answer({"job": {"id": external_id, "status": "queued"}}, 202)


def _now(world: World, call: Call) -> Answer:
    rows = _forecasts(call)
    if isinstance(rows, Answer):
        return rows
    found = world.spoilt(str(call.body.get("name", "")), rows)
    return Answer({"rows": [] if found is None else _records(found)})


def _forecasts(call: Call) -> pd.DataFrame | Answer:
    body = call.body
    try:
        if body.get("data_url"):
            rows = read_rows(body["data_url"])
        else:
            rows = pd.DataFrame.from_records(body["data"])
            rows = rows.assign(item_id=rows["item_id"].astype(str), timestamp=pd.to_datetime(rows["timestamp"]))
        origin = pd.Timestamp(body["origin"]) if body.get("origin") else None
        return seasonal_forecasts(rows, body["frequency"], int(body["horizon"]), body["quantiles"], origin)
    except (KeyError, TypeError, ValueError) as error:
        return Answer({"error": {"message": f"the request is not right: {error!r}"}}, 422)


def _find(world: World, name: str) -> Answer:
    thing = world.named("rest", name)
    return Answer({"items": [{"id": thing.id, "name": thing.name}] if thing else []})


def _describe(world: World, thing: Thing | None) -> Answer:
    if thing is None:
        return _UNKNOWN
    state = world.state(thing)
    told = {"id": thing.id, "name": thing.name, "status": _STATES[state], "usage": {"seconds": world.latency}}
    return Answer({**told, "error": {"message": "out of luck"}} if state == "failed" else told)


def _result(world: World, thing: Thing | None, call: Call) -> Answer:
    if thing is None or world.state(thing) != "succeeded" or thing.held is None:
        return _UNKNOWN
    page = int(call.query.get("page", "1"))
    rows = thing.held.iloc[(page - 1) * _PAGE_ROWS : page * _PAGE_ROWS]
    more = page * _PAGE_ROWS < len(thing.held)
    following = f"/v1/forecasts/{quote(thing.id)}/result?page={page + 1}" if more else None
    return Answer({"rows": _records(rows), "next": following})


def _cancel(thing: Thing | None) -> Answer:
    if thing is None:
        return _UNKNOWN
    thing.stopped = True
    return Answer({"id": thing.id, "status": "cancelled"})


def _records(rows: pd.DataFrame) -> list[dict[str, object]]:
    return json.loads(rows.to_json(orient="records", date_format="iso", date_unit="s", double_precision=15))
