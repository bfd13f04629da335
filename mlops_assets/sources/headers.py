"""The names of a source's columns, before anybody has said which are wanted."""

import io
from collections.abc import Sequence
from csv import reader as csv_reader
from itertools import islice

from mlops_assets.sources.base import AnyFile, SourceError
from mlops_assets.sources.csv_files import DELIMITERS
from mlops_assets.sources.files import FORMATS
from mlops_assets.sources.text import TextFile, ending

_LINES = 50
"""So many lines say how a file of text is divided."""


def columns_of_file(file: AnyFile, encoding: str | None = None) -> tuple[list[str], str | None]:
    """Return the names of a file's columns in their order, and the delimiter where it is CSV.

    Args:
        file: CSV, Parquet, JSON or Excel, by its ending.
        encoding: of text; None: UTF-8, or what the file shows.

    Raises:
        SourceError: its ending says no format, or it cannot be read.
        MissingExtraError: it is an Excel workbook, and openpyxl is not installed.
    """
    kind = FORMATS.get(ending(file))
    if kind == "parquet":
        return _of_parquet(file), None
    if kind == "jsonl":
        return _of_json(file, encoding), None
    if kind == "excel":
        from mlops_assets.sources.excel_files import header_of

        return header_of(file), None
    if kind == "csv":
        return _of_csv(file, encoding)
    raise SourceError(f"{file}: unknown ending; a table is .csv, .tsv, .txt, .parquet, .jsonl, .json or .xlsx")


def _of_parquet(file: AnyFile) -> list[str]:
    from pathlib import Path

    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(file if isinstance(file, Path) else file.open()) as content:
            return list(content.schema_arrow.names)
    except (ArrowException, OSError) as error:
        raise SourceError(f"{file}: cannot be read: {error}") from None


def _of_csv(file: AnyFile, encoding: str | None) -> tuple[list[str], str | None]:
    text = TextFile(file, encoding, lambda _: None)
    head = text.head
    if "\ufffd" in head:
        raise text.wrong_encoding()
    if not head.strip():
        raise SourceError(f"{file}: it is empty, without so much as the names of its columns")
    # The last line may be cut where only the beginning of the file was read.
    divided = {sign: [line for line in _lines(head, sign) if line] for sign in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda sign: _agreement(divided[sign]))
    return divided[delimiter][0], delimiter


def _lines(head: str, delimiter: str) -> list[list[str]]:
    lines = list(islice(csv_reader(io.StringIO(head, newline=""), delimiter=delimiter), _LINES + 1))
    return lines[:_LINES] if len(lines) > 1 else lines


def _agreement(lines: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Say how well lines are divided: the share that has as many fields as the first, and how many those are."""
    fields = len(lines[0]) if lines else 0
    if fields < 2:
        return 0.0, fields
    return sum(len(line) == fields for line in lines) / len(lines), fields


def _of_json(file: AnyFile, encoding: str | None) -> list[str]:
    import json

    from mlops_assets.sources.json_files import parse

    text = TextFile(file, encoding, lambda _: None)
    found: dict[str, None] = {}
    if text.head.lstrip().startswith("["):
        with text.open() as stream:
            rows = parse(stream.read().removeprefix(b"\xef\xbb\xbf"))
    else:
        rows = [_parsed(line) for line in text.head.splitlines()[:1000] if line.strip()]
    for row in rows:
        if isinstance(row, dict):
            found.update(dict.fromkeys(row))
    nested = [name for row in rows[:1] if isinstance(row, dict) for name in row if isinstance(row[name], dict | list)]
    if not found or nested:
        shown = f"; {json.dumps(nested[0])} holds more than a value" if nested else ""
        raise SourceError(
            f"{file}: no rows of plain values{shown}. Write one JSON object a line, or say source.records"
        )
    return list(found)


def _parsed(line: str) -> object:
    from mlops_assets.sources.json_files import parse

    try:
        return parse(line)
    except (ValueError, RecursionError):
        return None
