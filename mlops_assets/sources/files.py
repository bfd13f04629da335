"""Files of this machine as a source: one, a folder or a glob."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

import pandas as pd

from mlops_assets.forecasting.data.contract import ROW_SOURCE, Window
from mlops_assets.sources.base import AnyFile, SourceError
from mlops_assets.sources.formats import FORMATS, ending, read_csv, read_jsonl, read_parquet
from mlops_assets.spec import FileSource

_HIDDEN = re.compile(r"(?:^|/)[._]")


class FileReader:
    """CSV, Parquet or JSON lines: a file, a folder or a glob."""

    exact = False

    def __init__(self, source: FileSource, folder: Path) -> None:
        self.source = source
        self.path = folder / Path(source.path).expanduser()
        self.name = str(self.path)

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
        """Yield batches of all files; CSV and JSON lines as text, Parquet with its types."""
        import pyarrow as pa

        for name, file in self.files().items():
            try:
                for batch in self._read_file(file, columns, time_column, window):
                    yield batch.assign(**{ROW_SOURCE: name})
            except (pa.ArrowException, OSError) as error:
                raise SourceError(f"{file}: cannot be read: {error}") from None

    def _read_file(
        self, file: AnyFile, columns: Sequence[str], time_column: str, window: Window
    ) -> Iterator[pd.DataFrame]:
        suffix = ending(file)
        kind = self.source.format if self.source.format != "auto" else FORMATS.get(suffix)
        if kind == "parquet":
            return read_parquet(file, columns, time_column, window)
        if kind == "csv":
            by_tabs = suffix == ".tsv" and "delimiter" not in self.source.model_fields_set
            return read_csv(file, columns, "\t" if by_tabs else self.source.delimiter)
        if kind == "jsonl":
            return read_jsonl(file, columns)
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
