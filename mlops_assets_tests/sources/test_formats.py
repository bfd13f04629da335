"""CSV, JSON lines and Parquet: read without losing, moving or inventing a row."""

import gzip
import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from mlops_assets.forecasting.data.contract import CUT_OFF, ROW_NUMBER, ROW_SOURCE, Contract, check
from mlops_assets.sources import csv_files, json_files
from mlops_assets.sources.base import read_all
from mlops_assets_tests.sources.reading import (
    COLUMNS,
    HEADER,
    MARCH,
    MOMENTS,
    NOW,
    broken,
    fails,
    read,
    reader_of,
    rows,
)

# CSV


def test_csv_is_read_as_text_and_nothing_is_guessed(csv):
    frame = read(csv(HEADER + "007,2024-03-01,1.50\nNA,,nan\nnull, x ,1e3\n"))
    assert rows(frame) == [(1, "007", "2024-03-01", "1.50"), (2, "NA", "", "nan"), (3, "null", " x ", "1e3")]
    assert set(frame[ROW_SOURCE]) == {"sales.csv"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_csv_of_any_system(csv, end, mark, last):
    text = mark + end.join(["item,day,sales", "a,2024-03-01,1", "b,2024-03-02,2"]) + end * last
    assert rows(read(csv(text), complete=True)) == [(1, "a", "2024-03-01", "1"), (2, "b", "2024-03-02", "2")]
    cut = [] if last else [(2, "b", CUT_OFF)]
    assert broken(read(csv(text))) == cut


@pytest.mark.parametrize(
    "text",
    [
        HEADER + 'a,2024-03-01,"1"',
        "item,day,sales,note\na,2024-03-01,1,seen by B",
        HEADER + "a,2024-03-01,1\nb,2024-03",
        HEADER + "a,2024-03-01,1\n\n",
    ],
    ids=["closed by a quotation mark", "cut in a column that is not wanted", "fewer fields", "blank line"],
)
def test_a_last_row_that_cannot_be_cut_or_is_surely_cut_is_no_question(csv, text):
    frame = read(csv(text))
    assert rows(frame) == [(1, "a", "2024-03-01", "1")]
    assert CUT_OFF not in [words for _, _, words in broken(frame)]


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
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 512)
    lines = [f"bad {n}" if n % every == 0 else f"i{n},2024-03-01,{n}" for n in range(1, 301)]
    frame = read(csv(HEADER + "\n".join(lines) + "\n"))
    assert len(frame) == 300
    assert rows(frame) == [(n, f"i{n}", "2024-03-01", str(n)) for n in range(1, 301) if n % every]
    assert [(n, text) for n, text, _ in sorted(broken(frame))] == [
        (n, f"bad {n}") for n in range(1, 301) if n % every == 0
    ]


def test_delimiters(csv):
    assert rows(read(csv("item;day;sales\na;b;1,5\n"), delimiter=";")) == [(1, "a", "b", "1,5")]
    for sign, name in {";": "';'", "\t": "tab", "|": "'|'"}.items():
        reader = reader_of(csv(f"item,more{sign}item{sign}day{sign}sales\nx{sign}a{sign}b{sign}1,5\n"))
        assert rows(read_all(reader, COLUMNS, "day", MARCH)) == [(1, "a", "b", "1,5")]
        assert reader.notes == [f"delimiter {name} in sales.csv"]
    assert rows(read(csv("sep=;\nitem;day;sales\na;b;1,5\n"))) == [(1, "a", "b", "1,5")]
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
    assert "no column 'sales'; it has: 'item', 'day', 'sale'. Did you mean 'sale'?" in fails(csv("item;day;sale\n"))


