"""The contract of observations: every row is accepted, quarantined with a reason, or collapsed and counted.

Rows are read as text where the source has no types, parsed strictly (`parsing`), then held against row rules
(pandera). Nothing is dropped without a count: `Checked.counts` adds up to the rows read.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, cast
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.aggregation import Aggregate, aggregate
from mlops_assets.forecasting.data.duplicates import added_twice, conflicts, is_superseded
from mlops_assets.forecasting.data.grid import KEY, floor_to_grid, floored_into, is_there, on_grid, within_a_day
from mlops_assets.forecasting.data.numbers import PLAIN, NumberFormat, read_numbers, readings
from mlops_assets.forecasting.data.parsing import (
    Mask,
    has_nul,
    is_empty,
    offsets_named,
    read_item_ids,
    read_moments,
    read_texts,
)
from mlops_assets.forecasting.data.verdict import (
    CUT_OFF,
    REASONS,
    ROW_NUMBER,
    ROW_PROBLEM,
    ROW_SOURCE,
    Verdict,
    is_cut,
)
from mlops_assets.forecasting.model.errors import DataError


class ContractError(DataError):
    """The source as a whole breaks the contract: columns are missing, or too many rows are bad."""


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
        item_id: columns whose values, joined by `/`, name the series.
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
    missing = [name for name in contract.columns if name not in raw.columns]
    if missing:
        present = ", ".join(str(c) for c in raw.columns if c not in (ROW_SOURCE, ROW_NUMBER, ROW_PROBLEM))
        raise ContractError(f"missing column: {', '.join(missing)}; the source has: {present}")
    raw = raw.reset_index(drop=True)
    verdict = Verdict(len(raw))
    typed, second_time, unparsed, notes = _parse(raw, contract, verdict)
    times = _column(typed, "timestamp")
    placed = times.notna().to_numpy()
    present = pd.Timestamp(now).tz_convert(ZoneInfo(contract.time_zone)).tz_localize(None)
    future = placed & (times > present).to_numpy()
    left_out = 0
    if contract.future == "ignore":
        unparsed = [u._replace(rows=u.rows & ~future) if u.column == contract.target else u for u in unparsed]
        left_out = int((future & ~is_empty(_column(raw, contract.target))).sum())
        typed["target"] = typed["target"].mask(future)
    if contract.timestamp_floor:
        typed["timestamp"] = floor_to_grid(times, contract.frequency, contract.stamp_at_end)
        second_time = second_time & within_a_day(contract.frequency)
    moments = _column(typed, "timestamp")
    inside = moments.between(window.start, window.end, inclusive="left").to_numpy()
    early = future & typed["target"].notna().to_numpy()
    verdict.reject(early, "in_the_future", times, lambda m: f"{m} is after {present:%Y-%m-%d %H:%M}")
    unplaced = verdict.rejected & ~inside
    if exact:
        asked = contract.asked(window)
        outside = placed & ~times.between(asked.start, asked.end, inclusive="left").to_numpy()
        verdict.reject(outside, "outside_window", times, lambda m: f"{m} is not in {asked}")
    other_times = placed & ~inside & ~verdict.rejected
    verdict.ignored = other_times
    verdict.reject(is_cut(raw), "cut_off_row", _column(raw, ROW_SOURCE), lambda _: CUT_OFF)
    verdict.reject(second_time, "repeated_hour", moments, lambda m: f"{m}; use time_zone: UTC to keep both")
    there = is_there(pd.DatetimeIndex(moments.where(inside)), contract.frequency, ZoneInfo(contract.time_zone))
    verdict.reject(inside & ~there, "skipped_hour", moments, lambda m: f"{m} does not come in {contract.time_zone}")
    for name, reason, bad in unparsed:
        verdict.reject(bad, reason, _column(raw, name), lambda value, c=name: f"column {c}: {value!r}{_or(value)}")
    _apply_rules(_rows(typed, ~verdict.rejected & ~other_times), contract, verdict)
    good = _rows(typed, ~verdict.rejected & ~other_times)
    files = _column(raw, ROW_SOURCE)
    superseded = is_superseded(good, files) if contract.latest_wins else np.zeros(len(good), dtype=bool)
    good = _rows(good, ~superseded)
    aggregated = 0
    if contract.aggregate is not None:
        if contract.aggregate == "sum" and contract.latest_wins is False:
            notes += added_twice(good, times, files)
        whole = aggregate(good, times, contract.aggregate, [*contract.known, *contract.past])
        aggregated, good = len(good) - len(whole), whole
    repeated = good.assign(**{ROW_SOURCE: files.reindex(good.index)}).duplicated(
        [*contract.canonical_columns, ROW_SOURCE]
    )
    again = good.duplicated(contract.canonical_columns).to_numpy()
    collapsed, good = _rows(good, again), _rows(good, ~again)
    clash = good.duplicated(KEY, keep=False).to_numpy()
    words, between_files = conflicts(_rows(good, clash), None if contract.latest_wins is None else files)
    verdict.put(good.index[clash].to_numpy(), "conflicting_duplicate", words)
    notes += between_files
    accepted = _rows(good, ~clash).sort_values(KEY, kind="stable", ignore_index=True)
    quarantined = verdict.quarantine(raw, moments)
    counts = {
        "rows_read": len(raw),
        "rows_accepted": len(accepted),
        "rows_quarantined": len(quarantined),
        "rows_collapsed": len(collapsed),
        "rows_superseded": int(superseded.sum()),
        "rows_aggregated": aggregated,
        "rows_of_other_times": int(other_times.sum()),
    }
    gone = _column(collapsed, "timestamp")
    again_here = moments[repeated[repeated].index]
    return Checked(
        accepted, quarantined, counts, int(unplaced.sum()), left_out, gone, again_here, moments[inside], notes
    )


def _or(value: Any) -> str:
    """Say what a value that is no number would be if a field of the source said so."""
    words = readings(value)
    return f", {words}" if words else ""


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    return cast(pd.Series, frame[name])


def _rows(frame: pd.DataFrame, mask: Mask) -> pd.DataFrame:
    return frame.take(np.flatnonzero(mask))


class _Unparsed(NamedTuple):
    column: str
    reason: str
    rows: Mask


def _parse(
    raw: pd.DataFrame, contract: Contract, verdict: Verdict
) -> tuple[pd.DataFrame, Mask, list[_Unparsed], list[str]]:
    """Turn the raw columns into canonical ones; also say which rows are the second time of their hour, and what is odd.

    Rows without a usable timestamp are rejected at once. What else does not parse is returned, because only
    the rows of the window are judged by it.
    """
    if ROW_PROBLEM in raw.columns:
        malformed = raw[ROW_PROBLEM].notna().to_numpy() & ~is_cut(raw)
        verdict.reject(malformed, "malformed_row", _column(raw, ROW_PROBLEM), str)
    name, stamps = contract.timestamp, _column(raw, contract.timestamp)
    verdict.reject(is_empty(stamps), "missing_timestamp", stamps, lambda _: f"column {name}")
    moments, second_time = read_moments(stamps, ZoneInfo(contract.time_zone), contract.timestamp_format)
    form = contract.timestamp_format or "ISO 8601"
    unread = moments.isna().to_numpy()
    verdict.reject(unread, "unparsable_timestamp", stamps, lambda v: f"column {name}: {v!r} is not {form}")
    item_id = read_item_ids([_column(raw, name) for name in contract.item_id])
    notes = offsets_named(stamps) if contract.timestamp_format is None else []
    notes = [f"column {contract.timestamp}: {note} in {contract.time_zone}" for note in notes]
    columns = {"item_id": item_id, "timestamp": moments}
    unparsed: list[_Unparsed] = []
    for name in (contract.target, *contract.known, *contract.past):
        is_target = name == contract.target
        read = read_numbers(
            _column(raw, name), contract.numbers, booleans=not is_target, sources=_column(raw, ROW_SOURCE)
        )
        columns["target" if is_target else name] = read.values
        unparsed.append(_Unparsed(name, f"{'target' if is_target else 'covariate'}_not_a_number", read.bad))
        notes += [f"column {name}: {note}" for note in read.notes]
    for name in contract.static:
        columns[name] = read_texts(_column(raw, name))
    for name in (*contract.item_id, *contract.static):
        unparsed.append(_Unparsed(name, "nul_in_text", has_nul(_column(raw, name))))
    return pd.DataFrame(columns), second_time, unparsed, notes


def _apply_rules(typed: pd.DataFrame, contract: Contract, verdict: Verdict) -> None:
    """Reject what breaks a row rule; `typed` holds the rows to judge, its index their numbers."""
    import pandera.errors
    import pandera.pandas as pa

    def fits_grid(moments: pd.Series) -> pd.Series:
        return pd.Series(on_grid(moments, contract.frequency), moments.index)

    def finite(values: pd.Series) -> pd.Series:
        return values.abs() < np.inf

    def number(rule: str) -> pa.Column:
        return pa.Column(float, nullable=True, checks=pa.Check(finite, name=rule))

    item = pa.Check(pd.Series.notna, name="missing_item", ignore_na=False)
    rules = {
        "timestamp": pa.Column(checks=pa.Check(fits_grid, name="off_grid")),
        "item_id": pa.Column(nullable=True, checks=item),
        "target": number("target_infinite"),
        **{name: number("covariate_infinite") for name in (*contract.known, *contract.past)},
    }
    if typed.empty:
        return
    try:
        pa.DataFrameSchema(rules).validate(typed, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        unknown = set(cases["check"]) - set(REASONS)
        if unknown:
            raise ContractError(f"unexpected violations: {', '.join(map(str, sorted(unknown)))}") from error
        cases["rank"] = cases["check"].map(list(REASONS).index)
        first = cases.sort_values("rank", kind="stable").drop_duplicates("index")
        for reason, hits in first.groupby("check"):
            verdict.put(hits["index"].to_numpy(dtype=np.int64), str(reason), _rule_words(hits, contract))


def _rule_words(hits: pd.DataFrame, contract: Contract) -> list[str]:
    words = {
        "off_grid": f"is off the grid of frequency {contract.frequency}",
        "missing_item": f"column {' or '.join(contract.item_id)}",
    }
    found = zip(hits["check"], hits["column"], hits["failure_case"], strict=True)
    return [
        f"{value} {words[rule]}" if rule == "off_grid" else words.get(rule, f"column {column}: {value}")
        for rule, column, value in found
    ]
