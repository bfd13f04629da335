"""Guesses on timestamps: their format, their zone, their frequency, whether they lie within a period."""

import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.contract import Contract
from mlops_assets.forecasting.data.grid import floor_to_grid, on_grid, parse_frequency, steps_between, within_a_day
from mlops_assets.forecasting.data.parsing import EPOCHS, QUARTERS, read_moments
from mlops_assets.forecasting.formatting import of_all

_MOST = 0.9
"""A share of rows that says what all of them were meant to be."""
_SEEN = 20
"""So many steps show that a finer frequency was declared than the data have."""
_UTC = ZoneInfo("UTC")
_DATES = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y%m%d", "%d.%m.%y", "%d/%m/%y",
    "%m/%d/%y", "%d-%m-%y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y", "%Y-%b-%d",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", ", %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S.%f")
_PERIODS = (
    "%G-W%V", "%GW%V", "%G-%V", "%G W%V", "W%V %G", "W%V-%G", "%V/%G", "%V.%G", "%G%V", "%G/%V",
    "KW%V %G", "KW %V/%G", "KW%V/%G", "%G-KW%V", "%G KW%V", "%Y-W%V-%u", "%G-W%V-%u", "%GW%V%u",
    *QUARTERS,
    "%Y%m", "%m/%Y", "%m.%Y", "%m-%Y", "%Y/%m", "%Y.%m", "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%Y-%b", "%Y-%j",
)  # fmt: skip
_DIGITS = {"epoch_s": (9, 10), "epoch_ms": (12, 13), "epoch_us": (15, 16), "epoch_ns": (18, 19)}
_OFFSET = re.compile(r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$")
_MIDNIGHT = re.compile(r"[T ]00(?::?00(?::?00(?:\.0+)?)?)?\s?(?:Z|[+-][0-9:]+)$")
_ZONES = (
    "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Sao_Paulo", "Europe/Athens", "Europe/Istanbul", "Asia/Kolkata", "Asia/Shanghai",
    "Asia/Tokyo", "Asia/Dubai", "Australia/Sydney",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WITHIN_A_DAY = {"12h": "twelve hours", "6h": "six hours", "h": "an hour"} | {
    f"{minutes}min": f"{minutes} minutes" for minutes in (30, 20, 15, 10, 5)
}


def of_unread(values: Sequence[Any], contract: Contract) -> str:
    """Guess the format of timestamps that are not of the declared one.

    Args:
        values: of the column, as they were read, none missing.
        contract: that refused them.
    """
    texts = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v).strip() for v in values]
    if not texts:
        return ""
    if contract.timestamp_format is not None:
        read, _ = read_moments(pd.Series(texts, dtype=object), _UTC)
        if read.notna().mean() >= _MOST:
            said = of_all(int(read.notna().sum()), len(texts), "is", "are")
            return f"{said} ISO 8601, such as {texts[0]}: leave columns.timestamp_format out?"
    ends = [text for text in texts if re.search("[T ]24:00(?::00)?$", text)]
    if len(ends) >= _MOST * len(texts):
        return (
            f"{ends[0]} is the midnight that ends a day: write it as 00:00 of the next one; "
            "if all stamps end their periods, columns.stamp: end too?"
        )
    for form, lengths in _DIGITS.items():
        fit = [text for text in texts if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text)]
        fit = [text for text in fit if len(text.partition(".")[0]) in lengths]
        if form != contract.timestamp_format and len(fit) >= _MOST * len(texts):
            years = read_moments(pd.Series(fit, dtype=object), _UTC, form)[0].dt.year
            if years.between(1990, 2100).all():
                said = of_all(len(fit), len(texts), "counts", "count")
                unit = form.replace("epoch_s", "seconds").removeprefix("epoch_")
                return f"{said} {unit} since 1970, such as {fit[0]}: columns.timestamp_format: {form}?"
    if form := _format_of(texts, contract):
        return f'{of_all(len(texts), len(texts), "is", "are")} like {texts[0]}: columns.timestamp_format: "{form}"?'
    if sum(bool(re.fullmatch(r"[2-6][0-9]{4}(?:\.[0-9]+)?", text)) for text in texts) >= _MOST * len(texts):
        return f"{texts[0]} looks like a day number of Excel: give the column a date format there before the export?"
    return ""


def _format_of(texts: Sequence[str], contract: Contract) -> str:
    """The strptime format that reads the texts; of several the one that makes them a grid, then the shortest span."""
    few = pd.Series(pd.unique(np.array(texts, dtype=object))[:500], dtype=object)
    found = []
    for form in (*(date + time for date, time in product(_DATES, _TIMES)), *_PERIODS):
        if form == contract.timestamp_format or not _reads(few.head(5), form, 0.5) or not _reads(few, form, _MOST):
            continue
        moments = read_moments(few, _UTC, form)[0].dropna()
        floored = floor_to_grid(moments, contract.frequency) if contract.timestamp_floor else moments
        found.append((-on_grid(floored, contract.frequency).mean(), moments.max() - moments.min(), form))
    return min(found)[2] if found else ""


def _reads(texts: pd.Series, form: str, share: float) -> bool:
    try:
        return bool(read_moments(texts, _UTC, form)[0].notna().mean() >= share)
    except ValueError:
        return False


