"""The Dagster instance of the command line: the one that the web UI shows."""

import inspect
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import sqlalchemy as sa

from mlops_assets.errors import MlopsAssetsError, TerminalError, UsageError
from mlops_assets.forecasting.model.lone_module import import_alone
from mlops_assets.resources.secrets import scrub
from mlops_assets.settings import Settings

CODE_LOCATION, REPOSITORY = "mlops_assets.definitions", "__repository__"
"""The code location where no project says otherwise, and the repository in it."""
CONFIGURATION = """\
telemetry:
  enabled: false
nux:
  enabled: false
event_log_storage:
  module: mlops_assets.resources.event_log
  class: EventLog
compute_logs:
  module: mlops_assets.resources.compute_logs
  class: ComputeLogs
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
"""

_ALEMBIC = (
    "alembic.command",
    "alembic.config",
    "alembic.runtime.environment",
    "alembic.runtime.migration",
    "alembic.script",
)
_RELIED_ON = {
    "check_alembic_revision": (
        "_alembic_lock MigrationContext configure get_current_revision ScriptDirectory from_config as_revision_number"
    ),
    "get_alembic_config": "ALEMBIC_SCRIPTS_LOCATION Config file_relative_path set_main_option",
}
"""Dagster's functions that ask Alembic when a database is opened: the names in them."""
_REVISION = re.compile(r"^(revision|down_revision) *= *(.*)$", re.MULTILINE)


def dagster_home(settings: Settings) -> Path:
    """Return DAGSTER_HOME, by default the folder `dagster` of the data folder."""
    given = os.environ.get("DAGSTER_HOME")
    return Path(given).expanduser() if given else settings.data_folder / "dagster"


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Return the instance of `dagster_home`, made there if it is new.

    A new home gets the `dagster.yaml` of the working directory, or the shipped settings without telemetry. It is made
    under a lock: two processes that do it at the same time would break it.

    Raises:
        UsageError: Dagster does not take its settings.
    """
    from filelock import FileLock

    home = dagster_home(settings)
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".initialise.lock"):
        file = home / "dagster.yaml"
        if not file.exists():
            own = Path("dagster.yaml")
            file.write_text(own.read_text(encoding="utf-8") if own.is_file() else CONFIGURATION, encoding="utf-8")
        os.environ["DAGSTER_HOME"] = str(home)
        _open_without_alembic()
        try:
            with _paths_later():
                instance = dg.DagsterInstance.get()
        except dg.DagsterInvalidConfigError as error:
            reason = scrub(" ".join(str(error).split()))[:300]
            both = "; remove event_log_storage: storage says where events are kept, too"
            raise UsageError(
                f"{file}: {reason.rstrip('.')}{both if '`event_log_storage`' in reason else ''}"
            ) from error
        instance.get_runs(limit=1)
        return instance


@cache
def _open_without_alembic() -> None:
    """Let Dagster open its databases without Alembic and its own daemon: neither has anything to do with most.

    Dagster imports Alembic and reads its ninety migrations to know that there are some, and its daemon for one type.
    Where its functions are not those that this was made for, Alembic is asked as ever.
    """
    import_alone("dagster._daemon.types")
    absent = [name for name in _ALEMBIC if name not in sys.modules]
    try:
        sys.modules.update((name, _placeholder(name)) for name in absent)
        from dagster._core.storage import sql
    finally:
        for name in absent:
            del sys.modules[name]
    if all(_names_in(getattr(sql, function, None)) == {*names.split()} for function, names in _RELIED_ON.items()):
        sql.__dict__.update(Config=_Config, MigrationContext=_Revision, ScriptDirectory=_Migrations)
    else:
        for name, value in vars(sql).copy().items():
            if isinstance(value, _Later):
                setattr(sql, name, value.own)
    _share_engines()


def _share_engines() -> None:
    """Let Dagster ask for runs, dozens of times a round, by one engine a file, where each compiles all statements anew.

    Without a pool an engine holds no connection, so that one does the same as many.
    """
    names = vars(import_module("dagster._core.storage.runs.sqlite.sqlite_run_storage"))
    if "create_engine" in names:
        names["create_engine"] = lru_cache(maxsize=8)(names["create_engine"])


@contextmanager
def _paths_later() -> Iterator[None]:
    """Let Dagster name the folder of its components' state without a file system's package, which few ever need."""
    import upath

    if "UPath" in upath.__dict__:
        yield
        return
    upath.__dict__["UPath"] = _PathLater
    try:
        yield
    finally:
        del upath.__dict__["UPath"]


class _PathLater:
    """A path of `upath`, which is imported when anything is asked of it."""

    def __init__(self, *given: Any) -> None:
        self._given = given

    @cached_property
    def own(self) -> Any:
        """The path."""
        from upath import UPath

        return UPath(*self._given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)

    def __truediv__(self, name: str) -> Any:
        return self.own / name

    def __str__(self) -> str:
        return str(self.own)

    def __fspath__(self) -> str:
        return str(self.own)


def _names_in(function: Any) -> set[str]:
    """Return the names that a function uses; none of what is no function."""
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return {*code.co_names} if code is not None else set()


class _Later:
    """A function or class of a module that is imported when it is called."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    @property
    def own(self) -> Any:
        """What it stands for."""
        return getattr(import_module(self._module), self._name)

    def __call__(self, *given: Any) -> Any:
        return self.own(*given)


