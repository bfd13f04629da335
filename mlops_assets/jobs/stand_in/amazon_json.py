"""How services of Amazon are asked in JSON: the operation stands in a header, and so does the region."""

import re
from typing import Any

from mlops_assets.jobs.stand_in.world import Answer, Call, ThingState

ACCOUNT = "123456789012"
BUSY = Answer({"__type": "ThrottlingException", "message": "Rate exceeded"}, 400)
NO_ENTRY = Answer({"__type": "ExpiredTokenException", "message": "The security token included is expired"}, 403)
_CREDENTIAL = re.compile(r"Credential=[^/]*/\d+/([\w-]+)/")


def asked_of(call: Call, target: str) -> str:
    """Return the operation that a call asks of a service by its target; empty if it is for another."""
    service, _, operation = call.headers.get("x-amz-target", "").partition(".")
    return operation if service == target else ""


def region_of(call: Call) -> str:
    """Return the region that a call was signed for."""
    found = _CREDENTIAL.search(call.headers.get("authorization", ""))
    return found[1] if found else "us-east-1"


def error(kind: str, message: str) -> Answer:
    """Return an error as these services tell it."""
    return Answer({"__type": kind, "message": message, "Message": message}, 400)


def without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without the fields that are not set: they are left out, never null."""
    return {name: value for name, value in values.items() if value is not None}


FORECAST_STATES: dict[ThingState, str] = {
    "running": "CREATE_IN_PROGRESS",
    "succeeded": "ACTIVE",
    "failed": "CREATE_FAILED",
    "stopped": "CREATE_STOPPED",
    "unknown": "LEVITATING",
}
TRANSFORM_STATES: dict[ThingState, str] = {
    "running": "InProgress",
    "succeeded": "Completed",
    "failed": "Failed",
    "stopped": "Stopped",
    "unknown": "Levitating",
}
