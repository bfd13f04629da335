"""A logged model behind `mlflow models serve`, asked by a plain HTTP client; the server has no package of ours."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from mlops_assets.forecasting.model import model_file
from mlops_assets.tracking.logged_model import log_forecaster
from mlops_assets_tests.io_managers.servers import free_port
from mlops_assets_tests.releases.unpacked import RELEASES, expected, unpack

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
WITHOUT_US = "import sys; sys.modules['mlops_assets'] = None"
"""In each process of the server this package is as if it were not installed."""


@pytest.mark.process
def test_the_champion_answers_over_http_what_it_answers_in_python(tmp_path):
    state = model_file.load(RELEASES / "0.2.0" / "forest.skops")
    with unpack("0.1.0", "files", tmp_path).opened() as stores:
        stores.tracking.registry("shops").version(1)  # from here on, MLflow is at the address of these stores
        history = stores.tables.read(["shops", "observations"])
        future = stores.tables.read(["shops", "future_covariates"], partitions=["2024-04-20"])
        future = future[["item_id", "timestamp", "promotion"]].assign(target=float("nan"), rain=0.0, region="north")
        rows = pd.concat([history[[*future]], future], ignore_index=True)
        with mlflow.start_run():
            uri = log_forecaster(state, rows, expected("0.2.0", "forest"), 5)[0]
        registered = mlflow.register_model(uri, "served")
        mlflow.MlflowClient().set_registered_model_alias("served", "champion", registered.version)
        address = stores.tracking.uri
    port = free_port()
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_US)
    bare = {"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path), "DO_NOT_TRACK": "true"}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # MLflow starts uvicorn by its name
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", "models:/served@champion"]
    server = subprocess.Popen(
        [*command, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)],
        env={**bare, "MLFLOW_TRACKING_URI": address, "PATH": path},
        cwd=tmp_path,
        start_new_session=True,
    )
    try:
        table = rows.assign(timestamp=rows["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%S"))
        body = json.dumps(
            {"dataframe_split": json.loads(table.to_json(orient="split", index=False)), "params": {"horizon": 5}}
        )
        answer = _ask(server, port, body)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
    made = pd.DataFrame(answer["predictions"])
    then = expected("0.2.0", "forest")
    assert made["mean"].tolist() == pytest.approx(then["mean"].tolist(), rel=1e-6)
    assert pd.to_datetime(made["timestamp"]).tolist() == then["timestamp"].tolist()


def _ask(server, port: int, body: str):
    deadline = time.monotonic() + 240
    while True:
        assert server.poll() is None
        assert time.monotonic() < deadline
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
        except OSError:
            time.sleep(0.3)
            continue
        assert answer.status == 200, said
        return json.loads(said)
