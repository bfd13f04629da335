"""What people do to a forecast: adjust it, take that back, lock a period, and unlock it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.adjustments.log import (
    ADJUST,
    FACTOR,
    KINDS,
    LOCK,
    ORIGIN,
    UNLOCK,
    VALUE,
    WITHDRAW,
    Action,
    AdjustmentError,
    Adjustments,
    Ends,
    Entry,
    LockedError,
    covered,
    ended,
    items_of,
    overlapping,
    row_of,
    standing,
)
from mlops_assets.adjustments.publisher import Publisher
from mlops_assets.adjustments.scope import Scope
from mlops_assets.errors import UnknownNameError
from mlops_assets.forecasting.evaluation.hierarchy import PREFIX
from mlops_assets.forecasting.formatting import plain_rows
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec

_LARGEST, _LARGEST_FACTOR = 1e15, 1e6
"""Beyond it a value, and a factor, is a slip."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Wanted:
    """What a person wants to change.

    Attributes:
        item: item, or sum of items: `sum:north`; `sum:*`: all.
        since: the first timestamp, in ISO 8601, in the spec's time zone where it names no offset.
        until: the last one; a date is all of its day. None: the same as `since`.
        kind: `value`, `factor` or `delta`.
        amount: how much.
        reason: why, in a word.
        note: why, in a sentence.
        ends: `until` its last timestamp has passed, or with the latest `origin`.
        replaces: number of the adjustment in whose place it is.
    """

    item: str
    since: str
    until: str | None = None
    kind: str = FACTOR
    amount: float = 1.0
    reason: str = ""
    note: str = ""
    ends: Ends = "until"
    replaces: int | None = None


@dataclass(frozen=True)
class Change:
    """What a person has done, or would do.

    Attributes:
        forecast: name of the forecast.
        number: of the row in the log; None: nothing was done.
        entry: the row.
        by: who.
        rows: item_id, timestamp, lead, and the point forecast of the `system`, and as it was published `before` and is
            `after`; of those that it is about.
    """

    forecast: str
    number: int | None
    entry: Entry
    by: str
    rows: pd.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        entry = self.entry
        told = ("action", "item_id", "kind", "amount", "reason", "note", "ends", "replaces")
        return {
            "forecast": self.forecast,
            "number": self.number,
            "made_by": self.by,
            **{name: getattr(entry, name) for name in told},
            "since": entry.since.isoformat(),
            "until": entry.until.isoformat(),
            "origin": entry.origin.isoformat(),
            "rows": plain_rows(self.rows),
        }


