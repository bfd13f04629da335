"""Databases as people have them: tables, views and queries, read without losing a row or changing anything."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, ROW_SOURCE, Contract, Window, check
from mlops_assets.sources.base import SourceError, read_all
from mlops_assets.sources.sql import SqlReader
from mlops_assets.spec import SqlSource
from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.sources.reading import COLUMNS, MARCH, MOMENTS, NOW


class Database:
    """A SQLite file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"

    def run(self, script: str, *rows: tuple[Any, ...]) -> None:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            if rows:
                connection.executemany(script, rows)
            else:
                connection.executescript(script)

    def fill(self, kind: str, days: list[Any], name: str = "sales") -> None:
        self.run(f"CREATE TABLE {name} (item TEXT, day {kind}, sales REAL)")
        self.run(f"INSERT INTO {name} VALUES (?, ?, ?)", *(("a", day, n) for n, day in enumerate(days)))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "shop.db")


def query(
    url: str, window: Window = MARCH, zone: str = "UTC", columns: list[str] = COLUMNS, **fields: Any
) -> pd.DataFrame:
    reader = SqlReader(SqlSource(kind="sql", url=url, **fields), zone)
    return read_all(reader, columns, "day", window)


def sql_fails(url: str, **fields: Any) -> str:
    with pytest.raises(SourceError) as error:
        query(url, **fields)
    return str(error.value)


def days_read(frame: pd.DataFrame) -> list[Any]:
    return frame["day"].tolist()


PARTS = "SELECT item, day, sales FROM sales WHERE day >= :window_start AND day < :window_end ORDER BY day"
AROUND = ["2024-02-29", "2024-03-01", "2024-03-15", "2024-03-31", "2024-04-01"]


def test_a_table_is_read_as_it_is(database):
    database.fill("DATE", ["2024-03-01", None, "soon", 20240302, "2024-03-03T00:00:00+01:00"])
    frame = query(database.url, table="sales")
    assert days_read(frame) == ["2024-03-01", None, "soon", 20240302, "2024-03-03T00:00:00+01:00"]
    assert frame[ROW_NUMBER].tolist() == [1, 2, 3, 4, 5]
    assert set(frame[ROW_SOURCE]) == {"table sales"}
    assert frame[ROW_PROBLEM].isna().all()


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP"])
@pytest.mark.parametrize("suffix", ["", " 00:00:00", "T00:00:00", " 00:00:00.000000", "T00:00:00Z", "T00:00:00-05:00"])
@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Auckland"])
def test_a_table_with_a_type_for_time_gives_no_row_less_than_the_window(database, kind, suffix, zone):
    moments = [f"{day:%Y-%m-%d}{suffix}" for day in MOMENTS]
    database.fill(kind, moments)
    contract = Contract(("item",), "day", "sales", "h", zone)
    some = check(query(database.url, zone=zone, table="sales"), contract, MARCH, NOW)
    database.fill("TEXT", moments, "everything")
    every = check(query(database.url, zone=zone, table="everything"), contract, MARCH, NOW)
    pd.testing.assert_frame_equal(some.accepted, every.accepted)
    assert (every.counts["rows_read"], len(every.accepted)) == (120, 31)
    assert some.counts["rows_read"] < 40


def test_a_view_and_a_schema(database):
    database.fill("DATE", AROUND)
    database.run("CREATE VIEW march AS SELECT item, day, sales FROM sales WHERE day LIKE '2024-03%'")
    assert days_read(query(database.url, table="march")) == AROUND[1:4]
    assert set(AROUND[1:4]) <= set(days_read(query(database.url, table="main.sales")))


def test_a_query_without_the_window_gives_all_its_rows(database):
    database.fill("DATE", AROUND)
    reader = SqlReader(SqlSource(kind="sql", url=database.url, query="SELECT * FROM sales"), "UTC")
    assert not reader.exact
    assert days_read(read_all(reader, COLUMNS, "day", MARCH)) == AROUND


@pytest.mark.parametrize("kind", ["DATE", "TEXT"])
@pytest.mark.parametrize("suffix", ["", " 00:00:00", "T00:00:00", " 00:00:00.000000"])
def test_a_query_with_the_window_gets_the_whole_of_it_and_no_more(database, kind, suffix):
    database.fill(kind, [day + suffix for day in AROUND])
    reader = SqlReader(SqlSource(kind="sql", url=database.url, query=PARTS), "UTC")
    assert reader.exact
    raw = read_all(reader, COLUMNS, "day", MARCH)
    assert days_read(raw) == [day + suffix for day in AROUND[1:4]]
    checked = check(raw, Contract(("item",), "day", "sales", "D"), MARCH, NOW, reader.exact)
    assert checked.counts["rows_accepted"] == 3


def test_a_query_with_a_window_within_the_day(database):
    hours = [f"2024-03-05 {hour:02}:00:00" for hour in range(24)]
    database.fill("DATETIME", hours)
    window = Window(pd.Timestamp(2024, 3, 5, 6), pd.Timestamp(2024, 3, 5, 8))
    assert days_read(query(database.url, window, query=PARTS)) == hours[6:8]


def test_one_bound_is_no_promise(database):
    database.fill("DATE", AROUND)
    reader = SqlReader(
        SqlSource(kind="sql", url=database.url, query="SELECT * FROM sales WHERE day >= :window_start"), "UTC"
    )
    assert not reader.exact
    assert days_read(read_all(reader, COLUMNS, "day", MARCH)) == AROUND[1:]


