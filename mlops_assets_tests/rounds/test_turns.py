"""Commands of one forecast take turns on a machine, and a killed one holds nobody up."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets.environments import open_stores
from mlops_assets.rounds.runner import Step
from mlops_assets.rounds.turns import turn_of
from mlops_assets_tests.worlds import declare, sandbox

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from mlops_assets.rounds.turns import turn_of
from mlops_assets.rounds.runner import Step
from mlops_assets.settings import Settings
with turn_of("demo", Settings.read({"MLOPS_DATA": sys.argv[1]}), lambda _: None):
    print("has it", flush=True)
    time.sleep(60)
"""

pytestmark = pytest.mark.process


def test_who_comes_second_waits_and_a_killed_one_makes_room(tmp_path, empty_mlflow):
    settings = sandbox(tmp_path, empty_mlflow)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(settings.data)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "has it\n"
    with turn_of("other", settings, lambda _: pytest.fail("another forecast waits for nobody")):
        pass
    waited = []

    def end_the_other(step: Step) -> None:
        waited.append(step.message)
        holder.send_signal(signal.SIGKILL)

    with turn_of("demo", settings, end_the_other):
        assert waited == ["another command runs demo on this machine: waiting until it has ended"]
    holder.communicate()


def test_two_first_runs_at_once_both_work_and_train_once(tmp_path, empty_mlflow):
    declare(
        tmp_path / "forecasts",
        partitions={"kind": "monthly", "start": "2024-03-01"},
    )
    settings = sandbox(tmp_path, empty_mlflow, "local")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "MLOPS_DATA": str(settings.data),
        "MLOPS_FORECASTS": str(settings.forecasts),
        "MLOPS_NOW": "2024-06-01T06:00:00Z",
        "DAGSTER_HOME": str(tmp_path / "dagster"),
    }
    command = [sys.executable, "-m", "mlops_assets", "run", "demo"]
    both = [
        subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("waiting until it has ended" in text for text in said) == 1
    with open_stores(settings) as stores:
        assert len(stores.tracking.registry("demo").versions()) == 1
