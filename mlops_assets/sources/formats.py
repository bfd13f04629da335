"""The formats of files: CSV, JSON lines and Parquet, read in batches of raw rows with their numbers."""

import json
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import count, islice
from pathlib import Path
from typing import IO, Any

import pandas as pd

from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, Window
from mlops_assets.sources.base import AnyFile, SourceError, require

FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet"}
FORMATS |= {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
"""The format that a name's ending stands for."""
_COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_BATCH_ROWS = 100_000
_BLOCK_BYTES = 16 << 20


def ending(file: AnyFile) -> str:
    """Return the ending of a file's name that says its format, in small letters; compression does not count."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix not in _COMPRESSED), "")


def _stream(file: AnyFile) -> Any:
    """Open a file's bytes, uncompressed if its ending says that they are compressed."""
    import pyarrow as pa

    if isinstance(file, Path):
        return pa.input_stream(str(file), compression="detect")
    last = file.suffixes[-1].lower() if file.suffixes else ""
    return pa.input_stream(file.open(), compression=_COMPRESSED.get(last))


def read_csv(file: AnyFile, columns: Sequence[str], delimiter: str) -> Iterator[pd.DataFrame]:
    """Yield batches of a CSV file as text; a row of another number of fields comes with what is wrong with it."""
    import pyarrow as pa
    from pyarrow import csv

    broken: list[Any] = []

    def on_broken(row: Any) -> str:
        broken.append(row)
        return "skip"

    with _stream(file) as head:
        present = _csv_header(file, head, delimiter)
    require(file, columns, present)
    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_broken)
    read = csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
    wanted = list(dict.fromkeys([*columns, present[-1]]))
    texts = csv.ConvertOptions(
        column_types=dict.fromkeys(present, pa.string()), include_columns=wanted, strings_can_be_null=False
    )
    # Broken rows come with their number in the file, the header being 1; good ones have the numbers between.
    bad_numbers: set[int] = set()
    numbers = (number for number in count(1) if number not in bad_numbers)
    last = ""
    with _stream(file) as stream:
        counted = _QuoteCounter(stream)
        try:
            reader = csv.open_csv(counted, read_options=read, parse_options=parse, convert_options=texts)
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                return
            raise
        with reader:
            for batch in reader:
                frame = batch.to_pandas()
                # Arrow parses ahead in a thread of its own: what it adds meanwhile is for the next round.
                new = broken[:]
                del broken[: len(new)]
                bad_numbers.update(row.number - 1 for row in new)
                last = frame[present[-1]].iat[-1] if len(frame) else last
                frame[ROW_NUMBER] = list(islice(numbers, len(frame)))
                frame[ROW_PROBLEM] = None
                yield frame[[*columns, ROW_NUMBER, ROW_PROBLEM]]
                yield _broken_rows(new, columns)
    yield _broken_rows(broken, columns)
    if counted.quotes % 2 and "\n" in last and not counted.ends_with_quote:
        raise SourceError(
            f"{file}: a quotation mark is opened and never closed, so that the rest of the file, "
            f"from {last[:40]!r} on, is one value"
        )


