"""Sheets of Excel workbooks are read with their types; what is no workbook is told with a way out."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from mlops_assets.errors import MissingExtraError
from mlops_assets.forecasting.data.contract import Contract, check
from mlops_assets.sources.base import read_all
from mlops_assets_tests.sources.reading import COLUMNS, MARCH, NOW, broken, fails, read, reader_of, rows

DAY = datetime(2024, 3, 1)


def save(file: Path, *lines: Any, **sheets: list[Any]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, table in (sheets or {"Sales": list(lines)}).items():
        sheet = book.create_sheet(name)
        for line in table:
            sheet.append(line)
    book.save(file)
    return file


def test_a_sheet_is_read_with_its_types(tmp_path):
    file = save(tmp_path / "a.xlsx", ["note", *COLUMNS], ["x", "a", DAY, 1.5], [], ["x", 7, "2024-03-02", "2,5"])
    frame = read(file)
    assert rows(frame) == [(1, "a", DAY, 1.5), (3, 7, "2024-03-02", "2,5")]
    checked = check(frame, Contract(("item",), "day", "sales", "D"), MARCH, NOW)
    assert checked.accepted["item_id"].tolist() == ["7", "a"]
    assert checked.accepted["target"].tolist() == [2.5, 1.5]


def test_empty_lines_above_the_header_do_not_matter(tmp_path):
    assert rows(read(save(tmp_path / "a.xlsx", [], [None, None], COLUMNS, ["a", DAY, 1]))) == [(1, "a", DAY, 1)]
    assert len(read(save(tmp_path / "b.xlsx", COLUMNS))) == 0
    assert "it is empty" in fails(save(tmp_path / "c.xlsx", []))


def test_a_title_above_the_header_and_a_table_in_another_sheet_are_told_with_the_way_out(tmp_path):
    file = save(tmp_path / "a.xlsx", ["Sales 2024"], [], COLUMNS, ["a", DAY, 1])
    assert fails(file) == (f"{file}, sheet 'Sales': its columns are named in row 3; delete what stands above it")
    file = save(tmp_path / "b.xlsx", Notes=[["read me"]], Data=[COLUMNS, ["a", DAY, 1]])
    assert fails(file) == f"{file}, sheet 'Notes': its columns are in another sheet. Say source.sheet: Data"
    assert rows(read(file, sheet="Data")) == [(1, "a", DAY, 1)]


def test_the_first_sheet_or_the_named_one(tmp_path):
    file = save(tmp_path / "a.xlsx", First=[COLUMNS, ["a", DAY, 1]], Second=[COLUMNS, ["b", DAY, 2]])
    reader = reader_of(file)
    assert rows(read_all(reader, COLUMNS, "day", MARCH)) == [(1, "a", DAY, 1)]
    assert reader.notes == ["sheet 'First', the first of 2 in a.xlsx"]
    assert rows(read(file, sheet="Second")) == [(1, "b", DAY, 2)]
    assert fails(file, sheet="Third") == f"{file}: no sheet 'Third'; it has: 'First', 'Second'. See source.sheet"


def test_a_formula_without_a_stored_value_is_no_empty_cell(tmp_path):
    frame = read(save(tmp_path / "a.xlsx", COLUMNS, ["a", DAY, "=1+1"], ["b", DAY, None]))
    assert broken(frame) == [
        (1, "a", "column sales is a formula whose value is not stored; open the workbook in Excel and save it")
    ]
    assert rows(frame) == [(2, "b", DAY, None)]


def test_missing_columns_are_named_with_the_sheet(tmp_path):
    file = save(tmp_path / "a.xlsx", ["item", "day", "sale"], ["a", DAY, 1])
    assert f"{file}, sheet 'Sales': no column 'sales'; it has: 'item', 'day', 'sale'" in fails(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04junk", "no Excel workbook that can be read"),
        (b"", "no Excel workbook that can be read"),
        (b"item,day,sales\n", "no Excel workbook that can be read"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 100, "an old (.xls) or encrypted Excel workbook"),
    ],
)
def test_what_is_no_workbook_is_told_with_a_way_out(csv, content, words):
    message = fails(csv(content, "sales.xlsx"))
    assert words in message
    assert message.endswith("save it as .xlsx anew, or export the sheet as CSV")


def test_a_cut_workbook_is_refused(csv, tmp_path):
    whole = save(tmp_path / "a.xlsx", COLUMNS, ["a", DAY, 1]).read_bytes()
    assert "no Excel workbook that can be read" in fails(csv(whole[:-200], "cut.xlsx"))


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    file = save(tmp_path / "a.xlsx", COLUMNS, ["a", DAY, 1])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match="needs the module openpyxl; or export the sheet as CSV") as caught:
        read(file)
    assert caught.value.advice == ("pip install 'mlops-assets[excel]'",)
