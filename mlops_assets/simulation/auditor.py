"""The auditor: a small model of what must be stored after each day, that asks the system nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

ROW = ["item_id", "timestamp"]
_DAY = pd.Timedelta(days=1)
_RECENT = 31
"""Days back that one without a value is looked for again."""


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
        values: (item, day) -> the value that must be stored.
        ledger: day -> the items that must be forecast from it.
        failed: days whose round could not be, and that nobody has made up for.
        told: those of them that people know of.
    """

    rules: Rules
    values: dict[tuple[str, pd.Timestamp], float] = field(default_factory=dict)
    ledger: dict[pd.Timestamp, frozenset[str]] = field(default_factory=dict)
    failed: set[pd.Timestamp] = field(default_factory=set)
    told: set[pd.Timestamp] = field(default_factory=set)

    def history(self, source: pd.DataFrame) -> None:
        """Note what the source has given before the first day."""
        for day, rows in source.groupby("day"):
            self._replace(pd.Timestamp(str(day)), _usable(rows))

    def morning(self, source: pd.DataFrame, day: pd.Timestamp) -> None:
        """Note what must be stored after the morning's round of a day.

        Args:
            source: day, item, sales as text, or a frame with other columns: of that nothing can be read.
            day: the latest.
        """
        readable, parts = "sales" in source, {}
        if readable:
            recent = source[source["day"] > day - _RECENT * _DAY]
            parts = {pd.Timestamp(str(one)): rows for one, rows in recent.groupby("day")}
            if day.dayofweek == 0:
                self._read_again(parts, day)
            for empty in self._empty(parts, day):
                if _bad(parts[empty]) <= self.rules.most_bad:
                    self._replace(empty, _usable(parts[empty]))
        if not readable or (day in parts and _bad(parts[day]) > self.rules.most_bad):
            self.failed.add(day)
            return
        if day in parts:
            self._replace(day, _usable(parts[day]))
        self._forecast(day)

    def noon(self) -> None:
        """Note that people make up for the days that they were told of, once there are values of them."""
        for day in sorted(self.told & self.failed & {at for _, at in self.values}):
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
        found = _doubled(stored, ROW, "is stored twice")
        first = _first(stored["timestamp"])
        there = {(str(item), day): value for item, day, value in stored[[*ROW, "target"]].dropna().values.tolist()}
        must = {key: value for key, value in self.values.items() if key[1] >= first}
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
        found = _doubled(stored.rename(columns={"origin": "timestamp"}), [*ROW, "lead"], "is forecast twice")
        first, leads = _first(stored["origin"]), range(1, self.rules.horizon + 1)
        rows = stored.loc[stored["mean"].notna(), ["origin", "item_id", "lead"]].values.tolist()
        there = {(pd.Timestamp(origin), str(item), int(lead)) for origin, item, lead in rows}
        due = {(day, item, lead) for day, own in self.ledger.items() if day >= first for item in own for lead in leads}
        for words, keys in (("is not forecast", due - there), ("is forecast and should not be", there - due)):
            found += [f"{item} from {day:%Y-%m-%d}, lead {lead}, {words}" for day, item, lead in sorted(keys)]
        return found

    def _read_again(self, parts: Mapping[pd.Timestamp, pd.DataFrame], day: pd.Timestamp) -> None:
        """Note what becomes of the days before the latest: no fewer rows than before, nor too many bad ones."""
        days = [day - back * _DAY for back in range(self.rules.again, 0, -1)]
        rows = [parts[one] for one in days if one in parts]
        if not rows or _bad(pd.concat(rows)) > self.rules.most_bad:
            return
        last = days[-1]
        if last in parts and _bad(parts[last]) > self.rules.most_bad:
            return
        for one in days:
            new, old = _usable(parts[one]) if one in parts else {}, self._of(one)
            over = one in parts and _bad(parts[one]) > self.rules.most_bad
            if len(new) >= len(old) and not (over and old):
                self._replace(one, new)

    def _empty(self, parts: Mapping[pd.Timestamp, pd.DataFrame], day: pd.Timestamp) -> list[pd.Timestamp]:
        known = {at for _, at in self.values}
        return [one for one in parts if one < day and one not in known]

    def _of(self, day: pd.Timestamp) -> dict[str, float]:
        return {item: value for (item, at), value in self.values.items() if at == day}

    def _replace(self, day: pd.Timestamp, values: Mapping[str, float]) -> None:
        self.values = {key: value for key, value in self.values.items() if key[1] != day}
        self.values |= {(item, day): value for item, value in values.items()}

    def _forecast(self, day: pd.Timestamp) -> None:
        since = day - self.rules.alive * _DAY
        self.ledger[day] = frozenset(item for item, at in self.values if since < at <= day)


def _usable(rows: pd.DataFrame) -> dict[str, float]:
    numbers = pd.to_numeric(rows["sales"], errors="coerce")
    return {item: float(value) for item, value in zip(rows["item"], numbers, strict=True) if pd.notna(value)}


def _bad(rows: pd.DataFrame) -> float:
    return float(pd.to_numeric(rows["sales"], errors="coerce").isna().mean())


def _first(times: pd.Series) -> pd.Timestamp:
    """Return the first of some times; where nothing is stored, one before all that must be."""
    return pd.Timestamp(times.min()) if times.notna().any() else pd.Timestamp.min


def _doubled(stored: pd.DataFrame, key: list[str], words: str) -> list[str]:
    rows = stored.loc[stored.duplicated(key), key]
    return [f"{row[0]} on {row[1]:%Y-%m-%d} {words}" for row in rows.itertuples(index=False)]
