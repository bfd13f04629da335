"""What an environment is made of: the stores of its places, as plain objects; `definitions` shows them to Dagster.

Which places an environment uses, and what they need to be set, the settings say.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.io_managers.base import Tables
from mlops_assets.io_managers.memory import MemoryModels, MemoryTables
from mlops_assets.io_managers.models import Models
from mlops_assets.io_managers.objects import ObjectModels, ObjectTables
from mlops_assets.io_managers.sql.tables import SqlTables
from mlops_assets.jobs.resource import Jobs
from mlops_assets.lifecycle.approvers import Approvers
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.meter import Prices
from mlops_assets.resources.secrets import keep, without_login
from mlops_assets.scale.engine import Engine
from mlops_assets.settings import ModelPlace, Settings, TablePlace
from mlops_assets.sources.asset_rows import reaching
from mlops_assets.tracking.tracking import Tracking

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
class Stores:
    """What is kept somewhere, and who is asked or told: the resources of Dagster's runs, by name, and of commands."""

    tables: Tables
    models: Models
    tracking: Tracking
    notifications: Notifications
    clock: Clock
    jobs: Jobs
    engine: Engine = field(default_factory=Engine.local)
    prices: Prices = field(default_factory=Prices)
    approvers: Approvers = field(default_factory=Approvers)


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


def stores_of(settings: Settings, read_only: bool = False) -> Stores:
    """Return the stores of an environment for a process that keeps them, and asks them from several threads.

    Args:
        settings: that say which.
        read_only: a database of tables is told that nothing may be changed.
    """
    tables = TABLES[settings.table_place](settings)
    return Stores(
        tables=tables.to_read() if read_only and isinstance(tables, SqlTables) else tables,
        models=MODELS[settings.model_place](settings),
        tracking=_tracking(settings),
        clock=Clock.of(settings),
        jobs=Jobs(settings),
        engine=Engine.at(settings.engine),
        prices=Prices(cpu_hour=settings.price_per_cpu_hour),
        approvers=Approvers.of(settings),
        notifications=Notifications(
            channel=keep(settings.notify, "MLOPS_NOTIFY") or "", dagster_ui=settings.dagster_ui
        ),
    )


@contextmanager
def open_stores(settings: Settings) -> Iterator[Stores]:
    """Open the stores of an environment outside a Dagster run."""
    stores = stores_of(settings)
    stores.tables.begin()
    stores.models.begin()
    try:
        with reaching(lambda: stores.tables):
            yield stores
    finally:
        stores.engine.close()


def assets_of(settings: Settings) -> AbstractContextManager[None]:
    """Let sources that are assets be read from the tables of an environment, which are opened if one is."""

    def opened() -> Tables:
        tables = TABLES[settings.table_place](settings)
        tables.begin()
        return tables

    return reaching(opened)
