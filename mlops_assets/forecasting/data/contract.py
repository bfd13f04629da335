"""The contract of observations: every row is accepted, quarantined with a reason, or collapsed and counted.

Rows are read as text where the source has no types, parsed strictly (`parsing`), then held against row rules
(`judging`). Nothing is dropped without a count: `Checked.counts` adds up to the rows read.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.aggregation import Aggregate, aggregate
from mlops_assets.forecasting.data.duplicates import added_twice, conflicts, is_superseded
from mlops_assets.forecasting.data.grid import KEY, floored_into
from mlops_assets.forecasting.data.judging import TIME, ContractError, Judged, as_all, column, judge, take, together
from mlops_assets.forecasting.data.numbers import PLAIN, NumberFormat
from mlops_assets.forecasting.data.verdict import (
    CUT_OFF,
    REASONS,
    ROW_NUMBER,
    ROW_PROBLEM,
    ROW_SOURCE,
    quarantine,
    with_reason,
)

__all__ = [
    "CUT_OFF",
    "REASONS",
    "ROW_NUMBER",
    "ROW_PROBLEM",
    "ROW_SOURCE",
    "Checked",
    "Contract",
    "ContractError",
    "Window",
    "check",
    "check_batches",
]


@dataclass(frozen=True)
class Window:
    """A span of time, start included, end excluded; naive, in the spec's time zone."""

    start: pd.Timestamp
    end: pd.Timestamp

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"


@dataclass(frozen=True)
class Contract:
    """What the rows of a source must be like.

    Attributes:
        item_id: columns whose values, joined by `/`, name the series; none: all rows are of one, called by the target.
        timestamp: column of the time.
        target: column of the value.
        frequency: pandas offset alias of the grid.
        time_zone: IANA zone of the result; timestamps that name an offset are converted to it.
        timestamp_format: strptime format of text timestamps, or one of `parsing.EPOCHS`; None: ISO 8601.
        known: covariates known for the future; numbers.
        past: covariates known up to the origin; numbers.
        static: covariates that are constant per item; text.
        timestamp_floor: whether a moment between two steps of the grid counts to the period that it lies in.
        stamp_at_end: whether a timestamp names its period by its end.
        aggregate: how several rows of an item and timestamp become one; None: they contradict each other.
        future: what a target of a moment that has not come yet is: a fault, or a plan that is left out.
        numbers: how numbers in text are written.
        latest_wins: whether a row replaces those of the same item and time in earlier files; None: the source has no
            files in an order.
    """

    item_id: tuple[str, ...]
    timestamp: str
    target: str
    frequency: str
    time_zone: str = "UTC"
    timestamp_format: str | None = None
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    timestamp_floor: bool = False
    stamp_at_end: bool = False
    aggregate: Aggregate | None = None
    future: Literal["quarantine", "ignore"] = "quarantine"
    numbers: NumberFormat = PLAIN
    latest_wins: bool | None = None

    @property
    def columns(self) -> list[str]:
        """The source's columns that are needed, each once."""
        wanted = [*self.item_id, self.timestamp, self.target, *self.known, *self.past, *self.static]
        return list(dict.fromkeys(wanted))

    @property
    def canonical_columns(self) -> list[str]:
        """Columns of the accepted rows, in order."""
        return ["item_id", "timestamp", "target", *self.known, *self.past, *self.static]

    def asked(self, window: Window) -> Window:
        """Return what a source has to be asked for, that it may give the whole periods of a window."""
        if not self.timestamp_floor:
            return window
        return Window(*floored_into(window.start, window.end, self.frequency, self.stamp_at_end))


