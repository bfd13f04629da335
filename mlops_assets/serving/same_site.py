"""A guard for web UIs that trust whoever reaches them: what a page of another site makes a browser send is refused.

Dagster's web server answers questions and changes of GraphQL to any host name, by GET, and over a websocket from any
page. So every page that somebody opens could start runs on their machine, and a page whose name points here (DNS
rebinding) could read all of it.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from mlops_assets.serving import browsers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

READS = ("GET", "HEAD", "OPTIONS")
_GRAPHQL = "graphql"
_ASKED_AS = ("application/json", "application/graphql")
"""What no page of another site can send without being allowed to."""
_HEADER = (b"x-frame-options", b"SAMEORIGIN")
"""No other page shows ours under its own buttons."""
_WRONG_ORIGIN = 1008


class _Refusal(NamedTuple):
    status: int
    words: str


class SameSite:
    """Lets an application see only what its own pages, and programs that are no browsers, have sent.

    Args:
        app: what is guarded; every path with a part `graphql` is one to which questions and changes are sent.
        hosts: names that it is known by.
    """

    def __init__(self, app: "ASGIApp", hosts: Collection[str]) -> None:
        self._app, self._hosts = app, frozenset(hosts)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif (refusal := self._refusal(scope)) is not None:
            await _refuse(scope, refusal, send)
        else:

            async def framed(message: "Message") -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*message["headers"], _HEADER]}
                await send(message)

            await self._app(scope, receive, framed)

    def _refusal(self, scope: "Scope") -> _Refusal | None:
        headers = scope["headers"]
        if any(host not in self._hosts for host in browsers.asked(headers)):
            return _Refusal(
                400, "this host is not served: MLOPS_API_HOSTS names those that are, besides this machine's"
            )
        socket, asks = scope["type"] == "websocket", _GRAPHQL in scope["path"].split("/")
        reads = not socket and scope["method"] in READS
        if (asks or not reads) and browsers.from_elsewhere(headers):
            return _Refusal(403, "a page of another site may not ask or change anything here")
        if asks and reads and scope["query_string"]:
            return _Refusal(405, "GraphQL is asked by POST")
        kinds = browsers.values(headers, b"content-type")
        if asks and not socket and not reads and not (kinds and all(kind.startswith(_ASKED_AS) for kind in kinds)):
            return _Refusal(415, "GraphQL is asked in JSON")
        return None


async def _refuse(scope: "Scope", refusal: _Refusal, send: "Send") -> None:
    if scope["type"] == "websocket":  # before it was accepted: the browser is answered 403
        await send({"type": "websocket.close", "code": _WRONG_ORIGIN})
        return
    from starlette.responses import PlainTextResponse

    answer = PlainTextResponse(f"{refusal.words}\n", refusal.status)
    await answer(scope, _nothing, send)


async def _nothing() -> "Message":
    return {"type": "http.request", "body": b"", "more_body": False}
