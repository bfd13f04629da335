"""A real server on this machine that pages, stumbles, dribbles, lies and leads astray."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pandas as pd

from mlops_assets.forecasting.data.contract import Window
from mlops_assets_tests.worlds import panel

COLUMNS = ["shop", "day", "sales", "rain"]
WINDOW = Window(pd.Timestamp("2024-03-01"), pd.Timestamp("2024-06-01"))
PLANTED = "hunter2planted"
ROWS: list[dict[str, Any]] = json.loads(panel(items=2).to_json(orient="records", date_format="iso"))
SIZE = 40


class Asked(NamedTuple):
    """One request: number (from 1), path, query, headers."""

    number: int
    path: str
    query: dict[str, str]
    headers: Any


class Service:
    """A server whose answers are a function of the request, and that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.named: dict[str, str] = {}
        """Headers of the answer to HEAD; without any, the service knows no such question."""
        self.answer: Callable[[Asked], Any] = lambda asked: []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                asked = Asked(len(service.asked) + 1, parts.path, dict(parse_qsl(parts.query)), self.headers)
                service.asked.append(asked)
                answer = service.answer(asked)
                status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
                if not isinstance(body, bytes | Iterator):
                    body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
                self.send_response(status)
                if isinstance(body, bytes):
                    headers = {"Content-Length": str(len(body)), **headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for piece in [body] if isinstance(body, bytes) else body:
                        self.wfile.write(piece)
                except OSError:
                    pass  # the reader has heard enough

            def do_HEAD(self) -> None:
                self.send_response(200 if service.named else 501)
                for name, value in service.named.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}/v1/sales"


def by_offset(asked: Asked, rows: list[dict[str, Any]] = ROWS, size: int = SIZE) -> dict[str, Any]:
    at = int(asked.query.get("offset", 0))
    return {"data": {"items": rows[at : at + size]}, "meta": {"total": len(rows)}}


def answer_of(status: int = 200, body: Any = b"", **headers: str) -> Any:
    return lambda _: (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def moved(asked: Asked) -> Any:
    return 302, {"Location": f"http://localhost:{asked.headers['Host'].rpartition(':')[2]}/else"}, b""


def expected() -> pd.DataFrame:
    return pd.DataFrame(ROWS, dtype=object)[COLUMNS]
