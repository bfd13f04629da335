"""Parquet, read in batches of typed rows with their numbers."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, Window
from mlops_assets.sources.base import AnyFile, require

_BATCH_ROWS = 100_000


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


def parquet_rows(file: AnyFile, time_column: str, window: Window) -> int:
    """Return the number of rows of the row groups that can hold rows of the window; 0 of what is no Parquet file."""
    from pyarrow import ArrowInvalid, parquet

    with (
        suppress(ArrowInvalid),
        parquet.ParquetFile(file if isinstance(file, Path) else file.open()) as content,
    ):
        groups = [content.metadata.row_group(number) for number in range(content.num_row_groups)]
        return sum(group.num_rows for group in groups if _may_hold(group, time_column, window))
    return 0


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