class Adjuster:
    """Writes down what people do to one forecast, and publishes what comes of it."""

    def __init__(self, tables: Tables, spec: ForecastSpec, clock: Clock) -> None:
        self._spec, self._clock = spec, clock
        self._scope, self._publisher = Scope(tables, spec), Publisher(tables, spec)

    @property
    def log(self) -> Adjustments:
        """What was done."""
        return self._publisher.log

    def adjust(self, wanted: Wanted, by: str, dry_run: bool = False) -> Change:
        """Adjust the forecast.

        Args:
            wanted: how.
            by: who.
            dry_run: only show what would come of it.

        Raises:
            AdjustmentError: it cannot be adjusted so; LockedError: somebody has locked it.
            UnknownNameError: there is no such item or sum.
        """
        self._require_amount(wanted)
        self._require_reason(wanted.reason)
        entry = self._scope.entry(ADJUST, wanted.item, wanted.since, wanted.until)
        entry = replace(entry, kind=wanted.kind, amount=float(wanted.amount), ends=wanted.ends)
        entry = replace(entry, reason=wanted.reason, note=wanted.note)

        def decide(log: pd.DataFrame) -> Entry:
            if wanted.ends == ORIGIN and entry.since > (last := self._scope.last(entry.origin)):
                raise AdjustmentError(
                    f"the forecast from {entry.origin} reaches no further than {last}", parameter="since"
                )
            if wanted.replaces is not None:
                self._standing(log, wanted.replaces, ADJUST, entry.origin, "replaces")
            self._require_unlocked(log, entry)
            return replace(entry, replaces=wanted.replaces)

        return self._do(decide, by, dry_run)

    def withdraw(self, number: int, by: str, reason: str = "", note: str = "", dry_run: bool = False) -> Change:
        """Take an adjustment back, from now on; what was published with it stays known.

        Raises:
            AdjustmentError: there is no such adjustment that still holds; LockedError: somebody has locked it.
        """

        def decide(log: pd.DataFrame) -> Entry:
            entry = self._ending(log, number, ADJUST, WITHDRAW, reason, note)
            self._require_unlocked(log, entry)
            return entry

        return self._do(decide, by, dry_run)

    def lock(
        self,
        item: str,
        since: str,
        until: str | None,
        by: str,
        reason: str = "",
        note: str = "",
        dry_run: bool = False,
    ) -> Change:
        """Lock a period: what is published of it stays, whatever later origins forecast, and nobody adjusts it.

        Raises:
            AdjustmentError: there is no forecast yet, or the period is over.
            UnknownNameError: there is no such item or sum.
        """
        entry = replace(self._scope.entry(LOCK, item, since, until), reason=reason, note=note)
        return self._do(lambda log: entry, by, dry_run)

    def unlock(self, number: int, by: str, reason: str = "", note: str = "", dry_run: bool = False) -> Change:
        """Lift a lock; from now on the latest forecast and its adjustments are published again.

        Raises:
            AdjustmentError: there is no such lock that still holds.
        """
        return self._do(lambda log: self._ending(log, number, LOCK, UNLOCK, reason, note), by, dry_run)

    def _do(self, decide: Callable[[pd.DataFrame], Entry], by: str, dry_run: bool) -> Change:
        key, now = self._scope.latest(), self._clock.now()
        log = self.log.all()
        entry = decide(log)
        for name, text in (("reason", entry.reason), ("note", entry.note), ("name", by)):
            if _CONTROL.search(text):
                raise AdjustmentError(
                    f"the {name} {text[:40]!r} has a character in it that is none of a text", parameter=name
                )
        after = (
            pd.concat([log, row_of(entry, len(log) + 1, by, now)], ignore_index=True)
            if len(log)
            else row_of(entry, 1, by, now)
        )
        rows = self._compared(key, log, after, entry)
        if dry_run:
            return Change(self._spec.name, None, entry, by, rows)
        number, entry = self.log.append(decide, by, now)
        self._publisher.refresh(self._scope.since(key), naive_utc(now))
        return Change(self._spec.name, number, entry, by, rows)

    def _compared(self, key: str, log: pd.DataFrame, after: pd.DataFrame, entry: Entry) -> pd.DataFrame:
        """Return what the latest forecast says of what an entry is about: of the system, before it, and after it."""
        system = self._publisher.system(key, pd.concat([log, after]) if len(log) else after)
        point, by = self._spec.task.point_column, ["item_id", "timestamp"]
        about = covered(after.iloc[-1], system["item_id"], system["timestamp"])
        found = system.loc[about, [*by, "lead", point]].rename(columns={point: "system"})
        for name, known in (("before", log), ("after", after)):
            made = self._publisher.made(key, system, known)[[*by, point]].rename(columns={point: name})
            found = found.merge(made, on=by, how="left")
            found[name] = found[name].fillna(found["system"])
        return found.sort_values(by, ignore_index=True)

    def _require_amount(self, wanted: Wanted) -> None:
        if wanted.kind not in KINDS:
            raise AdjustmentError(
                f"the kind {wanted.kind!r} is not known; known are {', '.join(KINDS)}", parameter="kind"
            )
        most = _LARGEST_FACTOR if wanted.kind == FACTOR else _LARGEST
        if not abs(wanted.amount) <= most:  # what is no number, too
            raise AdjustmentError(
                f"{wanted.amount:g} is no {wanted.kind} of a forecast: at most {most:g}", parameter="amount"
            )
        if wanted.kind == FACTOR and wanted.amount < 0:
            raise AdjustmentError(f"a factor is zero or above, not {wanted.amount:g}", parameter="amount")
        for bound, beyond in ((self._spec.minimum, np.less), (self._spec.maximum, np.greater)):
            number = bound if isinstance(bound, int | float) else None
            alone = wanted.kind == VALUE and not wanted.item.startswith(PREFIX)
            if alone and number is not None and beyond(wanted.amount, number):
                raise AdjustmentError(
                    f"{wanted.amount:g} is beyond what the spec declares possible, {number:g}", parameter="amount"
                )

    def _require_reason(self, reason: str) -> None:
        if not reason.strip():
            raise AdjustmentError("an adjustment has to say why: a reason, such as promotion", parameter="reason")
        if (known := self._spec.adjustments.reasons) and reason not in known:
            raise UnknownNameError.of("reason", reason, known, parameter="reason")

    def _require_unlocked(self, log: pd.DataFrame, entry: Entry) -> None:
        about = row_of(entry, 0, "", self._clock.now()).iloc[0]
        locks = overlapping(standing(log, entry.origin, LOCK), items_of(about), entry.since, entry.until)
        if len(locks):
            lock = locks.iloc[0]
            why = f": {lock['note'] or lock['reason']}" if lock["note"] or lock["reason"] else ""
            raise LockedError(
                f"{lock['item_id']} is locked from {lock['since']} to {lock['until']} (lock {lock['number']} by "
                f"{lock['made_by']} on {lock['made_at']:%Y-%m-%d %H:%M} UTC{why}); adjust the rest, or unlock it",
                advice=[f"mlops-assets adjust {self._spec.name} --unlock {lock['number']}"],
            )

    def _standing(
        self, log: pd.DataFrame, number: int, action: Action, origin: pd.Timestamp, parameter: str = "number"
    ) -> "pd.Series":
        """Return an adjustment, or a lock, that holds.

        Raises:
            AdjustmentError: there is none of that number, or it does not hold any more.
        """
        what, holding = "lock" if action == LOCK else "adjustment", standing(log, origin, action)
        found = holding[holding["number"] == number]
        if len(found):
            return found.iloc[0]
        look = [f"mlops-assets adjust {self._spec.name}"]
        if not (log.loc[log["action"] == action, "number"] == number).any():
            there = ", ".join(map(str, holding["number"])) or "none"
            raise AdjustmentError(
                f"there is no {what} {number} of {self._spec.name}; holding are: {there}",
                advice=look,
                parameter=parameter,
            )
        by = ended(log).get(number)
        how = "its period, or its origin, is over" if by is None else f"number {by} has ended it"
        raise AdjustmentError(
            f"{what} {number} of {self._spec.name} does not hold any more: {how}", advice=look, parameter=parameter
        )

    def _ending(self, log: pd.DataFrame, number: int, of: Action, action: Action, reason: str, note: str) -> Entry:
        origin = self._scope.origin(self._scope.latest())
        over = self._standing(log, number, of, origin)
        items = tuple(items_of(over) or ()) if over["items"] else ()
        return Entry(
            action,
            over["item_id"],
            over["since"],
            over["until"],
            origin,
            items,
            reason=reason,
            note=note,
            replaces=number,
        )
