"""Sheets of Excel workbooks, read as typed rows with their numbers."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.errors import MissingExtraError
from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM
from mlops_assets.sources.base import AnyFile, SourceError, header_below, require
from mlops_assets.sources.text import Note

_CSV = "save it as .xlsx anew, or export the sheet as CSV"
_UNCOUNTED = "is a formula whose value is not stored; open the workbook in Excel and save it"


def read_excel(
    file: AnyFile, columns: Sequence[str], note: Note, *, sheet: str | None = None
) -> Iterator[pd.DataFrame]:
    """Yield the rows of a sheet, values as Excel types them; its first row that is not empty is the header.

    Args:
        file: the workbook.
        columns: the columns wanted.
        note: told which sheet is read, if there are several and none is named.
        sheet: its name; None: the first.

    Raises:
        SourceError: it is no workbook, or lacks the sheet or a column.
        MissingExtraError: openpyxl is not installed.
    """
    with _workbook(file, values=True) as book:
        name = _sheet(file, book.sheetnames, sheet, note)
        rows = _rows(book, name)
        header = next(((n, row) for n, row in rows if any(cell is not None for cell in row)), (0, ()))
        first, present = header[0], [str(cell) if cell is not None else "" for cell in header[1]]
        if not set(columns) <= set(present):
            for other in dict.fromkeys((name, *book.sheetnames)):
                _found_elsewhere(file, book, other, name, columns)
        require(f"{file}, sheet {name!r}", columns, present)
        places = [present.index(column) for column in columns]
        found = {n - first: [_at(row, place) for place in places] for n, row in rows if any(c is not None for c in row)}
    problems: dict[int, str] = {}
    if any(None in values for values in found.values()):
        # Only the workbook's other face says whether an empty cell is one, or a formula that nobody has computed.
        with _workbook(file, values=False) as book:
            for n, row in _rows(book, name):
                formulas = [c for c, p in zip(columns, places, strict=True) if str(_at(row, p) or "").startswith("=")]
                bare = [c for c in formulas if n - first in found and found[n - first][columns.index(c)] is None]
                if bare:
                    problems[n - first] = f"column {bare[0]} {_UNCOUNTED}"
    if found:
        frame = pd.DataFrame(list(found.values()), columns=list(columns), dtype=object)
        frame[ROW_NUMBER] = list(found)
        frame[ROW_PROBLEM] = pd.Series([problems.get(n) for n in found], dtype=object)
        yield frame


def header_of(file: AnyFile) -> list[str]:
    """Return the names of the columns of a workbook's first sheet: its first row that is not empty.

    Raises:
        SourceError: it is no workbook, or the sheet is empty.
        MissingExtraError: openpyxl is not installed.
    """
    with _workbook(file, values=True) as book:
        name = _sheet(file, book.sheetnames, None, lambda _: None)
        for _, row in _rows(book, name):
            if any(cell is not None for cell in row):
                return [str(cell) for cell in row if cell is not None]
    raise SourceError(f"{file}, sheet {name!r}: it is empty, without so much as the names of its columns")


@contextmanager
def _workbook(file: AnyFile, *, values: bool) -> Iterator[Any]:
    """Open a workbook: with its values, or with its formulas.

    Raises:
        SourceError: it is none.
        MissingExtraError: openpyxl is not installed.
    """
    from zipfile import BadZipFile

    try:
        import openpyxl
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError:
        otherwise = "or export the sheet as CSV"
        raise MissingExtraError.of(f"{file}: reading Excel", "openpyxl", "excel", otherwise) from None
    with file.open("rb") if isinstance(file, Path) else file.open() as stream:
        if stream.read(4) == b"\xd0\xcf\x11\xe0":
            raise SourceError(f"{file}: an old (.xls) or encrypted Excel workbook; {_CSV}")
        stream.seek(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # on decoration that it does not know
                book = openpyxl.load_workbook(stream, read_only=True, data_only=values)
                yield book
                book.close()
        except (BadZipFile, InvalidFileException, KeyError, ValueError, EOFError) as error:
            if isinstance(error, SourceError):
                raise
            words = str(error.args[0]) if error.args else type(error).__name__
            raise SourceError(f"{file}: no Excel workbook that can be read ({words}); {_CSV}") from None


def _sheet(file: AnyFile, names: Sequence[str], sheet: str | None, note: Note) -> str:
    if sheet is not None and sheet not in names:
        raise SourceError(f"{file}: no sheet {sheet!r}; it has: {', '.join(map(repr, names))}. See source.sheet")
    if sheet is None and len(names) > 1:
        note(f"sheet {names[0]!r}, the first of {len(names)}")
    return sheet or names[0]


def _found_elsewhere(file: AnyFile, book: Any, other: str, name: str, columns: Sequence[str]) -> None:
    """Raise a SourceError if the columns are named in another sheet, or further down in the sheet `name`."""
    if not hasattr(book[other], "iter_rows"):
        return
    lines = ([str(cell) for cell in row] for _, row in islice(_rows(book, other), 20))
    if other == name:
        header_below(f"{file}, sheet {name!r}", columns, lines, "row")
    elif any(set(columns) <= set(line) for line in lines):
        raise SourceError(f"{file}, sheet {name!r}: its columns are in another sheet. Say source.sheet: {other}")


def _rows(book: Any, name: str) -> Iterator[tuple[int, tuple[Any, ...]]]:
    sheet = book[name]
    if not hasattr(sheet, "reset_dimensions"):
        raise SourceError(f"sheet {name!r} is a chart, not a table; see source.sheet")
    sheet.reset_dimensions()  # what the file says of its size is often wrong
    yield from enumerate(sheet.iter_rows(values_only=True), start=1)


def _at(row: Sequence[Any], place: int) -> Any:
    return row[place] if place < len(row) else None
