"""Where observations come from: one small protocol and a reader for each kind of source."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from difflib import get_close_matches
from itertools import accumulate, count, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import pandas as pd

from mlops_assets.forecasting.data.contract import PROBLEM, ROW, SOURCE, Window
from mlops_assets.sources.object_files import ObjectFile, is_object_url, list_objects
from mlops_assets.spec import FileSource, ForecastSpec, HttpSource, SqlSource

if TYPE_CHECKING:
    from mlops_assets.sources.http import Page

_ENDINGS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet"}
_ENDINGS |= {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
_COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_HIDDEN = re.compile(r"(?:^|/)[._]")
_BOUNDS = {"window_start", "window_end"}
_BATCH_ROWS = 100_000
_BLOCK_BYTES = 16 << 20


class SourceError(ValueError):
    """The source cannot be read; the message names it and the way out, and shows no secret."""


class SourceUnavailableError(SourceError):
    """The source does not answer now; a later try may succeed."""


class SourceReader(Protocol):
    """Anything that rows can be read from.

    Attributes:
        name: how messages call it; no secret in it.
        exact: True when `read` honours the window, so that a row outside is the source's fault.
    """

    name: str
    exact: bool

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield batches of raw rows.

        Args:
            columns: the columns wanted.
            time_column: the one of them that holds the time.
            window: the span wanted; a reader may give more rows (unless `exact`), never fewer.

        Yields:
            Frames with the wanted columns plus `_source`, `_row` (1 is the first row of data) and `_problem`
            (None, or why the row could not be split into columns).

        Raises:
            SourceError: nothing can be read.
        """
        ...

    def probe(self, columns: Sequence[str], time_column: str) -> str:
        """Reach the source, make sure that it has the columns, and say in words what was found.

        Raises:
            SourceError: it cannot be reached or lacks a column.
        """
        ...


def open_source(spec: ForecastSpec) -> SourceReader:
    """Return the reader of a spec's source."""
    if isinstance(spec.source, SqlSource):
        return SqlReader(spec.source, spec.time_zone)
    if isinstance(spec.source, HttpSource):
        from mlops_assets.sources.http import HttpReader

        return HttpReader(spec.source, spec.time_zone)
    if is_object_url(spec.source.path):
        return ObjectReader(spec.source)
    return FileReader(spec.source, spec.folder)


def read_all(reader: SourceReader, columns: Sequence[str], time_column: str, window: Window) -> pd.DataFrame:
    """Read a window as one frame, with the columns of `SourceReader.read` even if it has no rows."""
    batches = [batch for batch in reader.read(columns, time_column, window) if len(batch)]
    if not batches:
        return pd.DataFrame(columns=[*columns, SOURCE, ROW, PROBLEM])
    return pd.concat(batches, ignore_index=True) if len(batches) > 1 else batches[0]


class FileReader:
    """CSV, Parquet or JSON lines: a file, a folder or a glob."""

    exact = False

    def __init__(self, source: FileSource, folder: Path) -> None:
        self.source = source
        self.path = folder / Path(source.path).expanduser()
        self.name = str(self.path)

    def files(self) -> "Mapping[str, Path | ObjectFile]":
        """Return the files in the order of their names, which start below the folder that all are in.

        Raises:
            SourceError: there is none.
        """
        if self.path.is_file():
            return {self.path.name: self.path}
        fixed = [part for part in accumulate(self.path.parts, Path) if not set(str(part)) & set("*?[")]
        base = Path(fixed[-1] if fixed else "")
        pattern = str(self.path.relative_to(base)) if base != self.path else "**/*"
        found = {path.relative_to(base).as_posix(): path for path in base.glob(pattern) if path.is_file()}
        shown = [name for name in found if not (base == self.path and _HIDDEN.search(name))]
        files = {name: found[name] for name in sorted(shown)}
        if not files:
            raise SourceError(f"{self.path}: no such file, and no file matches; see source.path in the spec")
        return files

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield batches of all files; CSV and JSON lines as text, Parquet with its types."""
        import pyarrow as pa

        for name, file in self.files().items():
            try:
                for batch in self._read_file(file, columns, time_column, window):
                    yield batch.assign(**{SOURCE: name})
            except (pa.ArrowException, OSError) as error:
                raise SourceError(f"{file}: cannot be read: {error}") from None

    def _read_file(
        self, file: "Path | ObjectFile", columns: Sequence[str], time_column: str, window: Window
    ) -> Iterator[pd.DataFrame]:
        ending = _ending(file)
        kind = self.source.format if self.source.format != "auto" else _ENDINGS.get(ending)
        if kind == "parquet":
            return _read_parquet(file, columns, time_column, window)
        if kind == "csv":
            by_tabs = ending == ".tsv" and "delimiter" not in self.source.model_fields_set
            return read_csv(file, columns, "\t" if by_tabs else self.source.delimiter)
        if kind == "jsonl":
            return _read_jsonl(file, columns)
        raise SourceError(
            f"{file}: unknown ending; say source.format: csv, parquet or jsonl, "
            "or give source.path as a glob such as folder/*.csv"
        )

    def probe(self, columns: Sequence[str], time_column: str) -> str:
        """Open the files and read a first batch."""
        everything = Window(pd.Timestamp(1700, 1, 1), pd.Timestamp(2200, 1, 1))
        next(self.read(columns, time_column, everything), None)
        count = len(self.files())
        return f"{self.name}, {count} file{'s' * (count != 1)}"


class ObjectReader(FileReader):
    """The same in object storage: an object, a folder or a glob; keys come from the cloud's own variables."""

    def __init__(self, source: FileSource) -> None:
        self.source = source
        self.name = source.path

    def files(self) -> "Mapping[str, Path | ObjectFile]":
        """Return the objects in the order of their names, which start below the folder that all are in.

        Raises:
            SourceError: there is none, or the storage does not let us in.
            SourceUnavailableError: the storage does not answer.
        """
        with _storage_errors(self.name):
            files = list_objects(self.source.path)
        if not files:
            raise SourceError(f"{self.name}: no such object, and no object matches; see source.path in the spec")
        return files

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield batches of all objects; CSV and JSON lines as text, Parquet with its types."""
        with _storage_errors(self.name):
            yield from super().read(columns, time_column, window)


@contextmanager
def _storage_errors(name: str) -> Iterator[None]:
    from obstore import exceptions

    try:
        yield
    except SourceError:
        raise
    except (exceptions.BaseError, OSError, ValueError) as error:
        words = " ".join(str(error).partition("Debug source")[0].split())
        later = isinstance(error, exceptions.GenericError)
        raise (SourceUnavailableError if later else SourceError)(f"{name}: cannot be read: {words}") from None


def _stream(file: "Path | ObjectFile | Page") -> Any:
    """Open a file's bytes, uncompressed if its ending says that they are compressed."""
    import pyarrow as pa

    if isinstance(file, Path):
        return pa.input_stream(str(file), compression="detect")
    last = file.suffixes[-1].lower() if file.suffixes else ""
    return pa.input_stream(file.open(), compression=_COMPRESSED.get(last))


