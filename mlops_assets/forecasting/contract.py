"""The contract of observations: every row read is accepted, quarantined with a reason, or collapsed and counted.

Rows are read as text where the source has no types, parsed strictly here, then held against row rules (pandera).
Nothing is dropped without a count: `Checked.counts` adds up to the rows read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from .grid import on_grid

SOURCE = "_source"
ROW = "_row"
PROBLEM = "_problem"

REASONS: dict[str, str] = {
    "malformed_row": "the source could not split the row into its columns",
    "missing_timestamp": "the timestamp is empty",
    "unparsable_timestamp": "the timestamp is not a date or time in the declared format",
    "in_the_future": "a target is given for a moment that has not come yet",
    "outside_window": "the source was asked for a window of time and gave a row outside it",
    "off_grid": "the timestamp is not on the grid of the frequency",
    "repeated_hour": "the hour comes twice when the clocks go back, and this is its second time",
    "missing_item": "a column that names the item is empty",
    "target_not_a_number": "the target is not a number",
    "target_infinite": "the target is infinite",
    "covariate_not_a_number": "a known or past covariate is neither a number nor true or false",
    "covariate_infinite": "a known or past covariate is infinite",
    "conflicting_duplicate": "another row of the same item and timestamp says otherwise",
}

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity)|nan"
_OFFSET = r"(?:[zZ]|[+-]\d{2}:?\d{2}|[+-]\d{2})$"
_WITH_TIME = r"\d[T ]\d{2}"


class ContractError(ValueError):
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
        time_zone: IANA zone that timestamps with an offset are converted to; those without are taken to be in it.
        timestamp_format: strptime format of text timestamps; None: ISO 8601.
        known: covariates known for the future; numbers.
        past: covariates known up to the origin; numbers.
        static: covariates that are constant per item; text.
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

    @property
    def columns(self) -> list[str]:
        """The source's columns that are needed, each once."""
        wanted = [*self.item_id, self.timestamp, self.target, *self.known, *self.past, *self.static]
        return list(dict.fromkeys(wanted))

    @property
    def canonical_columns(self) -> list[str]:
        """Columns of the accepted rows, in order."""
        return ["item_id", "timestamp", "target", *self.known, *self.past, *self.static]


