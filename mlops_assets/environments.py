"""What an environment is made of: the resources of its places, and how steps run.

Which places an environment uses, and what they need to be set, the settings say.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import dagster as dg

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.io_managers.base import Tables
from mlops_assets.io_managers.memory import MemoryModels, MemoryTables
from mlops_assets.io_managers.models import Models
from mlops_assets.io_managers.objects import ObjectModels, ObjectTables
from mlops_assets.io_managers.sql.tables import SqlTables
from mlops_assets.jobs.resource import Jobs
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.meter import Prices
from mlops_assets.resources.secrets import keep, without_login
from mlops_assets.scale.engine import Engine
from mlops_assets.settings import ModelPlace, Settings, TablePlace
from mlops_assets.tracking.tracking import Tracking

# In one process a small job is done before other processes have started; on servers, steps get their own.
_IN_PROCESS = dg.in_process_executor
_PROCESSES = dg.multiprocess_executor.configured(
    {"start_method": {"forkserver": {"preload_modules": ["mlops_assets.definitions"]}}, "max_concurrent": 4}
)

EXECUTORS: dict[str, dg.ExecutorDefinition] = {
    "local": _IN_PROCESS,
    "staging": _PROCESSES,
    "production": _PROCESSES,
    "test": _IN_PROCESS,
}

TABLES: dict[TablePlace, Callable[[Settings], Tables]] = {
    "files": lambda settings: ObjectTables(base=str(settings.data_folder / "tables"), now=settings.now or ""),
    "sql": lambda settings: SqlTables(keep(settings.database_url, "MLOPS_DATABASE_URL"), now=settings.now or ""),
    "object_storage": lambda settings: ObjectTables(base=str(settings.object_storage), now=settings.now or ""),
    "memory": lambda settings: MemoryTables(now=settings.now or ""),
}

MODELS: dict[ModelPlace, Callable[[Settings], Models]] = {
    "files": lambda settings: ObjectModels(base=str(settings.data_folder / "models")),
    "object_storage": lambda settings: ObjectModels(base=str(settings.object_storage)),
    "memory": lambda _: MemoryModels(),
}


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
    notifications: Notifications
    clock: Clock
    jobs: Jobs
    engine: Engine = field(default_factory=Engine.local)
    prices: Prices = field(default_factory=Prices)


def _tracking(settings: Settings) -> Tracking:
    if settings.tracking_uri is not None:
        ui = settings.mlflow_ui or _server(settings.tracking_uri.get_secret_value())
        return Tracking(uri=keep(settings.tracking_uri, "MLFLOW_TRACKING_URI"), ui=ui)
    folder = settings.data_folder / "mlflow"
    return Tracking(
        uri=f"sqlite:///{folder / 'mlflow.db'}",
        artifact_root=str(folder / "artifacts"),
        ui=settings.mlflow_ui or "http://127.0.0.1:5000",
    )


def _server(uri: str) -> str:
    """A tracking server is its own web UI; a database has none. Never with a password."""
    return without_login(uri) if uri.lower().startswith(("http://", "https://")) else ""


def build_environment(settings: Settings) -> Environment:
    """Return the resources and the executor of the environment that the settings name."""
    resources = {
        "tables": TABLES[settings.table_place](settings),
        "models": MODELS[settings.model_place](settings),
        "tracking": _tracking(settings),
        "clock": Clock.of(settings),
        "jobs": Jobs(settings),
        "engine": Engine.at(settings.engine),
        "prices": Prices(cpu_hour=settings.price_per_cpu_hour),
        "notifications": Notifications(
            channel=keep(settings.notify, "MLOPS_NOTIFY") or "", dagster_ui=settings.dagster_ui
        ),
    }
    return Environment(resources, EXECUTORS[settings.environment])


def stores_of(settings: Settings, read_only: bool = False) -> Stores:
    """Return the stores of an environment for a process that keeps them, and asks them from several threads.

    Args:
        settings: that say which.
        read_only: a database of tables is told that nothing may be changed.
    """
    resources = build_environment(settings).resources
    if read_only and isinstance(resources["tables"], SqlTables):
        resources["tables"] = resources["tables"].to_read()
    return Stores(**{part.name: resources[part.name] for part in fields(Stores)})


@contextmanager
def open_stores(settings: Settings) -> Iterator[Stores]:
    """Open the stores of an environment outside a Dagster run.

    `dg.build_resources` would do it over instances of Dagster in memory, which it makes with all their migrations.
    """
    stores = stores_of(settings)
    stores.tables.begin()
    stores.models.begin()
    try:
        yield stores
    finally:
        stores.engine.close()
