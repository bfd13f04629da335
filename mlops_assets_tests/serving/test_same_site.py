"""The guard of Dagster's web UI: what it refuses, by itself and in front of the real web server."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType

import pytest
import requests
from click.testing import CliRunner
from dagster._cli import dev
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from mlops_assets.commands.main import main
from mlops_assets.serving.dagster_dev import Dev, UnguardedError, replaceable
from mlops_assets.serving.same_site import SameSite
from mlops_assets_tests.io_managers import servers

HERE = "http://127.0.0.1:3000"
EVIL = "https://evil.example"
CHANGE = "mutation { setNuxSeen }"
JSON = {"content-type": "application/json"}


def app() -> SameSite:
    async def told(_):
        return PlainTextResponse("done")

    async def heard(socket):
        await socket.accept()
        await socket.close()

    routes = [Route(path, told, methods=["GET", "POST"]) for path in ("/graphql", "/p/graphql", "/runs", "/report/a")]
    return SameSite(
        Starlette(routes=[*routes, WebSocketRoute("/graphql", heard)]), ["127.0.0.1", "forecasts.example.com"]
    )


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/runs", {}, 200),
        ("GET", "/runs", {"sec-fetch-site": "cross-site"}, 200),  # a link in a mail
        ("GET", "/runs", {"host": "evil.example:3000"}, 400),
        ("GET", "/runs", {"host": "127.0.0.1.evil.example"}, 400),
        ("GET", "/runs", {"host": "evil.example@127.0.0.1"}, 400),
        ("GET", "/runs", {"host": "127.0.0.1/evil.example"}, 400),
        ("GET", "/runs", {"host": "forecasts.example.com"}, 200),
        ("GET", "/graphql", {}, 200),  # the page GraphiQL
        ("GET", "/graphql?query=mutation", {}, 405),
        ("HEAD", "/p/graphql?query=mutation", {}, 405),
        ("GET", "/graphql", {"sec-fetch-site": "cross-site"}, 403),
        ("POST", "/graphql", JSON, 200),
        ("POST", "/graphql", {**JSON, "origin": HERE, "sec-fetch-site": "same-origin"}, 200),
        ("POST", "/graphql", {**JSON, "origin": EVIL}, 403),
        ("POST", "/graphql", {**JSON, "origin": "null"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "http://[evil"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "http://127.0.0.1:8000"}, 403),  # another server of this machine
        ("POST", "/graphql", {**JSON, "sec-fetch-site": "same-site"}, 403),
        ("POST", "/graphql?query=mutation", {"content-type": "text/plain"}, 415),
        ("POST", "/graphql?query=mutation", {}, 415),
        ("POST", "/report/a", {"origin": EVIL}, 403),
        ("POST", "/report/a", {}, 200),
    ],
)
def test_what_is_passed_on(method, path, headers, status):
    answer = TestClient(app(), base_url=HERE).request(method, path, headers=headers)
    assert answer.status_code == status
    assert status != 200 or answer.headers["x-frame-options"] == "SAMEORIGIN"


def test_a_second_host_is_no_way_round():
    answer = TestClient(app(), base_url=HERE).get(
        "/runs", headers=[("host", "127.0.0.1:3000"), ("host", "evil.example")]
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(("headers", "opens"), [({}, True), ({"origin": HERE}, True), ({"origin": EVIL}, False)])
def test_a_websocket_is_opened_by_our_own_pages_alone(headers, opens):
    client = TestClient(app(), base_url=HERE)
    if opens:
        with client.websocket_connect("ws://127.0.0.1:3000/graphql", headers=headers):
            return
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("ws://127.0.0.1:3000/graphql", headers=headers):
        pass


def test_a_dagster_that_cannot_be_guarded_is_an_error():
    with pytest.raises(UnguardedError, match="starts its web server in another way"):
        replaceable(ModuleType("dagster._cli.dev"), "open_ipc_subprocess")


def test_a_server_that_answers_to_any_name_is_told_and_not_waited_for(monkeypatch):
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(dev.dev_command, "main", lambda *_, **__: time.sleep(60))
        with pytest.raises(UnguardedError, match="without its guard, and was ended: another server is there"):
            Dev("127.0.0.1", server.server_port).run()
        server.shutdown()


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """Dagster's real web server, started as `make dev` does it; in the end Ctrl-C ends all without a trace."""
    home, port = tmp_path_factory.mktemp("dagster"), servers.free_port()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "DAGSTER_"))}
    environment |= {"DAGSTER_HOME": str(home), "MLOPS_API_HOSTS": "forecasts.example.com"}
    command = [sys.executable, "-m", "mlops_assets", "dev", "--port", str(port), "--empty-workspace"]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            deadline = time.monotonic() + 120
            while not servers.answers(port):
                assert server.poll() is None, (home / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield f"127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGINT)
            code = server.wait(90)
    said = (home / "log").read_text()
    assert (code, "Traceback" in said, "SupersessionWarning" in said) == (0, False, False), said


def ask(address: str, **headers: str) -> requests.Response:
    return requests.post(f"http://{address}/graphql", json={"query": CHANGE}, headers=headers, timeout=60)


@pytest.mark.process
def test_the_real_web_server_serves_its_own_pages_and_refuses_those_of_others(address):
    assert "Dagster" in requests.get(f"http://{address}/", headers={"sec-fetch-site": "none"}, timeout=60).text
    own = {"Origin": f"http://{address}", "Sec-Fetch-Site": "same-origin"}
    assert ask(address, **own).json() == {"data": {"setNuxSeen": True}}
    assert ask(address, Host="forecasts.example.com").status_code == 200
    assert ask(address, Origin=EVIL).status_code == 403
    assert ask(address, Host="evil.example").status_code == 400
    got = requests.get(f"http://{address}/graphql", params={"query": CHANGE}, timeout=60)
    assert got.status_code == 405
    form = requests.post(f"http://{address}/graphql", params={"query": CHANGE}, data="x", timeout=60)
    assert form.status_code == 415
    with connect(f"ws://{address}/graphql", origin=f"http://{address}", subprotocols=["graphql-ws"]) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv(60)) == {"type": "connection_ack"}
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://{address}/graphql", origin=EVIL, subprotocols=["graphql-ws"])


def test_without_a_home_it_shows_the_instance_in_which_commands_list_their_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("DAGSTER_HOME", "")  # so that it is put back
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path))
    started = []
    monkeypatch.setattr(Dev, "run", lambda _: started.append(os.environ["DAGSTER_HOME"]))
    assert CliRunner().invoke(main, ["dev"], catch_exceptions=False).exit_code == 0
    assert started == [str(tmp_path / "dagster")]
    assert (tmp_path / "dagster" / "dagster.yaml").exists()