def test_rows_come_in_chunks_with_running_numbers(database):
    database.fill("TEXT", [f"{day:%Y-%m-%d}" for day in MOMENTS])
    reader = SqlReader(SqlSource(kind="sql", url=database.url, table="sales", chunk_rows=50), "UTC")
    batches = list(reader.read(COLUMNS, "day", MARCH))
    assert [len(batch) for batch in batches] == [50, 50, 20]
    assert pd.concat(batches)[ROW_NUMBER].tolist() == list(range(1, 121))


def test_no_row_of_a_table_keeps_the_columns(database):
    database.fill("DATE", ["2020-01-01"])
    frame = query(database.url, table="sales")
    assert list(frame.columns) == [*COLUMNS, ROW_SOURCE, ROW_NUMBER, ROW_PROBLEM]
    assert len(frame) == 0


def test_reading_changes_nothing_in_the_database(database):
    database.fill("DATE", AROUND)
    before = database.file.read_bytes()
    query(database.url, table="sales")
    assert database.file.read_bytes() == before
    assert [file.name for file in database.file.parent.iterdir()] == ["shop.db"]
    assert "readonly" in sql_fails(database.url, query="DELETE FROM sales RETURNING item, day, sales").replace(" ", "")
    assert len(query(database.url, query="SELECT * FROM sales")) == 5


def test_reading_does_not_wait_for_a_writer(database):
    database.fill("DATE", AROUND)
    with closing(sqlite3.connect(database.file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert len(query(database.url, query="SELECT * FROM sales")) == 5


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    message = sql_fails(f"sqlite:///{tmp_path}/none.db", table="sales")
    assert message == f"table sales: there is no SQLite file {tmp_path}/none.db; see source.url in the spec"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"table": "sale"}, "no table or view 'sale' in the database; see source.table"),
        ({"table": "shop.sales"}, 'table shop.sales: OperationalError: unknown database "shop"'),
        ({"table": "orders"}, "table orders: no column 'day', 'sales'; it has: 'item', 'Day'. Did you mean 'Day'?"),
        ({"query": "SELECT item, day FROM sales"}, "query: no column 'sales'; it has: 'item', 'day'."),
        ({"query": "SELECT *, day FROM sales"}, "query: column 'day' stands twice in it"),
        ({"query": "SELEC item"}, 'query: OperationalError: near "SELEC": syntax error'),
        ({"query": "SELECT * FROM sales WHERE item = ':x'"}, "query: there is no parameter :x, only :window_start"),
    ],
)
def test_what_is_wrong_with_a_table_or_a_query_is_said(database, fields, message):
    database.fill("DATE", AROUND)
    database.run("CREATE TABLE orders (item TEXT, Day DATE)")
    assert sql_fails(database.url, **fields).startswith(message)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://ada:hunter2@127.0.0.1:1/shop?connect_timeout=2",
        "nosuchdialect://ada:hunter2@host/shop",
        "postgresql+nosuchdriver://ada:hunter2@host/shop",
        "hunter2",
    ],
)
def test_a_password_is_never_shown(url):
    message = sql_fails(url, table="sales")
    assert message.startswith("table sales: ")
    assert "hunter2" not in message


def test_probing_a_database(database):
    database.fill("DATE", AROUND)
    reader = SqlReader(SqlSource(kind="sql", url=database.url, table="sales"), "UTC")
    assert reader.probe(COLUMNS, "day", NOW) == "table sales"
    with pytest.raises(SourceError, match="no column 'price'"):
        reader.probe([*COLUMNS, "price"], "day", NOW)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.mark.process
def test_postgres_tables_and_queries(postgres):
    import sqlalchemy as sa

    from mlops_assets.resources.databases import make_engine

    kinds = {"as_date": "date", "as_timestamp": "timestamp", "as_aware": "timestamptz", "as_text": "text"}
    engine = make_engine(postgres)
    with engine.begin() as connection:
        connection.execute(sa.text("SET TIME ZONE 'America/New_York'"))
        connection.execute(sa.text("CREATE SCHEMA shop"))
        for name, kind in kinds.items():
            connection.execute(sa.text(f"CREATE TABLE shop.{name} (item text, day {kind}, sales numeric(9, 2))"))
            for number, day in enumerate(MOMENTS):
                values = {"day": f"{day:%Y-%m-%d}", "sales": number}
                connection.execute(
                    sa.text(f"INSERT INTO shop.{name} VALUES ('a', CAST(:day AS {kind}), :sales)"), values
                )
    engine.dispose()
    contract = Contract(("item",), "day", "sales", "D", "America/New_York")
    for name in kinds:
        raw = query(postgres, zone="America/New_York", table=f"shop.{name}", chunk_rows=10)
        checked = check(raw, contract, MARCH, NOW)
        assert checked.accepted["timestamp"].tolist() == list(MOMENTS[60:91])
        assert checked.accepted["target"].tolist() == list(range(60, 91))
        assert checked.counts["rows_quarantined"] == 0
        assert (checked.counts["rows_read"] == 120) == (name == "as_text")
    for name in ("as_date", "as_timestamp"):
        exact = PARTS.replace("FROM sales", f"FROM shop.{name}")
        assert len(query(postgres, query=exact)) == 31
    assert "no table or view 'shop.none'" in sql_fails(postgres, table="shop.none")
    assert 'UndefinedColumn: column "nothing" does not exist' in sql_fails(postgres, query="SELECT nothing")
