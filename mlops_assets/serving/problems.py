"""What goes wrong, as HTTP: a status, and the words that the command line would print."""

import logging
import traceback
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mlops_assets.errors import (
    ExitCode,
    MissingExtraError,
    MlopsAssetsError,
    TransientError,
    UsageError,
)
from mlops_assets.lifecycle.retention import NotKeptError

RETRY_SECONDS = 5
_LOG = logging.getLogger("mlops_assets.serving")


class NotAcceptableError(UsageError):
    """A format that is not known, or not installed."""


class BusyAnswerError(TransientError):
    """The server has too much to do for this now."""


def answer(status: int, message: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """Return a problem: `error` in words, and what more there is to say."""
    known = {name: value for name, value in more.items() if value}
    return JSONResponse({"error": message, **known}, status, headers={"Cache-Control": "no-store", **(headers or {})})


def status_of(error: MlopsAssetsError) -> int:
    """Return the HTTP status of an expected error."""
    if isinstance(error, BusyAnswerError):
        return 429
    if isinstance(error, TransientError):
        return 503
    if isinstance(error, NotAcceptableError):
        return 406
    if isinstance(error, MissingExtraError):
        return 501
    if error.exit_code == ExitCode.NOT_ALLOWED:
        return 409
    if isinstance(error, NotKeptError):
        return 410
    if isinstance(error, UsageError) and isinstance(error, LookupError):
        return 404
    return 422 if isinstance(error, UsageError) else 500


def of_error(error: MlopsAssetsError) -> JSONResponse:
    """Return an expected error as an answer."""
    from mlops_assets.resources.secrets import scrub

    status = status_of(error)
    again = {"Retry-After": str(RETRY_SECONDS)} if status in (429, 503) else {}
    more = {name: getattr(error, name, None) for name in ("parameter", "nearest")}
    return answer(status, scrub(error.message), again, advice=[scrub(one) for one in error.advice], **more)


def register(app: FastAPI) -> None:
    """Let every problem of an application be answered so."""

    @app.exception_handler(MlopsAssetsError)
    async def expected(request: Request, error: MlopsAssetsError) -> JSONResponse:
        return of_error(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = error.errors()
        first = problems[0]
        if first["type"] == "json_invalid":
            return answer(422, f"the body is no JSON: {(first.get('ctx') or {}).get('error', '')}", parameter="body")
        names = [str(part) for part in first["loc"][1:]] or [str(first["loc"][0])]
        words = first["msg"][:1].lower() + first["msg"][1:]
        found = _short(first.get("input"))
        return answer(422, f"{'.'.join(names)}: {words}{f', found {found}' if found else ''}", parameter=names[0])

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        words = {
            404: f"nothing is at {_short(request.url.path)}; /docs lists what there is",
            405: "no such method here",
        }
        return answer(error.status_code, words.get(error.status_code, str(error.detail)), error.headers)


def of_bug(path: str, error: Exception) -> JSONResponse:
    """Return an error that nobody expected as an answer, and log its trace."""
    from mlops_assets.resources.refusals import refusal
    from mlops_assets.resources.secrets import scrub

    found = refusal(str(error))
    if found is not None:
        return of_error(found)
    _LOG.error("a bug in answering %s\n%s", _short(path), scrub("".join(traceback.format_exception(error))))
    return answer(500, "a bug: this should not happen; the server's log has its trace")


def _short(value: Any) -> str:
    """Return a value as it is shown in a message: never ten kilobytes of it."""
    if value is None or isinstance(value, dict | list):
        return ""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
