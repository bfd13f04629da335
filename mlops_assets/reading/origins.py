"""From where forecasts were made: the partitions of the ledger, each by its first rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from mlops_assets.catalog.names import FORECASTS
from mlops_assets.catalog.partitions import holding
from mlops_assets.forecasting.data.grid import parse_frequency
from mlops_assets.forecasting.formatting import stamp
from mlops_assets.reading.asked import ZONES, Asked, Moment, timestamp_of
from mlops_assets.reading.questions import TooEarlyError, UnknownOriginError
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec

_HEAD = 100
"""Rows of a partition that tell what all of its own rows have in common."""
COLUMNS = ["origin", "partition", "created_at", "model_version", "rows", "source"]


@dataclass(frozen=True)
class Origin:
    """An origin that something was forecast from.

    Attributes:
        origin: the last timestamp that was known, naive, in the spec's zone.
        partition: of the ledger.
        created_at: when our own forecasts were made, naive, in UTC.
        model_version: that made them; 0 of seasonal naive.
        source: who made the first of them.
    """

    origin: pd.Timestamp
    partition: str
    created_at: pd.Timestamp
    model_version: int
    source: str


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

    def latest(self, as_of: pd.Timestamp | None = None) -> Origin | None:
        """Return the latest origin that something was forecast from by a moment; None if nothing was."""
        return next(self._backwards(as_of), None)

    def first(self) -> Origin | None:
        """Return the earliest origin that something was forecast from; None if nothing was."""
        return next(self.heads(self.stored()), None)

    def at(self, origin: Moment, as_of: pd.Timestamp | None = None) -> Origin:
        """Return an origin, of those that were forecast from by a moment.

        Raises:
            UnknownOriginError: nothing was forecast from there.
        """
        wanted = timestamp_of(origin, "origin", self.spec)
        near = [key for key in self.stored() if key == holding(self.spec, wanted)]
        for found in self.heads(near):
            if found.origin == wanted and _made(found, as_of):
                return found
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

    def table(self, as_of: pd.Timestamp | None = None) -> pd.DataFrame:
        """Return all origins, the earliest first: `COLUMNS`; `rows` of those that are stored now."""
        keys = self.reaching(Asked(as_of=as_of))
        found = [one for one in self.heads(keys) if _made(one, as_of)]
        counts = self.tables.row_counts(self.key, [one.partition for one in found])
        rows = [
            (one.origin, one.partition, one.created_at, one.model_version, counts.get(one.partition, 0), one.source)
            for one in found
        ]
        table = pd.DataFrame(rows, columns=pd.Index(COLUMNS, dtype=object))
        return table.astype({"origin": "datetime64[us]", "created_at": "datetime64[us]", "model_version": "int64"})

    def _backwards(self, as_of: pd.Timestamp | None) -> Iterator[Origin]:
        keys = self.reaching(Asked(as_of=as_of))
        return (one for one in self.heads(reversed(keys)) if _made(one, as_of))

    def heads(self, keys: Iterable[str]) -> Iterator[Origin]:
        """Yield the origins of some partitions, in their order; those without rows are left out."""
        columns = ["origin", "created_at", "model_version", "source"]
        for key in keys:
            rows = next(iter(self.tables.batches(self.key, [key], columns, rows=_HEAD)))
            if len(rows):
                row = rows.iloc[0]
                version, source = int(row["model_version"]), str(row["source"])
                yield Origin(row["origin"], key, row["created_at"], version, source)

    def _nearest(self, wanted: pd.Timestamp, as_of: pd.Timestamp | None) -> list[str]:
        keys, here = self.reaching(Asked(as_of=as_of)), holding(self.spec, wanted)
        before = [key for key in keys if key <= here]
        beside = [*before[-1:], *keys[len(before) : len(before) + 1]]
        return [stamp(one.origin) for one in self.heads(beside) if _made(one, as_of)]


def _made(origin: Origin, as_of: pd.Timestamp | None) -> bool:
    return as_of is None or origin.created_at <= as_of
