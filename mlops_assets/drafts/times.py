"""Which columns of a raw table are times, how they are written, and on which grid they lie."""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import product
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from mlops_assets.drafts.grid import usual_step
from mlops_assets.forecasting.data.parsing import QUARTERS, offsets_named, read_moments

_ENOUGH = 0.99
"""Share of a column's values that must be read for it to be a time."""
_SAMPLE = 300
_DATES = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%Y.%m.%d",
    "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
)  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_PERIODS = (
    "%G-W%V", "%GW%V", "%m/%Y", "%m.%Y", "%b %Y", "%B %Y", "%b-%y", "%b-%Y",
    *QUARTERS,
)  # fmt: skip
FORMATS = (*(date + clock for date, clock in product(_DATES, _CLOCKS)), *_PERIODS)
"""What is tried on texts that are no ISO 8601; the day comes before the month where both read all of a column."""
_FIRST = 4
"""A format that reads none of so many values of a sample reads less than enough of it."""
_NUMBERS = ("%Y%m%d", "%Y%m", "%Y", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns")
"""What whole numbers are tried as, where a column is called like a time."""
NAMED = re.compile(
    r"(^|[_\W])(date|datetime|time|timestamp|ds|day|week|month|quarter|year|hour|period|datum|moment|ts|yyyymm(dd)?)",
    re.IGNORECASE,
)
"""How columns of times are called."""
_ZONES = (
    "Europe/Berlin", "Europe/London", "Europe/Athens", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney",
    "Australia/Brisbane", "Pacific/Auckland",
)  # fmt: skip
"""Zones that are thought of for moments with offsets; the first whose clocks had all of them is proposed."""


def _signs(text: str) -> tuple[str, bool]:
    """Return the signs of a text that are no digit, letter or space, and whether it has letters."""
    return "".join(sorted(re.sub(r"[\w\s]", "", text))), re.search(r"[^\W\d_]", text) is not None


_SIGNS = {form: _signs(re.sub("%.", "0", re.sub("%[bBp]", "May", form))) for form in FORMATS}
"""The signs that each format has: columns are many, and to try all formats on each takes minutes."""


@dataclass(frozen=True)
class Times:
    """A column read as times.

    Attributes:
        form: the format that a spec declares; None: ISO 8601, or a typed column.
        zone: the zone whose clocks show the offsets that the values name; UTC where they name none.
        moments: naive, in that zone; NaT where missing or unread.
        others: other formats that read as many of the values, and other moments.
    """

    form: str | None
    zone: str
    moments: pd.Series
    others: tuple[str, ...] = ()


def read_times(values: pd.Series, name: str) -> Times | None:
    """Read a column as times; None if it is none.

    Args:
        values: raw.
        name: of the column: numbers are times where it says so.
    """
    present = values.dropna()
    present = present[[not isinstance(value, str) or bool(value.strip()) for value in present]]
    if present.empty:
        return None
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return _in_its_zone(values, None)
    texts = [value.strip() for value in present if isinstance(value, str)]
    whole = _whole_numbers(present)
    if whole is not None:
        return _of_numbers(values, whole) if NAMED.search(name) else None
    if not texts:
        return _in_its_zone(values, None) if _share_read(present, None) >= _ENOUGH else None
    sample = pd.Series(list(dict.fromkeys(texts))[:: max(1, len(set(texts)) // _SAMPLE)][:_SAMPLE], dtype=object)
    if _share_read(sample, None) >= _ENOUGH:
        return _in_its_zone(values, None)
    signs = set(map(_signs, sample[:_FIRST]))
    fitting = [form for form, of in _SIGNS.items() if of in signs and _share_read(sample, form) >= _ENOUGH]
    read = [(form, _in_its_zone(values, form)) for form in fitting]
    read = [(form, times) for form, times in read if times.moments.notna().sum() >= _ENOUGH * len(present)]
    if not read:
        return None
    # Of day first and month first the one is right by which the times follow one another evenly.
    best, times = max(read, key=lambda pair: evenness(pair[1].moments))
    doubtful = [
        form
        for form, other in read
        if form != best
        and evenness(other.moments) >= evenness(times.moments)
        and not other.moments.equals(times.moments)
    ]
    return Times(best, times.zone, times.moments, tuple(doubtful))


def evenness(moments: pd.Series) -> float:
    """Say how evenly the different moments follow one another: the share of the commonest step between them."""
    seconds = np.sort(moments.dropna().unique()).astype("datetime64[s]").astype(np.int64)
    steps = Counter(np.diff(seconds).tolist())
    return usual_step(steps)[1] / sum(steps.values()) if steps else 0.0


def _whole_numbers(present: pd.Series) -> pd.Series | None:
    """Return the values as whole numbers where all of them are some, as text or as numbers."""
    if present.dtype.kind in "iu":
        return present.astype("int64")
    numbers = [
        int(value)
        for value in present
        if (isinstance(value, str) and re.fullmatch(r"[0-9]{4,19}", value.strip()))
        or (not isinstance(value, str | bool) and isinstance(value, int | float | np.number) and float(value) % 1 == 0)
    ]
    return pd.Series(numbers, dtype="int64") if len(numbers) == len(present) else None


def _of_numbers(values: pd.Series, whole: pd.Series) -> Times | None:
    """Read whole numbers as the kind of time that all of them can be."""
    low, high = int(whole.min()), int(whole.max())
    digits = {len(str(low)), len(str(high))}
    plausible = {
        "%Y": low >= 1800 and high <= 2200,
        "%Y%m": digits == {6} and low >= 180001 and high <= 220012,
        "%Y%m%d": digits == {8} and low >= 18000101 and high <= 22001231,
        "epoch_s": digits <= {9, 10},
        "epoch_ms": digits <= {12, 13},
        "epoch_us": digits <= {15, 16},
        "epoch_ns": digits <= {18, 19},
    }
    for form in _NUMBERS:
        if plausible[form] and _share_read(values.dropna().iloc[:_SAMPLE], form) >= _ENOUGH:
            iso = form == "%Y%m%d" and isinstance(values.dropna().iloc[0], str)
            return _in_its_zone(values, None if iso else form)
    return None


def _share_read(values: pd.Series, form: str | None) -> float:
    try:
        moments, _ = read_moments(values, ZoneInfo("UTC"), form)
    except (ValueError, OverflowError):
        return 0.0
    return float(moments.notna().mean()) if len(moments) else 0.0


def _in_its_zone(values: pd.Series, form: str | None) -> Times:
    zone = _zone_of(values) if form is None else "UTC"
    moments, _ = read_moments(values, ZoneInfo(zone), form)
    return Times(form, zone, moments)


def _zone_of(values: pd.Series) -> str:
    """Return the zone whose clocks show the offsets that moments name."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return str(values.dtype.tz) if str(values.dtype.tz) in _ZONES else "UTC"
    if not offsets_named(values).named:
        return "UTC"
    texts = [value.strip() for value in values.dropna().unique() if isinstance(value, str)]
    seen = [moment for moment in map(_aware, texts[:: max(1, len(texts) // 2000)]) if moment is not None]
    if all(not moment.utcoffset() for moment in seen):
        return "UTC"
    for name in _ZONES:
        if all(moment.tz_convert(ZoneInfo(name)).utcoffset() == moment.utcoffset() for moment in seen):
            return name
    return "UTC"


def _aware(text: str) -> pd.Timestamp | None:
    try:
        moment = pd.Timestamp(text)
    except ValueError:
        return None
    return moment if moment is not pd.NaT and moment.tzinfo is not None else None
