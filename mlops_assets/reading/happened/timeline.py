"""What has happened to a forecast, on its own axis of time: marks for whoever looks at its accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from mlops_assets.adjustments.log import Adjustments
from mlops_assets.catalog.log import Log
from mlops_assets.catalog.names import (
    ALERTS,
    ANOMALIES,
    DATA_DRIFT,
    FORECAST_ACCURACY,
    RETRAINING_LAUNCHES,
)
from mlops_assets.catalog.partitions import partitions_of, window_of
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.formatting import counted, few
from mlops_assets.forecasting.model.features.calendar import holiday_names
from mlops_assets.lifecycle.decisions import Decisions
from mlops_assets.reading.asked import Asked
from mlops_assets.reading.observations import within
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.score import SPAN, read_scores
from mlops_assets.tracking.links import Links

Kind = Literal[
    "promotion", "refusal", "rollback", "retraining", "drift", "outage", "revision", "adjustment", "anomaly", "holiday"
]
COLUMNS = ["at", "kind", "title", "detail", "link", "happened_at"]
_DECIDED: dict[str, Kind] = {
    "promoted": "promotion", "champion": "promotion", "refused": "refusal", "rejected": "refusal", "shadow": "refusal",
    "rolled back": "rollback", "gone": "outage", "awaiting approval": "retraining", "kept aside": "retraining",
}  # fmt: skip
_OUTAGES = ("run failure", "stale data", "late", "no answer", "lost champion", "fewer rows")
"""Events of the log of alerts."""


@dataclass(frozen=True)
class Mark:
    """Something that has happened.

    Attributes:
        at: where it stands among the forecast's timestamps, naive, in the spec's zone: a version stands at the end of
            the data that it knew, whenever it was decided on.
        kind: what it is.
        title: in a few words.
        detail: in a sentence.
        link: to its page; empty without.
        happened_at: when, naive, in UTC; None where only `at` is known.
    """

    at: pd.Timestamp
    kind: Kind
    title: str
    detail: str = ""
    link: str = ""
    happened_at: pd.Timestamp | None = None


@dataclass(frozen=True)
class Timeline:
    """Collects what has happened.

    Attributes:
        tables: where it is.
        spec: the forecast.
        links: to MLflow.
    """

    tables: Tables
    spec: ForecastSpec
    links: Links

    def of(self, asked: Asked) -> pd.DataFrame:
        """Return what has happened within a time, the earliest first: `COLUMNS`, see `Mark`."""
        told = (
            self._decisions(), self._retrainings(), self._drift(asked), self._outages(), self._revisions(),
            self._adjustments(), self._anomalies(asked),
        )  # fmt: skip
        found = [mark for marks in told for mark in marks if pd.notna(mark.at)]
        found += self._holidays(found, asked)
        rows = pd.DataFrame([vars(mark) for mark in found], columns=pd.Index(COLUMNS, dtype=object))
        rows = rows.astype({"at": "datetime64[us]", "happened_at": "datetime64[us]"})
        if asked.since is not None:
            rows = rows[rows["at"] >= asked.since]
        if asked.until is not None:
            rows = rows[rows["at"] <= asked.until]
        return rows.sort_values(["at", "kind"], kind="stable", ignore_index=True)

    def _decisions(self) -> Iterator[Mark]:
        log = Decisions(self.tables, self.spec.name)
        for row in _rows(log.all()):
            kind = _DECIDED.get(row["outcome"])
            if kind is not None:
                at = row["trained_until"] if pd.notna(row["trained_until"]) else self._local(row["decided_at"])
                link = self.links.version(self.spec.name, int(row["version"]))
                title = f"version {row['version']} {row['outcome']}"
                yield Mark(at, kind, title, f"{row['reason']} ({row['decided_by']})", link, row["decided_at"])
        for row in _rows(log.roles()):
            title = f"{row['trigger']} is {row['outcome']}"
            kind = _DECIDED.get(row["outcome"], "promotion")
            yield Mark(self._local(row["decided_at"]), kind, title, row["reason"], "", row["decided_at"])

    def _retrainings(self) -> Iterator[Mark]:
        for row in _rows(Log(self.tables, self.spec.name, RETRAINING_LAUNCHES).rows()):
            at = self._end(row["partition"])
            yield Mark(at, "retraining", f"retraining: {row['action']}", row["reason"], "", row["claimed_at"])

    def _drift(self, asked: Asked) -> Iterator[Mark]:
        """A mark where other features have drifted than in the partition before."""
        before: set[str] = set()
        rows = self._read(DATA_DRIFT, asked, ["partition", "feature", "drifted", "explanation"])
        for partition, own in rows.groupby("partition"):
            drifted = own[own["drifted"].astype(bool)]
            names = {*drifted["feature"]}
            if names - before:
                new = drifted[~drifted["feature"].isin(before)]
                title = f"drift of {few(sorted(names - before), 3)}"
                yield Mark(self._end(str(partition)), "drift", title, "; ".join(new["explanation"]))
            before = names

    def _outages(self) -> Iterator[Mark]:
        rows = Log(self.tables, self.spec.name, ALERTS).rows()
        rows = rows[rows["event"].isin(_OUTAGES)].sort_values("at").drop_duplicates(["event", "key"])
        for row in _rows(rows):
            yield Mark(self._local(row["at"]), "outage", row["event"], row["what"], row["where"], row["at"])

    def _revisions(self) -> Iterator[Mark]:
        scores = read_scores(self.tables, self.spec)
        scores = scores[(scores["scope"] == "all") & (scores["revision"] > 1)]
        for row in _rows(scores):
            times = counted(int(row["revision"]) - 1, "time")
            detail = f"its actuals came late or were corrected, so it was scored again {times}"
            yield Mark(self._start(row["partition"]), "revision", "actuals corrected", detail, "", row["scored_at"])

    def _adjustments(self) -> Iterator[Mark]:
        for row in _rows(Adjustments(self.tables, self.spec.name).all()):
            amount = "" if pd.isna(row["amount"]) else f" {row['kind']} {row['amount']:g}"
            title = f"{row['action']} {row['item_id']}{amount}"
            detail = ": ".join(text for text in (row["made_by"], row["reason"], row["note"]) if text)
            yield Mark(row["since"], "adjustment", title, detail, "", row["made_at"])

    def _anomalies(self, asked: Asked) -> Iterator[Mark]:
        rows = self._read(ANOMALIES, asked, ["timestamp", "item_id", "kind", "reason"])
        for _, own in rows.groupby("timestamp"):
            title = counted(len(own), "unexpected value") if len(own) > 1 else f"{own['item_id'].iloc[0]}: unexpected"
            yield Mark(own["timestamp"].iloc[0], "anomaly", title, f"{own['item_id'].iloc[0]}: {own['reason'].iloc[0]}")

    def _holidays(self, marks: Iterable[Mark], asked: Asked) -> list[Mark]:
        """Holidays within the time that is asked about, or in which anything has happened or was scored."""
        if self.spec.holidays is None:
            return []
        scored = self.tables.partitions([self.spec.name, FORECAST_ACCURACY])
        times = [mark.at for mark in marks] + [self._start(key) for key in (scored[-SPAN:][:1] + scored[-1:])]
        known = [at for at in times if pd.notna(at)]
        first = asked.since if asked.since is not None else min(known, default=None)
        last = asked.until if asked.until is not None else max(known, default=None)
        if first is None or last is None or first > last:
            return []
        days = holiday_names(self.spec.holidays, first, last)
        return [Mark(row["timestamp"], "holiday", row["label"]) for row in _rows(days)]

    def _read(self, name: str, asked: Asked, columns: list[str]) -> pd.DataFrame:
        key = [self.spec.name, name]
        keys = within(self.spec, self.tables.partitions(key), asked)[-SPAN:]
        return self.tables.read(key, keys, columns) if keys else pd.DataFrame(columns=pd.Index(columns))

    def _local(self, moment: pd.Timestamp) -> pd.Timestamp:
        return moment.tz_localize("UTC").tz_convert(self.spec.zone).tz_localize(None)

    def _start(self, partition: str) -> pd.Timestamp:
        return self._window(partition)[0]

    def _end(self, partition: str) -> pd.Timestamp:
        return self._window(partition)[1]

    def _window(self, partition: str) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Begin and end of a partition; missing where it is of another kind than the spec's are now."""
        try:
            window = window_of(partitions_of(self.spec), partition)
        except UsageError:
            return pd.NaT, pd.NaT  # pyright: ignore[reportReturnType]
        return window.start, window.end


def _rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    return ({str(name): value for name, value in row.items()} for row in frame.to_dict("records"))
