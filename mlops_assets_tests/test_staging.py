"""The staging environment end to end: PostgreSQL, object storage, an MLflow server, and steps in own processes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.worlds import declare

PASSWORD, S3_SECRET = "hunter2/secret", "a-key-of-object-storage"
ORIGINS = ("2024-05-08", "2024-05-09", "2024-05-10")

pytestmark = [pytest.mark.process, pytest.mark.pictures]


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Iterator[dict[str, str]]:
    """Start the three servers and return the environment variables of staging."""
    folder = tmp_path_factory.mktemp("staging")
    declare(folder / "forecasts")
    (folder / "mlflow").mkdir()
    (folder / "mlflow" / "mlflow.db").write_bytes(empty_mlflow.read_bytes())
    with servers.postgres(folder / "pg") as url, servers.s3(folder) as (bucket, options):
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE analyst LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        with mlflow_server(folder / "mlflow") as tracking:
            quiet = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "MLFLOW_"))}
            yield {
                **quiet,
                "PYTHONPATH": str(servers.ROOT),
                "MLOPS_ENV": "staging",
                "MLOPS_EXECUTOR": "multiprocess",
                "MLOPS_FORECASTS": str(folder / "forecasts"),
                "MLOPS_DATA": str(folder / "data"),
                "DAGSTER_HOME": str(folder / "dagster"),
                "MLOPS_DATABASE_URL": with_user(url, "analyst", PASSWORD),
                "MLOPS_OBJECT_STORAGE": bucket,
                "MLFLOW_TRACKING_URI": tracking,
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "AWS_ACCESS_KEY_ID": options["access_key_id"],
                "AWS_SECRET_ACCESS_KEY": S3_SECRET,
                "AWS_REGION": options["region"],
                "AWS_ENDPOINT_URL": options["endpoint"],
                "AWS_ALLOW_HTTP": "true",
            }


def with_user(url: str, name: str, password: str) -> str:
    """Return a database's address with another user."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{name}:{quote(password, safe='')}@{rest.partition('@')[2]}"


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Start an MLflow server on SQLite and yield its address; it has workers, so its whole group is ended."""
    port = servers.free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        f"{folder}/artifacts",
    ]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 90
        while not servers.answers(port):
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the MLflow server did not start"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def call(staging: dict[str, str], *command: str) -> str:
    """Run a command in the environment; return all it printed. No secret is in it."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env=staging, cwd=staging["MLOPS_FORECASTS"], capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]
    assert secrets_in(said) == []
    return said


def secrets_in(text: str) -> list[str]:
    return [word for word in (PASSWORD, quote(PASSWORD, safe=""), S3_SECRET) if word in text]


def test_staging_from_end_to_end(staging):
    checked = call(staging, "mlops_assets", "check")
    assert "✗" not in checked
    for name in ("settings", "source of demo", "tables", "models", "mlflow", "dagster"):
        assert f"✓ {name}" in checked

    said = call(staging, "mlops_assets", "run", "demo", "--partition", f"{ORIGINS[0]}...{ORIGINS[-1]}")
    assert "Champion: version 1" in said
    ledger = "SELECT count(*), count(DISTINCT origin), min(q10), max(q90), max(created_at) FROM demo__forecasts"
    rows, origins, low, high, written = select(staging, ledger)
    assert (rows, origins) == (len(ORIGINS) * 4 * 7, len(ORIGINS))
    assert 0 < low < high < 1000

    select_one = ["asset", "materialize", "-m", "mlops_assets.definitions", "--select", "demo/forecasts"]
    materialized = call(staging, "dagster", *select_one, "--partition", ORIGINS[-1])
    assert "RUN_SUCCESS" in materialized
    assert "Launching subprocess for" in materialized
    rows, origins, _, _, rewritten = select(staging, ledger)
    assert (rows, origins) == (len(ORIGINS) * 4 * 7, len(ORIGINS))
    assert rewritten > written

    assert objects(staging, "prefix/demo/random_forest/") == ["model.json", "model=….skops"]
    with urlopen(
        f"{staging['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/registered-models/alias?name=demo&alias=champion"
    ) as answer:
        version = json.load(answer)["model_version"]
    assert version["version"] == "1"
    assert select(staging, "SELECT version, sha256 FROM demo__model_version") == (
        1, next(tag["value"] for tag in version["tags"] if tag["key"] == "sha256"),
    )  # fmt: skip

    events = [file for file in Path(staging["DAGSTER_HOME"]).rglob("*") if file.is_file()]
    assert any(file.suffix == ".db" for file in events)
    for file in events:
        assert secrets_in(file.read_bytes().decode("utf-8", "replace")) == [], file