class _QuoteCounter:
    """A file that counts the quotation marks read from it, and says whether one of them ends it."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.quotes = 0
        self.ends_with_quote = False
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.quotes += data.count(b'"')
        if text := data.rstrip():
            self.ends_with_quote = text.endswith(b'"')
        return data

    def close(self) -> None:
        self.closed = True


def _csv_header(file: AnyFile, stream: Any, delimiter: str) -> list[str]:
    import csv
    import io

    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        return next(csv.reader(text, delimiter=delimiter), [])
    except UnicodeDecodeError:
        raise SourceError(f"{file}: not UTF-8 text; save it as UTF-8 first") from None


def _broken_rows(broken: Sequence[Any], columns: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame({columns[0]: [row.text for row in broken]}, columns=list(columns), dtype=object)
    frame[ROW_NUMBER] = [row.number - 1 for row in broken]
    frame[ROW_PROBLEM] = [f"{row.actual_columns} fields where the header has {row.expected_columns}" for row in broken]
    return frame


def read_jsonl(file: AnyFile, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield batches of JSON lines, values as JSON types them; a line that is no JSON object comes with its problem."""
    seen: dict[str, None] = {}
    with _stream(file) as stream:
        lines = enumerate(_lines(stream), start=1)
        more = True
        while more:
            chunk = list(islice(lines, _BATCH_ROWS))
            more = len(chunk) == _BATCH_ROWS
            rows = [_json_row(number, line, columns, seen) for number, line in chunk if line.strip()]
            if not more and seen:
                # A key that one line lacks is a missing value; one that all lack is misspelt.
                require(file, columns, list(seen))
            yield pd.DataFrame(rows, columns=[*columns, ROW_NUMBER, ROW_PROBLEM], dtype=object)


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    import io

    yield from io.BufferedReader(stream)  # type: ignore[arg-type]


def _json_row(number: int, line: bytes, columns: Sequence[str], seen: dict[str, None]) -> dict[str, Any]:
    try:
        values = json.loads(line)
        if b"\\u" in line:
            json.dumps(values, ensure_ascii=False).encode()
        problem = None if isinstance(values, dict) else "the line is not a JSON object"
    except json.JSONDecodeError as error:
        values, problem = None, f"the line is not JSON: {error.msg} at character {error.pos + 1}"
    except RecursionError:
        values, problem = None, "the line is nested too deeply"
    except UnicodeError:
        values, problem = None, "the line is not UTF-8 text"
    except ValueError as error:
        values, problem = None, f"the line is not JSON: {error}"
    if not isinstance(values, dict) or problem is not None:
        return {columns[0]: line.decode("utf-8", "replace").strip(), ROW_NUMBER: number, ROW_PROBLEM: problem}
    seen.update(dict.fromkeys(values))
    return {**{name: values.get(name) for name in columns}, ROW_NUMBER: number, ROW_PROBLEM: None}


def read_parquet(file: AnyFile, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
    """Yield batches of a Parquet file with its types; row groups that cannot hold rows of the window are skipped."""
    from pyarrow import parquet

    with parquet.ParquetFile(file if isinstance(file, Path) else file.open()) as content:
        require(file, columns, content.schema_arrow.names)
        first_row = 1
        for group in range(content.num_row_groups):
            rows = content.metadata.row_group(group).num_rows
            if _may_hold(content.metadata.row_group(group), time_column, window):
                row = first_row
                for batch in content.iter_batches(_BATCH_ROWS, row_groups=[group], columns=list(columns)):
                    # Whole numbers stay whole where some are missing: as floats, long item numbers would change.
                    frame = batch.to_pandas(integer_object_nulls=True, date_as_object=False)
                    frame = frame[list(columns)]
                    frame[ROW_NUMBER] = range(row, row + len(frame))
                    frame[ROW_PROBLEM] = None
                    row += len(frame)
                    yield frame
            first_row += rows


def _may_hold(group: Any, time_column: str, window: Window) -> bool:
    """Whether a row group can hold rows of the window, by its statistics; a day of slack covers time zones.

    One with missing times is read: their rows are for the contract to judge.
    """
    leaves = (group.column(number) for number in range(group.num_columns))
    statistics = next((leaf.statistics for leaf in leaves if leaf.path_in_schema == time_column), None)
    if statistics is None or not statistics.has_min_max or statistics.null_count:
        return True
    if not isinstance(statistics.min, date):
        return True
    try:
        low, high = (pd.Timestamp(value).tz_localize(None) for value in (statistics.min, statistics.max))
    except (ValueError, OverflowError):
        return True
    day = pd.Timedelta(days=1)
    return bool(high >= window.start - day and low < window.end + day)
