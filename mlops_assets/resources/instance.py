"""The Dagster instance of the command line: the one that the web UI shows."""

import os
from pathlib import Path

import dagster as dg

from mlops_assets.settings import Settings

CONFIGURATION = """\
telemetry:
  enabled: false
nux:
  enabled: false
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
