"""What the read API costs: one item's forecast out of a large ledger, eight clients for a minute, a start.

    python benchmarks/serving.py             # prints the figures: about five minutes
    python benchmarks/serving.py --check     # and fails above a target

Each figure is a ratio to a bare FastAPI application on the same uvicorn, in turn in the same minutes: for reading, one
that answers the same bytes from memory; for starting, one with a single route. All is on loopback.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
NAME = "large"
READING, STARTING, GROWTH = 3.0, 2.0, 1.1
"""Targets: reading and starting against the bare application, memory after a minute against that before."""
CLIENTS = 8
BARE = """
import sys, uvicorn
from pathlib import Path
from fastapi import FastAPI, Response
app, body = FastAPI(), Path(sys.argv[2]).read_bytes()

@app.get("/")
async def static() -> Response:
    return Response(body, media_type="application/json")

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
"""


def declare(folder: Path) -> Path:
    """Write the spec of a made-up daily panel, and return the folder of specs."""
    specs = folder / "forecasts"
    specs.mkdir()
    fields = {
        "name": NAME,
        "source": {"kind": "file", "path": "none.csv"},
        "columns": {"item_id": "item", "timestamp": "day", "target": "sales"},
        "frequency": "D",
        "partitions": {"start": "2024-01-01", "end": "2024-12-31"},
        "horizon": 14,
    }
    (specs / "large.yaml").write_text(yaml.safe_dump(fields))
    return specs


def fill(specs: Path, data: Path, items: int, origins: int) -> list[str]:
    """Store observations, a forecast of every origin and the scores of the last, and return the ids."""
    from mlops_assets.catalog.graph import Graph
    from mlops_assets.catalog.names import FORECAST_ACCURACY, FORECASTS, OBSERVATIONS
    from mlops_assets.forecasting.evaluation import ledger
    from mlops_assets.io_managers import ObjectTables
    from mlops_assets.spec import load_spec

    spec, tables = load_spec(specs / "large.yaml"), ObjectTables(base=str(data / "tables"))
    graph, task, rng = Graph(spec), spec.task, np.random.default_rng(0)
    ids = [f"item {number:05}" for number in range(items)]
    level, made = rng.lognormal(3, 1, items), {}

    def write(name: str, day: pd.Timestamp, rows: pd.DataFrame) -> None:
        empty = graph.without_rows(name)
        options = graph.observed if name == OBSERVATIONS else {"allow_new_columns": True}
        rows = rows.reindex(columns=empty.columns).astype(empty.dtypes.to_dict())
        tables.write([NAME, name], rows, f"{day:%Y-%m-%d}", **options)

    for number, day in enumerate(pd.date_range("2024-01-01", periods=origins)):
        morning = day + pd.Timedelta(hours=30)
        came = pd.DataFrame({"item_id": ids, "timestamp": day, "target": rng.poisson(level).astype(float)})
        write(OBSERVATIONS, day, came.assign(known_at=morning))
        steps = np.arange(1, task.horizon + 1)
        middle = np.repeat(level, len(steps)) * rng.normal(1, 0.05, items * len(steps))
        rows = pd.DataFrame(
            {
                "item_id": np.repeat(ids, len(steps)),
                "origin": day,
                "lead": np.tile(steps, items),
                "timestamp": day + pd.to_timedelta(np.tile(steps, items), unit="D"),
                "mean": middle,
                "naive": middle * 1.1,
                **{name: middle * (0.6 + q) for q, name in zip(task.quantiles, task.quantile_columns, strict=True)},
            }
        ).assign(
            source="champion", mase_scale=2.0, rmsse_scale=2.5, model_version=1, trained_until=pd.Timestamp(2024, 1, 1),
            delivered_because="champion", role="delivered", job_key="", run_id="", created_at=morning,
        )  # fmt: skip
        write(FORECASTS, day, rows)
        if number >= origins - 28:
            before = [rows[rows["timestamp"] == day] for rows in made.values()]
            write(FORECAST_ACCURACY, day, ledger.match(pd.concat(before), came, task, False))
        if number >= origins - 28 - task.horizon:
            made = {**dict(list(made.items())[-task.horizon + 1 :]), day: rows}
    return ids


@dataclass
class Server:
    """A server in a process of its own.

    Attributes:
        process: which.
        port: it listens at, on loopback.
        seconds: from its start to its first answer.
    """

    process: psutil.Popen
    port: int
    seconds: float

    @property
    def cpu_seconds(self) -> float:
        """What it has spent of a processor, user and system."""
        times = self.process.cpu_times()
        return times.user + times.system

    @property
    def megabytes(self) -> float:
        """Its resident memory."""
        return self.process.memory_info().rss / 1e6


@contextmanager
def server(command: Sequence[str], port: int, path: str, environment: dict[str, str]) -> Iterator[Server]:
    """Start a server, wait for its first answer, and end it."""
    began = time.perf_counter()
    process = psutil.Popen(
        [sys.executable, *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                if get(http.client.HTTPConnection("127.0.0.1", port, timeout=5), path)[0] == 200:
                    break
            except OSError:
                if process.poll() is not None:
                    sys.exit(f"{command[:2]} ended with {process.returncode}")
                time.sleep(0.005)
        yield Server(process, port, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(30)


def get(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    """Ask for a path, and return status and body."""
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def free_port() -> int:
    """Return a port that is free."""
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def ours(environment: dict[str, str]) -> Iterator[Server]:
    """Start our server."""
    port = free_port()
    with server(["-m", "mlops_assets", "serve", "--port", str(port)], port, "/healthz", environment) as one:
        yield one


@contextmanager
def bare(file: Path, environment: dict[str, str]) -> Iterator[Server]:
    """Start the bare application, that answers with what a file holds."""
    port = free_port()
    with server(["-c", BARE, str(port), str(file)], port, "/", environment) as one:
        yield one


def path_of(item: str) -> str:
    """Return the address of an item's forecast."""
    return f"/v1/forecasts/{NAME}?item={quote(item)}"


