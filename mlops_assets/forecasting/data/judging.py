"""Each row held against the contract by itself, batch by batch: what does not hang on other rows is settled here."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.grid import floor_to_grid, is_there, on_grid, within_a_day
from mlops_assets.forecasting.data.numbers import Said, read_numbers, readings
from mlops_assets.forecasting.data.parsing import (
    Mask,
    Offsets,
    has_nul,
    is_empty,
    offsets_named,
    read_item_ids,
    read_moments,
    read_texts,
)
from mlops_assets.forecasting.data.verdict import CUT_OFF, ROW_PROBLEM, ROW_SOURCE, Verdict, is_cut
from mlops_assets.forecasting.model.errors import DataError

if TYPE_CHECKING:
    from mlops_assets.forecasting.data.contract import Contract, Window

TIME = "\0time"
"""When a row really was: its timestamp before it is floored. No column of a source is called so."""


class ContractError(DataError):
    """The source as a whole breaks the contract: columns are missing, or too many rows are bad."""


@dataclass
class Remarks:
    """What is to be said of the columns of a source, or of a batch of its rows.

    Attributes:
        offsets: of the timestamps.
        numbers: of each column of numbers.
    """

    offsets: Offsets = field(default_factory=Offsets)
    numbers: dict[str, Said] = field(default_factory=dict)

    def __add__(self, later: "Remarks") -> "Remarks":
        names = [*self.numbers, *(name for name in later.numbers if name not in self.numbers)]
        said = {name: self.numbers.get(name, Said()) + later.numbers.get(name, Said()) for name in names}
        return Remarks(self.offsets.with_later(later.offsets), said)

    def lines(self, contract: "Contract") -> list[str]:
        """Return them, a line each."""
        notes = [f"column {contract.timestamp}: {note} in {contract.time_zone}" for note in self.offsets.lines()]
        return notes + [f"column {name}: {note}" for name, said in self.numbers.items() for note in said.lines()]


@dataclass
class Judged:
    """A batch of raw rows, or several, of which each has been held against the contract by itself.

    Attributes:
        rows: their number.
        good: canonical rows that nothing is wrong with, each with its `_source`, and its `TIME` if they are to be
            aggregated; the index is the number of the row among all rows read.
        rejected: the raw rows that something is wrong with, and why, as `Verdict.rejected_rows` returns them.
        of_window: timestamps of all rows of the window.
        unplaced, left_out, other_times: counts of rows, see `contract.Checked`.
        remarks: of the columns.
        likeness: a raw row of each batch, made of values that are not missing: they tell the types of the whole.
    """

    rows: int
    good: pd.DataFrame
    rejected: pd.DataFrame
    of_window: pd.Series
    unplaced: int
    left_out: int
    other_times: int
    remarks: Remarks
    likeness: pd.DataFrame


def together(parts: "list[Judged]") -> Judged:
    """Put batches under one another; the list is emptied, so that no row is held twice for long."""
    if len(parts) == 1:
        return parts.pop()
    unplaced, left_out = sum(part.unplaced for part in parts), sum(part.left_out for part in parts)
    other_times = sum(part.other_times for part in parts)
    remarks, rows = reduce(add, (part.remarks for part in parts)), sum(part.rows for part in parts)
    likeness = pd.concat([part.likeness for part in parts], ignore_index=True)
    good = _stacked(part.good for part in parts)
    rejected = _stacked(part.rejected for part in parts)
    of_window = pd.concat([part.of_window for part in parts], ignore_index=True)
    parts.clear()
    rejected = as_all(rejected, likeness)
    return Judged(rows, good, rejected, of_window, unplaced, left_out, other_times, remarks, likeness)


def as_all(rows: pd.DataFrame, likeness: pd.DataFrame) -> pd.DataFrame:
    """Give raw rows the types that their columns have among all rows read: a whole number beside a gap is 3.0."""
    alike = {name: kind for name, kind in likeness.dtypes.items() if name in rows and rows[name].dtype != kind}
    return rows.astype(alike) if alike else rows


def _stacked(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    held = list(frames)
    return pd.concat([frame for frame in held if len(frame)] or held[:1])


def judge(
    raw: pd.DataFrame,
    contract: "Contract",
    window: "Window",
    now: datetime,
    exact: bool,
    first: int = 0,
    names: dict[str, str] | None = None,
) -> Judged:
    """Hold each raw row against the contract by itself.

    Args:
        raw: see `contract.check`.
        contract: what the rows must be like.
        window: the time asked for.
        now: the present moment, aware.
        exact: see `contract.check`.
        first: number of the first row among all rows read.
        names: item ids that came before: each is kept once.
    """
    raw = raw.reset_index(drop=True)
    verdict = Verdict(len(raw))
    typed, second_time, unparsed, remarks = _parse(raw, contract, verdict)
    times = column(typed, "timestamp")
    placed = times.notna().to_numpy()
    present = pd.Timestamp(now).tz_convert(ZoneInfo(contract.time_zone)).tz_localize(None)
    future = placed & (times > present).to_numpy()
    left_out = 0
    if contract.future == "ignore":
        unparsed = [u._replace(rows=u.rows & ~future) if u.column == contract.target else u for u in unparsed]
        left_out = int((future & ~is_empty(column(raw, contract.target))).sum())
        typed["target"] = typed["target"].mask(future)
    if contract.timestamp_floor:
        typed["timestamp"] = floor_to_grid(times, contract.frequency, contract.stamp_at_end)
        second_time = second_time & within_a_day(contract.frequency)
    moments = column(typed, "timestamp")
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
    verdict.reject(is_cut(raw), "cut_off_row", column(raw, ROW_SOURCE), lambda _: CUT_OFF)
    verdict.reject(second_time, "repeated_hour", moments, lambda m: f"{m}; use time_zone: UTC to keep both")
    there = is_there(pd.DatetimeIndex(moments.where(inside)), contract.frequency, ZoneInfo(contract.time_zone))
    verdict.reject(inside & ~there, "skipped_hour", moments, lambda m: f"{m} does not come in {contract.time_zone}")
    for name, reason, bad in unparsed:
        verdict.reject(bad, reason, column(raw, name), lambda value, c=name: f"column {c}: {value!r}{_or(value)}")
    _apply_rules(typed, contract, verdict)
    typed[ROW_SOURCE] = column(raw, ROW_SOURCE)
    if contract.aggregate is not None:
        typed[TIME] = times
    good = take(typed, ~verdict.rejected & ~other_times)
    if names is not None:
        once = [names.setdefault(name, name) for name in good["item_id"]]
        good["item_id"] = pd.Series(once, good.index, dtype=object)
    good.index += first
    rejected = verdict.rejected_rows(raw, moments)
    rejected.index += first
    return Judged(
        len(raw),
        good,
        rejected,
        moments[inside].reset_index(drop=True),
        int(unplaced.sum()),
        left_out,
        int(other_times.sum()),
        remarks,
        _likeness(raw),
    )


def _likeness(raw: pd.DataFrame) -> pd.DataFrame:
    if not len(raw):
        return raw
    known = {name: int(np.argmax(raw[name].notna().to_numpy())) for name in raw.columns}
    return pd.DataFrame({name: raw[name].array[at : at + 1] for name, at in known.items()})


def _or(value: Any) -> str:
    """Say what a value that is no number would be if a field of the source said so."""
    words = readings(value)
    return f", {words}" if words else ""


def column(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of a frame."""
    return cast(pd.Series, frame[name])