@dataclass
class Checked:
    """The outcome: accepted rows, quarantined rows and the counts.

    Attributes:
        accepted: canonical frame, sorted by item and timestamp: `item_id` (str), `timestamp` (datetime64[us],
            naive), `target` (float64), known and past covariates (float64), static covariates (str).
        quarantined: `reason`, `detail`, `source`, `source_row` (1 is the first row of data), `timestamp` (as
            accepted, or missing) and `record`, the row as read, as JSON (a malformed row: its raw text).
        counts: `rows_read` = `rows_accepted` + `rows_quarantined` + `rows_collapsed` (the same row stood there
            before) + `rows_superseded` (a later file has another for its item and timestamp) + `rows_aggregated` (taken
            into another row of its item and timestamp) + `rows_of_other_times`.
        targets_left_out: rows whose target was left out because its moment has not come yet.
        collapsed: timestamps of the collapsed rows.
        repeated: timestamps of the collapsed rows that stood in the same file before. Files may overlap; a file that
            says the same twice may mean two sales.
        of_window: timestamps of all rows of the window, whatever has become of them.
        rows_unplaced: quarantined rows that cannot be told to be of the window: their timestamp is missing,
            unreadable, or lies outside of it in the future.
        notes: what was taken for what, and what is odd without being wrong, a line each.
    """

    accepted: pd.DataFrame
    quarantined: pd.DataFrame
    counts: dict[str, int] = field(default_factory=dict)
    rows_unplaced: int = 0
    targets_left_out: int = 0
    collapsed: pd.Series = field(default_factory=lambda: pd.Series(dtype="datetime64[us]"))
    repeated: pd.Series = field(default_factory=lambda: pd.Series(dtype="datetime64[us]"))
    of_window: pd.Series = field(default_factory=lambda: pd.Series(dtype="datetime64[us]"))
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of_stored(cls, rows: pd.DataFrame) -> "Checked":
        """Return the outcome for rows that were accepted before."""
        kept = dict.fromkeys(("rows_quarantined", "rows_collapsed", "rows_superseded", "rows_aggregated"), 0)
        counts = {"rows_read": len(rows), "rows_accepted": len(rows), **kept, "rows_of_other_times": 0}
        nothing = pd.DataFrame(columns=["reason", "detail", "source", "source_row", "timestamp", "record"])
        return cls(rows, nothing, counts, of_window=rows["timestamp"])

    @property
    def repeated_share(self) -> float:
        """Rows that repeat another one of their file, as a share of the good ones."""
        return _share(len(self.repeated), self.counts["rows_collapsed"] + self.counts["rows_accepted"])

    @property
    def reasons(self) -> dict[str, int]:
        """Quarantined rows by reason code, most frequent first."""
        return {str(k): int(v) for k, v in self.quarantined["reason"].value_counts().items()}

    @property
    def quarantine_share(self) -> float:
        """The larger of two shares: bad rows of the window's rows, and unplaceable rows of all rows read."""
        placed = self.counts["rows_quarantined"] - self.rows_unplaced
        of_window = self.counts["rows_read"] - self.counts["rows_of_other_times"] - self.rows_unplaced
        shares = (
            placed / of_window if of_window else 0.0,
            _share(self.rows_unplaced, self.counts["rows_read"]),
        )
        return max(shares)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def check(raw: pd.DataFrame, contract: Contract, window: Window, now: datetime, exact: bool = False) -> Checked:
    """Hold raw rows against the contract.

    Args:
        raw: the source's columns, text or typed, plus `_source` (str), `_row` (int) and, where the source
            could not read a row, `_problem` (str, its words) with the raw line in the first column.
        contract: what the rows must be like.
        window: the time asked for.
        now: the present moment, aware; later targets are refused.
        exact: the source promised to honour the window, so that a row outside is an error and not another
            partition's.

    Raises:
        ContractError: a column of the contract is absent.
    """
    _require(raw, contract)
    return _concluded(judge(raw, contract, window, now, exact), contract, lambda numbers: raw.iloc[numbers])


def check_batches(
    read: Callable[[], Iterator[pd.DataFrame]], contract: Contract, window: Window, now: datetime, exact: bool = False
) -> Checked:
    """Hold the rows of a source against the contract as `check` does, batch by batch.

    Of rows that are accepted only what they say is held, not how it was written. What hangs on how others are written
    is read once more: rows that contradict each other, for their record; and all of them, together, where numbers are
    not written plainly, or a column has texts in one batch and dates, say, in another.

    Args:
        read: reads the source from its beginning; see `check` for a batch. One at least comes.
        contract: see `check`.
        window: see `check`.
        now: see `check`.
        exact: see `check`.

    Raises:
        ContractError: a column of the contract is absent.
    """
    parts: list[Judged] = []
    rows, names = 0, {}
    only: list[pd.DataFrame] = []
    for raw in read():
        _require(raw, contract)
        parts.append(judge(raw, contract, window, now, exact, rows, names))
        only = [] if rows else [raw]
        rows += len(raw)
        if len(parts) > 1 and not _separable(parts):
            parts.clear()
            return check(pd.concat(list(read()), ignore_index=True), contract, window, now, exact)
    return _concluded(together(parts), contract, lambda numbers: _rows_of(only or read(), numbers))


