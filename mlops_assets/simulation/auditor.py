"""The auditor: a small model of what must be stored after each day, that asks the system nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

ROW = ["item_id", "timestamp"]


@dataclass
class Auditor:
    """Remembers what the source has given, and compares it with what is stored.

    Attributes:
        expected: (item, day) -> the value that must be stored.
    """

    expected: dict[tuple[str, pd.Timestamp], float] = field(default_factory=dict)

    def see(self, source: pd.DataFrame, read: Sequence[pd.Timestamp]) -> None:
        """Note what a morning's source says of the days that are read, and of those of which nothing was known.

        Args:
            source: day, item, sales as text; one that is no number must not be stored.
            read: the days that are read anew.
        """
        known = {day for _, day in self.expected}
        for item, day, text in zip(source["item"], source["day"], source["sales"], strict=True):
            value = pd.to_numeric(text, errors="coerce")
            if pd.notna(value) and (day in read or day not in known):
                self.expected[item, day] = float(value)

    def faults(self, stored: pd.DataFrame) -> list[str]:
        """Return what is wrong with the stored observations, in words: nothing lost, doubled, made up or changed.

        Args:
            stored: item_id, timestamp, target.
        """
        doubled = stored.loc[stored.duplicated(ROW), ROW]
        found = [f"{item} on {day:%Y-%m-%d} is stored twice" for item, day in doubled.itertuples(index=False)]
        there = {
            (item, day): value
            for item, day, value in stored[[*ROW, "target"]].itertuples(index=False)
            if pd.notna(value)
        }
        for item, day in sorted(self.expected.keys() | there.keys()):
            must, is_ = self.expected.get((item, day)), there.get((item, day))
            if must != is_:
                found.append(f"{item} on {day:%Y-%m-%d} must be {must} and is {is_}")
        return found