def take(frame: pd.DataFrame, mask: Mask) -> pd.DataFrame:
    """Return the rows of a mask: the frame itself if all are meant."""
    if mask.all():
        return frame
    return frame.take(np.flatnonzero(mask))


class _Unparsed(NamedTuple):
    column: str
    reason: str
    rows: Mask


def _parse(
    raw: pd.DataFrame, contract: "Contract", verdict: Verdict
) -> tuple[pd.DataFrame, Mask, list[_Unparsed], Remarks]:
    """Turn the raw columns into canonical ones; also say which rows are the second time of their hour, and what is odd.

    Rows without a usable timestamp are rejected at once. What else does not parse is returned, because only
    the rows of the window are judged by it.
    """
    if ROW_PROBLEM in raw.columns:
        malformed = raw[ROW_PROBLEM].notna().to_numpy() & ~is_cut(raw)
        verdict.reject(malformed, "malformed_row", column(raw, ROW_PROBLEM), str)
    name, stamps = contract.timestamp, column(raw, contract.timestamp)
    verdict.reject(is_empty(stamps), "missing_timestamp", stamps, lambda _: f"column {name}")
    moments, second_time = read_moments(stamps, ZoneInfo(contract.time_zone), contract.timestamp_format)
    form = contract.timestamp_format or "ISO 8601"
    unread = moments.isna().to_numpy()
    verdict.reject(unread, "unparsable_timestamp", stamps, lambda v: f"column {name}: {v!r} is not {form}")
    item_id = (
        read_item_ids([column(raw, name) for name in contract.item_id])
        if contract.item_id
        else pd.Series(contract.target, index=raw.index, dtype=object)
    )
    remarks = Remarks(offsets_named(stamps) if contract.timestamp_format is None else Offsets())
    columns = {"item_id": item_id, "timestamp": moments}
    unparsed: list[_Unparsed] = []
    for name in (contract.target, *contract.known, *contract.past):
        is_target = name == contract.target
        read = read_numbers(
            column(raw, name), contract.numbers, booleans=not is_target, sources=column(raw, ROW_SOURCE)
        )
        columns["target" if is_target else name] = read.values
        unparsed.append(_Unparsed(name, f"{'target' if is_target else 'covariate'}_not_a_number", read.bad))
        remarks.numbers[name] = read.said
    for name in contract.static:
        columns[name] = read_texts(column(raw, name))
    for name in (*contract.item_id, *contract.static):
        unparsed.append(_Unparsed(name, "nul_in_text", has_nul(column(raw, name))))
    return pd.DataFrame(columns), second_time, unparsed, remarks


def _apply_rules(typed: pd.DataFrame, contract: "Contract", verdict: Verdict) -> None:
    """Reject what breaks a row rule, of the rows that are judged at all."""
    moments, items = column(typed, "timestamp"), column(typed, "item_id")
    judged = np.flatnonzero(~verdict.rejected & ~verdict.ignored)
    off_grid = np.zeros(len(typed), dtype=bool)
    off_grid[judged] = ~on_grid(moments.iloc[judged], contract.frequency)
    verdict.reject(off_grid, "off_grid", moments, lambda m: f"{m} is off the grid of frequency {contract.frequency}")
    verdict.reject(items.isna().to_numpy(), "missing_item", items, lambda _: f"column {' or '.join(contract.item_id)}")
    for name in ("target", *contract.known, *contract.past):
        reason, values = f"{'target' if name == 'target' else 'covariate'}_infinite", column(typed, name)
        verdict.reject(np.isinf(values.to_numpy()), reason, values, lambda value, c=name: f"column {c}: {value}")
