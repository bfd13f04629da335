"""JSON documents: a list of rows is read, at the top or where the spec says, and a cut one is refused."""

import json

import pytest

from mlops_assets.sources.base import read_all
from mlops_assets_tests.sources.reading import COLUMNS, MARCH, broken, fails, read, reader_of, rows

ROWS = [{"item": "a", "day": "2024-03-01", "sales": 1.5}, {"item": "b", "day": "2024-03-02", "sales": None}]
READ = [(1, "a", "2024-03-01", 1.5), (2, "b", "2024-03-02", None)]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["sales.json", "sales.jsonl"])
def test_a_list_is_read_and_said(csv, indent, name):
    reader = reader_of(csv(json.dumps(ROWS, indent=indent), name))
    assert rows(read_all(reader, COLUMNS, "day", MARCH)) == READ
    assert reader.notes == [f"a JSON list in {name}"]


def test_a_list_within_a_document(csv):
    file = csv(json.dumps({"meta": {"next": None}, "data": {"items": ROWS}}, indent=1), "sales.json")
    assert rows(read(file, records="data.items")) == READ
    assert fails(file, records="data.rows") == (
        f"{file}: no list of rows at 'data.rows'; it has: meta, data. See source.records"
    )
    assert "no list of rows at the top; it has: meta, data" in fails(file, format="json")


def test_a_cut_list_is_refused(csv):
    text = json.dumps(ROWS)
    for length in range(1, len(text)):
        assert "not JSON" in fails(csv(text[:length], "sales.json"))
    assert "the file may be cut" in fails(csv(text[:-1], "sales.json"))


def test_an_empty_list_has_no_rows(csv):
    assert len(read(csv("[]", "sales.json"))) == 0


def test_rows_that_are_no_objects_are_told(csv):
    frame = read(csv(json.dumps([ROWS[0], 7, ["a"]]), "sales.json"))
    assert rows(frame) == READ[:1]
    assert broken(frame) == [(2, "7", "the row is not a JSON object"), (3, '["a"]', "the row is not a JSON object")]


@pytest.mark.parametrize("name", ["sales.json", "sales.jsonl"])
def test_a_key_that_stands_twice_is_no_row(csv, name):
    doubled = '{"item": "a", "day": "2024-03-01", "sales": 1, "sales": 2}'
    harmless = '{"item": "a", "day": "2024-03-02", "sales": 1, "note": 1, "note": 2}'
    text = f"[{doubled}, {harmless}]" if name == "sales.json" else f"{doubled}\n{harmless}\n"
    frame = read(csv(text, name))
    assert [words.split(" has ")[1] for _, _, words in broken(frame)] == ["the key 'sales' twice"]
    assert rows(frame) == [(2, "a", "2024-03-02", 1)]


def test_a_misspelt_column_is_told(csv):
    assert "no column 'sales'; it has: 'item', 'day', 'sale'. Did you mean 'sale'?" in fails(
        csv(json.dumps([{"item": "a", "day": "2024-03-01", "sale": 1}]), "sales.json")
    )
