"""A process that forks writers on demand, so that killing one costs milliseconds instead of a cold start.

It opens nothing itself. It reads one JSON order a line and answers with the writer's process id; the writer
appends a line to a file after each write that came back, so the test knows what must be there.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

FOLLOWED = ("/io_managers/filesystems.py", "/io_managers/objects.py")
FOLLOWED_FOLDER = "/io_managers/sql/"
STATEMENTS = ("engine_connect", "begin", "before_cursor_execute", "after_cursor_execute", "commit", "rollback")
"""What SQLAlchemy tells before and after something goes to a database."""
LOADED = [
    *(f"mlops_assets.io_managers.sql.{name}" for name in ("tables", "sqlite", "duckdb", "postgres", "mysql")),
    *(f"sqlalchemy.dialects.{name}" for name in ("sqlite", "postgresql", "mysql")),
    "duckdb_engine", "filelock", "mlops_assets.io_managers", "obstore.store", "pgpq", "psycopg", "pyarrow.compute",
    "pyarrow.parquet", "pymysql", "skops.io",
]  # fmt: skip
"""Everything heavy is loaded before the first fork: a quarter of a second of CPU a kill, for DuckDB."""
STALE = 3
FAILED = 4


class Doomed:
    """The parent's end: order writers, kill them, see how they ended."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "mlops_assets_tests.io_managers.doomed"]
        root = Path(__file__).resolve().parents[2]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)

    def start(self, **order: Any) -> int:
        """Fork a writer and return its process id."""
        return int(self._ask({"do": "write", **order}))

    def wait(self, pid: int) -> int:
        """Wait for a writer and return its exit code, negative for a signal."""
        return int(self._ask({"do": "wait", "pid": pid}))

    def kill(self, pid: int) -> int:
        """Kill a writer as `kill -9` does."""
        os.kill(pid, signal.SIGKILL)
        return self.wait(pid)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)

    def _ask(self, order: dict[str, Any]) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


def content(number: int, partition: str) -> Any:
    """Return what writer `number` puts into a partition: every row tells, and so does how many there are."""
    import pandas as pd

    rows = 50 + number % 7
    return pd.DataFrame(
        {"n": [number] * rows, "row": range(rows), "text": [f"{partition} {number} " + "x" * 50] * rows}
    )


def whole(frame: Any, partition: str) -> int:
    """Make sure that a frame is one writer's, whole, and return whose."""
    from pandas.testing import assert_frame_equal

    number = int(frame["n"].iloc[0])
    assert_frame_equal(frame, content(number, partition))
    return number


def main() -> None:
    """Serve orders until the input ends."""
    for name in LOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "write":
            pid = os.fork()
            if pid == 0:
                os.dup2(os.open(os.devnull, os.O_RDWR), 0)
                os._exit(write(order))
            answer = pid
        else:
            status = os.waitpid(order["pid"], 0)[1]
            answer = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        print(answer, flush=True)  # noqa: T201


def write(order: dict[str, Any]) -> int:
    """Write versions, one after another, until told how many or killed; return an exit code."""
    from mlops_assets.io_managers import StaleWriteError

    if order.get("limit"):
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], order["limit"]))
    try:
        run(order)
    except StaleWriteError:
        return STALE
    except BaseException:
        import traceback

        with Path(order["log"]).with_suffix(".error").open("a") as file:
            traceback.print_exc(file=file)
        return FAILED
    return 0


def run(order: dict[str, Any]) -> None:
    """Write versions from `first` on."""
    from mlops_assets.io_managers import ObjectModels, ObjectTables, SqlTables
    from mlops_assets.io_managers.arrow import to_arrow

    address, key, numbers = (
        order["address"],
        order["key"],
        range(order["first"], order["first"] + order["count"]),
    )
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    kind: Any = ObjectModels if order.get("models") else ObjectTables if isinstance(address, list) else SqlTables
    manager = kind(*address) if isinstance(address, list) else kind(address)

    def write_one(number: int) -> None:
        if order.get("models"):
            manager.replace(key, {"n": number, "text": "x" * number}, {}, number)
        else:
            claim = order.get("claim", number)
            if isinstance(manager, ObjectTables):  # one partition after another anyway: each in its own way
                manager.replace(key, {"a": to_arrow(content(number, "a"))}, {}, claim)
                rows = content(number, "b")
                manager.replace_by_batches(
                    key, (rows.iloc[i : i + 20] for i in range(0, len(rows), 20)), "b", {}, claim
                )
                return
            parts: dict[str | None, Any] = {name: to_arrow(content(number, name)) for name in ("a", "b")}
            manager.replace(key, parts, {}, claim)

    if order.get("wait_for"):
        while not Path(order["wait_for"]).exists():
            pass
    if order.get("die_at"):
        trace = die_at_line(order["die_at"])
        threading.settrace(trace)
        sys.settrace(trace)
    for number in numbers:
        write_one(number)
        os.write(log, f"{number}\n".encode())


def die_at_line(count: int) -> Any:
    """Return a trace function that kills this process before the given line of the code that writes.

    Of the code for files and objects each line counts; of that for databases each one of a function that holds a
    connection, and the first one anywhere after something went to the database. A kill before any other line leaves the
    same as one before the last of these: nothing has left the process in between.
    """
    from sqlalchemy import Engine, event

    seen, sent = 0, False

    def note(*_: Any) -> None:
        nonlocal sent
        sent = True

    for name in STATEMENTS:
        event.listen(Engine, name, note)

    def trace(frame: Any, kind: str, argument: Any) -> Any:
        nonlocal seen, sent
        in_sql = FOLLOWED_FOLDER in frame.f_code.co_filename
        if not in_sql and not frame.f_code.co_filename.endswith(FOLLOWED):
            return None
        if kind == "line" and (not in_sql or sent or "connection" in frame.f_locals):
            seen, sent = seen + 1, False
            if seen >= count:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


if __name__ == "__main__":
    main()
