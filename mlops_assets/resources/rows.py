"""Which rows of a stored table are wanted: by item, by time, or both."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

ITEM, TIME = "item_id", "timestamp"


@dataclass(frozen=True)
class Span:
    """A closed range of item ids, in the order of their code points.

    Attributes:
        first: the first that is meant.
        last: the last that is meant.
    """

    first: str
    last: str


@dataclass(frozen=True)
class Only:
    """Which rows are wanted; a row in which a bounded column is missing is not.

    Attributes:
        items: of column `item_id`; None: no bound.
        since: of column `timestamp`, included, as naive as the column; None: no bound.
        until: of column `timestamp`, included, as naive as the column; None: no bound.
    """

    items: Span | Sequence[str] | None = None
    since: pd.Timestamp | None = None
    until: pd.Timestamp | None = None

    @property
    def columns(self) -> list[str]:
        """The columns that are bounded."""
        timed = self.since is not None or self.until is not None
        return [ITEM] * (self.items is not None) + [TIME] * timed
