"""The table that a spec is drafted from: where it is, which columns it has, and its raw rows."""

import csv
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import SecretStr

from mlops_assets.drafts.rewriting import require_names_first
from mlops_assets.errors import UsageError, nearest
from mlops_assets.forecasting.data.contract import Window
from mlops_assets.sources.base import SourceError, SourceReader, read_all
from mlops_assets.sources.factory import open_source_of
from mlops_assets.sources.headers import columns_of_file
from mlops_assets.sources.object_files import is_object_url
from mlops_assets.sources.text import TextFile
from mlops_assets.spec import FileSource, SqlSource

MOST_ROWS = 2_000_000
"""So many rows are looked at; more tell nothing new, and take memory."""
EVERYTHING = Window(pd.Timestamp(1700, 1, 1), pd.Timestamp(2200, 1, 1))


@dataclass(frozen=True)
class Table:
    """A table as it was found.

    Attributes:
        place: how messages call it.
        source: the fields of a spec's `source` that reads it.
        columns: its columns, in their order.
        rows: raw, with `_source`, `_row` and `_problem` as readers give them; the first `MOST_ROWS`.
        whole: whether these are all.
        variables: of the environment that the source names, with what they must be set to.
    """

    place: str
    source: dict[str, Any]
    columns: list[str]
    rows: pd.DataFrame
    whole: bool = True
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def is_file(self) -> bool:
        """Whether it is one file on this machine."""
        return Path(self.place).is_file()


def open_table(place: str, folder: Path, table: str | None = None) -> Table:
    """Read a table that nobody has described.

    Args:
        place: a file, a folder, a glob, an address in object storage, or one of a database that SQLAlchemy reaches.
        folder: of the spec, from which a path is written.
        table: of a database with several: which.

    Raises:
        UsageError: a database has several tables, and none is named; a table is named of what is no database.
        SourceError: it cannot be read.
    """
    if "://" in place and not is_object_url(place):
        return _of_database(place, table)
    if table is not None:
        raise UsageError(f"--table names one of a database, and {place} is none")
    return _of_files(place, folder)


def _of_files(place: str, folder: Path) -> Table:
    remote = is_object_url(place)
    if not (remote or any(sign in place for sign in "*?[") or Path(place).expanduser().exists()):
        beside = Path(place).expanduser().parent
        near = nearest(Path(place).name, [file.name for file in beside.iterdir()] if beside.is_dir() else [])
        hint = f"; did you mean {beside / near[0]}?" if near else ""
        raise SourceError(f"{place}: no such file or folder{hint}")
    path = place if remote else str(Path(place).expanduser().absolute())
    reader = open_source_of(FileSource(kind="file", path=path), folder)
    first = next(iter(reader.files().values()))
    columns, delimiter, encoding = _columns(first)
    if delimiter is not None and (len(columns) < 2 or not all(name.strip() for name in columns)):
        head = TextFile(first, encoding, lambda _: None).head
        columns = _without_numbers_of_rows(columns, head, delimiter)
        if len(columns) < 2 or not all(name.strip() for name in columns):
            require_names_first(place if Path(place).is_file() else str(first), head)
    _require_names(place, columns)
    fields: dict[str, Any] = {"kind": "file", "path": path if remote else os.path.relpath(path, folder.absolute())}
    if delimiter not in (None, "\t" if str(first).lower().endswith(".tsv") else ","):
        fields["delimiter"] = delimiter
    if encoding is not None:
        fields["encoding"] = encoding
    source = FileSource(kind="file", path=path, delimiter=delimiter, encoding=encoding)
    rows = _rows(open_source_of(source, folder), columns)
    return Table(place, fields, columns, rows, len(rows) < MOST_ROWS)


def _columns(file: Any) -> tuple[list[str], str | None, str | None]:
    """Return a file's columns, its delimiter and, where it has to be declared, its encoding."""
    try:
        columns, delimiter = columns_of_file(file)
    except SourceError:
        encoding = _encoding(file)
        if encoding is None:
            raise
        return (*columns_of_file(file, encoding), encoding)
    return columns, delimiter, _encoding(file) if delimiter is not None else None


def _without_numbers_of_rows(columns: list[str], head: str, delimiter: str) -> list[str]:
    """Return the columns without a first one that has no name and counts the rows, as pandas writes them."""
    lines = list(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter))[1:20]
    first = [line[0] for line in lines if line]
    counts = not columns[0].strip() and first[:1] in (["0"], ["1"])
    if counts and first == [str(int(first[0]) + number) for number in range(len(first))]:
        return columns[1:]
    return columns


def _encoding(file: Any) -> str | None:
    try:
        return TextFile(file, None, lambda _: None).likely_encoding()
    except SourceError:
        return None


def _of_database(url: str, table: str | None) -> Table:
    import sqlalchemy as sa
    from sqlalchemy.exc import SQLAlchemyError

    from mlops_assets.resources.databases import DatabaseError, make_engine, shown

    try:
        address = sa.engine.make_url(url)
        engine = make_engine(url, read_only=True)
    except (DatabaseError, SQLAlchemyError) as error:
        raise SourceError(str(error)) from None
    place = shown(address)
    file = address.database or ""
    if address.get_backend_name() == "sqlite" and file not in ("", ":memory:") and not Path(file).is_file():
        raise SourceError(f"there is no SQLite file {file}")
    try:
        with engine.connect() as connection:
            schema, _, wanted = (table or "").rpartition(".")
            found = sa.inspect(connection)
            names = sorted([*found.get_table_names(schema or None), *found.get_view_names(schema or None)])
            name = _one_of(place, names, wanted)
            columns = [column["name"] for column in found.get_columns(name, schema or None)]
    except (DatabaseError, SQLAlchemyError) as error:
        cause = str(getattr(error, "orig", None) or error).replace(str(address.password or "\0"), "***")
        raise SourceError(f"{place}: {cause}") from None
    finally:
        engine.dispose()
    _require_names(place, columns)
    whole_name = f"{schema}.{name}" if schema else name
    variables: dict[str, str] = {}
    said = url
    if address.password is not None:
        variable = f"{re.sub('[^A-Z0-9]+', '_', name.upper()).strip('_')}_DATABASE_URL"
        variables, said = {variable: "the address, with its password"}, f"${{{variable}}}"
    reader = open_source_of(SqlSource(kind="sql", url=SecretStr(url), table=whole_name), Path.cwd())
    rows = _rows(reader, columns)
    fields = {"kind": "sql", "url": said, "table": whole_name}
    return Table(f"{place}, table {whole_name}", fields, columns, rows, len(rows) < MOST_ROWS, variables)


def _one_of(place: str, names: Sequence[str], wanted: str) -> str:
    if wanted in names:
        return wanted
    if not wanted and len(names) == 1:
        return names[0]
    shown = ", ".join(names[:30]) or "none"
    if not wanted:
        raise UsageError(f"{place}: say which table, by --table; there are: {shown}")
    near = nearest(wanted, names)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(f"{place}: no table or view {wanted!r}; there are: {shown}.{hint}")


def _rows(reader: SourceReader, columns: Sequence[str]) -> pd.DataFrame:
    return read_all(reader, columns, columns[0], EVERYTHING, MOST_ROWS).iloc[:MOST_ROWS]


def _require_names(place: str, columns: Sequence[str]) -> None:
    if unnamed := sum(not name.strip() for name in columns):
        raise SourceError(f"{place}: {unnamed} of its columns have no name; write one into the first line")
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise SourceError(f"{place}: column {', '.join(map(repr, twice))} stands twice in it")
