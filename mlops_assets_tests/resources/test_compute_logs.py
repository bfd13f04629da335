"""What steps print is kept in Dagster's files, shown as it comes, and still there when the process is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

from mlops_assets.resources.compute_logs import ComputeLogs
from mlops_assets.resources.instance import CONFIGURATION

SHIPPED = Path(__file__).parents[2] / "dagster.yaml"
PRINTS = """
import os, subprocess, sys
from mlops_assets.resources.compute_logs import ComputeLogs

print("before", flush=True)
with ComputeLogs(sys.argv[1]).capture_logs(["run", "compute_logs", "step"]):
    print("printed")
    print("said", file=sys.stderr)
    sys.stdout.flush()
    subprocess.run(["echo", "by another"], check=True)
    os.write(1, b"x" * 100_000 + b"\\n")
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), 9)
print("after")
"""
KEY = ["run", "compute_logs", "step"]


def printed(folder: Path, how: str) -> subprocess.CompletedProcess[str]:
    """Return what a process that keeps its logs in a folder has shown."""
    command = [sys.executable, "-c", PRINTS, str(folder), how]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def kept(manager: Any) -> tuple[str, str]:
    """Return what a manager of logs has of the step: output and errors."""
    data = manager.get_log_data(KEY)
    return (data.stdout or b"").decode(), (data.stderr or b"").decode()


def test_the_shipped_configurations_choose_it_in_the_folder_of_dagsters_own(tmp_path):
    for number, configuration in enumerate((CONFIGURATION, SHIPPED.read_text(encoding="utf-8"))):
        said = {"compute_logs": yaml.safe_load(configuration)["compute_logs"]}
        places = []
        for one in (said, {}):
            folder = tmp_path / str(number)
            folder.mkdir(exist_ok=True)
            with dg.DagsterInstance.local_temp(str(folder), overrides=one) as instance:
                manager = instance.compute_log_manager
                assert type(manager) is (ComputeLogs if one else LocalComputeLogManager)
                places.append(manager.get_captured_local_path(KEY, "out"))  # pyright: ignore[reportAttributeAccessIssue]
        assert places[0] == places[1]


def test_all_that_is_printed_is_shown_and_kept_where_dagsters_own_finds_it(tmp_path):
    shown = printed(tmp_path, "")
    assert shown.returncode == 0, shown.stderr
    long = "x" * 100_000
    assert shown.stdout == f"before\nprinted\nby another\n{long}\nafter\n"
    assert shown.stderr == "said\n"
    for manager in (ComputeLogs(str(tmp_path)), LocalComputeLogManager(str(tmp_path))):
        assert kept(manager) == (f"printed\nby another\n{long}\n", "said\n")
        assert manager.is_capture_complete(KEY)


def test_what_was_printed_before_the_process_was_killed_is_kept(tmp_path):
    assert printed(tmp_path, "killed").returncode == -signal.SIGKILL
    manager = LocalComputeLogManager(str(tmp_path))
    assert kept(manager) == (f"printed\nby another\n{'x' * 100_000}\n", "said\n")
    assert not manager.is_capture_complete(KEY)


def test_nobody_who_reads_any_more_stops_no_step(tmp_path):
    read, write = os.pipe()
    with subprocess.Popen([sys.executable, "-c", PRINTS, str(tmp_path), ""], stdout=write, stderr=subprocess.DEVNULL):
        os.close(write)
        while os.read(read, 1) != b"\n":
            pass
        os.close(read)
    assert kept(LocalComputeLogManager(str(tmp_path)))[0].endswith("x\n")
