"""The part of Databricks' Jobs API 2.2 that a job needs: run-now, runs/get, runs/cancel."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mlops_assets.jobs.stand_in.seasonal import seasonal_forecasts
from mlops_assets.jobs.stand_in.world import (
    Answer,
    Call,
    Operation,
    Thing,
    ThingState,
    World,
    id_of,
    read_rows,
    write_rows,
)

_BUSY = Answer({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "too many requests"}, 429, {"Retry-After": "1"})
_NO_ENTRY = Answer({"error_code": "UNAUTHENTICATED", "message": "the token has expired"}, 403)
_PREFIX = "/api/2.2/jobs/"
_ENDS: dict[ThingState, tuple[str, str, str]] = {
    "succeeded": ("SUCCESS", "SUCCESS", ""),
    "failed": ("RUN_EXECUTION_ERROR", "CLIENT_ERROR", "out of luck"),
    "stopped": ("USER_CANCELED", "CLIENT_ERROR", "cancelled by a user"),
}


def operation(world: World, call: Call) -> Operation | None:
    """Return what a call asks of Databricks; None if it is for another."""
    if not call.path.startswith(_PREFIX):
        return None
    method = call.path.removeprefix(_PREFIX)
    if method == "run-now":
        job = str(call.body.get("idempotency_token", ""))
        return Operation("databricks.run-now", job, True, lambda: _run(world, call.body), _BUSY, _NO_ENTRY)
    run = str(call.query.get("run_id") or call.body.get("run_id"))
    thing = world.get("databricks", run)
    job = thing.name if thing else ""
    if method == "runs/cancel":
        return Operation("databricks.runs/cancel", job, True, lambda: _cancel(thing, run), _BUSY, _NO_ENTRY)
    if method == "runs/get":
        return Operation("databricks.runs/get", job, False, lambda: _get(world, thing, run), _BUSY, _NO_ENTRY)
    return None


def _run(world: World, body: Mapping[str, Any]) -> Answer:
    token, told = str(body.get("idempotency_token") or ""), body.get("job_parameters", {})
    run = str(int(id_of(token), 16))
    if world.get("databricks", run) is None:
        try:
            rows = seasonal_forecasts(
                read_rows(told["data_url"]),
                told["frequency"],
                int(told["horizon"]),
                [float(level) for level in told["quantiles"].split(",")],
                pd.Timestamp(told["origin"]),
            )
        except (KeyError, ValueError) as error:
            return Answer({"error_code": "INVALID_PARAMETER_VALUE", "message": f"{error!r}"}, 400)
        thing = world.add("databricks", token, run, body)
        found = world.spoilt(token, rows)
        if found is not None:
            write_rows(told["result_url"], found)
        thing.held = found
    return Answer({"run_id": int(run), "number_in_job": int(run)})


def _get(world: World, thing: Thing | None, run: str) -> Answer:
    if thing is None:
        return Answer({"error_code": "INVALID_PARAMETER_VALUE", "message": f"Run {run} does not exist."}, 400)
    state, made = world.state(thing), int(thing.made_at * 1000)
    status: dict[str, Any] = {"state": "LEVITATING" if state == "unknown" else "RUNNING"}
    old = {"life_cycle_state": "RUNNING", "state_message": ""}
    if state in _ENDS:
        code, kind, message = _ENDS[state]
        details = {"code": code, "type": kind, "message": message}
        status = {"state": "TERMINATED", "termination_details": details}
        ended = {"succeeded": "SUCCESS", "failed": "FAILED", "stopped": "CANCELED"}[state]
        old = {"life_cycle_state": "TERMINATED", "result_state": ended, "state_message": message}
    return Answer(
        {
            "job_id": thing.request["job_id"],
            "run_id": int(run),
            "run_name": thing.name,
            "run_type": "JOB_RUN",
            "status": status,
            "state": old,
            "start_time": made,
            "setup_duration": 0,
            "execution_duration": int(world.latency * 1000),
            "cleanup_duration": 0,
            "end_time": made + int(world.latency * 1000) if state in _ENDS else 0,
        }
    )


def _cancel(thing: Thing | None, run: str) -> Answer:
    if thing is None:
        return Answer({"error_code": "INVALID_PARAMETER_VALUE", "message": f"Run {run} does not exist."}, 400)
    thing.stopped = True
    return Answer({})
