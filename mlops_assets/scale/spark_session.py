"""A Spark session: of a cluster, of Spark Connect, or of Databricks."""

import os
import pickle
import re
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mlops_assets.errors import MissingExtraError
from mlops_assets.resources.release import package_version
from mlops_assets.scale import worker
from mlops_assets.scale.address import MASTERS, Address
from mlops_assets.scale.failures import EngineUnavailableError, WorkerLostError
from mlops_assets.scale.opener import open_by_path
from mlops_assets.scale.worker import Outcome

PATIENCE = 20.0
"""Seconds that a master, or a server of Spark Connect, may take to answer."""
_CONNECT = 15002
"""Port of a server of Spark Connect, unless the address names another."""
_EXECUTORS = 300.0
"""Seconds that the first executor may take to come."""
_RETRIES, _PAUSE = 4, 5000
"""Times that Spark Connect asks a silent server again, and the longest pause between (ms): not for ten minutes."""
_MARK = "SPARK_CONNECT_MODE_ENABLED"
"""Variable by which pyspark keeps other sessions than those of Spark Connect out of a process that has had one."""
_LOST = re.compile("ExecutorLostFailure|Python worker (exited|crashed)|EOFException")


class SparkSession:
    """The executors of a session: a partition a task, whose only row is its pickled outcome.

    Spark gives a task again whose executor has died, four times unless `spark.task.maxFailures` says otherwise.
    """

    def __init__(self, where: Address) -> None:
        self._where = where
        try:
            with self._there():
                self._session, self._own = _open(where)
        except ModuleNotFoundError as error:
            raise MissingExtraError.of(f"MLOPS_ENGINE={where.text}", error.name or "pyspark", "spark") from error
        self._connected = type(self._session).__module__.startswith("pyspark.sql.connect")
        self._checked = False

    def map(self, packed: bytes, tasks: Sequence[Any]) -> Iterator[Outcome]:
        """Yield the outcomes in order, see `Backend`."""
        self._require_executor()
        pickled = [pickle.dumps(task) for task in tasks]
        frame = self._session.range(0, len(tasks), 1, len(tasks)).mapInArrow(
            _on_executor(package_version(), packed, pickled), "outcome binary"
        )
        with self._there():
            if not self._connected:
                # Classic Spark would fetch, and so compute, one partition after the other; Connect streams one job.
                frame = frame.persist()
                frame.count()
            rows = frame.toLocalIterator()
        try:
            while True:
                with self._there():
                    row = next(rows, None)
                if row is None:
                    return
                outcome = pickle.loads(row[0])  # noqa: S301  (of our own function)
                if not isinstance(outcome, Outcome):
                    worker.require_release(*outcome)
                yield outcome
        finally:
            if not self._connected:
                with suppress(Exception):
                    frame.unpersist()

    def close(self) -> None:
        """End the session if it was opened for this."""
        if self._own:
            with suppress(Exception):
                self._session.stop()
            if self._connected:
                os.environ.pop(_MARK, None)

    def _require_executor(self) -> None:
        """Wait for the first executor, and no longer than it may take to come."""
        if self._checked:
            return
        waiting = ThreadPoolExecutor(1)
        try:
            with self._there():
                waiting.submit(self._session.range(1).count).result(_EXECUTORS)
        except Late:
            raise EngineUnavailableError(
                f"MLOPS_ENGINE={self._where.text}: no executor of Spark has taken a task for {_EXECUTORS:g} s"
            ) from None
        finally:
            waiting.shutdown(wait=False)
        self._checked = True

    @contextmanager
    def _there(self) -> Iterator[None]:
        """Say what Spark's errors mean to us."""
        try:
            yield
        except (EngineUnavailableError, ModuleNotFoundError, Late):
            raise
        except Exception as error:
            text = f"{error}"
            if _LOST.search(text):
                raise WorkerLostError(
                    f"MLOPS_ENGINE={self._where.text}: executors died of a task again and again, most likely since it "
                    f"takes more memory than one has; give executors more memory ({_first_line(text)})"
                ) from error
            if type(error).__name__ == "PythonException":
                raise
            raise EngineUnavailableError(
                f"MLOPS_ENGINE={self._where.text}: Spark does not answer as it should: {_first_line(text)}"
            ) from error


def _open(where: Address) -> tuple[Any, bool]:
    """Open a session, or find it, and say whether it is ours to stop."""
    if where.opener:
        return open_by_path(where), True
    if where.kind == "databricks":
        return _of_databricks(), False
    from pyspark.sql import SparkSession as Session  # pyright: ignore[reportMissingImports]

    running = Session.getActiveSession() if where.kind == "spark" else None
    if running is not None:
        return running, False
    _require_answer(where)
    builder: Any = Session.builder.appName("mlops-assets")
    for name, value in {**_settings_of(where), **where.options}.items():
        builder = builder.config(name, f"{value}".lower() if isinstance(value, bool) else value)
    if where.kind == "sc":
        session = builder.remote(f"sc://{where.place}").create()
        for policy in session.client.get_retry_policies():
            policy.max_retries, policy.max_backoff = _RETRIES, _PAUSE
        return session, True
    own = MASTERS.fullmatch(where.place) is not None
    return builder.master(f"spark://{where.place}" if own else where.place).getOrCreate(), True


def _of_databricks() -> Any:
    """Return the session of the cluster that this runs on, or one of Databricks Connect, by its own variables."""
    try:
        from databricks.connect import DatabricksSession  # pyright: ignore[reportMissingImports]
    except ImportError:
        from pyspark.sql import SparkSession as Session  # pyright: ignore[reportMissingImports]

        return Session.getActiveSession() or Session.builder.getOrCreate()
    return DatabricksSession.builder.getOrCreate()


def _settings_of(where: Address) -> dict[str, str]:
    """Return what our sessions differ in from Spark's defaults."""
    if where.kind == "sc":
        return {}
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.executorEnv.OMP_NUM_THREADS": "1",
    }
    if where.place.startswith("local"):  # executors on this machine have its Python, and see its packages
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        settings |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.executorEnv.PYTHONPATH": os.pathsep.join(place or str(Path.cwd()) for place in sys.path),
        }
    return settings


def _require_answer(where: Address) -> None:
    """Knock at the first address that names a host: Spark itself tries for minutes.

    Raises:
        EngineUnavailableError: nobody opens.
    """
    found = re.match(r"([\w.-]+)(?::(\d+))?", where.place)
    if found is None or (where.kind == "spark" and not found[2]):
        return
    host, port = found[1], int(found[2] or _CONNECT)
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except OSError as error:
        raise EngineUnavailableError(
            f"MLOPS_ENGINE={where.text}: nothing answers at {host}:{port} within {PATIENCE:g} s: {error}"
        ) from error


def _on_executor(release: str, packed: bytes, tasks: Sequence[bytes]) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """Make what executors run: no function of a module, so it is sent whole, and needs no package of ours."""

    def run(batches):
        import pickle
        import platform
        from importlib.metadata import PackageNotFoundError, version

        import pyarrow as pa

        try:
            found = version("mlops-assets")
        except PackageNotFoundError:
            found = None
        for batch in batches:
            for number in batch.column(0).to_pylist():
                if found == release:
                    from mlops_assets.scale.worker import perform

                    answer = perform(packed, pickle.loads(tasks[number]))  # noqa: S301
                else:
                    answer = (found, platform.node())
                yield pa.RecordBatch.from_pydict({"outcome": pa.array([pickle.dumps(answer)], pa.binary())})

    return run


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:300]
