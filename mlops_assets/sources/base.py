"""What every source has in common: the protocol of its reader, its errors, and the check of its columns."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Protocol, TypeAlias

import pandas as pd

from mlops_assets.errors import MlopsAssetsError, TransientError, nearest
from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, ROW_SOURCE, Window


class SourceError(MlopsAssetsError, ValueError):
    """The source cannot be read; the message names it and the way out, and shows no secret."""


class SourceUnavailableError(SourceError, TransientError):
    """The source does not answer now; a later try may succeed."""


class SourceReader(Protocol):
    """Anything that rows can be read from.

    Attributes:
        name: how messages call it; no secret in it.
        exact: True when `read` honours the window, so that a row outside is the source's fault.
        notes: what the last read found out that the spec does not say (a delimiter, an encoding), a line each.
    """

    name: str
    exact: bool

    @property
    def notes(self) -> Sequence[str]:
        """See above."""
        ...

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

    def probe(self, columns: Sequence[str], time_column: str, now: datetime) -> str:
        """Reach the source, make sure that it has the columns, and say in words what was found.

        Args:
            columns: the columns wanted.
            time_column: the one of them that holds the time.
            now: by the clock of the run; a source that must be asked for a time is asked for the day before.

        Raises:
            SourceError: it cannot be reached or lacks a column.
        """
        ...

    def signature(self, time_column: str, window: Window) -> str:
        """Return what is cheap to ask for and differs whenever `version` may.

        Args:
            time_column: the column that holds the time.
            window: the latest span that is wanted; files are looked at as they are.

        Raises:
            SourceError: it cannot be reached.
        """
        ...

    def version(self, time_column: str, window: Window) -> str:
        """Return what tells the source's present content from another, the same for the same content.

        Args:
            time_column: the column that holds the time.
            window: the latest span that is wanted; files are looked at as they are.

        Raises:
            SourceError: it cannot be reached.
        """
        ...

    def rows_about(self, time_column: str, window: Window) -> int:
        """Return the number of rows that a window has, about, as far as that is told without reading them; else 0.

        Args:
            time_column: the column that holds the time.
            window: the span wanted.

        Raises:
            SourceError: it cannot be reached.
        """
        ...


class OpenableFile(Protocol):
    """A file that is not on this machine: an object of a bucket, an answer of a web service. Its `str` names it."""

    @property
    def suffixes(self) -> Sequence[str]:
        """Endings of the name, as of a `Path`."""
        ...

    @property
    def modified(self) -> float:
        """When it was written, in seconds since 1970."""
        ...

    def open(self) -> IO[bytes]:
        """Open it for reading."""
        ...


AnyFile: TypeAlias = Path | OpenableFile


def read_batches(
    reader: SourceReader, columns: Sequence[str], time_column: str, window: Window
) -> Iterator[pd.DataFrame]:
    """Yield the batches of a window that have rows; one without, with the columns of `SourceReader.read`, if none has.

    Args:
        reader: of the source.
        columns: wanted.
        time_column: the one of them that holds the time.
        window: wanted.
    """
    empty = True
    for batch in reader.read(columns, time_column, window):
        if len(batch):
            empty = False
            yield batch
    if empty:
        yield pd.DataFrame(columns=[*columns, ROW_SOURCE, ROW_NUMBER, ROW_PROBLEM])


def read_all(
    reader: SourceReader, columns: Sequence[str], time_column: str, window: Window, enough: int | None = None
) -> pd.DataFrame:
    """Read a window as one frame, with the columns of `SourceReader.read` even if it has no rows.

    Args:
        reader: of the source.
        columns: wanted.
        time_column: the one of them that holds the time.
        window: wanted.
        enough: no further batch is read once there are so many rows.
    """
    batches, rows = [], 0
    for batch in read_batches(reader, columns, time_column, window):
        batches.append(batch)
        rows += len(batch)
        if enough is not None and rows >= enough:
            break
    return pd.concat(batches, ignore_index=True) if len(batches) > 1 else batches[0]


def digest(parts: Iterable[str]) -> str:
    """Return a hash of some texts (32 hex digits)."""
    return sha256("\n".join(parts).encode()).hexdigest()[:32]


def header_below(source: AnyFile | str, wanted: Sequence[str], lines: Iterable[Sequence[str]], what: str) -> None:
    """Raise a SourceError if the names of the columns do not stand in the first line, but in one below it.

    Args:
        source: for messages.
        wanted: the columns.
        lines: the beginning of the source, split into fields.
        what: a line is called.
    """
    for number, line in enumerate(lines, start=1):
        if set(wanted) <= set(line):
            if number > 1:
                raise SourceError(f"{source}: its columns are named in {what} {number}; delete what stands above it")
            return


def require(source: AnyFile | str, wanted: Sequence[str], present: Sequence[str]) -> None:
    """Raise a SourceError, with the nearest right name, unless the source has each wanted column once."""
    missing = [name for name in wanted if name not in present]
    if missing and not present:
        raise SourceError(f"{source}: it is empty, without so much as the names of its columns")
    if missing:
        folded = {name.strip().casefold(): name for name in map(str, present)}
        near = [folded[m] for name in missing for m in nearest(name.casefold(), folded, cutoff=0.5)]
        hint = f" Did you mean {', '.join(map(repr, near))}?" if near else ""
        raise SourceError(
            f"{source}: no column {', '.join(map(repr, missing))}; it has: {', '.join(map(repr, present))}."
            f"{hint} See columns and covariates in the spec"
        )
    twice = [name for name in wanted if list(present).count(name) > 1]
    if twice:
        raise SourceError(f"{source}: column {', '.join(map(repr, twice))} stands twice in it")
