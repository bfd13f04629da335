"""Guesses on values: words for nothing, units beside numbers, rows that come twice, items spelt in two ways."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.grid import within_a_day
from mlops_assets.forecasting.data.wall_clock import come_twice
from mlops_assets.forecasting.formatting import few, of_all

_MOST = 0.9
_SENTINELS = (-999, -9999, -99999, 9999, 99999, 999999, -(2**31), 2**31 - 1, -(2**15), 2**15 - 1, -99, 999)
_SIGN = re.compile(r"[^0-9.,+-]*[+-]?[0-9][0-9.,]*[^0-9.,]*")
_ERROR = re.compile(r"#[A-Z0-9/_]+[!?]?")
"""What a spreadsheet shows where it could not compute: `#DIV/0!`."""
_BELOW_ZERO = re.compile(r"\([0-9][0-9.,' ]*\)|[0-9][0-9.,' ]*[-\u2212\u2013]|[\u2212\u2013] ?[0-9][0-9.,' ]*")
"""Numbers below zero as accountants and typesetters write them: `(12.50)`, `12.50-`, and with a long minus."""
_YES_OR_NO = {"yes", "no", "y", "n", "t", "f", "on", "off", "x", "ja", "nein", "oui", "non", "si", "sim"}
_WHOLE = re.compile(r"\b([0-9]+)\.0+\b")
_FAR = 5.0
"""A sentinel lies so many times further out than all other values."""


def of_texts(values: Sequence[Any], column: str) -> str:
    """Guess why values of a column are no numbers.

    Args:
        values: as they were read, none missing.
        column: that they stand in.
    """
    texts = [str(value).strip() for value in values]
    words = Counter(text for text in texts if _ERROR.fullmatch(text) or not re.search("[0-9]", text))
    if not texts:
        return ""
    if sum(words.values()) >= _MOST * len(texts) and len(words) <= 5:
        listed = ", ".join(f'"{word}"' for word, _ in words.most_common())
        said = of_all(sum(words.values()), len(texts))
        if {word.casefold() for word in words} <= _YES_OR_NO:
            return f"{said} no number but a word, such as {texts[0]!r}: write 1 and 0 in column {column}?"
        return f"{said} no number but a word, such as {texts[0]!r}: source.na_values: [{listed}], if it means unknown?"
    numbers = [text for text in texts if text not in words]
    if sum(bool(_BELOW_ZERO.fullmatch(text)) for text in numbers) >= _MOST * len(numbers):
        return f"column {column} holds numbers below zero that are written like {numbers[0]!r}: write them like -12.50?"
    if sum(bool(_SIGN.fullmatch(text)) for text in numbers) >= _MOST * len(numbers):
        return (
            f"column {column} holds a unit or currency beside the number, such as {numbers[0]!r}: leave it out there?"
        )
    return ""


def of_future(count: int) -> str:
    """Ask whether targets of moments to come are plans."""
    return f"{of_all(count, count, 'has', 'have')} a target after now; if these are plans: columns.future: ignore?"


def of_conflicts(rows: pd.DataFrame, zone: ZoneInfo, frequency: str) -> str:
    """Guess why rows of one item and timestamp differ.

    Args:
        rows: of the quarantine; `detail` names item and timestamp.
        zone: of the timestamps.
        frequency: of the grid.
    """
    if within_a_day(frequency) and come_twice(pd.DatetimeIndex(rows["timestamp"]), zone).mean() >= _MOST:
        return (
            f"{of_all(len(rows), len(rows), 'is', 'are')} of the hour that comes twice in {zone}, when clocks are set "
            "back: give the timestamps their offset (the first then counts), or columns.aggregate: mean?"
        )
    groups = rows.groupby(rows["detail"].str.partition(": its rows")[0])["source"]
    if (groups.nunique() == groups.size()).mean() >= _MOST and rows["source"].nunique() > 1:
        return (
            f"{of_all(len(rows), len(rows), 'says', 'say')} otherwise than another file's, such as "
            f"{few(sorted(rows['source'].unique()), 2)}: exports that overlap: source.latest_wins: name (or modified)?"
        )
    most = int(groups.size().median())
    return (
        f"{of_all(len(rows), len(rows), 'shares', 'share')} item and timestamp with another, {most} each: sum them "
        "first, or columns.aggregate: sum (mean, last, max)? Or does another column belong to columns.item_id?"
    )


def of_repeated(count: int, whole: int) -> str:
    """Ask what rows mean that stand there twice."""
    return (
        f"{of_all(count, whole, 'repeats', 'repeat')} another one word for word: if each is a sale of its own, "
        "columns.aggregate: sum; if the export repeats rows, quarantine.max_repeated_share: 1?"
    )


def of_sentinels(values: pd.Series, column: str) -> str:
    """Guess that a number stands for an unknown one: far out, and a number that programs write for nothing.

    Args:
        values: accepted ones.
        column: that they stand in.
    """
    known = values.dropna().to_numpy()
    strange = np.isin(known, _SENTINELS) | (np.abs(known) >= 1e20)
    others = known[~strange]
    if not strange.any() or not len(others):
        return ""
    reach = max(float(np.quantile(np.abs(others), 0.99)), 1e-9)
    found = [
        value
        for value in np.unique(known[strange])
        if abs(value) > _FAR * reach
        or (value < 0 <= others.min() and (abs(value) > reach or np.count_nonzero(known == value) > 1))
    ]
    if not found:
        return ""
    count = int(np.isin(known, found).sum())
    shown = ", ".join(f"{value:g}" if abs(value) >= 1e15 else f"{value:.0f}" for value in found)
    return f"{shown} stands in column {column} {count} times, far from all else: source.na_values: [{shown}]?"


def of_twins(items: pd.Series) -> str:
    """Ask whether items whose names differ in accents' encoding, case, spaces or a `.0` only are one."""
    names: dict[str, list[str]] = {}
    for item in pd.unique(items):
        folded = _WHOLE.sub(r"\1", " ".join(unicodedata.normalize("NFKC", item).casefold().split()))
        names.setdefault(folded, []).append(item)
    twins = [sorted(group) for group in names.values() if len(group) > 1]
    if not twins:
        return ""
    composed = len({unicodedata.normalize("NFC", item) for item in twins[0]}) == 1
    how = "how their accents are encoded (NFC and NFD)" if composed else "case or spaces"
    how = "a '.0'" if len({_WHOLE.sub(r"\1", item) for item in twins[0]}) == 1 else how
    pair = " and ".join(map(repr, twins[0][:2]))
    more = f" ({len(twins)} such names)" if len(twins) > 1 else ""
    return f"the items {pair} differ only in {how}{more} and are two series: one item? Write them alike in the source"


def of_names(items: pd.Series) -> str:
    """Say that items are named by whole objects or lists of a document, which are no names."""
    names = [name for name in pd.unique(items) if re.fullmatch(r"\{'.*\}|\['.*\]", name, re.DOTALL)]
    if not names:
        return ""
    such = f"{len(names)} items are objects or lists, such as {names[0][:40]}"
    return f"{such}: write the name in them as a field of its own"


def of_zeros(values: pd.Series) -> str:
    """Say that the median of most rows is zero, so that the point forecast will be."""
    known = values.dropna()
    share = float((known == 0).mean()) if len(known) else 0.0
    if share <= 0.5 or share == 1:
        return ""
    return f"{share:.0%} of the targets are 0, so that a median forecast is 0 too: point: mean?"
