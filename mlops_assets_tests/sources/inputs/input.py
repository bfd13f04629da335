"""One odd input, and what is expected of it."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HEADER = ["item", "day", "sales", "rain", "kind"]
GOOD = [["a", "2024-03-01", "1", "0", "k"], ["a", "2024-03-02", "2", "0", "k"]]
"""Rows that stand before the one in question."""
USUAL = {"item": "b", "day": "2024-03-05", "sales": "4", "rain": "0", "kind": "k"}
GAP = "gap"
"""Stands for a missing target among those that are read."""


@dataclass(frozen=True)
class Outcome:
    """What becomes of an input.

    Attributes:
        targets: that are accepted.
        note: part of a note that is told; None: there is nothing to tell.
        reason: of the rows that are rejected; None: none is.
        refused: part of the message with which the source as a whole is refused.
        counted: the count that tells of it, other than of rows read and accepted.
    """

    targets: tuple[Any, ...] = ()
    note: str | None = None
    reason: str | None = None
    refused: str | None = None
    counted: str | None = None

    def __str__(self) -> str:
        if self.refused is not None:
            return f"refused: {self.refused}"
        if self.reason is not None:
            return f"quarantined: `{self.reason}`"
        if self.counted is not None:
            return f"counted: `{self.counted}`"
        what = "a gap" if GAP in self.targets else "read"
        return what if self.note is None else f"{what}, and told: {self.note}"


@dataclass(frozen=True)
class Input:
    """An input.

    Attributes:
        what: in words.
        files: name -> content.
        outcome: what is expected.
        source: fields of the spec's source.
        spec: other fields of the spec.
    """

    what: str
    files: Mapping[str, bytes]
    outcome: Outcome
    source: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)


def reads(*targets: Any) -> Outcome:
    """It is what it seems."""
    return Outcome(targets)


def noted(note: str, *targets: Any) -> Outcome:
    """It is read, and it is told how."""
    return Outcome(targets, note=note)


def rejects(reason: str, *targets: Any) -> Outcome:
    """Rows go to the quarantine; the others are read."""
    return Outcome(targets or (1, 2), reason=reason)


def refuses(words: str) -> Outcome:
    """The source is refused."""
    return Outcome(refused=words)


def counts(name: str, *targets: Any) -> Outcome:
    """It is left out and counted."""
    return Outcome(targets or (1, 2), counted=name)


def text_of(rows: list[list[Any]], delimiter: str = ",") -> bytes:
    """Write CSV with a header."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([HEADER, *rows])
    return text.getvalue().encode()


def cell(column: str, value: str, outcome: Outcome, what: str | None = None, **fields: Any) -> Input:
    """One odd value in a row that is good otherwise, after two good rows."""
    row = list({**USUAL, column: value}.values())
    return Input(what or f"{column} `{value}`", {"sales.csv": text_of([*GOOD, row])}, outcome, **fields)


def plain(what: str, content: bytes | str, outcome: Outcome, name: str = "sales.csv", **fields: Any) -> Input:
    """One file."""
    return Input(what, {name: content.encode() if isinstance(content, str) else content}, outcome, **fields)
