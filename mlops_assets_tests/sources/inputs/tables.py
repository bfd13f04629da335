"""Files that are no text: Parquet, Excel, archives; and folders."""

import bz2
import gzip
import io
import zipfile
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pyarrow as pa
from pyarrow import parquet

from mlops_assets_tests.sources.inputs.input import (
    GAP,
    GOOD,
    HEADER,
    Input,
    Outcome,
    counts,
    noted,
    plain,
    reads,
    refuses,
    rejects,
    text_of,
)

_TEXT = text_of(GOOD)
_MANY = text_of([[f"item {number}", "2024-03-01", number, 0, "k"] for number in range(3000)])


def _parquet(what: str, outcome: Outcome, **columns: Any) -> Input:
    usual = {"item": ["b"], "day": [date(2024, 3, 5)], "sales": [4.0], "rain": [0.0], "kind": ["k"]}
    return plain(f"Parquet: {what}", _stored({**usual, **columns}), outcome, "sales.parquet")


def _stored(columns: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.table({name: values for name, values in columns.items() if values is not None}), buffer)
    return buffer.getvalue()


def _two_days(day: date) -> bytes:
    days = [date(2024, 3, 5), day]
    return _stored({"item": ["b"] * 2, "day": days, "sales": [4, 5], "rain": [0.0] * 2, "kind": ["k"] * 2})


def _excel(what: str, outcome: Outcome, *row: Any, header: list[str] = HEADER, **fields: Any) -> Input:
    return plain(f"Excel: {what}", _book(header, list(row)), outcome, "sales.xlsx", **fields)


def _book(*rows: list[Any], sheets: tuple[str, ...] = ("Sales",)) -> bytes:
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.active)
    for name in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(buffer)
    return buffer.getvalue()


def _zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("sales.csv", content)
    return buffer.getvalue()


_DAY = datetime(2024, 3, 5)
_WHOLE = _stored({"item": ["b"], "day": [date(2024, 3, 5)], "sales": [4.0], "rain": [0.0], "kind": ["k"]})
_SHEET = _book(HEADER, ["b", _DAY, 4, 0, "k"])
_TWO_SHEETS = _book(HEADER, ["b", _DAY, 4, 0, "k"], sheets=("One", "Two"))
_ZSTD = pa.compress(_MANY, "zstd", asbytes=True)

INPUTS: list[Input] = [
    _parquet("a date", reads(4)),
    _parquet("a time in a zone", reads(4), day=pa.array([_DAY], pa.timestamp("us", "UTC"))),
    _parquet("a day as text", reads(4), day=["2024-03-05"]),
    _parquet("a day as a number", rejects("unparsable_timestamp", None), day=[20240305]),
    plain("Parquet: a day far away", _two_days(date(9999, 12, 31)), rejects("in_the_future", 4), "sales.parquet"),
    plain("Parquet: a day long ago", _two_days(date(1, 1, 1)), counts("rows_of_other_times", 4), "sales.parquet"),
    _parquet("a missing day", rejects("missing_timestamp", None), day=pa.array([None], pa.date32())),
    _parquet("a decimal", reads(1.1), sales=[Decimal("1.10")]),
    _parquet("a number as text", reads(4), sales=["4"]),
    _parquet("a decimal comma in text", noted("read with decimal ','", 4.5), sales=["4,5"]),
    _parquet("a whole number, 2^53 + 1", noted("beyond 2^53 rounded", 2.0**53), sales=[2**53 + 1]),
    _parquet("true as a target", rejects("target_not_a_number", None), sales=[True]),
    _parquet("a time as a target", rejects("target_not_a_number", None), sales=[_DAY]),
    _parquet("an infinite target", rejects("target_infinite", None), sales=[float("inf")]),
    _parquet("a missing target", reads(GAP), sales=pa.array([None], pa.float64())),
    _parquet("a column that is missing", refuses("no column 'rain'"), rain=None),
    plain("Parquet that is cut", _WHOLE[:-20], refuses("cannot be read"), "sales.parquet"),
    plain("nonsense with its mark", b"PAR1 nonsense", refuses("cannot be read"), "sales.parquet"),
    plain("nothing, named Parquet", b"", refuses("cannot be read"), "sales.parquet"),
    plain("Parquet, named CSV", _WHOLE, refuses("it is Parquet")),
    _excel("a day and a number", reads(4), "b", _DAY, 4, 0, "k"),
    _excel("a day as text", reads(4), "b", "2024-03-05", 4, 0, "k"),
    _excel("a day as Excel's number", rejects("unparsable_timestamp", None), "b", 45356, 4, 0, "k"),
    _excel("a number as text", noted("read with decimal ','", 4.5), "b", _DAY, "4,5", 0, "k"),
    _excel("an empty cell", reads(GAP), "b", _DAY, None, 0, "k"),
    _excel("#N/A", noted("'#N/A' read as missing", GAP), "b", _DAY, "#N/A", 0, "k"),
    _excel("#DIV/0!", rejects("target_not_a_number", None), "b", _DAY, "#DIV/0!", 0, "k"),
    _excel("a formula that nobody has computed", rejects("malformed_row", None), "b", _DAY, "=1+1", 0, "k"),
    _excel("a merged cell below its first", rejects("missing_item", None), None, _DAY, 4, 0, "k"),
    _excel("a column that is missing", refuses("no column 'sales'"), "b", _DAY, 4, 0, "k", header=["item", "day", "x"]),
    plain("several sheets", _TWO_SHEETS, noted("sheet 'One', the first of 2", 4), "sales.xlsx"),
    plain("a sheet that is not there", _SHEET, refuses("no sheet 'X'"), "sales.xlsx", source={"sheet": "X"}),
    plain("a workbook that is cut", _SHEET[:-100], refuses("no Excel workbook that can be read"), "sales.xlsx"),
    plain("nonsense, named Excel", b"PK\x03\x04junk", refuses("no Excel workbook that can be read"), "sales.xlsx"),
    plain("a workbook of the last century", b"\xd0\xcf\x11\xe0" * 99, refuses("an old (.xls)"), "sales.xls"),
    plain("a workbook, named CSV", _SHEET, refuses("an Excel workbook or another zip archive")),
    plain("CSV, named Excel", _TEXT, refuses("no Excel workbook that can be read"), "sales.xlsx"),
    plain("gzip", gzip.compress(_TEXT), reads(1, 2), "sales.csv.gz"),
    plain("gzip that is cut", gzip.compress(_MANY)[:-2000], refuses("cannot be read"), "sales.csv.gz"),
    plain("bzip2 that is cut", bz2.compress(_MANY)[:-2000], refuses("cannot be read"), "sales.csv.bz2"),
    plain("zstd that is cut", _ZSTD[:-2000], refuses("cannot be read"), "sales.csv.zst"),
    plain("gzip, named CSV", gzip.compress(_TEXT), refuses("compressed; name it with the ending .gz")),
    plain("CSV, named gzip", _TEXT, refuses("cannot be read"), "sales.csv.gz"),
    plain("a zip archive", _zipped(_TEXT), refuses("unknown ending"), "sales.zip"),
    plain("a PDF document, named CSV", b"%PDF-1.7\n", refuses("it is a PDF document")),
    Input("an empty folder", {}, refuses("no such file, and no file matches")),
    Input("a folder with another file in it", {"1.csv": _TEXT, "readme.md": b"# Sales"}, refuses("unknown ending")),
    Input("hidden files beside it", {"1.csv": _TEXT, ".2.csv": b"x", "_SUCCESS": b""}, reads(1, 2)),
]
