"""JSON: lines, lists, documents."""

import json
from typing import Any

from mlops_assets_tests.sources.inputs.input import GAP, Input, Outcome, noted, plain, reads, refuses, rejects

_GOOD: list[dict[str, Any]] = [
    {"item": "a", "day": "2024-03-01", "sales": 1, "rain": 0, "kind": "k"},
    {"item": "a", "day": "2024-03-02", "sales": 2, "rain": 0, "kind": "k"},
]
_USUAL = {"item": "b", "day": "2024-03-05", "sales": 4, "rain": 0, "kind": "k"}
_COLUMNS = {name: [value] for name, value in _USUAL.items()}
_LINES = "".join(json.dumps(row) + "\n" for row in _GOOD)
_ROW = json.dumps(_USUAL)


def _line(what: str, line: str | bytes, outcome: Outcome) -> Input:
    """A line after two good ones."""
    content = _LINES.encode() + (line.encode() if isinstance(line, str) else line) + b"\n"
    return plain(what, content, outcome, "sales.jsonl")


def _value(what: str, column: str, value: Any, outcome: Outcome) -> Input:
    return _line(what, json.dumps({**_USUAL, column: value}), outcome)


def _document(what: str, content: Any, outcome: Outcome, **fields: Any) -> Input:
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    return plain(what, text, outcome, "sales.json", **fields)


INPUTS: list[Input] = [
    _line("a good line", _ROW, reads(1, 2, 4)),
    _line("no line end after the last line", _ROW, reads(1, 2, 4)),
    _line("a line that is cut", _ROW[:-3], rejects("malformed_row")),
    _line("two objects in a line", _ROW + _ROW, rejects("malformed_row")),
    _line("a list in a line", f"[{_ROW}]", rejects("malformed_row")),
    _line("a number in a line", "7", rejects("malformed_row")),
    _line("a comma after an object", _ROW + ",", rejects("malformed_row")),
    _line("single quotation marks", _ROW.replace('"', "'"), rejects("malformed_row")),
    _line("a remark", "# exported by ERP", rejects("malformed_row")),
    _line("a key that stands twice", _ROW[:-1] + ', "sales": 5}', rejects("malformed_row")),
    _line("the same in the other file's letters", _ROW[:-1] + ', "s\\u0061les": 5}', rejects("malformed_row")),
    _line("a key twice that is not wanted", _ROW[:-1] + ', "x": 5, "x": 6}', reads(1, 2, 4)),
    _line("a line of another encoding", _ROW.replace('"b"', '"Zürich"').encode("latin-1"), rejects("malformed_row")),
    _line("half a character", _ROW.replace('"b"', '"\\ud800"'), rejects("malformed_row")),
    _line("100,000 brackets", "[" * 100_000, rejects("malformed_row")),
    _line("a number of 5,000 digits", _ROW.replace(": 4", ": " + "9" * 5000), rejects("malformed_row")),
    _line("an item with the character NUL", _ROW.replace('"b"', '"b\\u0000"'), rejects("nul_in_text")),
    _value("a number as text", "sales", "4", reads(1, 2, 4)),
    _value("a decimal comma in text", "sales", "4,5", noted("read with decimal ','", 1, 2, 4.5)),
    _value("2^53 + 1", "sales", 2**53 + 1, noted("beyond 2^53 rounded", 1, 2, 2.0**53)),
    _value("true as a target", "sales", True, rejects("target_not_a_number")),
    _value("a list as a target", "sales", [4], rejects("target_not_a_number")),
    _value("an object as a target", "sales", {"value": 4}, rejects("target_not_a_number")),
    _value("Infinity as a target", "sales", float("inf"), rejects("target_infinite")),
    _value("NaN as a target", "sales", float("nan"), reads(1, 2, GAP)),
    _value("null as a target", "sales", None, reads(1, 2, GAP)),
    _value("null as a day", "day", None, rejects("missing_timestamp")),
    _value("a number as a day", "day", 20240305, rejects("unparsable_timestamp")),
    _value("milliseconds as a day", "day", 1709596800000, rejects("unparsable_timestamp")),
    _value("an object as a day", "day", {"on": "2024-03-05"}, rejects("unparsable_timestamp")),
    _value("null as an item", "item", None, rejects("missing_item")),
    _value("a number as an item", "item", 7, reads(4, 1, 2)),
    _line("a row without its target", '{"item": "b", "day": "2024-03-05"}', reads(1, 2, GAP)),
    plain("a key that no row has", _LINES.replace("sales", "sale"), refuses("Did you mean 'sale'?"), "sales.jsonl"),
    plain("UTF-16 lines", _LINES.encode("utf-16"), noted("encoding utf-16", 1, 2), "sales.jsonl"),
    plain("no lines", "", reads(), "sales.jsonl"),
    _document("a list of objects", _GOOD, noted("a JSON list", 1, 2)),
    _document("a list of lists", [[1, 2], [3, 4]], refuses("it is empty")),
    _document("an object among other things", [*_GOOD, 7], rejects("malformed_row")),
    _document("a list that is cut", json.dumps(_GOOD)[:-1], refuses("the file may be cut")),
    _document("a list cut within a value", json.dumps(_GOOD)[:-30], refuses("not JSON")),
    _document("a key twice in a list", f'[{_ROW[:-1]}, "sales": 5}}]', rejects("malformed_row", None)),
    _document("an empty list", "[]", noted("a JSON list")),
    _document("a list at a path", {"data": {"rows": _GOOD}}, reads(1, 2), source={"records": "data.rows"}),
    _document("no list at the path", {"data": _GOOD}, refuses("no list of rows"), source={"records": "data.rows"}),
    _document("a document without a path", {"data": {"rows": _GOOD}}, refuses("Say source.records: data.rows")),
    _document("the same in one line", json.dumps({"rows": _GOOD}), refuses("Say source.records: rows")),
    _document(
        "columns, not rows", {name: {"0": value} for name, value in _USUAL.items()}, refuses("columns, not rows")
    ),
    _document("columns as lists", _COLUMNS, refuses("Say source.format: json")),
    _document("the same, declared as JSON", _COLUMNS, reads(4), source={"format": "json"}),
    _document("columns at a path", {"unit": "mm", "rows": _COLUMNS}, reads(4), source={"records": "rows"}),
    _document(
        "columns of different lengths",
        {**_COLUMNS, "sales": [4, 5]},
        refuses("different lengths (item 1, day 1, sales 2, rain 1, kind 1)"),
        source={"format": "json"},
    ),
    plain(
        "a list in Latin-1",
        f"[{_ROW}]".replace('"b"', '"Zürich"').encode("latin-1"),
        refuses("Say source.encoding: cp1252 ('Zürich')"),
        "sales.json",
    ),
]
