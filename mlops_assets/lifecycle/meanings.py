"""What the stored observations mean, held against the spec of today, so that nothing is made of other rows."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

import pandas as pd

from mlops_assets.catalog.log import Log, numbered
from mlops_assets.catalog.meaning import (
    KIND,
    PLACES,
    TAG,
    Change,
    Meaning,
    changes,
    from_text,
    meaning_of,
    scorable,
    to_text,
)
from mlops_assets.catalog.names import MEANINGS, OBSERVATIONS
from mlops_assets.catalog.partitions import ended_keys, partitions_of
from mlops_assets.errors import DataError
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.tracking.registry import Version

_FINE = ("daily", "hourly")
"""Kinds of partitions of which any key of the right form is one."""
_DAY = len("2013-12-31")


class ChangedSpecError(DataError):
    """Observations are stored that were ingested under another spec."""


class Meanings:
    """The log of what observations have meant: a row for each change, noted by the first ingest after it.

    What release 0.1.0 has stored says nothing of its meaning; it is taken to be that of the first row.
    """

    def __init__(self, tables: Tables, name: str) -> None:
        self._tables, self._name, self._log = tables, name, Log(tables, name, MEANINGS)

    def all(self) -> list[tuple[pd.Timestamp, dict[str, object]]]:
        """Return since when (UTC) observations mean what, in order."""
        rows = self._log.rows().sort_values("number")
        return [(since, from_text(text)) for since, text in zip(rows["since"], rows["meaning"], strict=True)]

    def first(self) -> dict[str, object] | None:
        """Return the meaning of rows, and of versions, that do not say theirs; None before anything was ingested."""
        known = self.all()
        return known[0][1] if known else None

    def numbers(self, texts: Iterable[str | None]) -> dict[str | None, int]:
        """Return the latest number under which each meaning, as partitions have it, stands here.

        That of the first where the partition does not say its own, and 0 where it stands nowhere.
        """
        known = {to_text(meaning): number for number, (_, meaning) in enumerate(self.all(), start=1)}
        return {text: 1 if text is None else known.get(text, 0) for text in texts}

    def note(self, spec: ForecastSpec, now: datetime) -> None:
        """Add the spec's meaning if it is not the latest; a log that was lost begins with what partitions say."""
        known, present = self.all(), meaning_of(spec)
        if known and known[-1][1] == present:
            return
        if not known:
            stored = self._tables.meanings([self._name, OBSERVATIONS]).values()
            for text in dict.fromkeys(filter(None, stored)):
                if from_text(text) != present:
                    self._add(known, from_text(text), now)
        self._add(known, present, now)

    def _add(
        self, known: list[tuple[pd.Timestamp, dict[str, object]]], present: dict[str, object], now: datetime
    ) -> None:
        words = "; ".join(map(str, changes(known[-1][1], present))) if known else ""
        row = {"number": len(known) + 1, "since": naive_utc(now), "meaning": to_text(present), "changes": words}
        self._log.add(row, numbered(len(known) + 1))
        known.append((naive_utc(now), present))

    def keep(self, spec: ForecastSpec) -> None:
        """Let all that differs from the spec's meaning in names alone be the spec's."""
        present = meaning_of(spec)
        for number, (since, meaning) in enumerate(self.all(), start=1):
            found = changes(meaning, present)
            if found and all(one.of_names for one in found):
                words = f"kept: {'; '.join(map(str, found))}"
                row = {"number": number, "since": since, "meaning": to_text(present), "changes": words}
                self._log.replace(row, numbered(number))

    def scorable(self, forecasts: pd.DataFrame, spec: ForecastSpec) -> pd.DataFrame:
        """Return the rows of the ledger that forecast what the spec's observations are."""
        known, present = self.all(), meaning_of(spec)
        if forecasts.empty or all(scorable(meaning, present) for _, meaning in known):
            return forecasts
        since = pd.DatetimeIndex([moment for moment, _ in known])
        fits = [scorable(meaning, present) for _, meaning in known]
        position = (since.searchsorted(pd.DatetimeIndex(forecasts["created_at"]), side="right") - 1).clip(0)
        return forecasts[[fits[at] for at in position]]


