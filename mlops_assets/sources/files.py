"""Files of this machine as a source: one, a folder or a glob."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate
from pathlib import Path

import pandas as pd

from mlops_assets.forecasting.data.contract import ROW_SOURCE, Window
from mlops_assets.forecasting.formatting import counted
from mlops_assets.sources.base import AnyFile, SourceError, SourceUnavailableError, digest
from mlops_assets.sources.csv_files import read_csv
from mlops_assets.sources.excel_files import read_excel
from mlops_assets.sources.json_files import read_json, read_jsonl
from mlops_assets.sources.parquet_files import parquet_rows, read_parquet
from mlops_assets.sources.text import Notes, ending
from mlops_assets.spec import FileSource

FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet"}
FORMATS |= {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
FORMATS |= {".xlsx": "excel", ".xlsm": "excel", ".xls": "excel"}
"""The format that a name's ending stands for."""
HASHED_BYTES = 64 << 20
"""Every ingestion asks for the version: more would cost it seconds."""
BYTES_OF_A_ROW = 40
"""Of a text file, about."""
_BLOCK_BYTES = 1 << 20
HIDDEN = re.compile(r"(?:^|/)[._]")
"""Names that a folder does not show."""


class FileReader:
    """CSV, Parquet, JSON or Excel: a file, a folder or a glob."""

    exact = False

    def __init__(self, source: FileSource, folder: Path) -> None:
        self.source = source
        self.path = folder / Path(source.path).expanduser()
        self.name = str(self.path)
        self._notes = Notes()

    @property
    def notes(self) -> list[str]:
        """What the last read found out about the files that the spec does not say."""
        return self._notes.lines()

    def files(self) -> Mapping[str, AnyFile]:
        """Return the files in the order of their names, which start below the folder that all are in.

        Raises:
            SourceError: there is none.
        """
        if self.path.is_file():
            return {self.path.name: self.path}
        base, pattern = base_of(self.path)
        found = {path.relative_to(base).as_posix(): path for path in base.glob(pattern) if path.is_file()}
        shown = [name for name in found if not (base == self.path and HIDDEN.search(name))]
        files = {name: found[name] for name in sorted(shown)}
        if not files:
            raise SourceError(f"{self.path}: no such file, and no file matches; see source.path in the spec")
        return files

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield batches of all files; CSV and JSON lines as text, Parquet and Excel with their types."""
        import pyarrow as pa

        self._notes = Notes()
        for name, file in _in_order(self.files(), self.source.latest_wins):
            try:
                for batch in self._read_file(name, file, columns, time_column, window):
                    yield batch.assign(**{ROW_SOURCE: name})
            except (pa.ArrowException, OSError) as error:
                raise SourceError(f"{file}: cannot be read: {error}") from None

    def _read_file(
        self, name: str, file: AnyFile, columns: Sequence[str], time_column: str, window: Window
    ) -> Iterator[pd.DataFrame]:
        source, note = self.source, self._notes.of(name)
        kind = self._kind(file)
        if kind == "parquet":
            return read_parquet(file, columns, time_column, window)
        if kind == "csv":
            return read_csv(
                file,
                columns,
                note,
                delimiter=source.delimiter,
                encoding=source.encoding,
                complete=source.complete,
            )
        if kind == "jsonl":
            return read_jsonl(file, columns, note, encoding=source.encoding)
        if kind == "json":
            return read_json(file, columns, note, encoding=source.encoding, records=source.records)
        if kind == "excel":
            return read_excel(file, columns, note, sheet=source.sheet)
        raise SourceError(
            f"{file}: unknown ending; say source.format: csv, parquet, jsonl, json or excel, "
            "or give source.path as a glob such as folder/*.csv"
        )

    def signature(self, time_column: str, window: Window) -> str:
        """Return a hash of the files' names, sizes, times and places on the disk."""
        with _vanishing(self.name):
            return digest(f"{name} {_stamp(file)}" for name, file in self.files().items())

    def version(self, time_column: str, window: Window) -> str:
        """Return a hash of the files' names and content; of more than `HASHED_BYTES` in all, of their sizes and times.

        A file that looks as it did is not read again.
        """
        return self._of_content()

    def _of_content(self) -> str:
        with _vanishing(self.name):
            stamps = {name: _stamp(file) for name, file in self.files().items()}
            known = _content if sum(size for _, size, _, _ in stamps.values()) <= HASHED_BYTES else _size_and_time
            return digest(f"{name} {known(*stamp)}" for name, stamp in stamps.items())

    def rows_about(self, time_column: str, window: Window) -> int:
        """Return the rows of Parquet's row groups that may hold some of the window; of other files, by their size."""
        rows = 0
        for file in self.files().values():
            with _vanishing(self.name):
                if self._kind(file) == "parquet":
                    rows += parquet_rows(file, time_column, window)
                else:
                    rows += self._bytes(file) // BYTES_OF_A_ROW
        return rows

    def _bytes(self, file: AnyFile) -> int:
        """Return the size of a file."""
        return Path(str(file)).stat().st_size

    def _kind(self, file: AnyFile) -> str | None:
        """Return the format of a file; None where neither the spec nor its name says it."""
        source = self.source
        kind = source.format if source.format != "auto" else FORMATS.get(ending(file))
        return "json" if kind == "jsonl" and source.records is not None else kind

    def unmarked(self, marker: str) -> str:
        """Return a folder of the files in which no marker stands that is as new as they are; empty if there is none.

        Args:
            marker: name of the file that a writer leaves beside its files when it is done with them.
        """
        newest: dict[str, float] = {}
        with _vanishing(self.name):
            for file in self.files().values():
                folder = str(file).rpartition("/")[0]
                newest[folder] = max(newest.get(folder, 0.0), _modified(file))
        return next((folder for folder, when in newest.items() if self._written(folder, marker) < when), "")

    def _written(self, folder: str, name: str) -> float:
        """Return when a file was written, in seconds since 1970; -1 if there is none."""
        file = Path(folder) / name
        return file.stat().st_mtime if file.is_file() else -1.0

    def probe(self, columns: Sequence[str], time_column: str, now: datetime) -> str:
        """Open the files and read a first batch."""
        everything = Window(pd.Timestamp(1700, 1, 1), pd.Timestamp(2200, 1, 1))
        next(self.read(columns, time_column, everything), None)
        return "; ".join([f"{self.name}, {counted(len(self.files()), 'file')}", *self.notes])


