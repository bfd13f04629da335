"""MLflow's own SQLite file: made whole or not at all, by one process at a time.

MLflow makes its tables by some hundred statements over seconds. A process killed between them, or two that do it at
once, leave a file that no later one can use.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from mlops_assets.tracking.errors import TrackingError

QUIET_SECONDS = 10.0
"""A half-made file that nobody has written to for so long is nobody's work any more."""
_ASIDE, _NEW = ".unfinished", ".new"
_BESIDE = ("", "-journal", "-wal", "-shm")
"""SQLite's files of one database."""


def ensure_made(file: Path) -> None:
    """Make MLflow's database, unless it is there; a half-made one, which holds nothing, is set aside.

    It is made beside its place and put there when it is whole.

    Raises:
        TrackingError: there is a file of another kind.
    """
    if file.exists() and is_made(file):
        return
    from filelock import FileLock

    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        while file.exists() and not is_made(file):
            # Either way: a clock that was set back has files of the future, and they are no newer for that.
            if abs(time.time() - file.stat().st_mtime) > QUIET_SECONDS:
                _move(file, file.with_name(file.name + _ASIDE))
            else:
                time.sleep(0.2)  # another program, such as MLflow's web UI, may be making it
        if not file.exists():
            _make(file)


def is_made(file: Path) -> bool:
    """Whether MLflow has finished making a database: its first experiment is the last thing that it makes.

    Raises:
        TrackingError: it is no SQLite database.
    """
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=30)) as connection:
            return connection.execute("SELECT 1 FROM experiments LIMIT 1").fetchone() is not None
    except sqlite3.OperationalError as error:
        return "no such table" not in str(error)  # anything else is for MLflow to say
    except sqlite3.DatabaseError as error:
        raise TrackingError(
            f"{file} is not a database of MLflow ({error}); move it away, or name another by MLFLOW_TRACKING_URI"
        ) from None


def _make(file: Path) -> None:
    import mlflow

    new = file.with_name(file.name + _NEW)
    for suffix in _BESIDE:
        new.with_name(new.name + suffix).unlink(missing_ok=True)
    address = f"sqlite:///{new}"
    mlflow.MlflowClient(address).search_experiments(max_results=1)
    _close(address)
    new.replace(file)


def _close(address: str) -> None:
    """Close the connections that MLflow keeps to a database."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    engine: Any = getattr(SqlAlchemyStore, "_engine_map", {}).pop(address, None)
    if engine is not None:
        engine.dispose()


def _move(file: Path, aside: Path) -> None:
    for suffix in _BESIDE:
        part = file.with_name(file.name + suffix)
        if part.exists():
            part.replace(aside.with_name(aside.name + suffix))
