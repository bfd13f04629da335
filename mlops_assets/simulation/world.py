"""The world of a simulated year: what is true, and what of it a source gives on each morning."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import pandas as pd

START = pd.Timestamp("2024-01-01")
ITEMS = ("north", "east", "south", "west")
WEEK = np.array([1.0, 1.1, 1.2, 1.1, 1.3, 0.6, 0.5])
QUIET = 21
"""Days at the end in which nothing goes wrong: everything must have caught up by then."""
LEFT_OUT = 2
"""Kinds of happenings that a seed leaves out."""


class Kind(str, Enum):
    """What may happen."""

    LATE = "late file"
    BROKEN = "broken rows"
    REGIME = "regime change"
    OUTAGE = "outage"
    DRIFT = "drifting item"
    NEW = "new item"
    DYING = "dying item"
    REVISION = "revision of the past"


LASTS = {Kind.LATE: 1, Kind.BROKEN: 1, Kind.OUTAGE: 6, Kind.DRIFT: 40, Kind.REVISION: 1}
"""Days that a happening takes; what is not named lasts to the end."""


@dataclass(frozen=True)
class Happening:
    """Something that happens.

    Attributes:
        kind: what.
        first: number of its first day.
        after: number of the day after its last.
        item: whom it befalls; empty: all.
    """

    kind: Kind
    first: int
    after: int
    item: str = ""

    def on(self, day: int) -> bool:
        """Return whether it goes on on a day."""
        return self.first <= day < self.after


@dataclass(frozen=True)
class World:
    """A year of daily sales, drawn from a seed.

    Attributes:
        seed: what it is drawn from.
        days: how many there are.
        happenings: by their first day.
        truth: day, item, sales; sorted, as the world knows it in the end.
        first_said: the rows of revised days as they were first given.
    """

    seed: int
    days: int
    happenings: Sequence[Happening]
    truth: pd.DataFrame
    first_said: pd.DataFrame

    @classmethod
    def of(cls, seed: int, days: int = 365, warm_up: int = 60) -> "World":
        """Draw a world; nothing happens in its first `warm_up` and its last `QUIET` days.

        Raises:
            ValueError: there is no time left for anything to happen.
        """
        last = days - QUIET
        if last - warm_up < len(Kind):
            raise ValueError(f"{days} days are too few: a world needs at least {warm_up + QUIET + len(Kind)}")
        rng = np.random.default_rng(seed)
        kinds = sorted(rng.permutation([kind.value for kind in Kind])[LEFT_OUT:].tolist())
        starts = np.sort(rng.choice(np.arange(warm_up, last), len(kinds), replace=False))
        found = []
        for kind, first in zip(rng.permutation(kinds).tolist(), starts.tolist(), strict=True):
            after = min(first + LASTS[Kind(kind)], last) if Kind(kind) in LASTS else days
            item = {Kind.DRIFT: "east", Kind.NEW: "new", Kind.DYING: "west"}.get(Kind(kind), "")
            found.append(Happening(Kind(kind), first, after, item))
        truth = _truth(rng, days, found)
        return cls(seed, days, tuple(found), truth, _first_said(truth, found))

    def date(self, day: int) -> pd.Timestamp:
        """Return the date of a day's number."""
        return START + pd.Timedelta(days=day)

    def happens(self, kind: Kind, day: int) -> bool:
        """Return whether something goes on on a day."""
        return any(one.kind == kind and one.on(day) for one in self.happenings)

    def revised_on(self, day: int) -> Sequence[int]:
        """Return the days whose rows are given anew on the morning after a day."""
        return [one.first - 3 for one in self.happenings if one.kind == Kind.REVISION and one.first == day]

    def source(self, day: int) -> pd.DataFrame:
        """Return all that the source's file holds on the morning after a day: day, item, sales as text."""
        rows = self.truth[self.truth["day"] <= self.date(day)]
        if any(one.kind == Kind.REVISION and day < one.first for one in self.happenings):
            early = self.first_said[self.first_said["day"] <= self.date(day)]
            rows = pd.concat([rows[~rows["day"].isin(early["day"])], early])
        for one in self.happenings:
            if one.kind == Kind.OUTAGE or (one.kind == Kind.LATE and day < one.after):
                rows = rows[~rows["day"].between(self.date(one.first), self.date(one.after - 1))]
        sales = rows["sales"].astype(str)
        for one in self.happenings:
            if one.kind == Kind.BROKEN:
                sales = sales.mask((rows["day"] == self.date(one.first)) & (rows["item"] == ITEMS[0]), "n/a?")
        return rows.assign(sales=sales).sort_values(["day", "item"], ignore_index=True)


def _truth(rng: np.random.Generator, days: int, happenings: Sequence[Happening]) -> pd.DataFrame:
    dates, numbers = START + pd.to_timedelta(np.arange(days), unit="D"), np.arange(days)
    frames = []
    for position, item in enumerate([*ITEMS, "new"]):
        values = 30.0 * (position + 1) * WEEK[dates.dayofweek] * np.exp(rng.normal(0, 0.05, days))
        there = np.full(days, item != "new")
        for one in happenings:
            if one.kind == Kind.REGIME:
                values = np.where(numbers >= one.first, values * (1.5 - 0.25 * WEEK[dates.dayofweek]), values)
            if one.item == item and one.kind == Kind.DRIFT:
                values = values * (1 + 0.02 * np.clip(numbers - one.first, 0, one.after - one.first))
            if one.item == item and one.kind in (Kind.NEW, Kind.DYING):
                there = numbers >= one.first if one.kind == Kind.NEW else numbers < one.first
        frames.append(pd.DataFrame({"day": dates, "item": item, "sales": values.round(2)})[there])
    return pd.concat(frames).sort_values(["day", "item"], ignore_index=True)


def _first_said(truth: pd.DataFrame, happenings: Sequence[Happening]) -> pd.DataFrame:
    days = [START + pd.Timedelta(days=one.first - 3) for one in happenings if one.kind == Kind.REVISION]
    rows = truth[truth["day"].isin(days)]
    return rows.assign(sales=(rows["sales"] * 0.8).round(2))
