"""A small job service on this machine, over HTTP, that makes a new thing for each call, and the provider that calls it.

It knows no idempotency: whoever calls it twice has two things.
"""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from mlops_assets.jobs.job import Job
from mlops_assets.jobs.providers.protocol import Request, Status, Step
from mlops_assets.jobs.providers.service_errors import (
    BusyError,
    NotThereError,
    RefusedByServiceError,
    UnreachableError,
    UnsureError,
    WrongAnswerError,
)

ERRORS = {404: NotThereError, 429: BusyError, 400: RefusedByServiceError}


class Service:
    """What it was asked for and what it has made.

    Attributes:
        made: the name of each thing, once for each time that it was made.
        asked: how often each thing was asked for.
        cancelled: ids.
        looks: a thing is running so often before it has succeeded.
        throttled: share of calls that are answered by 429.
        seconds: that making a thing takes.
        answer: replaces the answer to a question by any text.
        lose_answers: what is made is not answered.
        calls: all of them.
        overlaps: names that two calls were about at once.
        begun: set whenever the making of a thing has begun.
    """

    def __init__(self, looks: int = 1, throttled: float = 0.0, seconds: float = 0.0) -> None:
        self.looks, self.throttled, self.seconds = looks, throttled, seconds
        self.made: list[str] = []
        self.asked: dict[str, int] = {}
        self.cancelled: list[str] = []
        self.calls = 0
        self.answer: str | None = None
        self.lose_answers = False
        self.overlaps: list[str] = []
        self.begun = threading.Event()
        self._under_way: set[str] = set()
        self._random, self._lock = random.Random(0), threading.Lock()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.answer(service.take)

            def do_GET(self) -> None:
                self.answer(service.tell)

            def do_DELETE(self) -> None:
                self.answer(service.stop_thing)

            def answer(self, what: Callable[[str], tuple[int, Any]]) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                name = self.path.rpartition("/")[2]
                with service.about(name.removeprefix("id-")):
                    code, said = what(name)
                self.close_connection = True
                if code:
                    text = (said if isinstance(said, str) else json.dumps(said)).encode()
                    self.send_response(code)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

            def log_message(self, *_: Any, **__: Any) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128

            def handle_error(self, *_: Any, **__: Any) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def take(self, name: str) -> tuple[int, Any]:
        if self._throttles():
            return 429, {}
        self.begun.set()
        time.sleep(self.seconds)
        with self._lock:
            self.made.append(name)
            return (0, {}) if self.lose_answers else (200, {"id": f"id-{name}"})

    def tell(self, name: str) -> tuple[int, Any]:
        if self._throttles():
            return 429, {}
        name = name.removeprefix("id-")
        with self._lock:
            if name not in self.made:
                return 404, {}
            if self.answer is not None:
                return 200, self.answer
            self.asked[name] = self.asked.get(name, 0) + 1
            state = "running" if self.asked[name] <= self.looks else "succeeded"
            return 200, {"state": state, "id": f"id-{name}"}

    @contextmanager
    def about(self, name: str) -> Iterator[None]:
        with self._lock:
            if name in self._under_way:
                self.overlaps.append(name)
            self._under_way.add(name)
        yield
        with self._lock:
            self._under_way.discard(name)

    def stop_thing(self, name: str) -> tuple[int, Any]:
        self.cancelled.append(name)
        return 200, {}

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _throttles(self) -> bool:
        with self._lock:
            self.calls += 1
            return self._random.random() < self.throttled


class Shop:
    """The provider of the service; `point` is called before and after each call."""

    name = "rest"

    def __init__(self, address: str, point: Callable[[str], None] = lambda _: None, timeout: float = 10) -> None:
        self._place, self._point, self._timeout = urlsplit(address).netloc, point, timeout

    def steps(self, request: Request) -> list[Step]:
        return [Step("forecast", {})]

    def submit(self, job: Job, inputs: Any) -> str:
        return self._call("POST", job.external_name)["id"]

    def describe(self, job: Job) -> Status:
        said = self._call("GET", job.external_id or job.external_name)
        if said.get("state") not in ("running", "succeeded", "failed"):
            raise WrongAnswerError(f"an unknown state: {said}"[:200])
        return Status(said["state"], said["id"], said.get("reason", ""))

    def cancel(self, job: Job) -> None:
        self._call("DELETE", job.external_id or job.external_name)

    def collect(self, job: Job) -> pd.DataFrame:
        return pd.DataFrame({"item_id": ["a", "b"], "mean": [1.0, 2.0]})

    def _call(self, method: str, name: str) -> dict[str, Any]:
        self._point(f"before {method}")
        connection = http.client.HTTPConnection(self._place, timeout=self._timeout)
        try:
            connection.connect()
        except OSError as error:
            raise UnreachableError(f"the service cannot be reached: {error}") from None
        try:
            connection.request(method, f"/{name}", body="{}" if method == "POST" else None)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise UnsureError(f"no answer came: {error!r}") from None
        finally:
            connection.close()
        self._point(f"after {method}")
        if answer.status != 200:
            raise ERRORS[answer.status](f"the service says {answer.status}")
        try:
            return json.loads(text)
        except ValueError:
            raise WrongAnswerError(f"no JSON: {text[:200]}") from None
