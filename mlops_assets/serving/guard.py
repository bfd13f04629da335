"""What stands before every route: which hosts are answered to, who asks, and headers that keep browsers safe."""

from collections.abc import Collection
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

from fastapi import HTTPException as FastAPIHTTPException  # the one that its reading of bodies lets through
from starlette.exceptions import HTTPException
from starlette.requests import Request

from mlops_assets.serving import browsers, problems
from mlops_assets.serving.tokens import COOKIE, WRITING, Caller, Tokens
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "::1")
OPEN_PATHS = ("/", "/healthz", "/readyz", "/docs", "/openapi.json", "/v1/session", "/v1/events/mlflow")
"""Nothing of a forecast is told there, nor in the files below /static; MLflow signs, and has no token."""
LARGEST_BODY = 1 << 20
"""Bytes of a request: whoever reaches the server may send one, also without a token."""
UNNAMED = "api"
"""Who writes with a token that has no name."""
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="mlops-assets"'}
_POLICY = b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_HEADERS = [
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


class Guard:
    """Refuses, before a route is looked for, what no route may see; notes in `state.caller` who asks.

    `HEAD` is what `GET` is without the body, on every route.

    Args:
        app: what is guarded.
        tokens: of the server.
        hosts: names that it answers to, against pages that let a name of theirs point here (DNS rebinding); empty: any.
    """

    def __init__(self, app: "ASGIApp", tokens: Tokens, hosts: Collection[str] = ()) -> None:
        self._app, self._tokens, self._hosts = app, tokens, frozenset(hosts)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun, no_body = False, scope["method"] == "HEAD"
        if no_body:
            scope = {**scope, "method": "GET"}

        async def with_headers(message: "Message") -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], *_HEADERS]
            elif no_body:
                message = {**message, "body": b""}
            await send(message)

        taken = 0

        async def bounded() -> "Message":
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LARGEST_BODY:
                raise FastAPIHTTPException(413, f"a request may have {LARGEST_BODY:,} bytes")
            return message

        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refusal(scope, headers)
        try:
            await (self._app if refused is None else refused)(scope, bounded, with_headers)
        except Exception as error:
            if begun:
                raise
            await problems.of_bug(scope["path"], error)(scope, receive, with_headers)

    def _refusal(self, scope: "Scope", headers: dict[bytes, str]) -> "ASGIApp | None":
        hosts = browsers.asked(scope["headers"])
        if self._hosts and (other := [host for host in hosts if host not in self._hosts]):
            words = f"the host {other[0][:80]!r} is not served: MLOPS_API_HOSTS names those that are"
            return problems.answer(400, words)
        caller = self._caller(headers)
        scope.setdefault("state", {})["caller"] = caller
        path, method = scope["path"], scope["method"]
        reads = method in ("GET", "HEAD", "OPTIONS")
        if not reads and browsers.from_elsewhere(scope["headers"]):
            return problems.answer(403, "a page of another site may not write here")
        is_open = path in OPEN_PATHS or path.startswith("/static/") or method == "OPTIONS"
        if caller is not None or not self._tokens.needed or is_open:
            return None
        return problems.answer(401, "a token is needed, as the header Authorization: Bearer TOKEN", CHALLENGE)

    def _caller(self, headers: dict[bytes, str]) -> Caller | None:
        if b"authorization" in headers:
            return self._tokens.bearer(headers[b"authorization"])
        kept = SimpleCookie()
        try:
            kept.load(headers.get(b"cookie", ""))
        except Exception:  # what is no cookie is none of ours
            return None
        return self._tokens.session(kept[COOKIE].value) if COOKIE in kept else None


def hosts_of(settings: Settings) -> list[str]:
    """Return the names that a server on this machine is known by."""
    return [*LOOPBACK, *listed(settings.api_hosts.lower())]


def listed(text: str) -> list[str]:
    """Return the parts of a setting that lists several, separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


async def writer(request: Request) -> str:
    """Return the name of who may write, for a route that writes: `Annotated[str, Depends(writer)]`.

    Raises:
        HTTPException: nobody may (403), or no token that allows it was shown (401, 403).
    """
    caller: Caller | None = request.state.caller
    if not request.app.state.served.tokens.writable:
        raise HTTPException(403, "writing is off: the server has neither MLOPS_APPROVERS nor MLOPS_API_WRITE_TOKEN")
    if caller is None:
        raise HTTPException(401, "a token that may write is needed", CHALLENGE)
    if caller.right != WRITING:
        raise HTTPException(403, "this token may read only; one of MLOPS_APPROVERS or MLOPS_API_WRITE_TOKEN may write")
    return caller.name or UNNAMED
