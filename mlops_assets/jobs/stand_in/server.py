"""The stand-in as a server: it finds out which service is meant, does what it would do, and the faults it is told."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mlops_assets.errors import UsageError
from mlops_assets.jobs.stand_in import amazon_forecast_api, databricks_api, rest_api, sagemaker_api
from mlops_assets.jobs.stand_in.faults import Fault, Faults
from mlops_assets.jobs.stand_in.world import Answer, Call, Operation, World

_SERVICES = (rest_api.operation, amazon_forecast_api.operation, sagemaker_api.operation, databricks_api.operation)
_NO_JSON = b"<html>the service is being moved to another place</html>"


class StandIn:
    """The server; in a `with` statement it answers in a thread of its own.

    Attributes:
        world: what it has made and been asked, and its faults.
    """

    def __init__(self, port: int = 0, latency: float = 0.0, faults: Faults | None = None) -> None:
        self.world = World(latency, faults)
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise UsageError(f"port {port} cannot be used: {error.strerror}; give another one with --port") from None
        self._server.world = self.world

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def serve(self) -> None:
        """Answer until it is interrupted."""
        with self._server:
            self._server.serve_forever(poll_interval=0.05)

    def __enter__(self) -> "StandIn":
        self._thread = threading.Thread(target=self.serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    world: World


class _Handler(BaseHTTPRequestHandler):
    """One call: of a service, or `/faults`, `/calls`, `/jobs` of the stand-in itself."""

    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two packets: the second would wait for an answer to the first

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: calls are counted."""

    def _answer(self) -> None:
        world = self.server.world
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        try:
            body = json.loads(content) if content else {}
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return self._send(Answer({"error": {"message": "no JSON object"}}, 400))
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
        if parts.path in ("/faults", "/calls", "/jobs"):
            with world.lock:
                return self._send(_told(world, call))
        with world.lock:
            found = next((one for ask in _SERVICES if (one := ask(world, call))), None)
        if found is None:
            return self._send(Answer({"error": {"message": f"the stand-in does not know {self.path}"}}, 404))
        return self._carry_out(world, found)

    def _carry_out(self, world: World, asked: Operation) -> None:
        def has(fault: str) -> Fault | None:
            return world.faults.of_call(fault, asked.name, asked.job)

        with world.lock:
            world.note(asked.name, asked.job)
            answer = asked.busy if has("throttle") else asked.no_entry if has("expired") else _run(asked)
            slow, lost, not_json = has("slow"), asked.changes and has("lost"), has("not_json")
        if slow:
            time.sleep(slow.seconds)
        if lost:
            self.close_connection = True
            return
        self._send(answer, _NO_JSON if not_json else None)

    def _send(self, answer: Answer, content: bytes | None = None) -> None:
        content = json.dumps(answer.body).encode() if content is None else content
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _run(asked: Operation) -> Answer:
    """Do what is asked; a request that is not as it should be is its own fault."""
    try:
        return asked.run()
    except (AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        return Answer({"error": {"message": f"the request is not right: {error!r}"}}, 400)


def _told(world: World, call: Call) -> Answer:
    """Answer what is asked of the stand-in itself."""
    if call.path == "/calls":
        return Answer(world.calls())
    if call.path == "/jobs":
        return Answer([{"kind": one.kind, "name": one.name, "id": one.id} for one in world.things()])
    if call.method == "DELETE":
        world.faults.all.clear()
    elif call.method == "POST":
        try:
            world.faults.all.append(Fault.of(call.body))
        except UsageError as error:
            return Answer({"error": {"message": error.message}}, 422)
    return Answer([vars(fault) for fault in world.faults.all])