@dataclass
class Checked:
    """The outcome: accepted rows, quarantined rows and the counts.

    Attributes:
        accepted: canonical frame, sorted by item and timestamp: `item_id` (str), `timestamp` (datetime64[us],
            naive), `target` (float64), known and past covariates (float64), static covariates (str).
        quarantined: `reason`, `detail`, `source`, `source_row` (1 is the first row of data), `timestamp` (as
            accepted, or missing) and `record`, the row as it was read, as JSON (a malformed row: its raw text).
        counts: `rows_read` = `rows_accepted` + `rows_quarantined` + `rows_collapsed` + `rows_of_other_times`.
        rows_unplaced: quarantined rows whose timestamp says nothing about their window.
    """

    accepted: pd.DataFrame
    quarantined: pd.DataFrame
    counts: dict[str, int] = field(default_factory=dict)
    rows_unplaced: int = 0

    @property
    def reasons(self) -> dict[str, int]:
        """Quarantined rows by reason code, most frequent first."""
        return {str(k): int(v) for k, v in self.quarantined["reason"].value_counts().items()}

    @property
    def quarantine_share(self) -> float:
        """The larger of two shares: bad rows of the window's rows, and unplaceable rows of all rows read."""
        placed = self.counts["rows_quarantined"] - self.rows_unplaced
        of_window = placed + self.counts["rows_accepted"] + self.counts["rows_collapsed"]
        shares = (placed / of_window if of_window else 0.0, _share(self.rows_unplaced, self.counts["rows_read"]))
        return max(shares)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def check(raw: pd.DataFrame, contract: Contract, window: Window, now: datetime, exact: bool = False) -> Checked:
    """Hold raw rows against the contract.

    Args:
        raw: the source's columns, text or typed, plus `_source` (str), `_row` (int) and, where the source could not
            read a row, `_problem` (str, its words) with the raw line in the first column.
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
        present = ", ".join(str(c) for c in raw.columns if c not in (SOURCE, ROW, PROBLEM))
        raise ContractError(f"missing column: {', '.join(missing)}; the source has: {present}")
    raw = raw.reset_index(drop=True)
    verdict = _Verdict(raw)
    typed, second_time, unparsed = _parse(raw, contract, verdict)
    present_local = pd.Timestamp(now).tz_convert(ZoneInfo(contract.time_zone)).tz_localize(None)
    placed = typed["timestamp"].notna()
    future = placed & (typed["timestamp"] > present_local) & typed["target"].notna()
    verdict.reject(future, "in_the_future", lambda i: f"{typed.at[i, 'timestamp']} is after {present_local:%Y-%m-%d %H:%M}")
    unplaced = verdict.rejected.copy()
    outside = placed & ~verdict.rejected & ~typed["timestamp"].between(window.start, window.end, inclusive="left")
    if exact:
        verdict.reject(outside, "outside_window", lambda i: f"{typed.at[i, 'timestamp']} is not in {window}")
        outside = pd.Series(False, index=raw.index)
    verdict.ignore(outside)
    verdict.reject(second_time & ~outside, "repeated_hour", lambda i: f"{typed.at[i, 'timestamp']}; use time_zone: UTC to keep both")
    _apply_rules(typed[~outside & placed], unparsed, contract, verdict)
    good = typed[~verdict.rejected & ~outside]
    collapsed = good.duplicated(contract.canonical_columns)
    good = good[~collapsed]
    clash = good.duplicated(["item_id", "timestamp"], keep=False)
    verdict.reject(
        clash.reindex(raw.index, fill_value=False),
        "conflicting_duplicate",
        lambda i: f"item {typed.at[i, 'item_id']!r} at {typed.at[i, 'timestamp']} has target {typed.at[i, 'target']} here",
    )
    accepted = good[~clash].sort_values(["item_id", "timestamp"], kind="stable", ignore_index=True)
    quarantined = verdict.frame(typed["timestamp"])
    counts = {
        "rows_read": len(raw),
        "rows_accepted": len(accepted),
        "rows_quarantined": len(quarantined),
        "rows_collapsed": int(collapsed.sum()),
        "rows_of_other_times": int(outside.sum()),
    }
    return Checked(accepted[contract.canonical_columns], quarantined, counts, int(unplaced.sum()))


class _Unparsed(NamedTuple):
    column: str
    reason: str
    rows: pd.Series


class _Verdict:
    """Which rows are rejected and why; the first reason stays."""

    def __init__(self, raw: pd.DataFrame) -> None:
        self.raw = raw
        self.reason = pd.Series(pd.NA, index=raw.index, dtype="object")
        self.detail = pd.Series("", index=raw.index, dtype="object")
        self.ignored = pd.Series(False, index=raw.index)

    @property
    def rejected(self) -> pd.Series:
        return self.reason.notna()

    def reject(self, mask: pd.Series, reason: str, detail: Any) -> None:
        new = mask & ~self.rejected & ~self.ignored
        self.reason[new] = reason
        for i in np.flatnonzero(new.to_numpy()):
            self.detail.iat[i] = detail(i)

    def ignore(self, mask: pd.Series) -> None:
        self.ignored |= mask & ~self.rejected

    def frame(self, timestamps: pd.Series) -> pd.DataFrame:
        bad = self.rejected
        rows = self.raw[bad]
        content = rows.drop(columns=[SOURCE, ROW, PROBLEM], errors="ignore")
        records = pd.Series(_records(content), index=rows.index, dtype="object")
        if PROBLEM in rows.columns:
            records = records.where(rows[PROBLEM].isna(), content.iloc[:, 0])
        return pd.DataFrame(
            {
                "reason": self.reason[bad].astype(str),
                "detail": self.detail[bad].astype(str),
                "source": rows[SOURCE].astype(str),
                "source_row": rows[ROW].astype("int64"),
                "timestamp": timestamps[bad].astype("datetime64[us]"),
                "record": records.astype(object),
            }
        ).reset_index(drop=True)


def _records(frame: pd.DataFrame) -> list[str]:
    import json

    plain = frame.astype(object).where(frame.notna(), None)
    return [json.dumps(row, default=str, ensure_ascii=False) for row in plain.to_dict("records")]


def _parse(
    raw: pd.DataFrame, contract: Contract, verdict: "_Verdict"
) -> tuple[pd.DataFrame, pd.Series, list["_Unparsed"]]:
    """Turn the raw columns into canonical ones.

    Rows without a usable timestamp are rejected at once. What else does not parse is returned, because only the
    rows of the window are judged by it.
    """
    if PROBLEM in raw.columns:
        malformed = raw[PROBLEM].notna()
        verdict.reject(malformed, "malformed_row", lambda i: str(raw.at[i, PROBLEM]))
    stamps = raw[contract.timestamp]
    empty = _empty(stamps)
    verdict.reject(empty, "missing_timestamp", lambda i: f"column {contract.timestamp}")
    parsed, second_time = _timestamps(stamps, contract)
    wanted = contract.timestamp_format or "ISO 8601"
    verdict.reject(
        parsed.isna(),
        "unparsable_timestamp",
        lambda i: f"column {contract.timestamp}: {stamps.iat[i]!r} is not {wanted}",
    )
    typed = pd.DataFrame({"item_id": _item_ids(raw, contract.item_id), "timestamp": parsed})
    typed["target"], bad = _numbers(raw[contract.target])
    unparsed = [_Unparsed(contract.target, "target_not_a_number", bad)]
    for name in (*contract.known, *contract.past):
        typed[name], bad = _numbers(raw[name], booleans=True)
        unparsed.append(_Unparsed(name, "covariate_not_a_number", bad))
    for name in contract.static:
        typed[name] = _texts(raw[name])
    return typed, second_time & parsed.notna(), unparsed


def _apply_rules(
    typed: pd.DataFrame, unparsed: Sequence["_Unparsed"], contract: Contract, verdict: _Verdict
) -> None:
    """Reject what breaks a row rule; `typed` holds the rows of the window."""
    import pandera.errors
    import pandera.pandas as pa

    if typed.empty:
        return
    in_window = pd.Series(verdict.raw.index.isin(typed.index), index=verdict.raw.index)
    for column, reason, bad in unparsed:
        verdict.reject(bad & in_window, reason, lambda i, c=column: f"column {c}: {verdict.raw[c].iat[i]!r}")

    def finite(values: pd.Series) -> pd.Series:
        return ~np.isinf(values)

    rules = {
        "timestamp": pa.Column(checks=pa.Check(lambda s: pd.Series(on_grid(s, contract.frequency), s.index), name="off_grid")),
        "item_id": pa.Column(nullable=True, checks=pa.Check(pd.Series.notna, name="missing_item", ignore_na=False)),
        "target": pa.Column(float, nullable=True, checks=pa.Check(finite, name="target_infinite")),
        **{
            name: pa.Column(float, nullable=True, checks=pa.Check(finite, name="covariate_infinite"))
            for name in (*contract.known, *contract.past)
        },
    }
    try:
        pa.DataFrameSchema(rules).validate(typed, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        for reason in (name for name in REASONS if name in set(cases["check"])):
            hits = cases[cases["check"] == reason].drop_duplicates("index").set_index("index")
            mask = pd.Series(verdict.raw.index.isin(hits.index), index=verdict.raw.index)
            details = {i: f"column {c}: {v}" for i, c, v in zip(hits.index, hits["column"], hits["failure_case"], strict=True)}
            verdict.reject(mask, reason, _rule_detail(reason, contract, details))
        unknown = set(cases["check"]) - set(REASONS)
        if unknown:
            raise ContractError(f"unexpected rule violations: {', '.join(map(str, sorted(unknown)))}") from error


def _rule_detail(reason: str, contract: Contract, details: dict[Any, str]) -> Any:
    if reason == "off_grid":
        return lambda i: f"{details[i]} is off the grid of frequency {contract.frequency}"
    if reason == "missing_item":
        return lambda i: f"column {' or '.join(contract.item_id)}"
    return lambda i: details[i]


def _empty(values: pd.Series) -> pd.Series:
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        return values.isna() | (values.astype("string").str.strip() == "").fillna(False).astype(bool)
    return values.isna()


def _timestamps(values: pd.Series, contract: Contract) -> tuple[pd.Series, pd.Series]:
    """Parse to naive datetime64[us] in the contract's zone; NaT where impossible. Also: which ones repeat an hour."""
    zone = ZoneInfo(contract.time_zone)
    never = pd.Series(False, index=values.index)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _to_zone(values, zone)
    if pd.api.types.is_datetime64_dtype(values.dtype):
        return values.astype("datetime64[us]"), never
    if pd.api.types.is_numeric_dtype(values.dtype):  # 20130101 as a number could be anything: refuse to guess
        return pd.Series(pd.NaT, index=values.index, dtype="datetime64[us]"), never
    text = values.map(_as_text, na_action="ignore").astype("string").str.strip()
    how = contract.timestamp_format or "ISO8601"
    aware = text.str.contains(_OFFSET, regex=True).fillna(False).astype(bool)
    if contract.timestamp_format is None:
        aware &= text.str.contains(_WITH_TIME, regex=True).fillna(False).astype(bool)
    else:
        aware = pd.Series("%z" in contract.timestamp_format, index=values.index)
    naive = pd.to_datetime(text.where(~aware).astype(object), format=how, errors="coerce")
    result = naive.astype("datetime64[us]")
    if not aware.any():
        return result, never
    converted, second = _to_zone(pd.to_datetime(text.where(aware).astype(object), format=how, errors="coerce", utc=True), zone)
    return result.where(~aware, converted), second & aware