def _placeholder(name: str) -> ModuleType:
    """Return a module of which everything is there `_Later`."""

    def later(function: str) -> Any:
        if function.startswith("__"):
            raise AttributeError(function)
        return _Later(name, function)

    module = ModuleType(name)
    module.__dict__["__getattr__"] = later
    return module


class _Config:
    """Alembic's configuration, which is read when a database is migrated."""

    def __init__(self, file: str) -> None:
        self._file, self.place = file, ""

    def set_main_option(self, _: str, value: str) -> None:
        """Note where the migrations are, the one option that Dagster sets."""
        self.place = value

    @cached_property
    def own(self) -> Any:
        """Alembic's own."""
        from alembic.config import Config

        made = Config(self._file)
        made.set_main_option("script_location", self.place)
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)


class _Revision:
    """Up to which migration a database is."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @classmethod
    def configure(cls, connection: sa.Connection) -> Any:
        """Return that of a database."""
        return cls(connection)

    def get_current_revision(self) -> str | None:
        """Return its name; None for a database without migrations, such as a new one."""
        if not sa.inspect(self._connection).has_table("alembic_version"):
            return None
        return self._connection.scalars(sa.text("SELECT version_num FROM alembic_version")).one_or_none()


class _Migrations:
    """Dagster's migrations, of which it asks for the latest only, and of that only whether there is one."""

    def __init__(self, place: str) -> None:
        self._place = place

    @classmethod
    def from_config(cls, config: _Config) -> Any:
        """Return those that a configuration names; Alembic's own where none is found there."""
        if _latest(config.place) is None:
            from alembic.script import ScriptDirectory

            return ScriptDirectory.from_config(config.own)
        return cls(config.place)

    def as_revision_number(self, _: str) -> str | None:
        """Return the latest."""
        return _latest(self._place)


@cache
def _latest(place: str) -> str | None:
    """Return the migration of a place such as `package:folder` that none goes on from; None if there is none."""
    package, _, folder = place.partition(":")
    found: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
    for file in Path(*import_module(package).__path__[:1], folder, "versions").glob("*.py"):
        for name, value in _REVISION.findall(file.read_text(encoding="utf-8")):
            found[name].update(re.findall(r"\w+", value))
    return max(found["revision"] - found["down_revision"], default=None)


def code_location(folder: Path) -> str:
    """Return the name of the code location that Dagster's commands load in a folder: that of its `pyproject.toml`."""
    import tomli  # which Dagster brings

    try:
        project = tomli.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"]["project"]
        root = project["root_module"]
    except (OSError, KeyError, TypeError, ValueError):
        return CODE_LOCATION
    return project.get("code_location_name") or project.get("code_location_target_module") or f"{root}.definitions"


def list_with_others(instance: dg.DagsterInstance, run_id: str, name: str) -> None:
    """Let Dagster's web UI list a run that this process has executed where it lists those of a code location.

    Its timeline, and the page of a job, leave out runs that belong to no code location.
    """
    from dagster._core.remote_origin import (
        ManagedGrpcPythonEnvCodeLocationOrigin,
        RemoteJobOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    run = instance.get_run_by_id(run_id)
    if run is None or run.remote_job_origin is not None:
        return
    location = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=name), name)
    instance.run_storage.replace_job_origin(
        run, RemoteJobOrigin(RemoteRepositoryOrigin(location, REPOSITORY), run.job_name)
    )


def present_instance(settings: Settings) -> dg.DagsterInstance | None:
    """Return the Dagster instance, or None where there has been none yet: looking makes none, and needs no lock."""
    home = dagster_home(settings)
    if not (home / "dagster.yaml").exists():
        return None
    instance = dg.DagsterInstance.from_config(str(home))
    instance.get_runs(limit=1)
    return instance


def prove_instance(instance: dg.DagsterInstance) -> None:
    """Store a run with its events, and remove it: an instance that can be read need not let anything be written.

    Raises:
        MlopsAssetsError: that cannot be done.
    """

    @dg.logger(config_schema={})
    def quiet(_: dg.InitLoggerContext) -> logging.Logger:
        return logging.Logger("mlops_assets.quiet", logging.CRITICAL)

    @dg.op
    def nothing() -> None: ...

    @dg.job(logger_defs={"quiet": quiet})
    def mlops_assets_check() -> None:
        nothing()

    try:
        result = mlops_assets_check.execute_in_process(
            instance=instance, raise_on_error=False, run_config={"loggers": {"quiet": {}}}
        )
        instance.delete_run(result.run_id)
    except Exception as error:
        reason = scrub(" ".join(str(error).split()))[:300]
        if "NOTIFY" in reason:
            raise TerminalError(
                "no run can be stored: dagster.yaml names PostgreSQL without its driver, and SQLAlchemy then takes one "
                "that Dagster cannot use; add the line scheme: postgresql+psycopg2 under storage: postgres: "
                "postgres_db: (or let postgres_url begin with postgresql+psycopg2://)"
            ) from error
        raise MlopsAssetsError(f"no run can be stored: {type(error).__name__}: {reason}") from error
