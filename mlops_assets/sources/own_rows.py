"""Sources of others: a class of somebody's package that gives rows, behind the protocol of our readers."""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from inspect import signature
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, ROW_SOURCE, Window
from mlops_assets.forecasting.formatting import counted
from mlops_assets.forecasting.model import extensions
from mlops_assets.resources import foreign
from mlops_assets.sources.base import SourceError, SourceUnavailableError, digest, require
from mlops_assets.spec.external import filled
from mlops_assets.spec.sources import OwnSource


class OwnRows(Protocol):
    """What a class of one's own has to have: it is made with the fields of the source in the spec.

    If its constructor takes `folder` (that of the spec) or `time_zone` (of the forecast), it gets them.
    It may have `version(start, end)` too: a text that differs when the rows do. Without it they are read to find out.
    """

    def read(
        self, columns: Sequence[str], time_column: str, start: pd.Timestamp, end: pd.Timestamp
    ) -> pd.DataFrame | Iterable[pd.DataFrame]:
        """Return rows with at least these columns, all of a span: more is allowed, fewer are not.

        Args:
            columns: the columns wanted.
            time_column: the one of them that holds the time.
            start: of the span, naive, in the forecast's time zone.
            end: of it, excluded.
        """
        ...


class OwnReader:
    """Rows of a class of somebody's own."""

    exact = False
    notes: Sequence[str] = ()

    def __init__(self, source: OwnSource, folder: Path, time_zone: str) -> None:
        self.name, self._zone = source.kind, time_zone
        made = extensions.resolve(extensions.SOURCES, source.kind)
        given = {name: value for name, value in (("folder", folder), ("time_zone", time_zone)) if _takes(made, name)}
        self._rows = self._asked(made, **given, **filled(source.fields, os.environ))

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield what the class reads, numbered."""
        first = 1
        for rows in self._frames(columns, time_column, window):
            require(self.name, columns, list(map(str, rows.columns)))
            numbers = range(first, first + len(rows))
            first += len(rows)
            yield rows[list(columns)].assign(**{ROW_SOURCE: self.name, ROW_NUMBER: numbers, ROW_PROBLEM: None})

    def probe(self, columns: Sequence[str], time_column: str, now: datetime) -> str:
        """Read the day before, and say how many rows it has."""
        day = pd.Timestamp(now).tz_convert(self._zone).tz_localize(None).normalize() - timedelta(days=1)
        rows = sum(map(len, self.read(columns, time_column, Window(day, day + timedelta(days=1)))))
        return f"{self.name}, {counted(rows, 'row')} about {day:%Y-%m-%d}"

    def signature(self, time_column: str, window: Window) -> str:
        """Return the version."""
        return self.version(time_column, window)

    def version(self, time_column: str, window: Window) -> str:
        """Return what the class says, or a hash of the rows' times."""
        if hasattr(self._rows, "version"):
            return digest([str(self._asked(self._rows.version, window.start, window.end))])
        found = [pd.util.hash_pandas_object(rows.astype(str), index=False) for rows in self._frames([], "", window)]
        return digest(str(part.sum()) for part in found)

    def rows_about(self, time_column: str, window: Window) -> int:
        """Return 0: it is not known."""
        return 0

    def _frames(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        found = self._asked(self._rows.read, columns, time_column, window.start, window.end)
        batches = iter([found] if isinstance(found, pd.DataFrame) else found)
        while (rows := self._asked(next, batches, None)) is not None:
            if not isinstance(rows, pd.DataFrame):
                raise SourceError(f"{self.name}: read gives {type(rows).__name__}, not a pandas.DataFrame")
            yield rows

    def _asked(self, function: Any, *given: Any, **named: Any) -> Any:
        return foreign.call(self.name, SourceError, SourceUnavailableError, function, *given, **named)


def _takes(made: Any, name: str) -> bool:
    return name in signature(made).parameters
