"""Frames that pass: put down until it is known what becomes of them, and read with the columns that there are."""

from collections.abc import Iterator, Sequence

import pandas as pd

from mlops_assets.io_managers.arrow import to_arrow, to_frame
from mlops_assets.io_managers.spool import Spool
from mlops_assets.resources.rows import Only
from mlops_assets.resources.stored import StoredTable
from mlops_assets.spec import ForecastSpec


class Frames:
    """Frames of the same columns and types, read back as often as wanted; many are in a temporary file."""

    def __init__(self, name: str) -> None:
        """Begin without any.

        Args:
            name: of the table that they are to be, for messages.
        """
        self._spool = Spool(name)

    def add(self, frame: pd.DataFrame) -> None:
        """Put one down behind the others."""
        self._spool.add(to_arrow(frame))

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return map(to_frame, self._spool)


def existing(table: StoredTable, names: Sequence[str]) -> list[str]:
    """Return those of some columns that a table has; all of them of one that is not stored."""
    known = table.tables.without_rows(table.key).columns
    return [name for name in names if name in known] if len(known) else list(names)


def observed(observations: StoredTable, spec: ForecastSpec, only: Only | None = None) -> pd.DataFrame:
    """Read observations as a canonical frame, with the covariates of the spec: all rows, or some."""
    columns = ["item_id", "timestamp", "target", *spec.covariate_columns]
    return observations.read(existing(observations, list(dict.fromkeys(columns))), only)


def latest_of(
    observations: StoredTable, keys: Sequence[str] | None = None, until: pd.Timestamp | None = None
) -> pd.Timestamp | None:
    """Return the latest timestamp that is stored of any item, without reading more than a partition or two.

    Args:
        observations: with the partitions that count, oldest first.
        keys: only these of them, oldest first. None: all.
        until: no later timestamp counts. None: all do.

    Returns:
        None without any.
    """
    for key in reversed((observations.partitions or []) if keys is None else keys):
        times = observations.read(["timestamp"], Only(until=until), [key])["timestamp"]
        if len(times):
            return times.max()
    return None
