"""The Dagster instance of the command line: the one that the web UI shows."""

import logging
import os
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg

from mlops_assets.errors import MlopsAssetsError, TerminalError, UsageError
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
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
"""


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
        _read_migrations_once()
        try:
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
def _read_migrations_once() -> None:
    """Let Dagster read its ninety migrations once a process, and not for each database that it opens."""
    from alembic.script import ScriptDirectory
    from dagster._core.storage import sql

    class Remembered(ScriptDirectory):
        """The migrations of a folder, as they were when it was asked for first."""

        _known: ClassVar[dict[str | None, ScriptDirectory]] = {}

        @classmethod
        def from_config(cls, config: Any) -> Any:
            """Return the migrations that a configuration names."""
            folder = config.get_main_option("script_location")
            if folder not in cls._known:
                cls._known[folder] = super().from_config(config)
            return cls._known[folder]

    sql.ScriptDirectory = Remembered  # pyright: ignore[reportPrivateImportUsage]


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
