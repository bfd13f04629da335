"""A server that answers with made documents, as the read API would."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from mlops_assets.explorer import index, key_of, static_files
from mlops_assets_tests.explorer.made import DAYS, FORECAST, HORIZON, day, table

TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
JSON = "application/json"


@contextmanager
def server(held: Mapping[str, Any], vendor: Path) -> Iterator[str]:
    """Serve the page and the answers on a free port of this machine, and yield the address."""
    handler = type("Answering", (_Handler,), {"held": held, "vendor": vendor, "files": static_files(vendor)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        Thread(target=served.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{served.server_port}/"
        finally:
            served.shutdown()


class _Handler(BaseHTTPRequestHandler):
    held: Mapping[str, Any]
    vendor: Path
    files: Mapping[str, bytes]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path, params = unquote(parts.path), parse_qs(parts.query)
        if path == "/":
            self._say("text/html; charset=utf-8", index(self.vendor).encode())
        elif file := self.files.get(path.removeprefix("/static/")):
            self._say(TYPES[Path(path).suffix], file)
        elif params.get("format") == ["xlsx"]:
            self._say("application/octet-stream", b"PK")
        elif (answer := _answer(self.held, path, params)) is None:
            self._say(JSON, b'{"message": "no such thing"}', status=404)
        else:
            self._say(JSON, json.dumps(answer).encode())

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        factor = float(asked["changes"][0].partition("*")[2])
        rows = [{"timestamp": day(DAYS + lead), "now": 50.0, "changed": 50.0 * factor} for lead in range(HORIZON)]
        self._say(JSON, json.dumps(table(rows)).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _say(self, kind: str, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": len(body), "Content-Security-Policy": "default-src 'self'"}
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


def _answer(held: Mapping[str, Any], path: str, params: Mapping[str, list[str]]) -> Any:
    kept = {name: params.get(name) for name in ("by", "origin", "role")}
    found = held.get(key_of(path, kept if path in (FORECAST, f"{FORECAST}/accuracy") else {}))
    if found is None or "columns" not in found:
        return found
    names = found["columns"].keys()
    rows = [dict(zip(names, values, strict=True)) for values in zip(*found["columns"].values(), strict=True)]
    if "item" in params and "item_id" in names:
        rows = [row for row in rows if row["item_id"] in params["item"]]
    if "search" in params:
        rows = [row for row in rows if params["search"][0] in row["item_id"]]
    offset, limit = (int(params.get(name, [default])[0]) for name, default in (("offset", "0"), ("limit", "100000")))
    return table(rows[offset : offset + limit]) | {"total": len(rows)}
