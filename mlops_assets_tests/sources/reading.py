"""Files as people have them, and what a reader gives of them."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, ROW_SOURCE, Window
from mlops_assets.sources.base import SourceError, read_all
from mlops_assets.sources.files import FileReader
from mlops_assets.spec import FileSource

COLUMNS = ["item", "day", "sales"]
HEADER = "item,day,sales\n"
MARCH = Window(pd.Timestamp(2024, 3, 1), pd.Timestamp(2024, 4, 1))
MOMENTS = pd.date_range("2024-01-01", periods=120, freq="D")
NOW = datetime(2024, 5, 1, tzinfo=timezone.utc)


def reader_of(path: Path, **fields: Any) -> FileReader:
    return FileReader(FileSource(kind="file", path=str(path), **fields), Path("/nowhere"))


def read(path: Path, window: Window = MARCH, columns: list[str] = COLUMNS, **fields: Any) -> pd.DataFrame:
    frame = read_all(reader_of(path, **fields), columns, columns[1], window)
    assert list(frame.columns) == [*columns, ROW_NUMBER, ROW_PROBLEM, ROW_SOURCE] or list(frame.columns) == [
        *columns,
        ROW_SOURCE,
        ROW_NUMBER,
        ROW_PROBLEM,
    ]
    return frame


def rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Good rows with their numbers."""
    good = frame[frame[ROW_PROBLEM].isna()]
    return list(good[[ROW_NUMBER, *COLUMNS]].itertuples(index=False, name=None))


def broken(frame: pd.DataFrame) -> list[tuple[int, str, str]]:
    """Bad rows: number, raw text, problem."""
    bad = frame[frame[ROW_PROBLEM].notna()]
    return list(bad[[ROW_NUMBER, frame.columns[0], ROW_PROBLEM]].itertuples(index=False, name=None))


def fails(path: Path, **fields: Any) -> str:
    with pytest.raises(SourceError) as error:
        read(path, **fields)
    return str(error.value)