def test_check_says_which_connection_fails_without_its_password(staging):
    broken = {**staging, "MLOPS_DATABASE_URL": f"postgresql://me:{quote(PASSWORD, safe='')}@127.0.0.1:9/none"}
    broken["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    broken["MLFLOW_TRACKING_URI"] = f"http://me:{quote(PASSWORD, safe='')}@127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-m", "mlops_assets", "check"],
        env=broken, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    for name in ("tables", "models", "mlflow"):
        assert f"✗ {name}" in done.stdout
    assert "✓ dagster" in done.stdout
    assert secrets_in(done.stdout + done.stderr) == []


def select(staging: dict[str, str], statement: str) -> Any:
    """Ask PostgreSQL as an analyst would; return the first row."""
    import psycopg

    with psycopg.connect(staging["MLOPS_DATABASE_URL"]) as connection:
        return connection.execute(statement.encode()).fetchone()


def objects(staging: dict[str, str], prefix: str) -> list[str]:
    """Return the names of the objects under a prefix, hashes left out."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=staging["AWS_ENDPOINT_URL"],
        region_name=staging["AWS_REGION"],
        aws_access_key_id=staging["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=staging["AWS_SECRET_ACCESS_KEY"],
    )
    found = client.list_objects_v2(Bucket="tables", Prefix=prefix).get("Contents", [])
    return sorted(re.sub("=[0-9a-f]+", "=…", entry["Key"].removeprefix(prefix)) for entry in found)


def test_a_version_is_taken_over_into_another_database_and_bucket(staging, tmp_path):
    """After the round above: from there into an environment of its own on the same servers."""
    import psycopg

    ours = staging["MLOPS_DATABASE_URL"]
    with psycopg.connect(ours, autocommit=True) as connection:
        connection.execute("CREATE DATABASE production")
    production = {
        **{name: value for name, value in staging.items() if name != "MLFLOW_TRACKING_URI"},
        "MLOPS_ENV": "production",
        "MLOPS_DATABASE_URL": ours.replace("/postgres?", "/production?"),
        "MLOPS_OBJECT_STORAGE": f"{staging['MLOPS_OBJECT_STORAGE']}/production",
        "MLOPS_DATA": str(tmp_path / "data"),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
    }
    assert production["MLOPS_DATABASE_URL"] != ours
    file = tmp_path / ".env.staging"
    kept = ("MLOPS_", "MLFLOW_", "AWS_")
    file.write_text("".join(f"{name}='{value}'\n" for name, value in staging.items() if name.startswith(kept)))
    call(production, "mlops_assets", "ingest", "demo", "--partition", f"2024-03-01...{ORIGINS[-1]}")
    words = ("promote", "demo", "1", "--from", str(file), "--by", "Ann", "--reason", "a quiet month")
    assert "version 1 of staging is version 1 of production" in call(production, "mlops_assets", *words)
    said = json.loads(call(production, "mlops_assets", "history", "demo", "--json").splitlines()[-1])
    assert [row["kind"] for row in said["decisions"]] == ["takeover", "gate"]
    assert [row["version"] for row in said["champions"]] == [1]
    assert select(production, "SELECT count(*) FROM demo__decisions") == (2,)
    assert objects(production, "prefix/production/demo/model_versions/000001/") == ["model.json", "model=….skops"]
