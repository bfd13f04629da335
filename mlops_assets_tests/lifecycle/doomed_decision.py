"""A promotion that is killed before its Nth write, for many N: run in a process of its own, which forks for each.

Called with a template folder (an MLflow database and tables with a champion and the next version), a folder for the
copies, and the step between one N and the next after 0 and 1. Prints every N tried; the last promotion has survived.
"""

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from mlops_assets.io_managers import ObjectTables
from mlops_assets.lifecycle.lifecycle import Lifecycle, Verdict
from mlops_assets.resources.clock import Clock
from mlops_assets.tracking.tracking import Tracking

WRITES = ("set_registered_model_alias", "set_model_version_tag", "log_text")


def life_in(folder: Path) -> Lifecycle:
    """Open the versions in a copy of the template."""
    tables = ObjectTables(base=str(folder / "tables"))
    return Lifecycle(tables, Tracking(uri=f"sqlite:///{folder}/mlflow.db"), Clock(), "demo")


def promote(folder: Path, before: int) -> None:
    """Promote version 2; die by SIGKILL before the write of that number (from 0)."""
    life = life_in(folder)
    count = 0

    def doomed(write: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            if count == before:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
            return write(*arguments, **options)

        return call

    client = life.registry._client
    for name in WRITES:
        setattr(client, name, doomed(getattr(client, name)))
    tables: Any = ObjectTables
    tables.create = doomed(tables.create)
    life.decide(life.registry.version(2), lambda champion, log: Verdict("promoted", "better", "", "e"), {})


def main(template: Path, copies: Path, step: int) -> None:
    """Fork a promotion for each N, until one survives."""
    import mlflow  # noqa: F401 - loaded once, before the forks

    for number in (0, *range(1, 40, step)):
        sys.stdout.write(f"{number} ")
        sys.stdout.flush()
        folder = copies / str(number)
        shutil.copytree(template, folder)
        child = os.fork()
        if child == 0:
            promote(folder, number)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            return
    raise SystemExit("the promotion has more writes than were tried")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
