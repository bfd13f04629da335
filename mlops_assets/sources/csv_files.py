"""CSV, read in batches of raw rows with their numbers."""

import csv as standard_csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from typing import Any

import pandas as pd

from mlops_assets.forecasting.data.contract import CUT_OFF, ROW_NUMBER, ROW_PROBLEM
from mlops_assets.sources.base import AnyFile, SourceError, header_below, require
from mlops_assets.sources.text import Note, TextFile, ending

DELIMITERS = {",": "','", ";": "';'", "\t": "tab", "|": "'|'"}
"""What is tried where no delimiter is declared, and how it is called."""
_TITLES = 20
"""The names of the columns are looked for in so many lines."""
_BLOCK_BYTES = 16 << 20
_ROWS = 50_000
"""Of a frame: texts take ten times as much memory there as in the file."""


def read_csv(
    file: AnyFile,
    columns: Sequence[str],
    note: Note,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    complete: bool = False,
) -> Iterator[pd.DataFrame]:
    """Yield batches of a CSV file as text; a row of another number of fields comes with what is wrong with it.

    Args:
        file: the file.
        columns: the columns wanted.
        note: told what is found out about the file.
        delimiter: of fields; None: the one by which the header has the columns wanted.
        encoding: None: UTF-8, or what the file shows.
        complete: whether a last row without a line end is surely whole.

    Raises:
        SourceError: it is no CSV, or lacks a column.
        pyarrow.ArrowException: it cannot be read.
    """
    import pyarrow as pa
    from pyarrow import csv

    text = TextFile(file, encoding, note)
    head, skipped = _without_excel_line(text.head)
    delimiter = delimiter or skipped or _delimiter(file, head, columns, note)
    present = _header(head, delimiter)
    if "\ufffd" in "".join(present):
        raise text.wrong_encoding()
    if not set(columns) <= set(present):
        for sign in dict.fromkeys((delimiter, *DELIMITERS)):
            header_below(file, columns, islice(_lines(head, sign), _TITLES), "line")
    require(file, columns, present)
    broken: list[Any] = []

    def on_broken(row: Any) -> str:
        broken.append(row)
        return "skip"

    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_broken)
    read = csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
    wanted = list(dict.fromkeys([*columns, present[-1]]))
    texts = csv.ConvertOptions(
        column_types=dict.fromkeys(present, pa.string()), include_columns=wanted, strings_can_be_null=False
    )
    # Broken rows come with their number in the file, the header being 1; good ones have the numbers between.
    bad_numbers: set[int] = set()
    numbers = (number for number in count(1) if number not in bad_numbers)
    last, last_bad = "", None
    held: pd.DataFrame | None = None
    with _utf8_only(text), text.open() as stream:
        while skipped and stream.read(1) not in (b"\n", b""):
            pass
        watched = _Watched(stream)
        try:
            reader = csv.open_csv(watched, read_options=read, parse_options=parse, convert_options=texts)
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                return
            raise
        with reader:
            for batch in reader:
                if held is not None:
                    yield held
                # Arrow parses ahead in a thread of its own: what it adds meanwhile is for the next round.
                new = broken[:]
                del broken[: len(new)]
                bad_numbers.update(row.number - 1 for row in new)
                last_bad = new[-1] if new else last_bad
                last = batch.column(present[-1])[-1].as_py() if batch.num_rows else last
                yield _broken_rows(new, columns)
                held = None
                for start in range(0, batch.num_rows, _ROWS):
                    if held is not None:
                        yield held
                    frame = batch.slice(start, _ROWS).to_pandas()
                    frame[ROW_NUMBER] = list(islice(numbers, len(frame)))
                    frame[ROW_PROBLEM] = None
                    held = frame[[*columns, ROW_NUMBER, ROW_PROBLEM]].copy()
    bad_numbers.update(row.number - 1 for row in broken)
    last_bad = broken[-1] if broken else last_bad
    ends_well = next(numbers) - 1 not in bad_numbers
    if last_bad is not None and not ends_well:
        last = last_bad.text
    if held is not None and len(held):
        if not complete and ends_well and watched.may_be_cut and present[-1] in columns:
            held[ROW_PROBLEM] = [None] * (len(held) - 1) + [CUT_OFF]
        yield held
    yield _broken_rows(broken, columns)
    if watched.quotes % 2 and "\n" in last and not watched.ends_with_quote:
        raise SourceError(
            f"{file}: a quotation mark is opened and never closed, so that the rest of the file, "
            f"from {last[:40]!r} on, is one value"
        )


@contextmanager
def _utf8_only(text: TextFile) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise text.wrong_encoding() from None
        raise


class _Watched:
    """A file that counts the quotation marks read from it, and knows its last bytes."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.quotes = 0
        self.ends_with_quote = False
        self.last = b""
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.quotes += data.count(b'"')
        if text := data.rstrip():
            self.ends_with_quote = text.endswith(b'"')
        self.last = data[-1:] or self.last
        return data

    def close(self) -> None:
        self.closed = True

    @property
    def may_be_cut(self) -> bool:
        """Whether the last row ends without a line end, and without a quotation mark that closes its last value."""
        closed = self.last == b'"' and self.quotes % 2 == 0
        return self.last not in (b"\n", b"\r", b"") and not closed


def _without_excel_line(head: str) -> tuple[str, str | None]:
    """Return a file's beginning without the line `sep=;` that Excel understands, and the delimiter that it names."""
    found = re.match("sep=(.)\r?\n", head, re.IGNORECASE)
    return (head[found.end() :], found[1]) if found else (head, None)


def _delimiter(file: AnyFile, head: str, columns: Sequence[str], note: Note) -> str:
    """Return the delimiter by which the header has the columns wanted, and say so unless it is the usual one."""
    usual = "\t" if ending(file) == ".tsv" else ","
    for delimiter in dict.fromkeys((usual, *DELIMITERS)):
        if set(columns) <= set(_header(head, delimiter)):
            if delimiter != usual:
                note(f"delimiter {DELIMITERS[delimiter]}")
            return delimiter
    # None of them: the header is shown as the one that splits it best has it.
    return max(dict.fromkeys((usual, *DELIMITERS)), key=lambda delimiter: len(_header(head, delimiter)))


def _lines(head: str, delimiter: str) -> Iterator[list[str]]:
    return standard_csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)


def _header(head: str, delimiter: str) -> list[str]:
    return next(_lines(head, delimiter), [])


def _broken_rows(broken: Sequence[Any], columns: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame({columns[0]: [row.text for row in broken]}, columns=list(columns), dtype=object)
    frame[ROW_NUMBER] = [row.number - 1 for row in broken]
    frame[ROW_PROBLEM] = [f"{row.actual_columns} fields where the header has {row.expected_columns}" for row in broken]
    return frame