def of_grid(off: pd.Series, on: pd.Series, records: Sequence[dict[str, Any]], contract: Contract) -> str:
    """Guess why timestamps are off the grid: another zone, another frequency, or moments within a period.

    Args:
        off: those off the grid; naive, in the contract's zone.
        on: those of accepted rows.
        records: the rows of the first ones off the grid, as they were read.
        contract: that refused them.
    """
    texts = [str(record.get(contract.timestamp, "")).strip() for record in records]
    aware = (
        contract.timestamp_format in EPOCHS or sum(bool(_OFFSET.search(t)) and ":" in t for t in texts) > len(texts) / 2
    )
    if aware and (hint := _zone(off, texts, contract)):
        return hint
    every = pd.concat([off, on]).dropna()
    alias = _frequency(every)
    if alias and parse_frequency(alias) != parse_frequency(contract.frequency):
        fit = int(on_grid(every, alias).sum())
        return f"{_words(alias, fit, len(every))}: frequency: {alias}?{_or_floor(alias, contract)}"
    items = [tuple(record.get(name) for name in contract.item_id) for record in records]
    floored = floor_to_grid(off.head(len(items)), contract.frequency)
    again = pd.DataFrame({"item": items, "moment": floored.to_numpy()}).duplicated().mean()
    several = "; several rows of an item share one, so columns.aggregate: sum too?" if again > 0.05 else ""
    said = of_all(len(off), len(every), "lies", "lie")
    step = f"two steps of {contract.frequency}, such as {off.iloc[0]}"
    return f"{said} between {step}: columns.timestamp_floor: true?{several}"


def _zone(off: pd.Series, texts: Sequence[str], contract: Contract) -> str:
    """Ask for the zone in which the rows are on the grid."""
    naive = pd.Series(off.unique())
    some = naive.iloc[:: max(1, len(naive) // 200)]
    instants = some.dt.tz_localize(
        contract.time_zone, ambiguous=np.ones(len(some), dtype=bool), nonexistent="shift_forward"
    ).dt.tz_convert("UTC")
    for zone in (*_ZONES, *sorted(name for name in available_timezones() if "/" in name)):
        local = instants.dt.tz_convert(zone).dt.tz_localize(None)
        if zone != contract.time_zone and on_grid(local, contract.frequency).mean() >= _MOST:
            offsets = sorted({match[0] for text in texts if (match := _OFFSET.search(text))})
            if all(_MIDNIGHT.search(text) for text in texts):
                return (
                    f"{of_all(len(off), len(off), 'is', 'are')} midnight at {' or '.join(offsets)}: time_zone: {zone}?"
                )
            when = "on the grid" if within_a_day(contract.frequency) else "midnight"
            return f"{of_all(len(off), len(off), 'is', 'are')} {when} in the zone of {zone}: time_zone: {zone}?"
    return ""


def of_steps(rows: pd.DataFrame, frequency: str) -> str:
    """Guess from accepted rows that the frequency is finer than the data: days declared, weeks given.

    Args:
        rows: canonical frame.
        frequency: that was declared.
    """
    alias = _frequency(rows["timestamp"])
    if not alias:
        return ""
    span = rows["timestamp"].min(), rows["timestamp"].max()
    declared = steps_between(*span, frequency)
    if declared < _SEEN or declared < 2 * steps_between(*span, alias):
        return ""
    fit = int(on_grid(rows["timestamp"], alias).sum())
    return f"{_words(alias, fit, len(rows))}: frequency: {alias}?"


def _frequency(moments: pd.Series) -> str:
    """Return the coarsest frequency on whose grid the moments are, with a moment at a third of its steps; else ""."""
    every = pd.Series(moments.dropna().unique())
    if len(every) < 3:
        return ""
    for alias in _candidates(every):
        fit = on_grid(every, alias)
        if fit.mean() < _MOST:
            continue
        used = every[fit]
        if len(used) >= max(3, 0.3 * (steps_between(used.min(), used.max(), alias) + 1)):
            return alias
    return ""


def _candidates(moments: pd.Series) -> Iterator[str]:
    """Yield frequencies from the coarsest to the finest that these moments could have."""
    if (moments == moments.dt.normalize()).mean() >= _MOST:
        yield from ("YS", "YE", *(f"Y{side}-{month}" for month in _MONTHS for side in "SE"))
        yield from ("QS", "QE", "QS-FEB", "QE-JAN", "QS-MAR", "QE-FEB", "MS", "ME", "BMS", "BME")
        yield from (f"W-{day[:3].upper()}" for day in _DAYS)
        yield "D"
    elif (moments - moments.dt.normalize()).nunique() > 1:
        yield from _WITHIN_A_DAY


def _words(alias: str, fit: int, whole: int) -> str:
    are = of_all(fit, whole, "is", "are")
    rule, _, anchor = alias.partition("-")
    if rule == "W":
        day = next(day for day in _DAYS if day.upper().startswith(anchor))
        return f"{are} {day}s" if fit != 1 else f"{are} a {day}"
    span = {"Y": "year", "Q": "quarter", "M": "month"}.get(alias.removeprefix("B")[0])
    if span is not None:
        business = "business " if alias.startswith("B") else ""
        return f"{are} the {'first' if rule.endswith('S') else 'last'} {business}day of a {span}"
    if alias == "D":
        return f"{are} days"
    return f"{of_all(fit, whole, 'is', 'are')} {_WITHIN_A_DAY[alias]} apart"


def _or_floor(alias: str, contract: Contract) -> str:
    """The other way out, where the rows are finer than what was asked for."""
    if alias in _WITHIN_A_DAY and not within_a_day(contract.frequency):
        return " Or, to add them up, columns.timestamp_floor: true and columns.aggregate: sum?"
    if alias == "D" and contract.frequency not in ("D", "B"):
        return " Or, to add them up, columns.timestamp_floor: true and columns.aggregate: sum?"
    return ""
