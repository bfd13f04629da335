"""What is kept of the past, and from when on: whoever asks for earlier times is refused by the name of the setting.

What is to be removed is written down before it is removed, so that no reader is answered with less than there was, and
a command that was killed is done by the next one. What governance needs stands in no setting: decisions and the
evidence of champions, scores, adjustments, answers of policies, and observations, which trainings learn from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import pandas as pd

from mlops_assets.catalog.log import Log, numbered
from mlops_assets.catalog.names import (
    ANOMALIES,
    DATA_DRIFT,
    EXTERNAL_JOBS,
    FORECAST_ACCURACY,
    FORECAST_CHANGE,
    FORECASTS,
    PUBLISHED_FORECASTS,
    QUARANTINE,
    RECONCILED_FORECASTS,
    REPORT,
    RETENTION,
    REVISIONS,
)
from mlops_assets.catalog.partitions import holding, partitions_of, window_of
from mlops_assets.catalog.windows import windows_of
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.data.grid import steps_after
from mlops_assets.forecasting.data.vintages import SUPERSEDED_AT
from mlops_assets.lifecycle.approvers import Person
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec

TABLES_OF: Mapping[str, tuple[str, ...]] = {
    FORECASTS: (FORECASTS, PUBLISHED_FORECASTS, RECONCILED_FORECASTS, FORECAST_CHANGE, EXTERNAL_JOBS),
    FORECAST_ACCURACY: (FORECAST_ACCURACY,),
    DATA_DRIFT: (DATA_DRIFT,),
    ANOMALIES: (ANOMALIES,),
    REPORT: (REPORT,),
    QUARANTINE: (QUARANTINE,),
    REVISIONS: (REVISIONS,),
}
"""Which tables a setting is about."""
_SAMPLE = 1_000
"""Rows by which the size of a table is estimated."""


class NotKeptError(UsageError):
    """What is asked for is before what is kept.

    Attributes:
        parameter: of the question that asks for it.
    """

    def __init__(self, message: str = "", *, advice: Sequence[str] = (), parameter: str = "") -> None:
        super().__init__(message, advice=advice)
        self.parameter = parameter


@dataclass(frozen=True)
class Bound:
    """From when on something is kept.

    Attributes:
        setting: field of `retention`.
        duration: what it says.
        first: the first partition that is kept; empty of revisions.
        since: from this moment on all is kept that was known, naive, in UTC.
    """

    setting: str
    duration: str
    first: str
    since: pd.Timestamp

    def __str__(self) -> str:
        """Say from when on it is kept, and by which setting."""
        kept = f"partition {self.first}" if self.first else f"{self.since:%Y-%m-%d %H:%M} UTC"
        setting = f"retention.{self.setting}: {self.duration}"
        return f"{self.setting} are kept from {kept} on ({setting}), and earlier ones were removed"

    def refuse(self, parameter: str, given: object) -> NotKeptError:
        """Return the error of a question about what is not kept."""
        return NotKeptError(f"{parameter}={given}: {self}", parameter=parameter)


@dataclass(frozen=True)
class Going:
    """What is older than a setting keeps of one table.

    Attributes:
        bound: from when on it is kept.
        table: its name.
        partitions: that go, oldest first.
        rows: in them.
        bytes: that they take in memory, by the first rows of the latest of them.
    """

    bound: Bound
    table: str
    partitions: tuple[str, ...]
    rows: int
    bytes: int


class Retained:
    """From when on the tables of a forecast are kept: the one place that readers ask."""

    def __init__(self, tables: Tables, spec: ForecastSpec) -> None:
        self._tables, self._spec = tables, spec
        self._log = Log(tables, spec.name, RETENTION)

    @cached_property
    def bounds(self) -> dict[str, Bound]:
        """The latest of each setting; nothing where nothing was ever removed."""
        found, rows = {}, self._log.rows()
        for row in rows.sort_values(["since", "number"]).to_dict("records") if len(rows) else ():
            since = pd.Timestamp(row["since"])
            found[str(row["setting"])] = Bound(str(row["setting"]), str(row["duration"]), str(row["first"]), since)
        return found

    def require_partition(self, setting: str, partition: str, parameter: str, given: object) -> None:
        """Raise a NotKeptError if a partition is before what is kept.

        Args:
            setting: field of `retention`.
            partition: its key.
            parameter: of the question.
            given: its value, as it was given.
        """
        bound = self.bounds.get(setting)
        if bound is not None and partition < bound.first:
            raise bound.refuse(parameter, given)

    def require_moment(self, setting: str, moment: pd.Timestamp | None, parameter: str = "as_of") -> None:
        """Raise a NotKeptError if not all is kept that was known at a moment (naive, in UTC; None: now)."""
        bound = self.bounds.get(setting)
        if bound is not None and moment is not None and moment < bound.since:
            raise bound.refuse(parameter, moment)

    def require_ledger(self, keys: Sequence[str]) -> None:
        """Raise a NotKeptError if forecasts of some partitions would come back that were removed."""
        if keys:
            self.require_partition(FORECASTS, keys[0], "partition", keys[0])

    def require_scorable(self, keys: Sequence[str]) -> None:
        """Raise a NotKeptError if partitions were scored by fewer forecasts than there were of them."""
        bound = self.bounds.get(FORECASTS)
        if keys and bound is not None and keys[0] < _first_scorable(self._spec, bound.first):
            raise bound.refuse("partition", keys[0])
        if keys:
            self.require_partition(FORECAST_ACCURACY, keys[0], "partition", keys[0])

    def plan(self, now: datetime) -> list[Going]:
        """Return what is older than the spec keeps, and what an earlier command has left, whatever that says now."""
        found = []
        for bound in self._wanted(now).values():
            for table in TABLES_OF[bound.setting]:
                keys = self._older(table, bound)
                if keys:
                    key = [self._spec.name, table]
                    rows = self._tables.row_count(key, keys)
                    found.append(Going(bound, table, tuple(keys), rows, self._size(key, keys[-1], rows)))
        return found

    def apply(self, going: Sequence[Going], now: datetime, by: Person) -> None:
        """Remove what a plan says, partition by partition; nobody is answered from it any more, whatever remains.

        Args:
            going: the plan.
            now: the present moment.
            by: who removes it.
        """
        for setting in dict.fromkeys(one.bound.setting for one in going):
            rows = sum(one.rows for one in going if one.bound.setting == setting)
            self._note(next(one.bound for one in going if one.bound.setting == setting), rows, now, by)
        for one in going:
            for partition in one.partitions:
                self._tables.delete([self._spec.name, one.table], partition)

    def _wanted(self, now: datetime) -> dict[str, Bound]:
        """Return the bound of each setting of the spec, and of what is gone already; none before that."""
        said, found = self._spec.retention.model_dump(exclude_none=True), dict(self.bounds)
        for setting, span in self._spec.retention.spans.items():
            moment = naive_utc(now - span).floor("s")
            bound = Bound(setting, said[setting], "", moment)
            if setting != REVISIONS:
                first = first_kept(self._spec, now, setting)
                since = windows_of(partitions_of(self._spec), [first]).over[0].tz_localize(None)
                if setting == FORECASTS:
                    since = max(since, self._made(first, now))
                bound = Bound(setting, said[setting], first, since)
            if (known := self.bounds.get(setting)) is not None:
                later = (bound.first, bound.since) > (known.first, known.since)
                bound = replace(bound, since=max(bound.since, known.since)) if later else known
            found[setting] = bound
        return found

    def _made(self, first: str, now: datetime) -> pd.Timestamp:
        """Return when the first partition that is kept was forecast from: until then an earlier one was the latest."""
        key = [self._spec.name, FORECASTS]
        for partition in self._tables.partitions(key):
            if partition >= first and len(rows := self._tables.read(key, [partition], ["created_at"])):
                return rows["created_at"].max()
        return naive_utc(now)

    def _older(self, table: str, bound: Bound) -> list[str]:
        key = [self._spec.name, table]
        if bound.first:
            return [one for one in self._tables.partitions(key) if one < bound.first]
        # A row was superseded after its partition was over, so that those of later partitions need not be looked at.
        last = holding(self._spec, bound.since + pd.Timedelta(days=2))
        some = [one for one in self._tables.partitions(key) if one <= last]
        return [one for one in some if self._superseded(key, one) < bound.since]

    def _superseded(self, key: Sequence[str], partition: str) -> pd.Timestamp:
        return self._tables.read(key, [partition], [SUPERSEDED_AT])[SUPERSEDED_AT].max()

    def _size(self, key: Sequence[str], partition: str, rows: int) -> int:
        some = next(iter(self._tables.batches(key, [partition], rows=_SAMPLE)))
        return round(rows * some.memory_usage(index=False, deep=True).sum() / len(some)) if len(some) else 0

    def _note(self, bound: Bound, rows: int, now: datetime, by: Person) -> None:
        if self.bounds.get(bound.setting) == bound:
            return
        told = {"setting": bound.setting, "duration": bound.duration, "first": bound.first, "since": bound.since}
        number, who = len(self._log.partitions()) + 1, {"removed_by": by.name, "proof": by.proof}
        while not self._log.add(
            {"number": number, "at": naive_utc(now), **told, "rows": rows, **who}, numbered(number)
        ):
            number += 1
        del self.bounds


def first_kept(spec: ForecastSpec, now: datetime, setting: str) -> str:
    """Return the first partition that a setting of the spec keeps at a moment; empty without the setting."""
    span = spec.retention.spans.get(setting)
    if span is None:
        return ""
    return holding(spec, pd.Timestamp(now).tz_convert(spec.zone).tz_localize(None) - span)


def scorable(spec: ForecastSpec, keys: Sequence[str], now: datetime) -> list[str]:
    """Return those of some partitions of which, as the spec says, all forecasts are kept."""
    first = first_kept(spec, now, FORECASTS)
    first = max(first_kept(spec, now, FORECAST_ACCURACY), _first_scorable(spec, first) if first else "")
    return [key for key in keys if key >= first]


def _first_scorable(spec: ForecastSpec, first: str) -> str:
    """Return the first partition that every forecast of is kept, given the first that forecasts are kept from."""
    end = window_of(partitions_of(spec), first).end
    return holding(spec, steps_after(end, spec.horizon, spec.frequency)[-1])
