"""Events from outside: they wake jobs, and are believed in nothing."""

import json
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from mlops_assets.reading.questions import QuestionError
from mlops_assets.serving import limits
from mlops_assets.serving.guard import writer

router = APIRouter(prefix="/v1", tags=["writing"], dependencies=[limits.Checked])
LARGEST = 262_144
"""Bytes of a message: as much as a queue takes."""


@router.post("/events", summary="Wake what a message names.", status_code=202)
async def events(request: Request, who: Annotated[str, Depends(writer)]) -> Response:
    """Look at once at the jobs that the message names, wherever in its JSON; needs a token that may write.

    What it says is not believed: the service of a job is asked. Forecasts whose sources it names are told.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise QuestionError(f"the message is longer than {LARGEST:,} bytes", parameter="body")
    by, text = f"by a message that {who} sent", _message(body)
    served = request.app.state.served
    woken = await served.work(lambda: served.writing.jobs.wake([text], served.declared().specs, by))
    return JSONResponse(asdict(woken), 202, headers={"Cache-Control": "no-store"})


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