def _separable(parts: Sequence[Judged]) -> bool:
    """Whether the last batch says by itself what it says beside the first: see `Said.odd`, and types that are alike."""
    first, last = (part.likeness.dtypes for part in (parts[0], parts[-1]))
    alike = (one == other or {one.kind, other.kind} <= set("iufO") for one, other in zip(first, last, strict=True))
    return all(alike) and not any(said.odd for part in (parts[0], parts[-1]) for said in part.remarks.numbers.values())


def _rows_of(batches: Iterable[pd.DataFrame], numbers: np.ndarray) -> pd.DataFrame:
    """Return rows by their numbers among all rows, which are ascending."""
    found, first = [], 0
    for raw in batches:
        here = numbers[(numbers >= first) & (numbers < first + len(raw))]
        found += [raw.iloc[here - first]] if len(here) else []
        first += len(raw)
    return pd.concat(found)


def _require(raw: pd.DataFrame, contract: Contract) -> None:
    missing = [name for name in contract.columns if name not in raw.columns]
    if missing:
        present = ", ".join(str(c) for c in raw.columns if c not in (ROW_SOURCE, ROW_NUMBER, ROW_PROBLEM))
        raise ContractError(f"missing column: {', '.join(missing)}; the source has: {present}")


def _concluded(judged: Judged, contract: Contract, raw_rows: Callable[[np.ndarray], pd.DataFrame]) -> Checked:
    """Hold the good rows against each other: which count, and which contradict one another."""
    notes, good = judged.remarks.lines(contract), judged.good
    files, times = column(good, ROW_SOURCE), good.get(TIME, column(good, "timestamp"))
    good = good[contract.canonical_columns]
    judged.good = good.iloc[:0]
    before = len(good)
    if contract.latest_wins:
        good = take(good, ~is_superseded(good, files))
    superseded, aggregated = before - len(good), 0
    if contract.aggregate is not None:
        if contract.aggregate == "sum" and contract.latest_wins is False:
            notes += added_twice(good, times, files)
        whole = aggregate(good, times, contract.aggregate, [*contract.known, *contract.past])
        aggregated, good = len(good) - len(whole), whole
    again = good.duplicated(contract.canonical_columns).to_numpy()
    # Of rows that stand there twice only: most sources have none.
    twice = take(good, good.duplicated(contract.canonical_columns, keep=False).to_numpy())
    of_file = twice.assign(**{ROW_SOURCE: files.reindex(twice.index)})
    again_here = column(take(twice, of_file.duplicated().to_numpy()), "timestamp")
    collapsed, good = take(good, again), take(good, ~again)
    clash = good.duplicated(KEY, keep=False).to_numpy()
    contradicting = take(good, clash)
    words, between_files = conflicts(contradicting, None if contract.latest_wins is None else files)
    notes += between_files
    rejected = judged.rejected
    if len(contradicting):
        raw = as_all(raw_rows(contradicting.index.to_numpy()).set_axis(contradicting.index), judged.likeness)
        more = with_reason(raw, "conflicting_duplicate", words, column(contradicting, "timestamp"))
        rejected = pd.concat([rejected, more]).sort_index() if len(rejected) else more
    accepted = take(good, ~clash).sort_values(KEY, kind="stable", ignore_index=True)
    quarantined = quarantine(rejected)
    counts = {
        "rows_read": judged.rows,
        "rows_accepted": len(accepted),
        "rows_quarantined": len(quarantined),
        "rows_collapsed": len(collapsed),
        "rows_superseded": superseded,
        "rows_aggregated": aggregated,
        "rows_of_other_times": judged.other_times,
    }
    gone = column(collapsed, "timestamp")
    return Checked(
        accepted, quarantined, counts, judged.unplaced, judged.left_out, gone, again_here, judged.of_window, notes
    )
