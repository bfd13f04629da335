"""Files of this machine as a source: one, a folder or a glob."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from pathlib import Path

import pandas as pd

from mlops_assets.forecasting.data.contract import ROW_SOURCE, Window
from mlops_assets.forecasting.formatting import counted
from mlops_assets.sources.base import AnyFile, SourceError
from mlops_assets.sources.csv_files import read_csv
from mlops_assets.sources.excel_files import read_excel
from mlops_assets.sources.json_files import read_json, read_jsonl
from mlops_assets.sources.parquet_files import read_parquet
from mlops_assets.sources.text import Notes, ending
from mlops_assets.spec import FileSource

FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet"}
FORMATS |= {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
FORMATS |= {".xlsx": "excel", ".xlsm": "excel", ".xls": "excel"}
"""The format that a name's ending stands for."""
_HIDDEN = re.compile(r"(?:^|/)[._]")


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
        kind = source.format if source.format != "auto" else FORMATS.get(ending(file))
        if kind == "jsonl" and source.records is not None:
            kind = "json"
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

    def probe(self, columns: Sequence[str], time_column: str, now: datetime) -> str:
        """Open the files and read a first batch."""
        everything = Window(pd.Timestamp(1700, 1, 1), pd.Timestamp(2200, 1, 1))
        next(self.read(columns, time_column, everything), None)
        return "; ".join([f"{self.name}, {counted(len(self.files()), 'file')}", *self.notes])


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
