"""A browser's session: a cookie in place of a token, that no script can read and no other site can send."""

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from mlops_assets.serving.tokens import COOKIE, SESSION_SECONDS

router = APIRouter(prefix="/v1/session", tags=["session"])
Token = Annotated[str, Body(embed=True, max_length=4_096, description="One of the server's tokens.")]


@router.post("", summary="Take a cookie for a token.", status_code=204)
async def begin(request: Request, token: Token) -> Response:
    """Set a cookie that allows what the token does; it ends after twelve hours, and with the token."""
    tokens = request.app.state.served.tokens
    if tokens.of(token.strip()) is None:
        raise HTTPException(401, "this is no token of this server")
    answer = Response(status_code=204, headers={"Cache-Control": "no-store"})
    safe = request.url.scheme == "https"
    kept = tokens.cookie(token.strip())
    answer.set_cookie(COOKIE, kept, max_age=SESSION_SECONDS, httponly=True, samesite="strict", secure=safe)
    return answer


@router.delete("", summary="Give the cookie back.", status_code=204)
async def end() -> Response:
    """Take the cookie away."""
    answer = Response(status_code=204, headers={"Cache-Control": "no-store"})
    answer.delete_cookie(COOKIE)
    return answer
