"""Where observations come from: one small protocol and a reader for each kind of source."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

import pandas as pd

from mlops_assets.forecasting.contract import PROBLEM, ROW, SOURCE, Window
from mlops_assets.spec import FileSource, ForecastSpec, SqlSource

_ENDINGS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet"}
_ENDINGS |= {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
_COMPRESSED = {".gz", ".bz2", ".xz", ".zst"}
_BATCH_ROWS = 100_000


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
        self.path = Path(source.path).expanduser()
        if not self.path.is_absolute():
            self.path = folder / self.path
        self.name = str(self.path)

    def files(self) -> list[Path]:
        """Return the files, sorted by name.

        Raises:
            SourceError: there is none.
        """
        if self.path.is_dir():
            found = [p for p in self.path.rglob("*") if p.is_file() and not p.name.startswith((".", "_"))]
        elif any(sign in self.path.name or sign in str(self.path.parent) for sign in "*?["):
            anchor = Path(self.path.anchor)
            found = [p for p in anchor.glob(str(self.path.relative_to(anchor))) if p.is_file()]
        else:
            found = [self.path] if self.path.is_file() else []
        if not found:
            raise SourceError(f"{self.path}: no such file, and no file matches; see source.path in the spec")
        return sorted(found)

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield batches of all files; CSV and JSON lines as text, Parquet with its types."""
        for file in self.files():
            kind = self.source.format if self.source.format != "auto" else _format(file)
            if kind == "parquet":
                batches = _read_parquet(file, columns, time_column, window)
            elif kind == "csv":
                delimiter = "\t" if file.name.removesuffix(".gz").endswith(".tsv") else self.source.delimiter
                batches = _read_csv(file, columns, delimiter)
            else:
                batches = _read_jsonl(file, columns)
            for batch in batches:
                batch[SOURCE] = file.name
                yield batch

    def probe(self, columns: Sequence[str], time_column: str) -> str:
        """Open the files and read a first batch."""
        everything = Window(pd.Timestamp(1700, 1, 1), pd.Timestamp(2200, 1, 1))
        next(self.read(columns, time_column, everything), None)
        files = self.files()
        return f"{self.path}, {len(files)} file{'s' * (len(files) != 1)}"


def _format(file: Path) -> str:
    suffixes = [s.lower() for s in file.suffixes if s.lower() not in _COMPRESSED]
    kind = _ENDINGS.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise SourceError(f"{file}: unknown ending; say source.format: csv, parquet or jsonl")
    return kind


def _require(file: Path | str, wanted: Sequence[str], present: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in present]
    if missing:
        raise SourceError(
            f"{file}: no column {', '.join(map(repr, missing))}; it has: {', '.join(map(str, present))}. "
            "See columns and covariates in the spec"
        )
    twice = sorted({name for name in wanted if list(present).count(name) > 1})
    if twice:
        raise SourceError(f"{file}: column {', '.join(map(repr, twice))} stands twice in it")


def _read_csv(file: Path, columns: Sequence[str], delimiter: str) -> Iterator[pd.DataFrame]:
    import pyarrow as pa
    from pyarrow import csv

    broken: list[Any] = []

    def on_broken(row: Any) -> str:
        broken.append(row)
        return "skip"

    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_broken)
    read = csv.ReadOptions(use_threads=False, block_size=16 << 20)
    try:
        with pa.input_stream(str(file), compression="detect") as head:
            present = _csv_header(head, delimiter)
        _require(file, columns, present)
        texts = csv.ConvertOptions(
            column_types={name: pa.string() for name in present}, include_columns=list(columns), strings_can_be_null=False
        )
        rows_before = 0
        with csv.open_csv(str(file), read_options=read, parse_options=parse, convert_options=texts) as reader:
            for batch in reader:
                frame = batch.to_pandas()
                # Broken rows are reported with their physical number, the header being number 1.
                skipped = {row.number - 1 for row in broken}
                numbers = (n for n in range(rows_before + 1, rows_before + len(frame) + len(skipped) + 1) if n not in skipped)
                frame[ROW] = list(islice(numbers, len(frame)))
                frame[PROBLEM] = None
                rows_before += len(frame) + len(skipped)
                yield frame
                yield _broken_rows(broken, columns)
                broken.clear()
        yield _broken_rows(broken, columns)
    except pa.ArrowInvalid as error:
        raise SourceError(f"{file}: not a readable CSV file: {error}") from None


def _csv_header(stream: Any, delimiter: str) -> list[str]:
    import csv
    import io

    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        return next(csv.reader(text, delimiter=delimiter), [])
    except UnicodeDecodeError as error:
        raise SourceError(f"the file is not UTF-8 text ({error.reason}); convert it first") from None


