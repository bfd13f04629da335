"""Strict readers of raw columns: text or typed values become moments and names.

Nothing is guessed: no month-first dates, no words such as `today`. What a reader cannot read it leaves missing and
says so.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

Mask = np.ndarray
"""Booleans, shape (rows,)."""
Moments = tuple[pd.Series, Mask]
"""Moments (naive datetime64[us], NaT where there is none), and which are the second time of their hour."""

_DATE = r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}|[0-9]{8}|[0-9]{4}-[0-9]{2}|[0-9]{4}"
_TIME = r"[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:[.,][0-9]{1,9})?)?)?"
_OFFSET = r" ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
_ISO_8601 = re.compile(rf"(?:{_DATE})(?:[T ]{_TIME}(?P<offset>{_OFFSET})?)?")
EPOCHS = {"epoch_s": 10**6, "epoch_ms": 10**3, "epoch_us": 1, "epoch_ns": Decimal("1e-3")}
"""Formats of moments counted since 1970 in UTC: microseconds of one of their units."""
_EARLIEST, _LATEST = -62_135_596_800 * 10**6, 253_402_300_800 * 10**6
_WEEKDAY = set("uwaA")
_QUARTER, _MONTH = "Q%q", "%m"
"""strptime has no quarter: it is read as its first month."""
QUARTERS = ("%YQ%q", "%Y-Q%q", "%Y Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y")
"""How quarters are written."""


def read_moments(values: pd.Series, zone: ZoneInfo, form: str | None = None) -> Moments:
    """Read a column of moments as naive ones in a zone, to which those with an offset are converted.

    Args:
        values: texts, date and time objects, or a typed column. Numbers are read by a declared format only:
            without one, 20130101 could be anything.
        zone: the zone of the result, and of moments that name no offset.
        form: strptime format of the texts, in which `Q%q` is a quarter, or one of `EPOCHS`; None: ISO 8601.
    """
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _to_zone(values, zone)
    if pd.api.types.is_datetime64_dtype(values.dtype):
        return values.astype("datetime64[us]"), np.zeros(len(values), dtype=bool)
    iso, formatted = _moment_texts(values, form)
    moments, second_time = _read_unique(iso, lambda texts: _read_iso(texts, zone))
    if form is not None:
        others, others_second = _read_unique(formatted, lambda texts: _read_format(texts, form, zone))
        moments, second_time = moments.fillna(others), second_time | others_second
    return moments.set_axis(values.index), second_time


def with_weekday(form: str) -> tuple[str, str]:
    """Return what a format of weeks and its texts lack to name a day: the week's first; else two empty strings."""
    parts = set(re.findall("%(.)", form))
    if parts & _WEEKDAY or not parts & set("VWU"):
        return "", ""
    return " %w", " 0" if "U" in parts else " 1"


def with_months(form: str) -> str:
    """Return a format with the first month of a quarter in the quarter's place, which strptime reads."""
    return form.replace(_QUARTER, _MONTH)


def read_texts(values: pd.Series) -> pd.Series:
    """Read a column of names or categories as text without spaces around it; None where empty."""
    distinct, places = distinct_of(values)
    texts = np.array([None if value is None else _plain(value).strip() or None for value in distinct], dtype=object)
    return pd.Series(texts[places], index=values.index, dtype=object)


def read_item_ids(columns: Sequence[pd.Series]) -> pd.Series:
    """Read the columns that name items as one: their texts joined by `/`; None where one of them is empty."""
    texts = [read_texts(column) for column in columns]
    if len(texts) == 1:
        return texts[0]
    names = [None if None in parts else "/".join(parts) for parts in zip(*map(_each_escaped, texts), strict=True)]
    return pd.Series(names, index=texts[0].index, dtype=object)


