"""The DAG of docs/orchestrators under a real Airflow: its scheduler, API server and workers (`make test-airflow`)."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.worlds import declare, panel

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".services" / "orchestrators" / "bin"
DAG = ROOT / "docs" / "orchestrators" / "airflow_dag.py"
PARTITION = "2024-05-20"

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not os.environ.get("MLOPS_TEST_AIRFLOW"), reason="long: make test-airflow"),
]


@contextmanager
def airflow(home: Path, dag: str, **variables: str) -> Iterator[Callable[[str], list[Any]]]:
    """Run Airflow with one DAG, which is scheduled at once; yield what asks its database."""
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "dag.py").write_text(dag)
    address = f"http://127.0.0.1:{(port := servers.free_port())}"
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(BIN), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        **variables,
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(BIN / "airflow"), "standalone"],
            cwd=home,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def ask(query: str) -> list[Any]:
        """Return the rows of a query; none before Airflow has made its tables."""
        assert process.poll() is None, (home / "log").read_text()[-4000:]
        with closing(sqlite3.connect(f"file:{home}/airflow.db?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(query).fetchall()

    try:
        yield ask
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(there: Callable[[], list[Any]], seconds: float = 300) -> list[Any]:
    """Ask again until there are rows."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if rows := there():
                return rows
        except sqlite3.OperationalError:  # no file, or no such table, yet
            pass
        time.sleep(1)
    pytest.fail("it did not come about in Airflow")


def test_a_round_is_tried_until_it_is_there_and_its_answer_goes_on(tmp_path, empty_mlflow):
    rows = panel()
    declare(tmp_path / "forecasts", rows[rows["day"] < PARTITION], model={"kind": "seasonal_naive"})
    (tmp_path / "data" / "mlflow").mkdir(parents=True)
    (tmp_path / "data" / "mlflow" / "mlflow.db").write_bytes(empty_mlflow.read_bytes())
    dag = DAG.read_text(encoding="utf-8").replace("nyc_departures", "demo").replace("minutes=10", "seconds=20")
    ours = {
        "MLOPS_FORECASTS": str(tmp_path / "forecasts"),
        "MLOPS_DATA": str(tmp_path / "data"),
        "MLOPS_NOW": "2024-05-21T06:00",
    }
    with airflow(tmp_path / "airflow", dag, **ours) as ask:
        until(lambda: ask("SELECT 1 FROM task_reschedule"))
        assert ask("SELECT state FROM task_instance WHERE task_id = 'deliver'") == [(None,)]
        rows.to_csv(tmp_path / "forecasts" / "sales.csv", index=False)  # what was awaited has come

        ((state,),) = until(lambda: ask("SELECT state FROM dag_run WHERE state IN ('success', 'failed')"))
        states = dict(ask("SELECT task_id, state FROM task_instance"))
        ((answer,),) = ask("SELECT value FROM xcom WHERE task_id = 'forecast' AND key = 'return_value'")
    assert (state, states) == ("success", {"forecast": "success", "deliver": "success"})
    made = json.loads(answer)
    assert made["partitions"] == [PARTITION]
    assert (made["rows"], made["waits_for"]) == (28, "")


def test_wrong_usage_is_not_tried_again(tmp_path):
    declare(tmp_path / "forecasts")
    dag = DAG.read_text(encoding="utf-8").replace("nyc_departures", "unknown")
    ours = {"MLOPS_FORECASTS": str(tmp_path / "forecasts"), "MLOPS_DATA": str(tmp_path / "data")}
    with airflow(tmp_path / "airflow", dag, **ours) as ask:
        ((state,),) = until(lambda: ask("SELECT state FROM dag_run WHERE state IN ('success', 'failed')"))
        assert (state, ask("SELECT count(*) FROM task_reschedule")) == ("failed", [(0,)])