def outdated(tables: Tables, spec: ForecastSpec, keys: Sequence[str] | None = None) -> dict[str, tuple[Change, ...]]:
    """Return the stored partitions of observations whose rows mean something else than the spec says, and in what.

    Those before the first partition and after the last one of the spec are never among them: they are not read.

    Args:
        tables: where they are.
        spec: the forecast.
        keys: of the partitions that matter; None: all.
    """
    first, end = spec.partitions.first_day, spec.partitions.end
    if keys is None and _never_changed(tables, spec):
        return {}
    told = tables.meanings([spec.name, OBSERVATIONS], keys)
    stored = {key: text for key, text in told.items() if key >= first and (end is None or key < end)}
    present = meaning_of(spec)
    silent = [key for key, text in stored.items() if text is None]
    before = (Meanings(tables, spec.name).first() if silent else None) or present
    known = {text: changes(from_text(text), present) for text in set(stored.values()) if text is not None}
    found = {key: changes(before, present) if text is None else known[text] for key, text in stored.items()}
    other = Change(KIND, "another", spec.partition_kind)
    found |= {key: (other,) for key in of_another_kind(spec, silent) if not found[key]}
    return {key: what for key, what in found.items() if what}


def _never_changed(tables: Tables, spec: ForecastSpec) -> bool:
    """Whether the log alone tells that no partition means anything else: years of hours need not be asked one by one.

    Whoever ingests notes the meaning first. Of what does not say its own, the key tells another kind of partition.
    """
    known, present = Meanings(tables, spec.name).all(), meaning_of(spec)
    if not known or spec.partition_kind not in _FINE or any(changes(meaning, present) for _, meaning in known):
        return False
    hourly = spec.partition_kind == "hourly"
    return all((len(key) > _DAY) == hourly for key in tables.partitions([spec.name, OBSERVATIONS]))


def require_present(tables: Tables, spec: ForecastSpec, keys: Sequence[str] | None = None) -> None:
    """Refuse observations that were ingested under another spec.

    Args:
        tables: where they are.
        spec: the forecast.
        keys: of the partitions that matter; None: all.

    Raises:
        ChangedSpecError: there are such; it names the fields, and the command that ingests them anew.
    """
    if words := difference(tables, spec, keys):
        raise ChangedSpecError(f"{spec.name}: {words}", advice=[f"mlops-assets reingest {spec.name}"])


def difference(tables: Tables, spec: ForecastSpec, keys: Sequence[str] | None = None) -> str:
    """Say which partitions of observations were ingested under another spec, and in which fields; empty if none."""
    found = outdated(tables, spec, keys)
    if not found:
        return ""
    late = sorted(found)
    span = late[0] if len(late) == 1 else f"{late[0]} to {late[-1]}"
    count = len(tables.partitions([spec.name, OBSERVATIONS]))
    fields = "; ".join(dict.fromkeys(str(one) for key in late for one in found[key]))
    return (
        f"{len(late)} of {count} stored partitions of observations ({span}) were ingested under another spec "
        f"({fields}); before they are ingested anew, nothing is trained or forecast with them"
    )


def changed_since_training(tables: Tables, spec: ForecastSpec, latest: Version) -> str:
    """Return in words what asks for a training although nothing is wrong with the model; empty if nothing does.

    Args:
        tables: have the log of meanings.
        spec: the forecast.
        latest: the newest version, champion or not: what was tried and refused is not tried again and again.
    """
    present, tag = meaning_of(spec), latest.tags.get(TAG)
    learnt: Meaning = from_text(tag) if tag else Meanings(tables, spec.name).first() or present
    if found := [one for one in changes(learnt, present) if one.field not in PLACES]:
        return f"the spec has changed since version {latest.number} ({'; '.join(map(str, found))})"
    if latest.tags.get("spec_hash") != spec.fingerprint():
        return f"the spec has changed since version {latest.number}"
    return ""


def of_another_kind(spec: ForecastSpec, keys: Sequence[str]) -> list[str]:
    """Return keys that are none of the spec's kind of partitions."""
    if not keys:
        return []
    partitions = partitions_of(spec)
    odd = []
    for key in keys:
        try:
            datetime.strptime(key, partitions.key_format)
        except ValueError:
            odd.append(key)
    if spec.partition_kind in _FINE:
        return odd
    known = set(ended_keys(spec, datetime.now(timezone.utc)))
    last = max(known, default="")
    return [key for key in keys if key in odd or (key not in known and key < last)]
