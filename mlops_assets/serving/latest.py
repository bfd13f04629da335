"""The rows that each forecast's latest origin looks ahead to, in memory by item: what nearly everybody asks for."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any, Literal

from mlops_assets.serving.cache import Looks

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mlops_assets.reading.reader import Reader

Version = Literal["system", "published"]
STALE_SECONDS = 5.0
"""Rows are given out if what is stored was looked at so lately."""
MOST_ROWS, MOST_KEPT = 2_000_000, 8
"""Of one forecast, of about a hundred bytes each; and forecasts, those asked for last."""
_SHARE = 20


@dataclass(frozen=True)
class Rows:
    """The rows of a forecast, sorted by item and timestamp.

    Attributes:
        stamp: of what was stored when they were read.
        columns: of plain JSON values; numbers that are not whole as an array.
        spans: first and last row, the last not included, by item.
    """

    stamp: str
    columns: "dict[str, list[Any] | np.ndarray]"
    spans: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, frame: "pd.DataFrame", stamp: str) -> "Rows":
        """Take the rows of a frame, sorted by item."""
        import numpy as np

        from mlops_assets.reading.documents import columns_of

        ids = frame["item_id"].to_numpy(dtype=object)
        edges = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(ids) else np.array([], dtype=int)
        ends = [*edges[1:].tolist(), len(ids)]
        spans = {str(ids[first]): (first, end) for first, end in zip(edges.tolist(), ends, strict=False)}
        return cls(stamp, {name: _compact(values) for name, values in columns_of(frame).items()}, spans)

    def __len__(self) -> int:
        return max((end for _, end in self.spans.values()), default=0)

    def pieces(self, spans: Sequence[tuple[int, int]], without: Sequence[str]) -> dict[str, list[Any]]:
        """Return some rows, column by column, as plain JSON values."""
        return {
            name: [value for first, end in spans for value in _plain(values, first, end)]
            for name, values in self.columns.items()
            if name not in without
        }


@dataclass
class _Kept:
    rows: Rows | None = None
    refreshing: bool = False
    again: float = 0.0


class Latest:
    """Keeps the rows of those forecasts that are asked for.

    Args:
        looks: say whether something has changed.
        reader: of a forecast.
    """

    def __init__(self, looks: Looks, reader: "Callable[[str], Reader]") -> None:
        self._looks, self._reader = looks, reader
        self._kept: OrderedDict[tuple[str, Version], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, forecast: str, version: Version) -> Rows | None:
        """Return the rows as they are stored, at once; None where that cannot be told without a look at the store.

        That look is then taken by another thread, and so is the reading.
        """
        now, seen = time.monotonic(), self._looks.latest(forecast)
        with self._lock:
            kept = self._kept.setdefault((forecast, version), _Kept())
            self._kept.move_to_end((forecast, version))
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            rows = kept.rows
            current = rows is not None and seen is not None and rows.stamp == _stamp(seen)
            due = seen is None or now >= seen.until or (not current and now >= kept.again)
            start = due and not kept.refreshing
            kept.refreshing = kept.refreshing or start
        if start:
            threading.Thread(target=self._refresh, args=(forecast, version, kept), daemon=True).start()
        return rows if current and seen is not None and now - seen.at < STALE_SECONDS else None

    def _refresh(self, forecast: str, version: Version, kept: _Kept) -> None:
        began = time.monotonic()
        try:
            stamp = _stamp(self._looks.look(forecast))
            if (kept.rows is None or kept.rows.stamp != stamp) and began >= kept.again:
                kept.rows = self._read(forecast, version, stamp)
                kept.again = time.monotonic() + _SHARE * (time.monotonic() - began)
        except Exception:  # whoever asks is told by the store itself
            kept.again = time.monotonic() + 1
        finally:
            kept.refreshing = False

    def _read(self, forecast: str, version: Version, stamp: str) -> Rows | None:
        from mlops_assets.catalog.names import FORECASTS

        reader = self._reader(forecast)
        last = reader.tables.partitions([forecast, FORECASTS])[-1:]
        if not last or reader.tables.row_count([forecast, FORECASTS], last) > MOST_ROWS:
            return None
        return Rows.of(reader.forecasts(version=version), stamp)


def _stamp(look: Any) -> str:
    from mlops_assets.catalog.names import FORECASTS, PUBLISHED_FORECASTS

    return look.of(FORECASTS, PUBLISHED_FORECASTS)


def _compact(values: list[Any]) -> "list[Any] | np.ndarray":
    """Return values in little room: equal ones once, numbers as an array."""
    import numpy as np

    if any(type(value) is float for value in values) and all(type(value) in (float, type(None)) for value in values):
        return np.array(values, dtype=np.float64)
    known: dict[Any, Any] = {}
    return [known.setdefault(value, value) for value in values]


def _plain(values: "list[Any] | np.ndarray", first: int, end: int) -> list[Any]:
    part = values[first:end]
    return part if isinstance(part, list) else [None if isnan(value) else value for value in part.tolist()]