def base_of(path: Path) -> tuple[Path, str]:
    """Return the folder that a path, a folder or a glob starts below, and what its files are called from there."""
    fixed = [part for part in accumulate(path.parts, Path) if not set(str(part)) & set("*?[")]
    base = Path(fixed[-1] if fixed else "")
    return base, str(path.relative_to(base)) if base != path else "**/*"


@contextmanager
def _vanishing(name: str) -> Iterator[None]:
    """Turn what keeps files from being looked at, such as that one is just being replaced, into a SourceError."""
    try:
        yield
    except OSError as error:
        raise SourceUnavailableError(f"{name}: cannot be looked at: {error}") from None


def _stamp(file: AnyFile) -> tuple[str, int, int, int]:
    """Return the path, size, time and inode of a file of this machine."""
    found = Path(str(file)).stat()
    return str(file), found.st_size, found.st_mtime_ns, found.st_ino


@lru_cache(maxsize=100_000)
def _content(path: str, size: int, modified: int, inode: int) -> str:
    """Return a hash of a file's content; of the same size, time and inode it is not read again."""
    made = sha256()
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            made.update(block)
    return made.hexdigest()


def _size_and_time(path: str, size: int, modified: int, inode: int) -> str:
    return f"{size} {modified}"


def _in_order(files: Mapping[str, AnyFile], latest_wins: str | None) -> list[tuple[str, AnyFile]]:
    """Return the files in the order in which they are read; where the latest wins, it comes last."""
    named = list(files.items())
    if latest_wins is None:
        return named
    named.sort(key=lambda pair: [int(part) if part.isdigit() else part for part in re.split("([0-9]+)", pair[0])])
    if latest_wins == "modified":
        named.sort(key=lambda pair: _modified(pair[1]))
    return named


def _modified(file: AnyFile) -> float:
    return file.stat().st_mtime if isinstance(file, Path) else file.modified
