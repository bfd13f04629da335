"""MLflow's own SQLite file: made whole or not at all, by one process at a time.

MLflow makes its tables by some hundred statements over seconds. A process killed between them, or two that do it at
once, leave a file that no later one can use.
"""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlops_assets.tracking.errors import TrackingError

QUIET_SECONDS = 10.0
"""A half-made file that nobody has written to for so long is nobody's work any more."""
_ASIDE, _NEW = ".unfinished", ".new"
_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Columns in which MLflow keeps the addresses of artifacts."""
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


def take_along(file: Path, root: Path) -> None:
    """Let the artifacts that a database names be those beside it, after its folder was copied or moved.

    MLflow writes down where each experiment, run and model has its artifacts, as an absolute path: a copy would read
    from the original, and write into it. An experiment whose folder is below `root` tells where `root` was before.
    What lies anywhere else stays where it is, and so does everything in a file that may not be written to.

    Args:
        file: the database; it is made.
        root: where the artifacts of new experiments are kept.
    """
    address = f"{file.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=30)) as connection, connection:
        found = connection.execute("SELECT name, artifact_location FROM experiments").fetchall()
        for before in sorted({was for name, at in found if (was := _root_before(name, at or "", root))}):
            now = root.as_uri() if before.startswith("file:") else str(root)
            if not os.access(file, os.W_OK):
                return
            for table, column in _PLACES:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608
                    (now, len(before) + 1, len(before) + 1, f"{before}/"),
                )


def _root_before(experiment: str, location: str, root: Path) -> str | None:
    """Return where the artifacts were when an experiment was made; None if they still are, or lie elsewhere."""
    before, _, name = location.rpartition("/")
    there = Path(url2pathname(urlsplit(before).path)) if before.startswith("file:") else Path(before)
    if not before or name != experiment or there.name != root.name or there == root:
        return None
    return before if (root / name).is_dir() else None


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