def reading(ids: Sequence[str], environment: dict[str, str], folder: Path, times: int) -> tuple[float, float, int]:
    """Return the milliseconds of a processor of ours and of the bare application, and the size of an answer."""
    rng, file = np.random.default_rng(1), folder / "answer.json"
    with ours(environment) as one:
        mine = http.client.HTTPConnection("127.0.0.1", one.port)
        deadline = time.monotonic() + 120
        quick, status, body = 0, 0, b""
        while quick < 20 and time.monotonic() < deadline:  # until the ledger's latest rows are in memory
            began = time.perf_counter()
            status, body = get(mine, path_of(ids[0]))
            quick = quick + 1 if time.perf_counter() - began < 0.01 else 0
            time.sleep(0.1)
        if status != 200:
            sys.exit(body.decode())
        file.write_bytes(body)
        with bare(file, environment) as other:
            theirs = http.client.HTTPConnection("127.0.0.1", other.port)
            before = one.cpu_seconds, other.cpu_seconds
            for item in rng.choice(ids, times):
                for connection, path in ((mine, path_of(item)), (theirs, "/")):
                    status, _ = get(connection, path)
                    if status != 200:
                        sys.exit(f"{path}: {status}")
            spent = one.cpu_seconds - before[0], other.cpu_seconds - before[1]
    return 1e3 * spent[0] / times, 1e3 * spent[1] / times, len(body)


@dataclass
class Load:
    """What some clients have met.

    Attributes:
        answers: how many.
        failures: what was no good answer.
        before: megabytes of the server after the first quarter of the time.
        after: at the end.
        slowest: milliseconds.
    """

    answers: int = 0
    failures: list[str] = field(default_factory=list)
    before: float = 0.0
    after: float = 0.0
    slowest: float = 0.0


