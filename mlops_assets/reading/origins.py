"""From where forecasts were made: the partitions of the ledger, each by its first rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import pandas as pd

from mlops_assets.catalog.names import FORECASTS
from mlops_assets.catalog.partitions import holding, origin_of, partition_of, partitions_of, window_of
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.data.grid import parse_frequency
from mlops_assets.forecasting.formatting import stamp
from mlops_assets.lifecycle.retention import Retained
from mlops_assets.reading.asked import ZONES, Asked, Moment, timestamp_of
from mlops_assets.reading.questions import TooEarlyError, UnknownOriginError
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.spec import ForecastSpec

_HELD = ["item_id", "origin", "created_at", "model_version", "source"]
_HEAD = 100
"""Rows of a partition that tell what all of its own rows have in common."""
COLUMNS = ["origin", "partition", "created_at", "model_version", "rows", "source"]


class Place(NamedTuple):
    """Where an origin's forecasts are.

    Attributes:
        partition: of the ledger.
        origin: the last timestamp that was known.
    """

    partition: str
    origin: pd.Timestamp


@dataclass(frozen=True)
class Origin:
    """An origin that something was forecast from.

    Attributes:
        origin: the last timestamp that was known, naive, in the spec's zone.
        partition: of the ledger.
        created_at: when our own forecasts were made, naive, in UTC.
        model_version: that made them; 0 of seasonal naive.
        source: who made the first of them.
        item: that this was read of.
    """

    origin: pd.Timestamp
    partition: str
    created_at: pd.Timestamp
    model_version: int
    source: str
    item: str

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self.partition, self.origin)


@dataclass(frozen=True)
class Origins:
    """The partitions of a forecast's ledger."""

    tables: Tables
    spec: ForecastSpec

    @property
    def key(self) -> list[str]:
        """The key of the ledger."""
        return [self.spec.name, FORECASTS]

    def stored(self) -> list[str]:
        """Return the keys of all partitions, sorted."""
        return self.tables.partitions(self.key)

    def reaching(self, asked: Asked) -> list[str]:
        """Return the partitions that may have forecasts of the time that is asked about, made by then; sorted."""
        keys = self.stored()
        if asked.since is not None:
            offset = parse_frequency(self.spec.frequency)
            steps = pd.date_range(end=asked.since, periods=self.spec.horizon + 2, freq=offset, unit="us")
            first = holding(self.spec, steps[0])
            keys = [key for key in keys if key >= first]
        lasts = [asked.until, None if asked.as_of is None else asked.as_of + ZONES]
        for moment in lasts:
            if moment is not None and keys:
                last = holding(self.spec, moment)
                keys = [key for key in keys if key <= last]
        return keys

    def latest(self, as_of: pd.Timestamp | None = None) -> Place | None:
        """Return the latest origin that something was forecast from by a moment; None if nothing was."""
        keys = self.reaching(Asked(as_of=as_of))[::-1]
        if as_of is not None:
            return next((one.place for one in self.heads(keys) if _made(one, as_of)), None)
        with_rows = (key for key in keys if self.tables.row_counts(self.key, [key]).get(key))
        return next((Place(key, self._origin_of(key)) for key in with_rows), None)

    def first(self) -> Origin | None:
        """Return the earliest origin that something was forecast from; None if nothing was."""
        return next(self.heads(self.stored()), None)

    def at(self, origin: Moment, as_of: pd.Timestamp | None = None) -> Place:
        """Return an origin, of those that were forecast from by a moment.

        Raises:
            UnknownOriginError: nothing was forecast from there.
            NotKeptError: what was forecast from there was removed.
        """
        wanted = timestamp_of(origin, "origin", self.spec)
        Retained(self.tables, self.spec).require_partition(FORECASTS, holding(self.spec, wanted), "origin", origin)
        here = self.tables.row_counts(self.key, [holding(self.spec, wanted)])
        found = [Place(key, self._origin_of(key)) for key, rows in here.items() if rows]
        if as_of is not None:
            found = [one.place for one in self.heads([place.partition for place in found]) if _made(one, as_of)]
        if found and found[0].origin == wanted:
            return found[0]
        near = self._nearest(wanted, as_of)
        hint = f"the nearest are {' and '.join(near)}" if near else "no forecast is stored"
        raise UnknownOriginError(
            f"origin={origin}: nothing was forecast from there; {hint}", parameter="origin", nearest=near
        )

    def require_any(self, as_of: pd.Timestamp | None) -> None:
        """Make sure that something had been forecast by a moment, if anything ever was.

        Raises:
            TooEarlyError: nothing had.
        """
        first = None if as_of is None or self.latest(as_of) is not None else self.first()
        if first is not None:
            raise TooEarlyError(
                f"as_of={as_of}: nothing had been forecast by then; the first forecast was made on "
                f"{first.created_at:%Y-%m-%d %H:%M} UTC",
                parameter="as_of",
            )

    def table(self, as_of: pd.Timestamp | None = None, most: int | None = None) -> pd.DataFrame:
        """Return the origins, or so many of the latest, the earliest first: `COLUMNS`; `rows` of those stored now."""
        keys = self.reaching(Asked(as_of=as_of))
        # Each is looked at, so that years of hours are not to be asked for where a few of them are meant.
        found = [*islice((one for one in self.heads(keys[::-1]) if _made(one, as_of)), most)][::-1]
        counts = self.tables.row_counts(self.key, [one.partition for one in found])
        rows = [
            (one.origin, one.partition, one.created_at, one.model_version, counts.get(one.partition, 0), one.source)
            for one in found
        ]
        table = pd.DataFrame(rows, columns=pd.Index(COLUMNS, dtype=object))
        return table.astype({"origin": "datetime64[us]", "created_at": "datetime64[us]", "model_version": "int64"})

    def heads(self, keys: Iterable[str]) -> Iterator[Origin]:
        """Yield the origins of some partitions, in their order; those without rows are left out.

        What all rows of a partition have in common is read of one item, of more and more partitions at once: whoever
        looks for one of the first need not wait for all.
        """
        left, size, sample = list(keys), 1, None
        while left:
            some, left, size = left[:size], left[size:], 4 * size
            known = {} if sample is None else self._of_item(some, sample)
            for key in some:
                found = known.get(key) or self._head(key)
                if found is not None:
                    sample = found.item
                    yield found

    def _head(self, key: str) -> Origin | None:
        rows = next(iter(self.tables.batches(self.key, [key], _HELD, rows=_HEAD)))
        return _origin(rows.iloc[0], key) if len(rows) else None

    def _of_item(self, keys: Sequence[str], item: str) -> dict[str, Origin]:
        rows = self.tables.read(self.key, keys, _HELD, Only(items=[item]))
        rows = rows.drop_duplicates("origin")
        try:
            names = partition_of(rows["origin"], partitions_of(self.spec), list(keys))
        except UsageError:  # of another kind than the spec's partitions are now
            return {}
        return {name: _origin(rows.iloc[place], name) for place, name in enumerate(names) if name is not None}

    def _origin_of(self, key: str) -> pd.Timestamp:
        try:
            return origin_of(self.spec, window_of(partitions_of(self.spec), key))
        except UsageError:
            found = self._head(key)
            return pd.NaT if found is None else found.origin  # pyright: ignore[reportReturnType]

    def _nearest(self, wanted: pd.Timestamp, as_of: pd.Timestamp | None) -> list[str]:
        keys, here = self.reaching(Asked(as_of=as_of)), holding(self.spec, wanted)
        before = [key for key in keys if key <= here]
        beside = [*before[-1:], *keys[len(before) : len(before) + 1]]
        return [stamp(one.origin) for one in self.heads(beside) if _made(one, as_of)]


def _origin(row: pd.Series, key: str) -> Origin:
    version, source, item = int(row["model_version"]), str(row["source"]), str(row["item_id"])
    return Origin(row["origin"], key, row["created_at"], version, source, item)


def _made(origin: Origin, as_of: pd.Timestamp | None) -> bool:
    return as_of is None or origin.created_at <= as_of