def test_a_column_that_stands_twice_matters_only_if_it_is_wanted(csv):
    file = csv("item,day,sales,sales\na,b,1,2\n")
    assert fails(file) == f"{file}: column 'sales' stands twice in it"
    assert rows(read(csv("x,item,day,sales,x\n0,a,b,1,2\n"))) == [(1, "a", "b", "1")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_an_encoding_that_shows_is_read_and_said(csv, encoding, ending):
    line = json.dumps({"item": "Zürich", "day": "2024-03-01", "sales": "1"}, ensure_ascii=False) + "\n"
    text = line if ending == "jsonl" else HEADER + "Zürich,2024-03-01,1\n"
    reader = reader_of(csv(text.encode(encoding), f"sales.{ending}"))
    assert rows(read_all(reader, COLUMNS, "day", MARCH)) == [(1, "Zürich", "2024-03-01", "1")]
    assert reader.notes == ([] if encoding == "utf-8-sig" else [f"encoding {encoding} in sales.{ending}"])


@pytest.mark.parametrize(
    ("encoding", "word"),
    [("cp1252", "Zürich"), ("latin-1", "Zürich"), ("cp1251", "Москва"), ("shift_jis", "東京都"), ("cp1250", "Łódź")],
)
@pytest.mark.parametrize("ending", ["csv", "json", "jsonl"])
def test_a_declared_encoding(csv, encoding, word, ending):
    record = json.dumps({"item": word, "day": "2024-03-01", "sales": "1"}, ensure_ascii=False)
    text = {"csv": HEADER + f"{word},2024-03-01,1\n", "json": f"[{record}]", "jsonl": record}[ending]
    file = csv(text.encode(encoding), f"sales.{ending}")
    assert rows(read(file, encoding=encoding)) == [(1, word, "2024-03-01", "1")]


@pytest.mark.parametrize("above", [0, 2000])
def test_another_encoding_is_told_with_its_line_its_bytes_and_what_would_read_it(csv, above):
    file = csv((HEADER + "a,2024-03-01,1\n" * above).encode() + b"Z\xfcrich,2024-03-01,1\n")
    assert fails(file) == (
        f"{file}: not UTF-8 text: line {above + 2} has the bytes b'Z\\xfcrich'. Say source.encoding: "
        "cp1252 ('Zürich'), or save the file as UTF-8"
    )
    assert rows(read(file, encoding="cp1252"))[-1] == (above + 1, "Zürich", "2024-03-01", "1")


def test_another_alphabet_is_told_with_the_words_that_it_would_be(csv):
    message = fails(csv((HEADER + "Москва,2024-03-01,1\n").encode("cp1251")))
    assert "source.encoding: cp1251 ('Москва')" in message
    header = fails(csv("Größe,day,sales\n".encode("cp1252")), columns=["Größe", "day", "sales"])
    assert "line 1 has the bytes b'Gr\\xf6\\xdfe'. Say source.encoding: cp1252 ('Größe')" in header


def test_a_wrong_encoding_is_told(csv):
    file = csv((HEADER + "Zürich,2024-03-01,1\n").encode())
    assert "not UTF-16 text" in fails(file, encoding="utf-16")
    assert "not CP932 text" in fails(csv(b"item,day,sales\n\x85\x20,2024-03-01,1\n"), encoding="cp932")


def test_bytes_in_a_column_that_is_not_wanted_do_not_matter(csv):
    assert len(read(csv(b"note,item,day,sales\nZ\xfcrich,a,2024-03-01,1\n"))) == 1


def test_a_quotation_mark_that_is_never_closed_loses_no_rows_in_silence(csv):
    file = csv(HEADER + 'a,2024-03-01,1\nb,2024-03-02,"2\n' + "c,2024-03-03,3\n" * 50)
    assert "a quotation mark is opened and never closed" in fails(file)
    inches = read(csv(HEADER + 'pipe 5",2024-03-01,1\n'))
    assert rows(inches) == [(1, 'pipe 5"', "2024-03-01", "1")]
    last = read(csv(HEADER + 'pipe 5",2024-03-01,"1\n2"\n'))
    assert len(rows(last)) == 1


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
        monkeypatch.setattr(json_files, "_BATCH_ROWS", batch)
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
def test_row_groups_and_rows_are_skipped_without_losing_one(tmp_path, column):
    file = save(tmp_path / "a.parquet", {"item": ["a"] * 120, "day": column, "sales": range(120)}, row_group_size=10)
    contract = Contract(("item",), "day", "sales", "D", "America/New_York")
    checked = check(read(file), contract, MARCH, NOW)
    assert checked.accepted["timestamp"].tolist() == list(MOMENTS[60:91])
    assert checked.accepted["target"].tolist() == list(range(60, 91))
    assert checked.counts["rows_quarantined"] == 0
    is_text = pa.types.is_string(column.type) or pa.types.is_dictionary(column.type)
    assert checked.counts["rows_read"] == (120 if is_text else 33)  # a day of slack on each side


def test_row_numbers_count_skipped_groups(tmp_path):
    columns = {"item": ["a"] * 120, "day": MOMENTS, "sales": range(120)}
    frame = read(save(tmp_path / "a.parquet", columns, row_group_size=10))
    assert frame[ROW_NUMBER].tolist() == list(range(60, 93))
    assert (frame[ROW_NUMBER] - 1 == frame["sales"]).all()


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


@pytest.mark.parametrize("sign", [",", ";"])
def test_a_title_above_the_header_is_told_with_its_line(csv, sign):
    table = f"item{sign}day{sign}sales\na{sign}2024-03-01{sign}1\n"
    file = csv(f"Sales of 2024{sign}{sign}\nall shops\n{table}")
    assert fails(file) == f"{file}: its columns are named in line 3; delete what stands above it"
    assert len(read(csv(table))) == 1
