"""Which process executes a run of a command, and the end of runs whose process is gone."""

import os
import socket
from pathlib import Path

import dagster as dg

from mlops_assets.catalog.run_tags import PROCESS


def this_process() -> str:
    """Return the value of the tag `PROCESS` for this process: host, process id, and when it began."""
    return f"{socket.gethostname()}:{os.getpid()}:{_began(os.getpid())}"


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
    host, number, began = (*process.split(":"), "", "")[:3]  # before 0.2.0 nobody noted when one began
    if host != socket.gethostname() or not number.isdigit() or os.name == "nt":  # there, signal 0 would kill
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    # A process id is given again: in a container that is started anew, to the very same command.
    return began not in ("", _began(int(number)))


def _began(number: int) -> str:
    """Return when a process began, in ticks since the machine did; empty where the system has no /proc."""
    try:
        return Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        return ""
