"""A stored forecast, and clients of a server of it in this process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from mlops_assets.environments import stores_of
from mlops_assets.serving.app import build_app
from mlops_assets.settings import Settings
from mlops_assets_tests.reading.stored import StoredForecast, store

HERE = "http://127.0.0.1"
ODD = [
    "shop 0",
    'a/b "c"',
    "crème 🍦",
    "=1+1",
    "x&y=z?#%",
    "<script>",
    "O'Neil; DROP TABLE",
    "ü\u202e",
    "tab\tand\nline",
]
"""Ids of items that hold anything."""


def settings_of(stored: StoredForecast, folder: Path, **changes: str) -> Settings:
    """Settings of a server of a stored forecast, the day after its last round."""
    now = (stored.days[-1] + (stored.days[1] - stored.days[0]) * 2).isoformat()
    given = {"MLOPS_ENV": "test", "MLOPS_DATA": str(folder / "data"), "MLOPS_NOW": now}
    return Settings.read({**given, "MLOPS_FORECASTS": str(Path(stored.spec.file).parent), **changes})


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Serve an application in a thread of this process, and yield its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            thread.join(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def stored(folder: Path) -> StoredForecast:
    """Twelve rounds of shops with odd names."""
    return store(folder, items=ODD)


@pytest.fixture(scope="module")
def clients(stored: StoredForecast, folder: Path) -> Iterator[Callable[..., TestClient]]:
    """Make a client of a server with other settings."""
    with ExitStack() as stack:

        def make(host: str = "127.0.0.1", **changes: str) -> TestClient:
            settings = settings_of(stored, folder, **changes)
            app = build_app(settings, replace(stores_of(settings), tables=stored.tables), host)
            return stack.enter_context(TestClient(app, base_url=HERE, follow_redirects=False))

        yield make


@pytest.fixture(scope="module")
def client(clients: Callable[..., TestClient]) -> TestClient:
    """A client of a server without tokens."""
    return clients()


@pytest.fixture
def ask(client: TestClient) -> Callable[..., Any]:
    """Ask below the forecast, and return the answer's JSON."""

    def get(path: str = "", **params: Any) -> Any:
        answer = client.get(f"/v1/forecasts/demo{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get
