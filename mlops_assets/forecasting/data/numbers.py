"""Numbers as tables have them: text or typed values become float64, with a word on whatever was taken for something.

A plain number is itself. Other writings (a decimal comma, grouped digits) are read if they are declared, or if no
other reading is possible; where two are, as of `1,234`, the value is no number, and the message names the field.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.parsing import Mask, distinct_of
from mlops_assets.forecasting.formatting import in_files

NA_VALUES = (
    "NA", "N/A", "n/a", "na", "n.a.", "<NA>", "#N/A", "#N/A N/A", "#NA", "#NV", "NULL", "Null", "null", "(null)",
    "None", "none", "NaN", "NAN", "nan", "-NaN", "-nan", "NaT", "\\N", "-", "–", "—", "--", ".", "..",
)  # fmt: skip
"""What usually stands for a missing number in text, besides nothing and spaces."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|[+-]?(?:inf|infinity)", re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}")
_TRUTH = {"true": 1.0, "false": 0.0}
_SPACES = " \u00a0\u202f\u2009"
_THOUSANDS = {",": ",", ".": r"\.", " ": f"[{_SPACES}]", "'": "['’]", "_": "_"}
_EXACT = 2**53
"""Beyond it, float64 does not hold each whole number."""


@dataclass(frozen=True)
class NumberFormat:
    """How numbers in text are written.

    Attributes:
        decimal: the decimal sign, `.` or `,`; None: not declared.
        thousands: what groups the digits: one of `,`, `.`, ` `, `'`, `_`; None: not declared.
        na_values: what stands for a missing number, besides `NA_VALUES`; numbers among them count as numbers.
    """

    decimal: str | None = None
    thousands: str | None = None
    na_values: tuple[str, ...] = ()

    @property
    def declared(self) -> bool:
        """Whether the writing is declared, so that no other is thought of."""
        return self.decimal is not None or self.thousands is not None

    @property
    def writing(self) -> "Writing":
        """The declared writing; plain numbers if there is none."""
        return Writing(self.decimal or ("," if self.thousands == "." else "."), self.thousands, strict=False)

    @cached_property
    def missing(self) -> frozenset[str]:
        """Texts that stand for a missing number."""
        return frozenset((*NA_VALUES, *(text.strip() for text in self.na_values)))

    @cached_property
    def sentinels(self) -> frozenset[float]:
        """Numbers that stand for a missing one."""
        return frozenset(float(text) for text in self.na_values if _NUMBER.fullmatch(text.strip()))


@dataclass(frozen=True)
class Writing:
    """One way to write numbers.

    Attributes:
        decimal: the decimal sign.
        thousands: what groups the digits; None: nothing does.
        strict: groups have three digits; otherwise those after the first may have two (1,00,000).
    """

    decimal: str
    thousands: str | None
    strict: bool = True

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        sign, digits = re.escape(self.decimal), "[0-9]+"
        if self.thousands is not None:
            group = _THOUSANDS[self.thousands]
            inner = "{3}" if self.strict else "{2,3}"
            digits = rf"(?:[1-9][0-9]{{0,2}}(?:{group}[0-9]{inner})*{group}[0-9]{{3}}|[0-9]+)"
        return re.compile(rf"([+-]?)((?:{digits})?)(?:{sign}([0-9]*))?((?:[eE][+-]?[0-9]+)?)")

    def read(self, text: str) -> float | None:
        """Read a number; None if it is not written so."""
        found = self._pattern.fullmatch(text)
        if found is None or not (found[2] or found[3]):
            return None
        return float(f"{found[1]}{re.sub('[^0-9]', '', found[2]) or 0}.{found[3] or 0}{found[4]}")

    def shows(self, text: str) -> bool:
        """Whether a number is so written that the place of the signs says which is which: 1.234,5 or 1,234,567."""
        if self.thousands is None or self.read(text) is None:
            return False
        groups = len(re.findall(_THOUSANDS[self.thousands], text))
        return groups > 1 or (groups == 1 and self.decimal in text)

    def __str__(self) -> str:
        return f"decimal {self.decimal!r}" + (f" and thousands {self.thousands!r}" if self.thousands else "")


PLAIN = NumberFormat()
_WRITINGS = tuple(Writing(decimal, group) for decimal, group in product(".,", (None, *",. '")) if decimal != group)
"""What is thought of where nothing is declared; the plain one first."""


