"""Where things are kept and how steps run, by environment: one dict, readable at a glance.

| | tables | models | MLflow | steps |
|---|---|---|---|---|
| local | Parquet files in the data folder | skops files there | SQLite there | in the run's process |
| test | memory | memory | SQLite in the data folder | in the run's process |
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from mlops_assets.io_managers.base import Models, Tables
from mlops_assets.io_managers.memory import MemoryModels, MemoryTables
from mlops_assets.io_managers.objects import ObjectModels, ObjectTables
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.tracking import Tracking
from mlops_assets.settings import Settings

Maker = Callable[[Settings], Any]


@dataclass(frozen=True)
class Place:
    """An environment: who makes its resources."""

    tables: Maker
    models: Maker
    tracking: Maker
    executor: dg.ExecutorDefinition


@dataclass(frozen=True)
class Environment:
    """An environment made for some settings."""

    resources: dict[str, Any]
    executor: dg.ExecutorDefinition


@dataclass(frozen=True)
class Stores:
    """The resources that commands use outside a Dagster run."""

    tables: Tables
    models: Models
    tracking: Tracking


def _local_tables(settings: Settings) -> ObjectTables:
    return ObjectTables(base=str(settings.data_folder / "tables"))


def _local_models(settings: Settings) -> ObjectModels:
    return ObjectModels(base=str(settings.data_folder / "models"))


def _tracking(settings: Settings) -> Tracking:
    if settings.tracking_uri is not None:
        ui = settings.mlflow_ui or _server(settings.tracking_uri.get_secret_value())
        return Tracking(uri=dg.EnvVar("MLFLOW_TRACKING_URI"), ui=ui)
    folder = settings.data_folder / "mlflow"
    return Tracking(
        uri=f"sqlite:///{folder / 'mlflow.db'}",
        artifact_root=str(folder / "artifacts"),
        ui=settings.mlflow_ui or "http://127.0.0.1:5000",
    )


def _server(uri: str) -> str:
    """A tracking server is its own web UI; a database has none. Never with a password."""
    from urllib.parse import urlsplit

    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return ""
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


ENVIRONMENTS: dict[str, Place] = {
    "local": Place(_local_tables, _local_models, _tracking, dg.in_process_executor),
    "test": Place(lambda _: MemoryTables(), lambda _: MemoryModels(), _tracking, dg.in_process_executor),
    "staging": Place(_local_tables, _local_models, _tracking, dg.multiprocess_executor),
    "production": Place(_local_tables, _local_models, _tracking, dg.multiprocess_executor),
}


def build_environment(settings: Settings) -> Environment:
    """Return the resources and the executor of the environment that the settings name."""
    place = ENVIRONMENTS[settings.environment]
    resources = {
        "tables": place.tables(settings),
        "models": place.models(settings),
        "tracking": place.tracking(settings),
        "clock": Clock(fixed=settings.now or ""),
    }
    return Environment(resources, place.executor)


@contextmanager
def open_stores(settings: Settings) -> Iterator[Stores]:
    """Open the stores of an environment outside a Dagster run."""
    resources = build_environment(settings).resources
    with dg.build_resources({name: resources[name] for name in ("tables", "models", "tracking")}) as opened:
        yield Stores(opened.tables, opened.models, opened.tracking)