def load(ids: Sequence[str], environment: dict[str, str], seconds: float) -> Load:
    """Let eight clients ask what people and applications ask."""
    found, lock = Load(), threading.Lock()
    day = "2024-04-01"
    asked = [
        (0.90, path_of),
        (0.04, lambda item: f"{path_of(item)}&format=columns&start={day}"),
        (0.03, lambda item: f"/v1/forecasts/{NAME}/observations?item={quote(item)}"),
        (0.02, lambda item: f"/v1/forecasts/{NAME}/items?search={item[-3:]}&limit=20"),
        (0.01, lambda item: f"/v1/forecasts/{NAME}?format=parquet&limit=20000"),
    ]
    with ours(environment) as one:

        def client(number: int, until: float) -> None:
            rng = np.random.default_rng(number)
            connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=60)
            while time.monotonic() < until:
                make = asked[rng.choice(len(asked), p=[share for share, _ in asked])][1]
                path, began = make(str(rng.choice(ids))), time.perf_counter()
                try:
                    status, _ = get(connection, path)
                    problem = "" if status == 200 else f"{path}: {status}"
                except (OSError, http.client.HTTPException) as error:
                    problem = f"{path}: {error!r}"
                    connection.close()
                with lock:
                    found.answers += 1
                    found.slowest = max(found.slowest, 1e3 * (time.perf_counter() - began))
                    found.failures += [problem] if problem else []

        def together(for_seconds: float) -> None:
            until = time.monotonic() + for_seconds
            threads = [threading.Thread(target=client, args=(n, until)) for n in range(CLIENTS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        together(seconds / 4)
        found.before = one.megabytes
        together(seconds * 3 / 4)
        found.after = one.megabytes
    return found


def starting(environment: dict[str, str], folder: Path, times: int) -> tuple[float, float]:
    """Return the median seconds until ours and the bare application first answer."""
    file = folder / "nothing.json"
    file.write_bytes(b"{}")
    spent: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(times + 1):
        with bare(file, environment) as other:
            spent["theirs"].append(other.seconds)
        with ours(environment) as one:
            spent["ours"].append(one.seconds)
    return statistics.median(spent["ours"][1:]), statistics.median(spent["theirs"][1:])


def main() -> int:
    """Print the figures; return the exit code."""
    parser = argparse.ArgumentParser(description="What the read API costs against a bare FastAPI application.")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--origins", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the clients ask")
    parser.add_argument(
        "--only", nargs="+", choices=["reading", "load", "starting"], default=["reading", "load", "starting"]
    )
    parser.add_argument("--keep", type=Path, help="a folder where the tables are made once, and found again")
    parser.add_argument("--check", action="store_true", help="exit code 1 above a target")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        if not (folder / "ids.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            ids = fill(declare(folder), folder / "data", arguments.items, arguments.origins)
            (folder / "ids.json").write_text(json.dumps(ids))
        ids = json.loads((folder / "ids.json").read_text())
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
        environment |= {"MLOPS_DATA": str(folder / "data"), "MLOPS_FORECASTS": str(folder / "forecasts")}
        environment |= {"PYTHONPATH": str(ROOT), "MLOPS_NOW": "2024-12-31"}
        kept = []
        if "starting" in arguments.only:
            mine, theirs = starting(environment, folder, 5)
            kept.append(mine / theirs <= STARTING)
            print(f"first answer after a start: {mine:.2f} s, of a bare application {theirs:.2f} s")
            print(f"  {mine / theirs:.2f} times, target {STARTING}")
        if "reading" in arguments.only:
            mine, theirs, size = reading(ids, environment, folder, 2_000)
            kept.append(mine / theirs <= READING)
            print(
                f"one item of {len(ids):,}, {size:,} bytes: {mine:.2f} ms, the same bytes from memory {theirs:.2f} ms"
            )
            print(f"  {mine / theirs:.2f} times, target {READING}")
        if "load" in arguments.only:
            found = load(ids, environment, arguments.seconds)
            kept.append(not found.failures and found.after / found.before <= GROWTH)
            print(f"{CLIENTS} clients for {arguments.seconds:.0f} s: {found.answers:,} answers, the slowest ", end="")
            print(f"{found.slowest:.0f} ms, {len(found.failures)} failures; ", end="")
            print(f"{found.before:.0f} MB, then {found.after:.0f} MB")
            print(f"  {found.after / found.before:.2f} times, target {GROWTH}, and no failure")
            print(*found.failures[:5], sep="\n")
    return int(arguments.check and not all(kept))


if __name__ == "__main__":
    sys.exit(main())