@dataclass
class Said:
    """What is to be said of a column of numbers: of a part of it too, and of parts together.

    Attributes:
        missing: texts that were read as missing.
        odd: whether a text with digits is no plain number though no writing is declared. Then the texts of the whole
            column say what it is, and a part of it cannot be read by itself.
        writings: in which writings such texts were read, in words.
        grouped: texts like 1.234.
        whole: texts like 987.
        others: whether there are other texts with digits.
        rounded: whole numbers that float64 cannot hold, and the first of them.
        sentinels: numbers that were read as missing.
    """

    missing: Counter[str] = field(default_factory=Counter)
    odd: bool = False
    writings: list[str] = field(default_factory=list)
    grouped: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    others: bool = False
    rounded: tuple[int, int | None] = (0, None)
    sentinels: Counter[float] = field(default_factory=Counter)

    def __add__(self, later: "Said") -> "Said":
        count, first = self.rounded
        return Said(
            Counter(self.missing) + later.missing,
            self.odd or later.odd,
            [*self.writings, *later.writings],
            self.grouped | later.grouped,
            self.whole | later.whole,
            self.others or later.others,
            (count + later.rounded[0], first if count else later.rounded[1]),
            Counter(self.sentinels) + later.sentinels,
        )

    def lines(self) -> list[str]:
        """Return what was taken for what, and what looks wrong, a line each."""
        notes = [_missing(count, repr(text)) for text, count in self.missing.most_common()]
        notes += self.writings or ([] if self.odd else self._points())
        if self.rounded[0]:
            notes.append(f"{self.rounded[0]} × a whole number beyond 2^53 rounded, such as {self.rounded[1]}")
        return notes + [_missing(count, f"{number:g}") for number, count in self.sentinels.most_common()]

    def _points(self) -> list[str]:
        """Ask whether whole numbers have points between their thousands: 987 beside 1.234, and nothing like 1.5."""
        if len(self.grouped) < 3 or not self.whole or self.others:
            return []
        least, most = min(self.grouped), max(self.whole)
        return [
            f"{least!r} was read as {float(least):g}, but beside whole numbers such as {most!r} it looks "
            f"like {float(least) * 1000:.0f}: source.thousands: '.'? If it is not, source.decimal: '.' says so"
        ]


class Numbers(NamedTuple):
    """A column read as numbers.

    Attributes:
        values: float64, NaN where missing or bad.
        bad: which values are neither a number nor missing.
        said: what was taken for what.
    """

    values: pd.Series
    bad: Mask
    said: Said

    @property
    def notes(self) -> list[str]:
        """What was taken for what, in words."""
        return self.said.lines()


def read_numbers(
    values: pd.Series, form: NumberFormat = PLAIN, *, booleans: bool = False, sources: pd.Series | None = None
) -> Numbers:
    """Read a column of numbers.

    Args:
        values: texts, number objects, or a typed column.
        form: how texts are written.
        booleans: whether true and false count as 1 and 0.
        sources: which file each value is from: one may be written in another way than the next.
    """
    if pd.api.types.is_bool_dtype(values.dtype):
        missing = values.isna().to_numpy()
        numbers = values.astype("Float64").astype("float64")
        both = (numbers, np.zeros_like(missing)) if booleans else (numbers.where(missing), ~missing)
        return Numbers(*both, Said())
    if pd.api.types.is_numeric_dtype(values.dtype) and values.dtype.kind in "iuf":
        numbers = values.astype("Float64").astype("float64")
        return _without_sentinels(numbers, np.zeros(len(values), dtype=bool), form, Said(rounded=_rounded(values)))
    truth = _TRUTH if booleans else {}
    plain = not form.declared or form.writing == Writing(".", None, strict=False)
    distinct, places = distinct_of(values)
    read: list[float | None] = []
    tokens: Counter[str] = Counter()
    for value, count in zip(distinct, np.bincount(places, minlength=len(distinct)), strict=True):
        text = "" if value is None else str(value).strip()
        if text and text in form.missing:
            tokens[text] += int(count)
        if not text or text in form.missing:
            read.append(math.nan)
        elif _NUMBER.fullmatch(text) and (plain or not isinstance(value, str)):
            read.append(float(text))
        else:
            read.append(truth.get(text.lower()))
    said = Said(tokens)
    unread = [number is None and _texty(value) for value, number in zip(distinct, read, strict=True)]
    odd = np.flatnonzero(np.array(unread, dtype=bool)[places]).tolist()
    found = [read[place] for place in places]
    if odd and not plain:
        for n in odd:
            found[n] = form.writing.read(values.iloc[n].strip())
    elif odd and not form.declared:
        said.odd, said.writings = True, _read_obvious(values, found, odd, sources)
    elif not form.declared:
        _sort_by_points(distinct, said)
    bad = np.array([number is None for number in found], dtype=bool)
    numbers = pd.Series(found, index=values.index, dtype="float64")
    said.rounded = _rounded_texts(values, numbers)
    return _without_sentinels(numbers, bad, form, said)


