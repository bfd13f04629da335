"""The auditor: a small model of what must be stored after each day, that asks the system nothing."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pandas as pd

ROW = ["item_id", "timestamp"]
_DAY = pd.Timedelta(days=1)
_RECENT = 31
"""Days back that one without a value is looked for again."""
Rows = Sequence[tuple[str, float]]
"""What the source says of a day: item and value, which is missing where it is no number."""


@dataclass(frozen=True)
class Rules:
    """What the forecast's spec promises, in the auditor's own words.

    Attributes:
        again: so many days before the latest are read again on Mondays.
        most_bad: a larger share of unusable rows is refused.
        alive: an item without a value for so many days is forecast no more.
        horizon: days that are forecast.
    """

    again: int
    most_bad: float
    alive: int
    horizon: int


@dataclass
class Auditor:
    """Remembers what the source has given, and says what must have become of it.

    Attributes:
        rules: what is promised.
        values: day -> item -> the value that must be stored.
        ledger: day -> the items that must be forecast from it.
        failed: days whose round could not be, and that nobody has made up for.
        told: those of them that people know of.
    """

    rules: Rules
    values: dict[pd.Timestamp, Mapping[str, float]] = field(default_factory=dict)
    ledger: dict[pd.Timestamp, frozenset[str]] = field(default_factory=dict)
    failed: set[pd.Timestamp] = field(default_factory=set)
    told: set[pd.Timestamp] = field(default_factory=set)

    def history(self, source: pd.DataFrame) -> None:
        """Note what the source has given before the first day."""
        self.values |= {day: _usable(rows) for day, rows in _by_day(source).items()}

    def morning(self, source: pd.DataFrame, day: pd.Timestamp) -> None:
        """Note what must be stored after the morning's round of a day.

        Args:
            source: day, item, sales as text, or a frame with other columns: of that nothing can be read.
            day: the latest.
        """
        readable, parts = "sales" in source, {}
        if readable:
            parts = _by_day(source[source["day"] > day - _RECENT * _DAY])
            if day.dayofweek == 0:
                self._read_again(parts, day)
            for empty in [one for one in parts if one < day and not self.values.get(one)]:
                if _bad(parts[empty]) <= self.rules.most_bad:
                    self.values[empty] = _usable(parts[empty])
        if not readable or (day in parts and _bad(parts[day]) > self.rules.most_bad):
            self.failed.add(day)
            return
        if day in parts:
            self.values[day] = _usable(parts[day])
        self._forecast(day)

    def noon(self) -> None:
        """Note that people make up for the days that they were told of, once there are values of them."""
        for day in sorted(one for one in self.told & self.failed if self.values.get(one)):
            self.failed.remove(day)
            self._forecast(day)

    def evening(self, day: pd.Timestamp) -> None:
        """Note what people are told of at the end of a day."""
        if day not in self.failed:
            self.told |= self.failed

    def faults_of_observations(self, stored: pd.DataFrame) -> list[str]:
        """Return what is wrong with the stored observations, in words: nothing lost, doubled, made up or changed.

        Args:
            stored: item_id, timestamp, target; of the days from its first on.
        """
        rows = [*zip(*(stored[name].tolist() for name in (*ROW, "target")), strict=True)]
        found = [f"{item} on {day:%Y-%m-%d} is stored twice" for item, day in _again(row[:2] for row in rows)]
        first = _first(stored["timestamp"])
        there = {(str(item), day): value for item, day, value in rows if pd.notna(value)}
        must = {(item, day): value for day, own in self._since(first) for item, value in own.items()}
        for item, day in sorted(must.keys() | there.keys()):
            wanted, is_ = must.get((item, day)), there.get((item, day))
            if wanted != is_:
                found.append(f"{item} on {day:%Y-%m-%d} must be {wanted} and is {is_}")
        return found

    def faults_of_ledger(self, stored: pd.DataFrame) -> list[str]:
        """Return what is wrong with the ledger, in words: all that is due is there, complete, and there once.

        Args:
            stored: origin, item_id, lead, mean of what was delivered from the days from its first origin on.
        """
        rows = [*zip(*(stored[name].tolist() for name in ("origin", "item_id", "lead")), strict=True)]
        found = [f"{item} on {day:%Y-%m-%d} is forecast twice" for day, item, _ in _again(rows)]
        first, leads = _first(stored["origin"]), range(1, self.rules.horizon + 1)
        made = stored["mean"].notna().tolist()
        there = {(day, str(item), int(lead)) for (day, item, lead), is_ in zip(rows, made, strict=True) if is_}
        due = {(day, item, lead) for day, own in self.ledger.items() if day >= first for item in own for lead in leads}
        for words, keys in (("is not forecast", due - there), ("is forecast and should not be", there - due)):
            found += [f"{item} from {day:%Y-%m-%d}, lead {lead}, {words}" for day, item, lead in sorted(keys)]
        return found

    def _read_again(self, parts: Mapping[pd.Timestamp, Rows], day: pd.Timestamp) -> None:
        """Note what becomes of the days before the latest: no fewer rows than before, nor too many bad ones."""
        days = [day - back * _DAY for back in range(self.rules.again, 0, -1)]
        rows = [row for one in days for row in parts.get(one, ())]
        if not rows or _bad(rows) > self.rules.most_bad:
            return
        last = days[-1]
        if last in parts and _bad(parts[last]) > self.rules.most_bad:
            return
        for one in days:
            new, old = _usable(parts.get(one, ())), self.values.get(one, {})
            over = one in parts and _bad(parts[one]) > self.rules.most_bad
            if len(new) >= len(old) and not (over and old):
                self.values[one] = new

    def _since(self, first: pd.Timestamp) -> Iterator[tuple[pd.Timestamp, Mapping[str, float]]]:
        return ((day, own) for day, own in self.values.items() if day >= first)

    def _forecast(self, day: pd.Timestamp) -> None:
        alive = (self.values.get(day - back * _DAY, {}) for back in range(self.rules.alive))
        self.ledger[day] = frozenset(item for own in alive for item in own)


def _by_day(source: pd.DataFrame) -> dict[pd.Timestamp, Rows]:
    numbers = pd.to_numeric(source["sales"], errors="coerce").astype(float).tolist()
    parts: dict[pd.Timestamp, list[tuple[str, float]]] = {}
    for day, item, number in zip(source["day"].tolist(), source["item"].tolist(), numbers, strict=True):
        parts.setdefault(day, []).append((item, number))
    return {day: parts[day] for day in sorted(parts)}


def _usable(rows: Rows) -> dict[str, float]:
    return {item: number for item, number in rows if pd.notna(number)}


def _bad(rows: Rows) -> float:
    return sum(bool(pd.isna(number)) for _, number in rows) / len(rows)


def _first(times: pd.Series) -> pd.Timestamp:
    """Return the first of some times; where nothing is stored, one before all that must be."""
    return pd.Timestamp(times.min()) if times.notna().any() else pd.Timestamp.min


Key = TypeVar("Key", bound=Hashable)


def _again(keys: Iterable[Key]) -> Iterator[Key]:
    """Yield those that were there before."""
    seen: set[Key] = set()
    for key in keys:
        if key in seen:
            yield key
        seen.add(key)
