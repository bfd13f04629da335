"""What every round asks of MLflow's own SQLite file, read without MLflow, whose import takes longer than the answers.

What is not there, what else is asked, and nearly all that is written is MLflow's, as is everything where its tables are
not those that are read here.
"""

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from threading import get_ident
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

RUNNING = "attributes.status = 'RUNNING'"
"""Filter of runs that have not ended."""
_DELETED = "Deleted_Internal"
"""Stage of a version that MLflow has deleted, and keeps a row of."""


@dataclass(frozen=True)
class LocalVersion:
    """A registered version, as far as it is used."""

    name: str
    version: str
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Sequence[str] = ()
    description: str | None = None


class LocalClient:
    """Answers as `MlflowClient` does: experiments, runs, versions and aliases by name; texts beside runs."""

    def __init__(self, file: Path, open_client: Callable[[], Any]) -> None:
        """Take a database that is made, and what gives MLflow's client when it is needed."""
        self._file, self._open = file, open_client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mlflow, name)

    @cached_property
    def _mlflow(self) -> Any:
        return self._open()

    def get_experiment_by_name(self, name: str) -> Any:
        """Return an experiment's id and stage."""
        found = self._rows("SELECT experiment_id, lifecycle_stage FROM experiments WHERE name = ?", name)
        if len(found) != 1:
            return self._mlflow.get_experiment_by_name(name)
        return SimpleNamespace(experiment_id=str(found[0][0]), lifecycle_stage=found[0][1])

    def search_runs(self, experiment_ids: list[str], filter_string: str = "", **others: Any) -> Any:
        """Say that no run is under way."""
        if filter_string == RUNNING and not others:
            query = "SELECT count(*) FROM runs WHERE experiment_id = ? AND status = 'RUNNING'"
            if [self._rows(query, one) for one in experiment_ids] == [[(0,)]] * len(experiment_ids):
                return []
        return self._mlflow.search_runs(experiment_ids, filter_string, **others)

    def get_model_version(self, name: str, version: str) -> Any:
        """Return a version with its tags and aliases."""
        query = "SELECT alias FROM registered_model_aliases WHERE name = ? AND version = ?"
        for one in self._versions(name, "AND version = ?", version):
            return replace(one, aliases=[row[0] for row in self._rows(query, name, version)])
        return self._mlflow.get_model_version(name, version)

    def search_model_versions(self, filter_string: str) -> Any:
        """Return all versions of a model with their tags, without their aliases."""
        name = filter_string.removeprefix("name = '").removesuffix("'")
        found = self._versions(name) if filter_string == f"name = '{name}'" else []
        return found or self._mlflow.search_model_versions(filter_string)

    def search_registered_models(self, filter_string: str | None = None, max_results: int = 100) -> Any:
        """Return the names of the first models."""
        found = self._rows("SELECT name FROM registered_models ORDER BY name") if filter_string is None else []
        models = [SimpleNamespace(name=name) for (name,) in found[:max_results]]
        return models or self._mlflow.search_registered_models(filter_string, max_results)

    def get_registered_model(self, name: str) -> Any:
        """Return a model's aliases."""
        if not self._rows("SELECT name FROM registered_models WHERE name = ?", name):
            return self._mlflow.get_registered_model(name)
        found = self._rows("SELECT alias, version FROM registered_model_aliases WHERE name = ?", name)
        return SimpleNamespace(aliases=dict(found))

    def get_run(self, run_id: str) -> Any:
        """Return the latest metrics of a run."""
        query = "SELECT key, CASE is_nan WHEN 0 THEN value END FROM latest_metrics WHERE run_uuid = ?"
        found = self._rows(query, run_id)
        metrics = {name: float("nan") if value is None else value for name, value in found}
        return SimpleNamespace(data=SimpleNamespace(metrics=metrics)) if found else self._mlflow.get_run(run_id)

    def log_text(self, run_id: str, text: str, artifact_file: str) -> None:
        """Write a text beside a run."""
        folder = self._artifacts(run_id)
        if folder is None:
            self._mlflow.log_text(run_id, text, artifact_file)
            return
        path = folder / artifact_file
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)

    def download_artifacts(self, run_id: str, path: str, dst_path: str | None = None) -> str:
        """Return where a file beside a run is."""
        folder = self._artifacts(run_id)
        if folder is None or not (folder / path).is_file():
            return self._mlflow.download_artifacts(run_id, path, dst_path)
        return str(folder / path)

    def _artifacts(self, run_id: str) -> Path | None:
        """Return the folder of a run, if its artifacts are files here."""
        for (place,) in self._rows("SELECT artifact_uri FROM runs WHERE run_uuid = ?", run_id):
            parts = urlsplit(place or "")
            if parts.scheme == "file" and not parts.netloc:
                return Path(url2pathname(parts.path))
            if Path(place or "").is_absolute():
                return Path(place)
        return None

    def _versions(self, name: str, only: str = "", *values: str) -> list[LocalVersion]:
        columns = "version, run_id, description"
        query = f"SELECT {columns} FROM model_versions WHERE name = ? AND current_stage <> ? {only}"  # noqa: S608
        tags: dict[int, dict[str, str]] = {}
        for version, key, value in self._rows(
            "SELECT version, key, value FROM model_version_tags WHERE name = ?", name
        ):
            tags.setdefault(version, {})[key] = value
        found = self._rows(query, name, _DELETED, *values)
        return [
            LocalVersion(name, str(version), run_id, tags.get(version, {}), description=words)
            for version, run_id, words in found
        ]

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """Return what the file says; nothing where it cannot be asked so, for MLflow to say what is wrong."""
        try:
            found = self._file.stat()
            file = _opened(self._file.absolute().as_uri(), found.st_dev, found.st_ino, os.getpid(), get_ident())
            return file.execute(query, values).fetchall()
        except (OSError, sqlite3.Error):
            return []


@lru_cache(maxsize=4)
def _opened(uri: str, *_: int) -> sqlite3.Connection:
    """Open a file to read it, once: SQLite reads all of MLflow's sixty tables' definitions when it opens it.

    Args:
        uri: of the file.
        _: which file that is, and who opens it: a connection is neither for another process nor for another thread.
    """
    return sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=30)
