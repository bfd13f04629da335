"""The log of what people have changed: only ever added to, so that nothing that anybody has done is lost.

A row is the next numbered partition of the table `<name>/adjustments`, which can be created once. Of two people at the
same time one is second: what they ask for is held against the log again, and gets the number after.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from mlops_assets.catalog.column import typed
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.log import Log, numbered
from mlops_assets.catalog.names import ADJUSTMENTS
from mlops_assets.errors import ExitCode, UsageError
from mlops_assets.forecasting.evaluation.hierarchy import PREFIX
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables

ADJUST, WITHDRAW, LOCK, UNLOCK = "adjust", "withdraw", "lock", "unlock"
VALUE, FACTOR, DELTA = "value", "factor", "delta"
KINDS = (VALUE, FACTOR, DELTA)
UNTIL, ORIGIN = "until", "origin"
EVERYTHING = f"{PREFIX}*"
"""Stands for all items, as the top of a hierarchy does."""

Action = Literal["adjust", "withdraw", "lock", "unlock"]
Ends = Literal["until", "origin"]


class AdjustmentError(UsageError):
    """What a person wants to change cannot be changed so; the message says what can.

    Attributes:
        parameter: that cannot be; empty where it is none's fault.
    """

    def __init__(self, message: str = "", *, advice: Sequence[str] = (), parameter: str = "") -> None:
        super().__init__(message, advice=advice)
        self.parameter = parameter


class LockedError(AdjustmentError):
    """It is about a period that somebody has locked."""

    exit_code: ClassVar[int] = ExitCode.NOT_ALLOWED


@dataclass(frozen=True)
class Entry:
    """One row of the log, but for its number, moment and name.

    Attributes:
        action: what was done.
        item_id: item or sum of items that it is about; `EVERYTHING`: all.
        since: the first timestamp that it is about.
        until: the last one, included.
        origin: the latest origin then.
        items: of a sum of some items, which they were.
        kind: `value`, `factor` or `delta` of an adjustment; empty of others.
        amount: how much; None of others.
        reason: why, in a word.
        note: why, in a sentence.
        ends: when it ends by itself: `until` its last timestamp has passed, or with its `origin`.
        replaces: number of what ends with it.
    """

    action: Action
    item_id: str
    since: pd.Timestamp
    until: pd.Timestamp
    origin: pd.Timestamp
    items: tuple[str, ...] = ()
    kind: str = ""
    amount: float | None = None
    reason: str = ""
    note: str = ""
    ends: Ends = UNTIL
    replaces: int | None = None


class Adjustments:
    """What people have changed of one forecast, in the order in which they did."""

    def __init__(self, tables: Tables, forecast: str) -> None:
        self._log = Log(tables, forecast, ADJUSTMENTS)

    def all(self) -> pd.DataFrame:
        """Return the whole log, the oldest row first."""
        return self._log.rows().sort_values("number", ignore_index=True)

    def append(self, decide: Callable[[pd.DataFrame], Entry], by: str, now: datetime) -> tuple[int, Entry]:
        """Write down what a person does, held against the log as it is when it is written.

        Args:
            decide: makes the row from the log, or refuses it; called again when somebody was faster.
            by: who.
            now: the present moment, aware.

        Returns:
            Its number, and the row.
        """
        while True:
            log = self.all()
            entry = decide(log)
            number = len(log) + 1
            if self._log.add(_row(entry, number, by, now), numbered(number)):
                return number, entry


def row_of(entry: Entry, number: int, by: str, now: datetime) -> pd.DataFrame:
    """Return a row of the log as a frame."""
    return typed(pd.DataFrame([_row(entry, number, by, now)]), TABLES[ADJUSTMENTS])


def _row(entry: Entry, number: int, by: str, now: datetime) -> dict[str, Any]:
    items = json.dumps(list(entry.items)) if entry.items else ""
    return {"number": number, "made_at": naive_utc(now), "made_by": by, **asdict(entry), "items": items}


def ended(log: pd.DataFrame) -> dict[int, int]:
    """Return which rows of a log are over because somebody said so: their number -> that of the row that says it."""
    told = log[log["replaces"].notna()]
    return {int(over): int(by) for over, by in zip(told["replaces"], told["number"], strict=True)}


def standing(log: pd.DataFrame, origin: pd.Timestamp, action: Action) -> pd.DataFrame:
    """Return the adjustments, or the locks, that hold for the forecast of an origin, in their order.

    What was done when a later origin was the latest does not count, be it to adjust or to withdraw: an earlier
    forecast had been published by then.
    """
    known = log[log["origin"] <= origin]
    over = ended(known)
    holds = (known["action"] == action) & ~known["number"].isin(list(over))
    ahead = (known["until"] > origin) & ((known["ends"] == UNTIL) | (known["origin"] == origin))
    return known[holds & ahead]


def items_of(row: "pd.Series") -> list[str] | None:
    """Return the items that a row of the log is about; None: all."""
    if row["item_id"] == EVERYTHING:
        return None
    return json.loads(row["items"]) if row["items"] else [row["item_id"]]


def of_a_sum(row: "pd.Series") -> bool:
    """Whether a row of the log is about a sum of items."""
    return row["item_id"] == EVERYTHING or bool(row["items"])


def covered(row: "pd.Series", item: pd.Series, timestamp: pd.Series) -> pd.Series:
    """Return which forecasts, by item and timestamp, a row of the log is about."""
    within, items = timestamp.between(row["since"], row["until"]), items_of(row)
    return within if items is None else within & item.isin(items)


def overlapping(
    rows: pd.DataFrame, items: Sequence[str] | None, since: pd.Timestamp, until: pd.Timestamp
) -> pd.DataFrame:
    """Return the rows of the log that share items (None: all) and timestamps with what is given."""
    meets = (rows["since"] <= until) & (rows["until"] >= since)
    if items is not None:
        shares = [(own := items_of(row)) is None or not {*own}.isdisjoint(items) for _, row in rows.iterrows()]
        meets &= np.array(shares, dtype=bool)
    return rows[meets]


def told(log: pd.DataFrame, origin: pd.Timestamp | None = None) -> pd.DataFrame:
    """Return a log with what has become of each row.

    Args:
        log: the rows.
        origin: the latest; None: that of the last row.

    Returns:
        The same rows with `state`: of adjustments and locks `holds`, `over` (their period has passed, or their origin),
        or `ended by 3`, the number of the row that says so; empty of the others.
    """
    if log.empty:
        return log.assign(state=pd.Series(dtype=object))
    present = log["origin"].max() if origin is None else origin
    holding = {*standing(log, present, ADJUST)["number"], *standing(log, present, LOCK)["number"]}
    by = ended(log)
    states = [
        "holds" if number in holding else f"ended by {by[number]}" if number in by else "over"
        for number in log["number"]
    ]
    return log.assign(state=np.where(log["action"].isin([ADJUST, LOCK]), states, ""))
