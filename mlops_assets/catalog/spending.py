"""What was spent on a forecast: a row for each asset that a run has made, summed by day and month that are over."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pandas as pd

from mlops_assets.catalog.column import without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.log import Log
from mlops_assets.catalog.names import ENTRIES, SPENDING, asset_of
from mlops_assets.resources.meter import NUMBERS, PEAK, Entry
from mlops_assets.resources.protocols import Tables

_DAY, _MONTH = len("2013-01-01"), len("2013-01")
_LATE = timedelta(hours=1)
"""After the end of a day, nobody writes to it any more."""
_SUMS = dict.fromkeys(("steps", "failed", "partitions", *NUMBERS), "sum") | {PEAK: "max"}
_NAMES = frozenset(one.name for one in ENTRIES)


class Spending:
    """The table `spending` of a forecast.

    A partition is what one run has noted (`<day>-<something>`), all of a day (`2013-01-31`) or of a month (`2013-01`).
    A sum takes the place of its parts: parts of a day that has a sum do not count any more. So whoever is killed
    between the two has counted nothing twice.
    """

    def __init__(self, tables: Tables, forecast: str) -> None:
        self._tables, self._key, self._log = tables, [forecast, SPENDING], Log(tables, forecast, SPENDING)

    def note(self, entries: Sequence[Entry], at: datetime | None = None, present: datetime | None = None) -> None:
        """Add what a run has taken.

        Args:
            entries: of the run.
            at: when it was taken. Default: now.
            present: a moment of the month that it is booked in, where a clock stands still. Default: `at`.
        """
        moment = at or datetime.now(timezone.utc)
        rows = [
            {
                "month": f"{present or moment:%Y-%m}",
                "asset": one.asset[-1] if one.asset else asset_of(one.step),
                "steps": 1,
                "failed": int(one.partitions == 0),
                "partitions": one.partitions,
                **one.spent.rounded(),
            }
            for one in entries
        ]
        if rows:
            self._log.add_all(_rows_of(_summed(pd.DataFrame(rows))), f"{moment:%Y-%m-%d}-{uuid4().hex[:12]}")

    def monthly(self, months: int = 12) -> pd.DataFrame:
        """Return what each asset took, by month, the latest months only, sorted by both."""
        stored = _counting(self._log.partitions())
        wanted = set(sorted({key[:_MONTH] for key in stored})[-months:])
        kept = [key for key in stored if key[:_MONTH] in wanted]
        if not kept:
            return without_rows(TABLES[SPENDING])
        rows = _summed(self._log.rows(kept))
        return rows[rows["month"].isin(sorted(set(rows["month"]))[-months:])].reset_index(drop=True)

    def sum_up(self, at: datetime | None = None) -> None:
        """Put one partition in the place of those of each day, and each month, that is over."""
        moment = (at or datetime.now(timezone.utc)) - _LATE
        for length, present in ((_DAY, f"{moment:%Y-%m-%d}"), (_MONTH, f"{moment:%Y-%m}")):
            stored = self._log.partitions()
            counting, parts = set(_counting(stored)), defaultdict(list)
            for key in stored:
                if len(key) > length and key[:length] < present:
                    parts[key[:length]].append(key)
            for whole, keys in parts.items():
                if new := [key for key in keys if key in counting]:
                    self._log.add_all(_rows_of(_summed(self._log.rows(new))), whole)
                for key in keys:
                    self._tables.delete(self._key, key)


def note_all(tables: Tables, entries: Iterable[Entry], present: datetime | None = None) -> None:
    """Add what a run has taken to the spending of the forecasts that it was for; other assets are nobody's.

    Args:
        tables: have the spending.
        entries: of the run.
        present: see `Spending.note`.
    """
    by_forecast: dict[str, list[Entry]] = defaultdict(list)
    for one in entries:
        forecast, name = one.asset if one.asset and len(one.asset) == 2 else ("", "")
        if one.asset is None:
            forecast, name = one.step.rpartition("__")[0], asset_of(one.step)
        if forecast and name in _NAMES:
            by_forecast[forecast].append(one)
    for forecast, own in by_forecast.items():
        Spending(tables, forecast).note(own, present=present)


def _counting(keys: Iterable[str]) -> list[str]:
    """Leave out the parts of what has been summed up."""
    stored = set(keys)
    return sorted(
        key for key in stored if not any(len(key) > length and key[:length] in stored for length in (_DAY, _MONTH))
    )


def _summed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.groupby(["month", "asset"], as_index=False, sort=True).agg(_SUMS)


def _rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