def distinct_of(values: pd.Series) -> tuple[Sequence[Any], np.ndarray]:
    """Return the values of a column, each text once, None for missing ones; and for each row which of them it has.

    Most columns of a panel say the same again and again.
    """
    if pd.api.types.infer_dtype(values, skipna=True) == "string":
        return _distinct(values.to_numpy(dtype=object))
    every = [None if missing else value for value, missing in zip(values, values.isna(), strict=True)]
    return every, np.arange(len(values))


def _distinct(texts: np.ndarray) -> tuple[list[str | None], np.ndarray]:
    """Return texts, each once, None for what is missing; and for each place which of them stands there."""
    import pyarrow as pa

    # Not by pd.factorize, for which texts end at a NUL.
    try:
        encoded = pa.array(texts, pa.string(), from_pandas=True).dictionary_encode("encode")
        return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    except UnicodeEncodeError:  # half of a character, which only Python holds
        every = [None if missing else text for text, missing in zip(texts, pd.isna(texts), strict=True)]
    numbers: defaultdict[str | None, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    places = np.fromiter((numbers[text] for text in every), dtype=np.intp)
    return list(numbers), places


def is_empty(values: pd.Series) -> Mask:
    """Say which values are missing, or text of nothing but spaces."""
    distinct, places = distinct_of(values)
    empty = [value is None or (isinstance(value, str) and not value.strip()) for value in distinct]
    return np.array(empty, dtype=bool)[places]


def has_nul(values: pd.Series) -> Mask:
    """Say which values are text with the character NUL in it."""
    distinct, places = distinct_of(values)
    return np.array([isinstance(value, str) and "\0" in value for value in distinct], dtype=bool)[places]


class Offsets(NamedTuple):
    """How many moments of a column name an offset, and how many do not.

    Attributes:
        named: those that do.
        others: those that do not.
        first: the first that does; None: there is none.
    """

    named: int = 0
    others: int = 0
    first: str | None = None

    def with_later(self, later: "Offsets") -> "Offsets":
        """Return those of this part of a column and of a later one together."""
        first = later.first if self.first is None else self.first
        return Offsets(self.named + later.named, self.others + later.others, first)

    def lines(self) -> list[str]:
        """Note that some name an offset and others do not."""
        if not self.named or not self.others:
            return []
        return [
            f"{self.named} values name an offset, such as {self.first!r}; the other {self.others} are taken for times"
        ]


def offsets_named(values: pd.Series) -> Offsets:
    """Count the moments of a column, or of a part of it, that name an offset."""
    if values.dtype != object:
        return Offsets()
    counts = Counter(value for value in values if isinstance(value, str | date) and value is not pd.NaT)
    aware = [value for value in counts if _is_aware(value)]
    named = sum(counts[value] for value in aware)
    others = sum(count for value, count in counts.items() if str(value).strip()) - named
    return Offsets(named, others, str(aware[0]) if aware else None)


def _is_aware(value: Any) -> bool:
    if isinstance(value, str):
        found = _ISO_8601.fullmatch(value.strip())
        return found is not None and found["offset"] is not None
    return getattr(value, "tzinfo", None) is not None


def _moment_texts(values: pd.Series, form: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Texts to read as ISO 8601 and texts to read by a format, None where there is none."""
    distinct, places = distinct_of(values)
    iso, formatted = np.full((2, len(distinct)), None, dtype=object)
    for number, value in enumerate(distinct):
        if isinstance(value, str):
            (iso if form is None else formatted)[number] = value.strip()
        elif isinstance(value, date):
            iso[number] = value.isoformat()
        elif isinstance(value, np.datetime64):
            iso[number] = str(value)
        elif form is not None and isinstance(value, int | float | np.number | Decimal) and not isinstance(value, bool):
            formatted[number] = _plain(value)
    return iso[places], formatted[places]


def _read_unique(texts: np.ndarray, read: Callable[[np.ndarray], Moments]) -> Moments:
    """Read each text once: a panel repeats its moments for every item."""
    distinct, places = _distinct(texts)
    there = np.array([text is not None for text in distinct], dtype=bool)
    moments, second_time = read(np.array(distinct, dtype=object)[there])
    codes = np.where(there, np.cumsum(there) - 1, -1)[places]
    return moments.reindex(codes).reset_index(drop=True), np.append(second_time, False)[codes]


def _read_iso(texts: np.ndarray, zone: ZoneInfo) -> Moments:
    # pandas takes more than ISO 8601 for it, the words now and today for instance.
    found = [_ISO_8601.fullmatch(text) for text in texts]
    aware = np.array([match is not None and match["offset"] is not None for match in found], dtype=bool)
    naive = np.array([match is not None for match in found], dtype=bool) & ~aware
    moments = pd.Series(pd.NaT, index=range(len(texts)), dtype="datetime64[us]")
    second_time = np.zeros(len(texts), dtype=bool)
    moments[naive] = _by_pandas(texts[naive], "ISO8601").to_numpy()
    converted, second_time[aware] = _to_zone(_by_pandas(texts[aware], "ISO8601", utc=True), zone)
    moments[aware] = converted.to_numpy()
    return moments, second_time


def _read_format(texts: np.ndarray, form: str, zone: ZoneInfo) -> Moments:
    if form in EPOCHS:
        return _to_zone(_read_epochs(texts, form), zone)
    # pandas reads the words now and today whatever the format.
    texts = np.array([text if re.search("[0-9]", text) else None for text in texts], dtype=object)
    if _QUARTER in form:
        form, texts = with_months(form), np.array([text and _first_month(text) for text in texts], dtype=object)
    code, day = with_weekday(form)
    form, texts = form + code, np.array([None if text is None else text + day for text in texts], dtype=object)
    if re.search("%[zZ]", form):
        return _to_zone(_by_pandas(texts, form, utc=True), zone)
    return _by_pandas(texts, form), np.zeros(len(texts), dtype=bool)


def _first_month(text: str) -> str | None:
    found = re.search("Q([1-4])", text, re.IGNORECASE)
    return found and f"{text[: found.start()]}{3 * int(found[1]) - 2:02d}{text[found.end() :]}"


def _read_epochs(texts: np.ndarray, form: str) -> pd.Series:
    found = []
    for text in texts:
        try:
            micros = Decimal(text) * EPOCHS[form]
        except InvalidOperation:
            micros = Decimal("nan")
        inside = _EARLIEST <= micros < _LATEST if micros.is_finite() else False
        found.append(np.datetime64(int(micros), "us") if inside else np.datetime64("NaT", "us"))
    return pd.Series(pd.DatetimeIndex(np.array(found, dtype="datetime64[us]"), tz="UTC"))


def _by_pandas(texts: np.ndarray, form: str, utc: bool = False) -> pd.Series:
    return pd.Series(pd.to_datetime(texts, format=form, errors="coerce", utc=utc).as_unit("us"))


def _to_zone(values: pd.Series, zone: ZoneInfo) -> Moments:
    instants = values.dt.as_unit("us").dt.tz_convert("UTC")
    moments = instants.dt.tz_convert(zone).dt.tz_localize(None)
    first = np.ones(len(moments), dtype=bool)
    earlier = moments.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward").dt.tz_convert("UTC")
    return moments, ((earlier != instants) & values.notna()).to_numpy()


def _plain(value: Any) -> str:
    """Text of a category: 1.0 from a float column with gaps is the same category as 1."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _each_escaped(texts: pd.Series) -> np.ndarray:
    distinct, places = distinct_of(texts)
    return np.array([None if text is None else _escaped(text) for text in distinct], dtype=object)[places]


def _escaped(part: str) -> str:
    """Write a slash within a part as %2F, so that a/b with c and a with b/c stay two items."""
    return re.sub("%(?=2F|25)", "%25", part).replace("/", "%2F")


def unescaped(part: str) -> str:
    """Return a part of an item's id as the source has it."""
    return part.replace("%2F", "/").replace("%25", "%")