def _ending(file: "Path | ObjectFile") -> str:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix not in _COMPRESSED), "")


def require(place: "Path | ObjectFile | Page | str", wanted: Sequence[str], present: Sequence[str]) -> None:
    """Raise a SourceError, with the nearest right name, unless the place has each wanted column once."""
    missing = [name for name in wanted if name not in present]
    if missing and not present:
        raise SourceError(f"{place}: it is empty, without so much as the names of its columns")
    if missing:
        folded = {name.strip().casefold(): name for name in map(str, present)}
        near = [folded[m] for name in missing for m in get_close_matches(name.casefold(), folded, 1, 0.5)]
        hint = f" Did you mean {', '.join(map(repr, near))}?" if near else ""
        raise SourceError(
            f"{place}: no column {', '.join(map(repr, missing))}; it has: {', '.join(map(repr, present))}."
            f"{hint} See columns and covariates in the spec"
        )
    twice = [name for name in wanted if list(present).count(name) > 1]
    if twice:
        raise SourceError(f"{place}: column {', '.join(map(repr, twice))} stands twice in it")


def read_csv(file: "Path | ObjectFile | Page", columns: Sequence[str], delimiter: str) -> Iterator[pd.DataFrame]:
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
                frame[ROW] = list(islice(numbers, len(frame)))
                frame[PROBLEM] = None
                yield frame[[*columns, ROW, PROBLEM]]
                yield _broken_rows(new, columns)
    yield _broken_rows(broken, columns)
    if counted.quotes % 2 and "\n" in last and not counted.ends_with_quote:
        raise SourceError(
            f"{file}: a quotation mark is opened and never closed, so that the rest of the file, from "
            f"{last[:40]!r} on, is one value"
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


def _csv_header(file: "Path | ObjectFile | Page", stream: Any, delimiter: str) -> list[str]:
    import csv
    import io

    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        return next(csv.reader(text, delimiter=delimiter), [])
    except UnicodeDecodeError:
        raise SourceError(f"{file}: not UTF-8 text; save it as UTF-8 first") from None


def _broken_rows(broken: Sequence[Any], columns: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame({columns[0]: [row.text for row in broken]}, columns=list(columns), dtype=object)
    frame[ROW] = [row.number - 1 for row in broken]
    frame[PROBLEM] = [f"{row.actual_columns} fields where the header has {row.expected_columns}" for row in broken]
    return frame


def _read_jsonl(file: "Path | ObjectFile", columns: Sequence[str]) -> Iterator[pd.DataFrame]:

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
            yield pd.DataFrame(rows, columns=[*columns, ROW, PROBLEM], dtype=object)


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
        return {columns[0]: line.decode("utf-8", "replace").strip(), ROW: number, PROBLEM: problem}
    seen.update(dict.fromkeys(values))
    return {**{name: values.get(name) for name in columns}, ROW: number, PROBLEM: None}


def _read_parquet(
    file: "Path | ObjectFile", columns: Sequence[str], time_column: str, window: Window
) -> Iterator[pd.DataFrame]:
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
                    frame[ROW] = range(row, row + len(frame))
                    frame[PROBLEM] = None
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


class SqlReader:
    """A table, a view or a query of a database, fetched in chunks.

    A table is filtered by the window where its time column is of a date or time type. A query is run as it stands:
    it may hold the parameters `:window_start` and `:window_end`, and then promises to honour them. They are naive
    and in the spec's time zone; on SQLite, which has no type for times, they are text: `2013-12-31`, with the time
    of day after it unless it is midnight.
    """

    def __init__(self, source: SqlSource, time_zone: str) -> None:
        self.source = source
        self.time_zone = time_zone
        self.name = f"table {source.table}" if source.table else "query"
        self.parameters = _parameters(source.query or "")
        self.exact = self.parameters == _BOUNDS

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield chunks of rows as the database types them."""
        from sqlalchemy.exc import SQLAlchemyError

        from mlops_assets.resources.databases import DatabaseError

        try:
            yield from self._read(columns, time_column, window)
        except DatabaseError as error:
            raise SourceError(f"{self.name}: source.url: {error}") from None
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise SourceError(f"{self.name}: {type(cause).__name__}: {self._without_password(cause)}") from None

    def _read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        from mlops_assets.resources.databases import make_engine

        engine = make_engine(self.source.url, read_only=True)
        database = engine.url.database
        if engine.dialect.name == "sqlite" and database and database != ":memory:" and not Path(database).is_file():
            raise SourceError(f"{self.name}: there is no SQLite file {database}; see source.url in the spec")
        try:
            with engine.connect().execution_options(stream_results=True) as connection:
                result = connection.execute(self._statement(connection, columns, time_column, window))
                present = list(result.keys())
                require(self.name, columns, present)
                row = 1
                for chunk in result.partitions(self.source.chunk_rows):
                    frame = pd.DataFrame(list(map(tuple, chunk)), columns=present, dtype=object)[list(columns)]
                    frame[SOURCE] = self.name
                    frame[ROW] = range(row, row + len(frame))
                    frame[PROBLEM] = None
                    row += len(frame)
                    yield frame
        finally:
            engine.dispose()

    def probe(self, columns: Sequence[str], time_column: str) -> str:
        """Connect and read no row, or of a query without a window the first ones."""
        empty = Window(pd.Timestamp(2000, 1, 1), pd.Timestamp(2000, 1, 1))
        next(self.read(columns, time_column, empty), None)
        return self.name

    def _without_password(self, error: Any) -> str:
        from sqlalchemy.engine import make_url

        password = make_url(self.source.url.get_secret_value()).password
        return str(error).replace(str(password), "***") if password else str(error)

    def _statement(self, connection: Any, columns: Sequence[str], time_column: str, window: Window) -> Any:
        import sqlalchemy as sa
        from sqlalchemy.exc import NoSuchTableError

        lite = connection.dialect.name == "sqlite"
        if self.source.query is not None:
            if unknown := sorted(self.parameters - _BOUNDS):
                raise SourceError(
                    f"{self.name}: there is no parameter :{unknown[0]}, only :window_start and :window_end; "
                    "a colon that means itself is written \\:"
                )
            values = {"window_start": window.start, "window_end": window.end}
            given = {name: _text(values[name]) if lite else values[name].to_pydatetime() for name in self.parameters}
            return sa.text(self.source.query).bindparams(**given)
        schema, _, name = str(self.source.table).rpartition(".")
        try:
            table = sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=connection)
        except NoSuchTableError:
            raise SourceError(f"no table or view {self.source.table!r} in the database; see source.table") from None
        require(self.name, columns, [column.name for column in table.columns])
        # The columns as the driver gives them: a malformed date must reach the contract, not end the read.
        statement = sa.select(*(sa.type_coerce(table.c[name], sa.types.NullType()).label(name) for name in columns))
        time = table.c[time_column]
        if not isinstance(time.type, sa.types.DateTime | sa.types.Date):
            return statement
        day = pd.Timedelta(days=1)  # slack for time zones; the contract selects exactly
        if lite:
            # Text compares rightly by its date, whatever follows it; what does not start with a date is read.
            text = sa.type_coerce(time, sa.types.String())
            low, high = _text((window.start - day).normalize()), _text((window.end + 2 * day).normalize())
            odd = sa.not_(text.like("____-__-__%"))
            return statement.where(sa.or_(time.is_(None), odd, sa.and_(text >= low, text < high)))
        low, high = (window.start - day).to_pydatetime(), (window.end + day).to_pydatetime()
        if getattr(time.type, "timezone", False):
            low, high = (bound.replace(tzinfo=ZoneInfo(self.time_zone)) for bound in (low, high))
        return statement.where(sa.or_(time.is_(None), sa.and_(time >= low, time < high)))


def _parameters(query: str) -> set[str]:
    from sqlalchemy import text

    return set(text(query).compile().params)


def _text(moment: pd.Timestamp) -> str:
    """Write a moment so that SQLite compares it rightly with ISO 8601 text: at midnight, as a date."""
    return f"{moment:%Y-%m-%d}" if moment == moment.normalize() else f"{moment:%Y-%m-%d %H:%M:%S}"
