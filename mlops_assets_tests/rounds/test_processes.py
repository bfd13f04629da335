"""Runs of commands that were killed are ended by the next command, and no run of one that lives."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.catalog.run_tags import PROCESS
from mlops_assets.rounds.processes import end_dead_runs, this_process

HERE = socket.gethostname()


@dg.job
def demo_daily():
    pass


def ended(tag: str) -> bool:
    """Whether a run that is under way in a process is taken for a dead one."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(demo_daily, status=dg.DagsterRunStatus.STARTED, tags={PROCESS: tag})
        return end_dead_runs(instance) == [run.run_id]


def gone() -> str:
    """Return the tag of a process that has ended."""
    words = "from mlops_assets.rounds.processes import this_process; print(this_process())"
    return subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout.strip()


def test_a_run_whose_process_is_gone_is_ended():
    assert ended(gone())
    assert not ended(this_process())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not say when a process began")
def test_a_process_id_that_was_given_again_keeps_no_dead_run_alive():
    host, _, began = gone().split(":")
    assert ended(f"{host}:{os.getpid()}:{began}"), "as in a container that was started anew"


@pytest.mark.parametrize("tag", ["{here}:{pid}", "elsewhere:1:2", "elsewhere:1", "", ":", "{here}:x:y"])
def test_what_cannot_be_known_is_left_alone(tag):
    assert not ended(tag.format(here=HERE, pid=os.getpid()))