def _to_zone(values: pd.Series, zone: ZoneInfo) -> tuple[pd.Series, pd.Series]:
    local = values.dt.tz_convert(zone)
    naive = local.dt.tz_localize(None).astype("datetime64[us]")
    first = naive.dt.tz_localize(zone, ambiguous=np.ones(len(naive), dtype=bool), nonexistent="shift_forward")
    return naive, (first.dt.tz_convert("UTC") != values.dt.tz_convert("UTC")) & values.notna()


def _as_text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _texts(values: pd.Series) -> pd.Series:
    text = values.map(_plain, na_action="ignore").astype("string").str.strip()
    return text.mask(text == "").astype(object).where(text.notna(), None)


def _plain(value: Any) -> str:
    """Text of a category: 1.0 from a float column with gaps is the same category as 1."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _item_ids(raw: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    parts = [_texts(raw[name]).astype("string") for name in columns]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.str.cat(part, sep="/")
    return joined.astype(object).where(joined.notna(), None)


def _numbers(values: pd.Series, booleans: bool = False) -> tuple[pd.Series, pd.Series]:
    """Parse to float64; also a mask of what is neither a number nor empty."""
    no = pd.Series(False, index=values.index)
    if pd.api.types.is_bool_dtype(values.dtype):
        return (values.astype("float64"), no) if booleans else (values.astype("float64") * np.nan, values.notna())
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_complex_dtype(values.dtype):
        return values.astype("Float64").astype("float64") if values.isna().any() else values.astype("float64"), no
    text = values.map(str, na_action="ignore").astype("string").str.strip()
    if booleans:
        text = text.replace({"true": "1", "True": "1", "TRUE": "1", "false": "0", "False": "0", "FALSE": "0"})
    empty = text.isna() | (text == "").fillna(True).astype(bool)
    good = text.str.fullmatch(_NUMBER, case=False).fillna(False).astype(bool)
    number = pd.to_numeric(text.where(good).astype(object), errors="coerce").astype("float64")
    return number, ~empty & ~good
