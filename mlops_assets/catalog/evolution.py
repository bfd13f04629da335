"""How a table that an earlier release wrote is read as one of today's: old names, and columns that it lacks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from mlops_assets.catalog.column import FIRST_RELEASE, Column, Columns
from mlops_assets.catalog.columns import TABLES


@dataclass(frozen=True)
class Evolution:
    """What has changed in a table's columns since the first release; false if nothing has.

    Attributes:
        columns: the table's, of today.
    """

    columns: Columns

    def __bool__(self) -> bool:
        return bool(self._formerly or self._added)

    @cached_property
    def _formerly(self) -> dict[str, str]:
        """A name of the past to the name of today."""
        return {past: one.name for one in self.columns for past in one.formerly}

    @cached_property
    def _added(self) -> dict[str, Column]:
        return {one.name: one for one in self.columns if one.since != FIRST_RELEASE}

    def renamed(self, stored: Sequence[str]) -> list[str]:
        """Return today's names of a stored table's columns, in their order."""
        today = {past: new for past, new in self._formerly.items() if new not in stored}
        return [today.get(name, name) for name in stored]

    def lacking(self, stored: Iterable[str]) -> list[Column]:
        """Return the columns that came after a table was stored, given today's names of those that it has."""
        there = set(stored)
        return [one for name, one in self._added.items() if name not in there]

    def concerns(self, stored: Sequence[str]) -> bool:
        """Return whether a stored table has other columns than one of today would have."""
        return bool(self) and (self.renamed(stored) != list(stored) or bool(self.lacking(stored)))

    def names_of(self, columns: Sequence[str] | None) -> list[str] | None:
        """Return columns that are wanted and all names under which they may be stored; one at least is stored.

        None stands for all columns.
        """
        if columns is None:
            return None
        old = [] if set(columns) - self._added.keys() else [c.name for c in self.columns if c.name not in self._added]
        today = [*columns, *old[:1]]
        return today + [past for past, new in self._formerly.items() if new in today]

    def stored_as(self, columns: Sequence[str], stored: Sequence[str]) -> list[str]:
        """Return the names under which one stored table has columns that are wanted, and one at least."""
        before = dict(zip(self.renamed(stored), stored, strict=True))
        lacking = {one.name for one in self.lacking(before)}
        return [before.get(name, name) for name in columns if name not in lacking] or list(stored[:1])


def evolution_of(key: Sequence[str]) -> Evolution:
    """Return what has changed in the table of a key `<forecast>/<table>`; nothing for a table that is not ours."""
    return Evolution(TABLES.get(key[-1], ()) if len(key) == 2 else ())
