"""Sources: files and databases as people have them, read without losing, moving or inventing a row."""

import gzip
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from mlops_assets.forecasting.data.contract import PROBLEM, ROW, SOURCE, Contract, Window, check
from mlops_assets.sources import formats as sources
from mlops_assets.sources.formats import FileReader, SourceError, SqlReader, open_source, read_all
from mlops_assets.spec import FileSource, SqlSource, parse_spec
from mlops_assets_tests.io_managers import servers

COLUMNS = ["item", "day", "sales"]
HEADER = "item,day,sales\n"
MARCH = Window(pd.Timestamp(2024, 3, 1), pd.Timestamp(2024, 4, 1))
NOW = datetime(2024, 5, 1, tzinfo=timezone.utc)


def read(path: Path, window: Window = MARCH, columns: list[str] = COLUMNS, **fields: Any) -> pd.DataFrame:
    reader = FileReader(FileSource(kind="file", path=str(path), **fields), Path("/nowhere"))
    frame = read_all(reader, columns, columns[1], window)
    assert list(frame.columns) == [*columns, ROW, PROBLEM, SOURCE] or list(frame.columns) == [
        *columns,
        SOURCE,
        ROW,
        PROBLEM,
    ]
    return frame


def rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Good rows with their numbers."""
    good = frame[frame[PROBLEM].isna()]
    return list(good[[ROW, *COLUMNS]].itertuples(index=False, name=None))


def broken(frame: pd.DataFrame) -> list[tuple[int, str, str]]:
    """Bad rows: number, raw text, problem."""
    bad = frame[frame[PROBLEM].notna()]
    return list(bad[[ROW, frame.columns[0], PROBLEM]].itertuples(index=False, name=None))


@pytest.fixture
def csv(tmp_path: Path) -> Any:
    def write(text: str | bytes, name: str = "sales.csv") -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    return write


def fails(path: Path, **fields: Any) -> str:
    with pytest.raises(SourceError) as error:
        read(path, **fields)
    return str(error.value)


# CSV


def test_csv_is_read_as_text_and_nothing_is_guessed(csv):
    frame = read(csv(HEADER + "007,2024-03-01,1.50\nNA,,nan\nnull, x ,1e3\n"))
    assert rows(frame) == [(1, "007", "2024-03-01", "1.50"), (2, "NA", "", "nan"), (3, "null", " x ", "1e3")]
    assert set(frame[SOURCE]) == {"sales.csv"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_csv_of_any_system(csv, end, mark, last):
    text = mark + end.join(["item,day,sales", "a,2024-03-01,1", "b,2024-03-02,2"]) + end * last
    assert rows(read(csv(text))) == [(1, "a", "2024-03-01", "1"), (2, "b", "2024-03-02", "2")]


def test_quotes_newlines_and_other_columns(csv):
    text = 'note,item,day,sales\n"x,\ny","a ""b""\nc",2024-03-01,"1"\n,d,2024-03-02,2\n'
    assert rows(read(csv(text))) == [(1, 'a "b"\nc', "2024-03-01", "1"), (2, "d", "2024-03-02", "2")]


def test_rows_of_a_wrong_length_keep_their_number_and_text(csv):
    frame = read(csv(HEADER + "start\na,b,c\nx,y\n1,2,3,4\nd,e,f\nend\n"))
    assert rows(frame) == [(2, "a", "b", "c"), (5, "d", "e", "f")]
    assert broken(frame) == [
        (1, "start", "1 fields where the header has 3"),
        (3, "x,y", "2 fields where the header has 3"),
        (4, "1,2,3,4", "4 fields where the header has 3"),
        (6, "end", "1 fields where the header has 3"),
    ]


@pytest.mark.parametrize("every", [1, 2, 7, 50])
def test_row_numbers_hold_across_blocks(csv, monkeypatch, every):
    monkeypatch.setattr(sources, "_BLOCK_BYTES", 512)
    lines = [f"bad {n}" if n % every == 0 else f"i{n},2024-03-01,{n}" for n in range(1, 301)]
    frame = read(csv(HEADER + "\n".join(lines) + "\n"))
    assert len(frame) == 300
    assert rows(frame) == [(n, f"i{n}", "2024-03-01", str(n)) for n in range(1, 301) if n % every]
    assert [(n, text) for n, text, _ in sorted(broken(frame))] == [
        (n, f"bad {n}") for n in range(1, 301) if n % every == 0
    ]


def test_delimiters(csv):
    assert rows(read(csv("item;day;sales\na;b;1,5\n"), delimiter=";")) == [(1, "a", "b", "1,5")]
    assert rows(read(csv("item\tday\tsales\na\tb\t1\n", "sales.TSV"))) == [(1, "a", "b", "1")]
    assert rows(read(csv("item|day|sales\na|b|1\n", "sales.tsv"), delimiter="|")) == [(1, "a", "b", "1")]


def test_compressed_csv(csv):
    file = csv(gzip.compress((HEADER + "a,b,1\n").encode()), "sales.csv.gz")
    assert rows(read(file)) == [(1, "a", "b", "1")]
    file = csv(gzip.compress(b"item\tday\tsales\na\tb\t1\n"), "sales.tsv.gz")
    assert rows(read(file)) == [(1, "a", "b", "1")]


@pytest.mark.parametrize(
    "content", [b"\x1f\x8bnonsense", b"item,day,sales\n", gzip.compress(HEADER.encode() * 99, mtime=0)[:-20]]
)
def test_a_torn_archive(csv, content):
    file = csv(content, "sales.csv.gz")
    assert fails(file).startswith(f"{file}: cannot be read: ")


@pytest.mark.parametrize("text", [HEADER, HEADER.strip(), HEADER + "\n\n"])
def test_a_header_alone_gives_no_rows(csv, text):
    frame = read(csv(text))
    assert len(frame) == 0
    checked = check(frame, Contract(("item",), "day", "sales", "D"), MARCH, NOW)
    assert checked.counts["rows_read"] == 0


@pytest.mark.parametrize("text", ["", "\n", "\ufeff"])
def test_an_empty_file(csv, text):
    file = csv(text)
    assert fails(file) == f"{file}: it is empty, without so much as the names of its columns"


def test_missing_columns_are_named_with_the_nearest(csv):
    file = csv("item,Day,amount\na,b,c\n")
    assert fails(file) == (
        f"{file}: no column 'day', 'sales'; it has: 'item', 'Day', 'amount'. Did you mean 'Day'? "
        "See columns and covariates in the spec"
    )
    assert "no column 'item', 'day', 'sales'; it has: 'item;day;sales'" in fails(csv("item;day;sales\n"))


def test_a_column_that_stands_twice_matters_only_if_it_is_wanted(csv):
    file = csv("item,day,sales,sales\na,b,1,2\n")
    assert fails(file) == f"{file}: column 'sales' stands twice in it"
    assert rows(read(csv("x,item,day,sales,x\n0,a,b,1,2\n"))) == [(1, "a", "b", "1")]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding(csv, encoding):
    file = csv((HEADER + "Zürich,2024-03-01,1\n").encode(encoding))
    assert fails(file) == f"{file}: not UTF-8 text; save it as UTF-8 first"


def test_another_encoding_far_down(csv):
    file = csv((HEADER + "a,2024-03-01,1\n" * 2000).encode() + b"Z\xfcrich,2024-03-01,1\n")
    message = fails(file)
    assert message.startswith(f"{file}: cannot be read: ")
    assert "UTF8" in message


def test_a_quotation_mark_that_is_never_closed_loses_no_rows_in_silence(csv):
    file = csv(HEADER + 'a,2024-03-01,1\nb,2024-03-02,"2\n' + "c,2024-03-03,3\n" * 50)
    assert "a quotation mark is opened and never closed" in fails(file)
    inches = read(csv(HEADER + 'pipe 5",2024-03-01,1\n'))
    assert rows(inches) == [(1, 'pipe 5"', "2024-03-01", "1")]
    last = read(csv(HEADER + 'pipe 5",2024-03-01,"1\n2"\n'))
    assert len(rows(last)) == 1


# Many files


def test_a_folder_is_read_whole_in_the_order_of_names(csv, tmp_path):
    for name in ("2024/b.csv", "2024/a.csv", "2023/a.csv"):
        csv(HEADER + f"{name},2024-03-01,1\n", f"data/{name}")
    for hidden in (".hidden.csv", "_SUCCESS", "_old/a.csv", "2024/.a.csv.crc"):
        csv("nonsense", f"data/{hidden}")
    frame = read(tmp_path / "data")
    assert frame["item"].tolist() == ["2023/a.csv", "2024/a.csv", "2024/b.csv"]
    assert frame[SOURCE].tolist() == frame["item"].tolist()
    assert frame[ROW].tolist() == [1, 1, 1]


def test_a_glob(csv, tmp_path):
    for name in ("1/a.csv", "1/b.txt", "2/a.csv", "2/deep/a.csv"):
        csv(HEADER + f"{name},2024-03-01,1\n", f"data/{name}")
    assert read(tmp_path / "data/*/a.csv")["item"].tolist() == ["1/a.csv", "2/a.csv"]
    assert read(tmp_path / "data/**/a.csv")["item"].tolist() == ["1/a.csv", "2/a.csv", "2/deep/a.csv"]
    assert read(tmp_path / "data/[12]/b.*")["item"].tolist() == ["1/b.txt"]
    assert read(tmp_path / "data/1/../2/a.csv")["item"].tolist() == ["2/a.csv"]


def test_a_name_with_signs_of_a_glob_is_a_name_if_there_is_such_a_file(csv):
    assert len(read(csv(HEADER + "a,2024-03-01,1\n", "sales[1].csv"))) == 1


def test_files_of_all_kinds_in_one_folder(csv, tmp_path):
    csv(HEADER + "a,2024-03-01,1\n", "data/1.csv")
    csv('{"item": "b", "day": "2024-03-02", "sales": 2}\n', "data/2.jsonl")
    for name, sales in {"3": [3.0], "4": [None]}.items():
        table = pa.table({"item": [name], "day": [date(2024, 3, int(name))], "sales": pa.array(sales, pa.float64())})
        parquet.write_table(table, tmp_path / f"data/{name}.parquet")
    checked = check(read(tmp_path / "data"), Contract(("item",), "day", "sales", "D"), MARCH, NOW)
    assert checked.accepted["item_id"].tolist() == ["3", "4", "a", "b"]
    assert checked.accepted["target"].fillna(-1).tolist() == [3, -1, 1, 2]


def test_a_file_of_no_known_kind(csv, tmp_path):
    file = csv("", "data/readme.md")
    assert fails(tmp_path / "data").startswith(f"{file}: unknown ending; say source.format: csv, parquet or jsonl")
    csv(HEADER + "a,2024-03-01,1\n", "data/readme.md")
    assert len(read(tmp_path / "data", format="csv")) == 1


@pytest.mark.parametrize("path", ["none.csv", "none", "none/*.csv", "*.csv"])
def test_no_file_at_all(tmp_path, path):
    assert (
        fails(tmp_path / path) == f"{tmp_path / path}: no such file, and no file matches; see source.path in the spec"
    )


def test_paths_start_from_the_folder_of_the_spec(csv, tmp_path):
    csv(HEADER + "a,2024-03-01,1\n", "data/sales.csv")
    text = (
        "name: demo\nsource: {kind: file, path: ../data/sales.csv}\nfrequency: D\nhorizon: 3\n"
        "columns: {item_id: item, timestamp: day, target: sales}\npartitions: {start: 2024-01-01}\n"
    )
    reader = open_source(parse_spec(text, tmp_path / "forecasts" / "demo.yaml"))
    (tmp_path / "forecasts").mkdir()
    assert len(read_all(reader, COLUMNS, "day", MARCH)) == 1
    assert reader.probe(COLUMNS, "day").endswith("sales.csv, 1 file")
    with pytest.raises(SourceError, match="no column 'price'"):
        reader.probe([*COLUMNS, "price"], "day")


# JSON lines


def test_json_lines_keep_their_types(csv):
    text = '{"item": "a", "day": "2024-03-01", "sales": 1.5, "more": [1]}\r\n{"sales": null, "item": 7}\n'
    assert rows(read(csv(text, "sales.jsonl"))) == [(1, "a", "2024-03-01", 1.5), (2, 7, None, None)]


def test_broken_lines_keep_their_number_and_text(csv):
    good = '{"item": "a", "day": "2024-03-01", "sales": 1}'
    lines = ["{torn", good, "", "[1]", "12", good[:-1], good + good, good]
    frame = read(csv("\n".join(lines), "sales.ndjson"))
    assert [number for number, *_ in rows(frame)] == [2, 8]
    assert [(number, text) for number, text, _ in broken(frame)] == [
        (1, "{torn"),
        (4, "[1]"),
        (5, "12"),
        (6, good[:-1]),
        (7, good + good),
    ]
    assert broken(frame)[0][2].startswith("the line is not JSON: Expecting property name")
    assert broken(frame)[1][2] == "the line is not a JSON object"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"[" * 100_000, "the line is nested too deeply"),
        (b'{"item": "Z\xfcrich"}', "the line is not UTF-8 text"),
        (b'{"item": "\\ud800"}', "the line is not UTF-8 text"),
        (b'{"item": ' + b"9" * 5000 + b"}", "the line is not JSON: Exceeds the limit"),
    ],
    ids=["deep", "encoding", "surrogate", "digits"],
)
def test_lines_that_would_break_a_reader(csv, line, problem):
    good = b'{"item": "\\u00fc", "day": "2024-03-01", "sales": 1}\n'
    frame = read(csv(good + line + b"\n" + good, "sales.jsonl"))
    assert rows(frame) == [(1, "ü", "2024-03-01", 1), (3, "ü", "2024-03-01", 1)]
    assert broken(frame)[0][2].startswith(problem)


def test_nested_values_are_for_the_contract(csv):
    lines = [
        {"item": {"name": ["a"]}, "day": "2024-03-01", "sales": 1},
        {"item": "b", "day": {"on": 1}, "sales": 1},
        {"item": "c", "day": "2024-03-01", "sales": [1]},
    ]
    raw = read(csv("\n".join(map(json.dumps, lines)), "sales.jsonl"))
    checked = check(raw, Contract(("item",), "day", "sales", "D"), MARCH, NOW)
    assert checked.reasons == {"unparsable_timestamp": 1, "target_not_a_number": 1}
    assert [json.loads(record) for record in checked.quarantined["record"]] == lines[1:]


def test_a_key_that_no_line_has_is_misspelt(csv, monkeypatch):
    text = '{"item": "a", "day": "2024-03-01", "sale": 1}\n'
    file = csv(text * 5, "sales.jsonl")
    for batch in (2, 5, 100):
        monkeypatch.setattr(sources, "_BATCH_ROWS", batch)
        assert "no column 'sales'; it has: 'item', 'day', 'sale'. Did you mean 'sale'?" in fails(file)
    late = csv(text * 4 + text.replace("sale", "sales"), "late.jsonl")
    assert [row[-1] for row in rows(read(late))] == [None] * 4 + [1]


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_no_lines(csv, text):
    assert len(read(csv(text, "sales.jsonl"))) == 0


# Parquet


def save(file: Path, columns: dict[str, Any], **options: Any) -> Path:
    parquet.write_table(pa.table(columns), file, **options)
    return file


MOMENTS = pd.date_range("2024-01-01", periods=120, freq="D")


@pytest.mark.parametrize(
    "column",
    [
        pa.array(MOMENTS.date),
        pa.array(MOMENTS, pa.timestamp("ms")),
        pa.array(MOMENTS, pa.timestamp("us")),
        pa.array(MOMENTS, pa.timestamp("ns")),
        pa.array(MOMENTS.tz_localize("America/New_York"), pa.timestamp("us", "America/New_York")),
        pa.array(MOMENTS.tz_localize("America/New_York"), pa.timestamp("ns", "UTC")),
        pa.array(MOMENTS.strftime("%Y-%m-%d")),
        pa.array(MOMENTS.strftime("%Y-%m-%d")).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_row_groups_are_skipped_without_losing_a_row(tmp_path, column):
    file = save(tmp_path / "a.parquet", {"item": ["a"] * 120, "day": column, "sales": range(120)}, row_group_size=10)
    contract = Contract(("item",), "day", "sales", "D", "America/New_York")
    checked = check(read(file), contract, MARCH, NOW)
    assert checked.accepted["timestamp"].tolist() == list(MOMENTS[60:91])
    assert checked.accepted["target"].tolist() == list(range(60, 91))
    assert checked.counts["rows_quarantined"] == 0
    is_text = pa.types.is_string(column.type) or pa.types.is_dictionary(column.type)
    assert checked.counts["rows_read"] == (120 if is_text else 50)


def test_row_numbers_count_skipped_groups(tmp_path):
    columns = {"item": ["a"] * 120, "day": MOMENTS, "sales": range(120)}
    frame = read(save(tmp_path / "a.parquet", columns, row_group_size=10))
    assert frame[ROW].tolist() == list(range(51, 101))
    assert (frame[ROW] - 1 == frame["sales"]).all()


def test_groups_with_missing_times_are_read(tmp_path):
    days = [None, date(2020, 1, 1), None, None, date(2020, 1, 1), date(2020, 1, 2)]
    file = save(tmp_path / "a.parquet", {"item": ["a"] * 6, "day": days, "sales": range(6)}, row_group_size=2)
    checked = check(read(file), Contract(("item",), "day", "sales", "D"), MARCH, NOW)
    assert checked.reasons == {"missing_timestamp": 3}
    assert checked.quarantined["source_row"].tolist() == [1, 3, 4]


def test_the_time_column_is_found_behind_nested_ones(tmp_path):
    columns = {
        "nested": [{"a": 1, "b": datetime(2000, 1, 1)}] * 120,
        "item": ["a"] * 120,
        "day": MOMENTS,
        "sales": range(120),
    }
    frame = read(save(tmp_path / "a.parquet", columns, row_group_size=10))
    assert set(MOMENTS[60:91]) <= set(frame["day"])
    assert len(frame) < 120


def test_times_beyond_what_pandas_holds_are_read(tmp_path):
    days = [datetime(9999, 12, 31), datetime(1, 1, 1), datetime(2024, 3, 5)]
    for unit in (pa.date32(), pa.timestamp("us"), pa.timestamp("s")):
        file = save(tmp_path / "a.parquet", {"item": ["a"] * 3, "day": pa.array(days, unit), "sales": range(3)})
        checked = check(read(file), Contract(("item",), "day", "sales", "D"), MARCH, NOW)
        assert checked.accepted["target"].tolist() == [2.0]
        assert checked.reasons == {"in_the_future": 1}
        assert checked.counts["rows_of_other_times"] == 1


def test_parquet_keeps_types_and_long_numbers(tmp_path):
    long = 2**53 + 1
    columns = {
        "item": pa.array([long, None, 3], pa.int64()),
        "day": pa.array(["2024-03-01"] * 3).dictionary_encode(),
        "sales": pa.array([Decimal("1.10"), None, Decimal("3.00")], pa.decimal128(9, 2)),
    }
    raw = read(save(tmp_path / "a.parquet", columns))
    checked = check(raw, Contract(("item",), "day", "sales", "D"), MARCH, NOW)
    assert checked.accepted["item_id"].tolist() == ["3", str(long)]
    assert checked.accepted["target"].tolist() == [3.0, 1.1]
    assert checked.reasons == {"missing_item": 1}


def test_numbers_as_text_in_parquet(tmp_path):
    file = save(tmp_path / "a.parquet", {"item": ["a", "b"], "day": ["2024-03-01"] * 2, "sales": ["1.5", "1,5"]})
    checked = check(read(file), Contract(("item",), "day", "sales", "D"), MARCH, NOW)
    assert checked.accepted["target"].tolist() == [1.5]
    assert checked.reasons == {"target_not_a_number": 1}


def test_broken_parquet(csv, tmp_path):
    assert "cannot be read: " in fails(csv(b"PAR1 nonsense", "a.parquet"))
    file = save(tmp_path / "b.parquet", {"item": ["a"], "Day": ["2024-03-01"], "sales": [1]})
    assert "no column 'day'; it has: 'item', 'Day', 'sales'. Did you mean 'Day'?" in fails(file)


# Databases


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
    assert frame[ROW].tolist() == [1, 2, 3, 4, 5]
    assert set(frame[SOURCE]) == {"table sales"}
    assert frame[PROBLEM].isna().all()


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
    assert pd.concat(batches)[ROW].tolist() == list(range(1, 121))


def test_no_row_of_a_table_keeps_the_columns(database):
    database.fill("DATE", ["2020-01-01"])
    frame = query(database.url, table="sales")
    assert list(frame.columns) == [*COLUMNS, SOURCE, ROW, PROBLEM]
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
    assert reader.probe(COLUMNS, "day") == "table sales"
    with pytest.raises(SourceError, match="no column 'price'"):
        reader.probe([*COLUMNS, "price"], "day")


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
