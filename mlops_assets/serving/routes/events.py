"""Events from outside: they wake jobs and sensors, and are believed in nothing."""

import json
import time
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from mlops_assets.lifecycle import calls
from mlops_assets.reading.questions import QuestionError
from mlops_assets.serving import deliveries, limits
from mlops_assets.serving.guard import writer

router = APIRouter(prefix="/v1/events", tags=["writing"], dependencies=[limits.Checked])
LARGEST = 262_144
"""Bytes of a message: as much as a queue takes."""
_NOT_KEPT = {"Cache-Control": "no-store"}


@router.post("", summary="Wake what a message names.", status_code=202)
async def events(request: Request, who: Annotated[str, Depends(writer)]) -> Response:
    """Look at once at the jobs that the message names, wherever in its JSON; needs a token that may write.

    What it says is not believed: the service of a job is asked. Forecasts whose sources it names are told.
    """
    by, text = f"by a message that {who} sent", _message(await _body(request))
    served = request.app.state.served
    woken = await served.work(lambda: served.writing.jobs.wake([text], served.declared().specs, by))
    return JSONResponse(asdict(woken), 202, headers=_NOT_KEPT)


@router.post("/mlflow", summary="Let the sensor approvals look into MLflow's registry.", status_code=202)
async def mlflow(request: Request) -> Response:
    """Take what a webhook of MLflow's registry delivers, signed by the server's MLOPS_WEBHOOK_SECRET.

    What it says is not believed: at its next tick the sensor `approvals` asks MLflow about the forecast whose model is
    named.
    """
    served = request.app.state.served
    secret = served.settings.webhook_key
    if secret is None:
        raise HTTPException(403, "webhooks are off: the server has no MLOPS_WEBHOOK_SECRET")
    call = deliveries.read(request.headers, await _body(request), secret.get_secret_value(), time.time())

    def note() -> list[str]:
        stores = served.writing
        return calls.note(stores.tables, call, [one.name for one in served.declared().specs], stores.clock.now())

    return JSONResponse({"event": call.event, "forecasts": await served.work(note)}, 202, headers=_NOT_KEPT)


async def _body(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        QuestionError: it is too long.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise QuestionError(f"the message is longer than {LARGEST:,} bytes", parameter="body")
    return body


def _message(body: bytes) -> str:
    """Return the text of a message.

    Raises:
        QuestionError: it is not JSON, or says nothing.
    """
    try:
        text = body.decode()
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise QuestionError(f"the body is no JSON: {error}", parameter="body") from None
    if not isinstance(said, dict | list | str) or not said:
        raise QuestionError('the body names nothing; it takes JSON such as {"job": "KEY"}', parameter="body")
    return text
