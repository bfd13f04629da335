"""The world of a simulated year: what is true, and what of it a source gives on each morning."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import pandas as pd

from mlops_assets.errors import UsageError

START = pd.Timestamp("2024-01-01")
"""The first day that is lived."""
HISTORY = 63
"""Days before it of which the source knows already."""
ITEMS = ("north", "east", "south", "west")
WEEK = np.array([1.0, 1.1, 1.2, 1.1, 1.3, 0.6, 0.5])
CALM = 10
"""Days at the beginning in which nothing happens."""
QUIET = 21
"""Days at the end in which nothing goes wrong: everything must have caught up by then."""
LEFT_OUT = 3
"""Kinds of happenings that a seed leaves out."""
BACK = 3
"""Days that the past which is revised lies back."""
TRIED, KEPT = 5, 10
"""Days for which the service is asked before it is in trouble, and after that."""


class Kind(str, Enum):
    """What may happen."""

    LATE = "late file"
    BROKEN = "broken rows"
    SCHEMA = "schema change"
    SHRUNK = "shrunk file"
    OUTAGE = "outage"
    REGIME = "regime change"
    DRIFT = "drifting item"
    NEW = "new item"
    DYING = "dying item"
    REVISION = "revision of the past"
    SERVICE = "service in trouble"
    LOST = "lost model"
    TORN = "torn model file"
    BY_HAND = "training by hand"
    BAD = "bad promotion"


LASTS = {
    Kind.LATE: 1,
    Kind.BROKEN: 3,
    Kind.SCHEMA: 2,
    Kind.SHRUNK: 7,
    Kind.OUTAGE: 6,
    Kind.DRIFT: 40,
    Kind.REVISION: 1,
    Kind.SERVICE: 4,
    Kind.LOST: 1,
    Kind.TORN: 1,
    Kind.BY_HAND: 1,
    Kind.BAD: 8,
}
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
    """A year of daily sales, drawn from a seed. Days are numbered from the first that is lived; history is below 0.

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
    def of(cls, seed: int, days: int = 365, calm: int = CALM, quiet: int = QUIET) -> "World":
        """Draw a world; nothing happens in its first `calm` and its last `quiet` days.

        Raises:
            UsageError: there is no time left for anything to happen.
        """
        last = days - quiet
        if last - calm < len(Kind):
            raise UsageError(f"{days} days are too few: a world needs at least {calm + quiet + len(Kind)}")
        rng = np.random.default_rng(seed)
        kinds = sorted(rng.permutation([kind.value for kind in Kind])[LEFT_OUT:].tolist())
        starts = np.sort(rng.choice(np.arange(calm, last), len(kinds), replace=False))
        found = []
        for kind, first in zip(rng.permutation(kinds).tolist(), starts.tolist(), strict=True):
            after = min(first + LASTS[Kind(kind)], last) if Kind(kind) in LASTS else days
            item = {Kind.DRIFT: "east", Kind.NEW: "new", Kind.DYING: "west"}.get(Kind(kind), "")
            found.append(Happening(Kind(kind), first, after, item))
        truth = _truth(rng, days, found)
        return cls(seed, days, tuple(found), truth, _first_said(truth, found))

    @property
    def left_out(self) -> tuple[Kind, ...]:
        """The kinds of happenings that it has none of."""
        return tuple(kind for kind in Kind if self.of_kind(kind) is None)

    def date(self, day: int) -> pd.Timestamp:
        """Return the date of a day's number."""
        return START + pd.Timedelta(days=day)

    def of_kind(self, kind: Kind) -> Happening | None:
        """Return the happening of a kind; None if this world has none."""
        return next((one for one in self.happenings if one.kind == kind), None)

    def since(self, kind: Kind, day: int) -> int | None:
        """Return for how many days something has gone on on a day, 0 on its first; None if it does not."""
        found = self.of_kind(kind)
        return day - found.first if found is not None and found.on(day) else None

    def serves(self, day: int) -> bool:
        """Return whether the outside service is asked on a day."""
        trouble = self.of_kind(Kind.SERVICE)
        return trouble is not None and trouble.first - TRIED <= day < trouble.after + KEPT

    def source(self, day: int) -> pd.DataFrame:
        """Return what the source's file holds on the morning after a day: day, item and sales as text.

        It goes back as far as the history before the first day. While its schema is another, sales are called revenue.
        """
        rows = self.truth[self.truth["day"].between(self.date(day - HISTORY), self.date(day))]
        revision, shrunk, broken = (self.of_kind(kind) for kind in (Kind.REVISION, Kind.SHRUNK, Kind.BROKEN))
        if revision is not None and day < revision.first:
            early = self.first_said[self.first_said["day"] <= self.date(day)]
            rows = pd.concat([rows[~rows["day"].isin(early["day"])], early])
        for one in self.happenings:
            if one.kind == Kind.OUTAGE or (one.kind == Kind.LATE and day < one.after):
                rows = rows[~rows["day"].between(self.date(one.first), self.date(one.after - 1))]
        if shrunk is not None and shrunk.on(day):
            rows = rows[(rows["day"] != self.date(day - 1)) | (rows["item"] == ITEMS[0])]
        sales = rows["sales"].astype(str)
        if broken is not None:
            # One row of its first day is never mended; of its second day none can be used until it is over.
            never = (rows["day"] == self.date(broken.first)) & (rows["item"] == ITEMS[0])
            none = (rows["day"] == self.date(broken.first + 1)) & broken.on(day)
            sales = sales.mask(never | none, "n/a?")
        told = rows.assign(sales=sales).sort_values(["day", "item"], ignore_index=True)
        return told.rename(columns={"sales": "revenue"}) if self.since(Kind.SCHEMA, day) is not None else told


def _truth(rng: np.random.Generator, days: int, happenings: Sequence[Happening]) -> pd.DataFrame:
    numbers = np.arange(-HISTORY, days)
    dates, frames = START + pd.to_timedelta(numbers, unit="D"), []
    for position, item in enumerate([*ITEMS, "new"]):
        values = 30.0 * (position + 1) * WEEK[dates.dayofweek] * np.exp(rng.normal(0, 0.05, len(numbers)))
        there = np.full(len(numbers), item != "new")
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
    days = [START + pd.Timedelta(days=one.first - BACK) for one in happenings if one.kind == Kind.REVISION]
    rows = truth[truth["day"].isin(days)]
    return rows.assign(sales=(rows["sales"] * 0.8).round(2))
