"""A database that is full, or takes no writes, in the middle of a round: told as such, and nothing half stored."""

import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import event

from mlops_assets.errors import TransientError
from mlops_assets.io_managers import SqlTables
from mlops_assets.resources.databases import close_shared, shared_engine
from mlops_assets.resources.refusals import RefusedError, refusal
from mlops_assets_tests.io_managers import servers

KEY = ["demo", "observations"]


def rows(value: float, count: int = 3) -> pd.DataFrame:
    return pd.DataFrame({"item_id": [f"shop {n}" for n in range(count)], "target": [value] * count})


def stored(url: str) -> dict[str, float]:
    tables = SqlTables(url)
    return {name: float(tables.read(KEY, partitions=[name])["target"].sum()) for name in tables.partitions(KEY)}


@pytest.mark.process
def test_a_server_that_becomes_read_only_keeps_what_it_has_and_the_next_round_works(tmp_path):
    import psycopg

    with servers.postgres(tmp_path / "pg") as url, psycopg.connect(url, autocommit=True) as admin:
        SqlTables(url).write(KEY, rows(1), "2024-03-01")
        name = admin.info.dbname
        admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        close_shared()  # a setting counts for connections that come later
        with pytest.raises(RefusedError, match=r"cannot execute .* in a read-only transaction") as raised:
            SqlTables(url).write_all(KEY, {"2024-03-01": rows(5), "2024-03-02": rows(2)})
        assert not isinstance(raised.value, TransientError)
        assert "what was stored before is kept" in raised.value.message
        assert "MLOPS_DATABASE_URL" in raised.value.message
        assert stored(url) == {"2024-03-01": 3}
        admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = off')
        close_shared()  # a setting counts for connections that come later
        SqlTables(url).write_all(KEY, {"2024-03-01": rows(5), "2024-03-02": rows(2)})
        assert stored(url) == {"2024-03-01": 15, "2024-03-02": 6}


def test_a_full_sqlite_file_keeps_what_it_has_and_the_next_round_works(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'tables.db'}"
    SqlTables(url).write(KEY, rows(1), "2024-03-01")

    def no_more_pages(connection: sqlite3.Connection, record: object, proxy: object) -> None:
        connection.execute("PRAGMA max_page_count=1")  # as many as there are

    event.listen(shared_engine(url), "checkout", no_more_pages)
    with pytest.raises(RefusedError, match="database or disk is full"):
        SqlTables(url).write_all(KEY, {"2024-03-01": rows(5, 5000), "2024-03-02": rows(2, 5000)})
    close_shared()
    assert stored(url) == {"2024-03-01": 3}
    SqlTables(url).write_all(KEY, {"2024-03-01": rows(5), "2024-03-02": rows(2)})
    assert stored(url) == {"2024-03-01": 15, "2024-03-02": 6}


@pytest.mark.parametrize(
    "text",
    [
        'could not extend file "base/16384/16385": No space left on device\nHINT:  Check free disk space.',
        "(1290, 'The MySQL server is running with the --read-only option so it cannot execute this statement')",
        "(1114, \"The table 'demo__observations' is full\")",
        "permission denied for schema public",
        'Cannot execute statement of type "INSERT" on database "tables" which is attached in read-only mode!',
    ],
)
def test_each_database_has_its_own_words_for_it(text):
    found = refusal(text)
    assert found is not None
    assert found.message.startswith("the database can be read and not be written: ")
