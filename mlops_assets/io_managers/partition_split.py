"""Which rows of a frame belong to which partition."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from mlops_assets.catalog.asset_graph import known_partitions
from mlops_assets.catalog.windows import is_known, places_in, windows_of
from mlops_assets.io_managers.errors import ForeignRowsError, StorageError


class Split(Mapping[str, pd.DataFrame]):
    """The rows of each partition, copied out of their frame when they are asked for."""

    def __init__(self, frame: pd.DataFrame, rows: Mapping[str, np.ndarray | slice]) -> None:
        """Take the frame, and the positions of each partition's rows in it."""
        self._frame, self._rows = frame, rows

    def __getitem__(self, key: str) -> pd.DataFrame:
        return self._frame.iloc[self._rows[key]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def split(
    frame: pd.DataFrame,
    keys: Sequence[str],
    definition: dg.PartitionsDefinition,
    expression: str | Mapping[str, str] | None,
    table: str,
    history: str | None = None,
) -> Split:
    """Split a frame into a run's partitions; one without rows is an empty frame with the columns.

    Args:
        frame: the rows of all partitions.
        keys: the run's partition keys.
        definition: the asset's partitions definition.
        expression: the column that tells a row's partition: times (naive ones in the definition's time zone)
            for a time-window definition, or the partition keys themselves. For several dimensions a mapping
            of dimension to column.
        table: name of the table, for messages.
        history: the day from which on the first partition holds naive times; None: from its own on.

    Raises:
        StorageError: several partitions and no expression, or a column that the frame does not have.
        ForeignRowsError: rows that belong to none of the keys.
    """
    if expression is None:
        if len(keys) == 1:
            return Split(frame, {keys[0]: slice(None)})
        raise StorageError(
            f"{table}: one frame for {len(keys)} partitions, but nothing tells its rows apart. "
            f"Name the column in the asset's metadata, e.g. metadata={{'partition_expr': 'timestamp'}}, "
            "or run one partition at a time."
        )
    positions = _positions(frame, keys, definition, expression, table, history)
    foreign = np.flatnonzero(positions < 0)
    if len(foreign):
        rows = frame.iloc[foreign[:3]].to_dict("records")
        raise ForeignRowsError(
            f"{table}: {len(foreign)} of {len(frame)} rows fall in none of the run's partitions ({_few(keys)}) by "
            f"{expression!r}, the first at row {foreign[0]}: {rows}. Return only rows of the partitions asked for."
        )
    if len(keys) == 1:
        return Split(frame, {keys[0]: slice(None)})
    order = np.argsort(positions, kind="stable")
    bounds = np.searchsorted(positions[order], np.arange(len(keys) + 1))
    return Split(frame, {key: order[bounds[i] : bounds[i + 1]] for i, key in enumerate(keys)})


def _positions(
    frame: pd.DataFrame,
    keys: Sequence[str],
    definition: dg.PartitionsDefinition,
    expression: str | Mapping[str, str],
    table: str,
    history: str | None,
) -> np.ndarray:
    """Return for every row the position of its partition in `keys`, -1 where there is none."""
    if not isinstance(definition, dg.MultiPartitionsDefinition):
        if not isinstance(expression, str):
            raise StorageError(f"{table}: partition_expr must be one column name, found {expression!r}.")
        return _along(frame, keys, definition, expression, table, history)
    names = [dimension.name for dimension in definition.partitions_defs]
    if not isinstance(expression, Mapping) or set(expression) != set(names):
        raise StorageError(
            f"{table}: partition_expr must map each dimension ({', '.join(names)}) to its column, found {expression!r}."
        )
    wanted: list[tuple[int, ...]] = [()] * len(keys)
    found: list[np.ndarray] = []
    for dimension in definition.partitions_defs:
        own = [_dimension_key(definition, key, dimension.name) for key in keys]
        distinct = list(dict.fromkeys(own))
        found.append(_along(frame, distinct, dimension.partitions_def, expression[dimension.name], table))
        wanted = [(*so_far, distinct.index(part)) for so_far, part in zip(wanted, own, strict=True)]
    at = {parts: position for position, parts in enumerate(wanted)}
    return np.array([at.get(parts, -1) for parts in zip(*(f.tolist() for f in found), strict=True)], dtype=np.int64)


def _dimension_key(definition: dg.MultiPartitionsDefinition, key: str, dimension: str) -> str:
    if not isinstance(key, dg.MultiPartitionKey):
        key = definition.get_partition_key_from_str(key)
    return key.keys_by_dimension[dimension]


def _along(
    frame: pd.DataFrame,
    keys: Sequence[str],
    definition: dg.PartitionsDefinition,
    column: str,
    table: str,
    history: str | None = None,
) -> np.ndarray:
    if column not in frame.columns:
        raise StorageError(
            f"{table}: partition_expr names column {column!r}, which the frame does not have; "
            f"it has {', '.join(frame.columns)}."
        )
    values: Any = frame[column]
    if isinstance(definition, dg.TimeWindowPartitionsDefinition) and not _holds_keys(values):
        return _by_window(values, keys, definition, history)
    return pd.Index(list(keys), dtype=object).get_indexer(pd.Index(values.astype(object)))


def _holds_keys(values: pd.Series) -> bool:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return pd.api.types.is_string_dtype(values.dtype.categories.dtype)
    return pd.api.types.infer_dtype(values, skipna=True) == "string"


def _by_window(
    values: pd.Series, keys: Sequence[str], definition: dg.TimeWindowPartitionsDefinition, history: str | None
) -> np.ndarray:
    times: Any = pd.to_datetime(values)
    if times.dt.tz is None and is_known(definition.cron_schedule, definition.fmt):
        windows = windows_of(known_partitions(definition, history), keys)
        return places_in(windows.start, windows.end, times)
    zone = definition.timezone or "UTC"
    if times.dt.tz is not None:
        zone, times = "UTC", times.dt.tz_convert("UTC").dt.tz_localize(None)
    spans = [definition.time_window_for_partition_key(key) for key in keys]
    edges = [[pd.Timestamp(edge).tz_convert(zone).tz_localize(None) for edge in span] for span in spans]
    begins, ends = (pd.DatetimeIndex(side) for side in zip(*edges, strict=True))
    return places_in(begins, ends, times)


def _few(keys: Sequence[str]) -> str:
    return ", ".join(keys) if len(keys) <= 4 else f"{keys[0]}, {keys[1]}, ..., {keys[-1]}"
