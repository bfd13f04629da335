"""The Dagster instance of the command line: the one that the web UI shows."""

import os
import socket
from pathlib import Path

import dagster as dg

from mlops_assets.settings import Settings

CONFIGURATION = """\
telemetry:
  enabled: false
nux:
  enabled: false
"""


def dagster_home(settings: Settings) -> Path:
    """Return DAGSTER_HOME, by default the folder `dagster` of the data folder."""
    given = os.environ.get("DAGSTER_HOME")
    return Path(given).expanduser() if given else settings.data_folder / "dagster"


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Return the instance of `dagster_home`, made there if it is new.

    A new home gets the `dagster.yaml` of the working directory, or the shipped settings without telemetry. It is made
    under a lock: two processes that do it at the same time would break it.
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
        instance = dg.DagsterInstance.get()
        instance.get_runs(limit=1)
        return instance


PROCESS = "mlops/process"
"""Tag of a run that a command executes itself: nobody else watches whether its process lives."""


def this_process() -> str:
    """Return the value of the tag `PROCESS` for this process: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs of commands whose process on this machine is gone as failed, and return their ids.

    A process killed by the system cannot do so itself, and its runs would stay STARTED for ever.
    """
    unfinished = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=unfinished)):
        if _is_dead(run.tags.get(PROCESS, "")):
            instance.report_run_failed(run, f"the process {run.tags[PROCESS]} is gone: it was killed")
            ended.append(run.run_id)
    return ended


def _is_dead(process: str) -> bool:
    host, _, number = process.rpartition(":")
    if host != socket.gethostname() or not number.isdigit() or os.name == "nt":  # there, signal 0 would kill
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