def readings(value: Any) -> str:
    """Say what a value that is no plain number would be, and by which field; empty if it is no number at all."""
    if not _texty(value):
        return ""
    found: dict[float, Writing] = {}
    for writing in _WRITINGS:
        number = writing.read(value.strip())
        if number is not None:
            found.setdefault(number, writing)
    return " or ".join(f"{number:g} with {_fields(writing)}" for number, writing in found.items())


def _fields(writing: Writing) -> str:
    both = {"decimal": writing.decimal if writing.decimal != "." else None, "thousands": writing.thousands}
    return ", ".join(f"source.{name}: {sign!r}" for name, sign in both.items() if sign)


def _texty(value: Any) -> bool:
    return isinstance(value, str) and re.search("[0-9]", value) is not None


def _is_nan(number: float | None) -> bool:
    return number is not None and math.isnan(number)


def _missing(count: int, shown: str) -> str:
    return f"{count} × {shown} read as missing"


def _read_obvious(
    values: pd.Series, found: list[float | None], odd: Sequence[int], sources: pd.Series | None
) -> list[str]:
    """Read in place what is no plain number and can be read in one way only, source by source."""
    groups: dict[Any, list[int]] = {}
    for n in odd:
        groups.setdefault(None if sources is None else sources.iloc[n], []).append(n)
    notes: dict[str, list[Any]] = {}
    for source, rows in groups.items():
        here = range(len(values)) if sources is None else np.flatnonzero((sources == source).to_numpy())
        texts = {values.iloc[n].strip() for n in here if _texty(values.iloc[n])}
        writing = _only_writing(texts)
        shown = [text for n in rows if writing and writing.read(text := values.iloc[n].strip()) is not None]
        if writing is None or not shown:
            continue
        for n in here:
            if _texty(values.iloc[n]) and not _is_nan(found[n]):
                found[n] = writing.read(values.iloc[n].strip())
        notes.setdefault(f"read with {writing}, such as {shown[0]!r}", []).append(source)
    return [f"{words}{in_files(names)}" for words, names in notes.items()]


def _sort_by_points(values: Sequence[Any], said: Said) -> None:
    """Note what may show points between thousands; nothing more once a text shows that there are none."""
    texts = {value.strip() for value in values if _texty(value)}
    grouped = {text for text in texts if _GROUPED.fullmatch(text)}
    whole = {text for text in texts if re.fullmatch("[+-]?[0-9]{1,3}", text)}
    said.others = len(grouped) + len(whole) < len(texts)
    said.grouped, said.whole = (set(), set()) if said.others else (grouped, whole)


def _only_writing(texts: Iterable[str]) -> Writing | None:
    """Return the writing that all numbers among the texts are of, if all that are possible say the same numbers."""
    numbers = [text for text in texts if any(writing.read(text) is not None for writing in _WRITINGS)]
    possible = [writing for writing in _WRITINGS if all(writing.read(text) is not None for text in numbers)]
    plain = [(text, float(text)) for text in numbers if _NUMBER.fullmatch(text)]
    # Where a plain number would say something else, the signs of some value must show the writing.
    possible = [
        writing
        for writing in possible
        if all(writing.read(text) == number for text, number in plain) or any(map(writing.shows, numbers))
    ]
    if not numbers:
        return None
    said = {tuple(writing.read(text) for text in numbers) for writing in possible}
    return possible[0] if len(said) == 1 else None


def _without_sentinels(numbers: pd.Series, bad: Mask, form: NumberFormat, said: Said) -> Numbers:
    if form.sentinels:
        gone = numbers.isin(form.sentinels)
        counts: dict[Any, int] = numbers[gone].value_counts().to_dict()
        said.sentinels = Counter(counts)
        numbers = numbers.mask(gone)
    return Numbers(numbers, bad, said)


def _rounded(values: pd.Series) -> tuple[int, int | None]:
    """Count the whole numbers of a typed column that float64 cannot hold, and return the first too."""
    if values.dtype.kind not in "iu":
        return 0, None
    large = values[(values > _EXACT) | (values < -_EXACT)].dropna()
    return _counted([int(value) for value in large if int(float(value)) != int(value)])


def _rounded_texts(values: pd.Series, numbers: pd.Series) -> tuple[int, int | None]:
    large = np.flatnonzero((numbers.abs() >= _EXACT).to_numpy() & np.isfinite(numbers.to_numpy()))
    texts = [str(value).strip() for value in values.iloc[large]]
    whole = [int(text) for text in texts if re.fullmatch("[+-]?[0-9]+", text) and len(text) < 400]
    return _counted([number for number in whole if int(float(number)) != number])


def _counted(numbers: Sequence[int]) -> tuple[int, int | None]:
    return len(numbers), next(iter(numbers), None)