def _broken_rows(broken: Sequence[Any], columns: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame({columns[0]: [row.text for row in broken]}, columns=list(columns), dtype=object)
    frame[ROW] = [row.number - 1 for row in broken]
    frame[PROBLEM] = [f"{row.actual_columns} fields where the header has {row.expected_columns}" for row in broken]
    return frame


def _read_jsonl(file: Path, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    import pyarrow as pa

    with pa.input_stream(str(file), compression="detect") as stream:
        lines = enumerate(_lines(stream), start=1)
        while chunk := list(islice(lines, _BATCH_ROWS)):
            yield pd.DataFrame(
                [_json_row(number, line, columns) for number, line in chunk if line.strip()],
                columns=[*columns, ROW, PROBLEM],
                dtype=object,
            )


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    import io

    yield from io.BufferedReader(stream)  # type: ignore[arg-type]


def _json_row(number: int, line: bytes, columns: Sequence[str]) -> dict[str, Any]:
    try:
        values = json.loads(line)
        problem = None if isinstance(values, dict) else "the line is not a JSON object"
    except ValueError as error:
        values, problem = None, f"the line is not JSON: {error}"
    if problem is not None or not isinstance(values, dict):
        return {columns[0]: line.decode("utf-8", "replace").strip(), ROW: number, PROBLEM: problem}
    return {**{name: values.get(name) for name in columns}, ROW: number, PROBLEM: None}


def _read_parquet(file: Path, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as content:
            _require(file, columns, content.schema_arrow.names)
            first_row = 1
            for group in range(content.num_row_groups):
                rows = content.metadata.row_group(group).num_rows
                if _may_hold(content, group, time_column, window):
                    row = first_row
                    for batch in content.iter_batches(_BATCH_ROWS, row_groups=[group], columns=list(columns)):
                        frame = batch.to_pandas()
                        frame[ROW] = range(row, row + len(frame))
                        frame[PROBLEM] = None
                        row += len(frame)
                        yield frame
                first_row += rows
    except pa.ArrowInvalid as error:
        raise SourceError(f"{file}: not a readable Parquet file: {error}") from None


def _may_hold(content: Any, group: int, time_column: str, window: Window) -> bool:
    """Whether a row group can hold rows of the window, by its statistics; a day of slack covers time zones."""
    column = content.schema_arrow.names.index(time_column)
    statistics = content.metadata.row_group(group).column(column).statistics
    if statistics is None or not statistics.has_min_max or not hasattr(statistics.min, "year"):
        return True
    low, high = (pd.Timestamp(value) for value in (statistics.min, statistics.max))
    if low.tz is not None:
        low, high = low.tz_localize(None), high.tz_localize(None)
    day = pd.Timedelta(days=1)
    return high >= window.start - day and low < window.end + day


class SqlReader:
    """A table, a view or a query of a database, fetched in chunks.

    A table is filtered by the window where its time column is of a date or time type. A query is wrapped by nothing:
    it may hold the parameters `:window_start` and `:window_end`, and then promises to honour them.
    """

    def __init__(self, source: SqlSource, time_zone: str) -> None:
        self.source = source
        self.time_zone = time_zone
        self.name = f"table {source.table}" if source.table else "query"
        self.exact = source.query is not None and ":window_start" in source.query and ":window_end" in source.query

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield chunks of rows as the database types them."""
        import sqlalchemy as sa

        from mlops_assets.resources.databases import make_engine

        engine = make_engine(self.source.url)
        try:
            with engine.connect().execution_options(stream_results=True) as connection:
                statement = self._statement(connection, columns, time_column, window)
                result = connection.execute(statement)
                _require(self.name, columns, list(result.keys()))
                row = 1
                for chunk in result.partitions(self.source.chunk_rows):
                    frame = pd.DataFrame(chunk, columns=list(result.keys()), dtype=object)[list(columns)]
                    frame[SOURCE] = self.name
                    frame[ROW] = range(row, row + len(frame))
                    frame[PROBLEM] = None
                    row += len(frame)
                    yield frame
        except sa.exc.SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            kind = SourceUnavailableError if isinstance(error, sa.exc.OperationalError) else SourceError
            raise kind(f"{self.name}: {type(cause).__name__}: {cause}") from None
        finally:
            engine.dispose()

    def probe(self, columns: Sequence[str], time_column: str) -> str:
        """Connect and read no row."""
        empty = Window(pd.Timestamp(2000, 1, 1), pd.Timestamp(2000, 1, 1))
        next(self.read(columns, time_column, empty), None)
        return self.name

    def _statement(self, connection: Any, columns: Sequence[str], time_column: str, window: Window) -> Any:
        import sqlalchemy as sa

        if self.source.query is not None:
            bounds = {"window_start": window.start.to_pydatetime(), "window_end": window.end.to_pydatetime()}
            given = {name: value for name, value in bounds.items() if f":{name}" in self.source.query}
            return sa.text(self.source.query).bindparams(**given)
        schema, _, name = str(self.source.table).rpartition(".")
        try:
            table = sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=connection)
        except sa.exc.NoSuchTableError:
            raise SourceError(f"no table or view {self.source.table!r} in the database; see source.table") from None
        _require(self.name, columns, [c.name for c in table.columns])
        # The column as the driver gives it: a malformed date must reach the contract, not end the read.
        raw = [sa.type_coerce(table.c[c], sa.types.NullType()).label(c) for c in columns]
        statement = sa.select(*raw)
        time = table.c[time_column]
        if isinstance(time.type, sa.types.DateTime | sa.types.Date) and connection.dialect.name != "sqlite":
            day = pd.Timedelta(days=1)  # slack for time zones; the contract selects exactly
            low, high = (window.start - day).to_pydatetime(), (window.end + day).to_pydatetime()
            if getattr(time.type, "timezone", False):
                from zoneinfo import ZoneInfo

                low, high = (bound.replace(tzinfo=ZoneInfo(self.time_zone)) for bound in (low, high))
            statement = statement.where(sa.or_(time.is_(None), sa.and_(time >= low, time < high)))
        elif isinstance(time.type, sa.types.DateTime | sa.types.Date):
            # SQLite compares text: dates alone compare right whether or not a time follows.
            day = pd.Timedelta(days=1)
            low, high = (f"{bound:%Y-%m-%d}" for bound in (window.start - day, window.end + 2 * day))
            text = sa.type_coerce(time, sa.types.String())
            odd = sa.not_(text.like("____-__-__%"))
            statement = statement.where(sa.or_(time.is_(None), odd, sa.and_(text >= low, text < high)))
        return statement
