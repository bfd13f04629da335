"""What MLflow's webhooks deliver: signed by a secret that both know, young, and naming a model of the registry."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping

from starlette.exceptions import HTTPException

from mlops_assets.lifecycle.calls import Call
from mlops_assets.reading.questions import QuestionError

SIGNATURE, DELIVERY, TIMESTAMP = "X-MLflow-Signature", "X-MLflow-Delivery-Id", "X-MLflow-Timestamp"
OLDEST = 300
"""Seconds by which a delivery may be older or younger than the clock says: MLflow tries again for less, and what is
sent twice within them only wakes twice."""
_LONGEST = 200


def read(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Call:
    """Return what a delivery says, once it is known to be MLflow's.

    Args:
        headers: of the request, by names in any case.
        body: of the request.
        secret: of the webhook.
        now: seconds since 1970, by the real clock.

    Raises:
        HTTPException: it is not signed by the secret, or not of now (401).
        QuestionError: it names no model.
    """
    delivery, timestamp, given = (headers.get(name, "") for name in (DELIVERY, TIMESTAMP, SIGNATURE))
    if not hmac.compare_digest(signature(secret, delivery, timestamp, body).encode(), given.encode()):
        raise HTTPException(401, f"{SIGNATURE} is not what MLOPS_WEBHOOK_SECRET makes of this delivery")
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > OLDEST:
        raise HTTPException(401, f"{TIMESTAMP} is more than {OLDEST} s away from this server's clock")
    try:
        said = json.loads(body)
        model, event = said["data"]["name"], f"{said['entity']}.{said['action']}"
    except (ValueError, RecursionError, LookupError, TypeError):
        raise QuestionError("the delivery names no registered model", parameter="body") from None
    return Call(str(model)[:_LONGEST], event[:_LONGEST], delivery[:_LONGEST])


def signature(secret: str, delivery: str, timestamp: str, body: bytes) -> str:
    """Return how MLflow signs a delivery: HMAC-SHA256 of its id, its time and its body, in base 64."""
    signed = hmac.new(secret.encode(), f"{delivery}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"
