"""Parquet, read in batches of typed rows with their numbers."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, Window
from mlops_assets.sources.base import AnyFile, require

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 100_000
_OLD = np.datetime64("1900-01-01", "us")
"""Of times before it the contract is to tell."""


def read_parquet(file: AnyFile, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
    """Yield batches of a Parquet file with its types; groups and rows that are not near the window are skipped."""
    from pyarrow import parquet

    with parquet.ParquetFile(file if isinstance(file, Path) else file.open()) as content:
        require(file, columns, content.schema_arrow.names)
        first_row = 1
        for group in range(content.num_row_groups):
            rows = content.metadata.row_group(group).num_rows
            if _may_hold(content.metadata.row_group(group), time_column, window):
                row = first_row
                for batch in content.iter_batches(_BATCH_ROWS, row_groups=[group], columns=list(columns)):
                    near = _near(batch.column(time_column), window)
                    kept = batch if near.all() else batch.filter(near)
                    # Whole numbers stay whole where some are missing: as floats, long item numbers would change.
                    frame = kept.to_pandas(integer_object_nulls=True, date_as_object=False)
                    frame = frame[list(columns)]
                    frame[ROW_NUMBER] = row + np.flatnonzero(near)
                    frame[ROW_PROBLEM] = None
                    row += batch.num_rows
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


def _near(times: "pa.Array", window: Window) -> np.ndarray:
    """Return which rows may have a time of the window, a day of slack covers time zones, or one that hardly can be.

    What is to be said of these, of a time to come or a missing one, the contract knows.
    """
    import pyarrow as pa

    if not (pa.types.is_timestamp(times.type) or pa.types.is_date(times.type)):
        return np.ones(len(times), dtype=bool)
    moments, day = times.cast(pa.timestamp("us"), safe=False).to_numpy(zero_copy_only=False), pd.Timedelta(days=1)
    present = pd.Timestamp.now(timezone.utc).tz_localize(None)
    low, high, to_come = (edge.to_datetime64() for edge in (window.start - day, window.end + day, present))
    odd = np.isnat(moments) | (moments > to_come) | (moments < _OLD)
    return odd | ((moments >= low) & (moments < high))


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
