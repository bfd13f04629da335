"""What each column of a raw table is: the item, the time, the target, a covariate, or nothing that is needed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from mlops_assets.drafts import rewriting
from mlops_assets.drafts.times import NAMED, Times, read_times
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.data.numbers import NumberFormat, read_numbers
from mlops_assets.forecasting.data.parsing import read_item_ids, read_texts
from mlops_assets.sources.base import ROW_SOURCE

_NUMERIC = 0.95
"""Share of a column's values that must be numbers for it to be one of numbers."""
_ALIKE = 0.995
"""Share of the rows in which an item must have one and the same value for it to be what the item is."""
_UNIQUE = 0.99
"""Share of the rows that must be alone with their item and time for the columns of the item to be right."""
_SINGLE = 0.9
"""Below this share rows are single events; above it those that are not alone contradict each other."""
_MOST_COLUMNS = 4
"""Columns that name an item together at most, and of which all choices are tried."""
_ITEM = re.compile(
    r"(^|[_\W])(id|ids|item|items|sku|product|article|series|unique_id|store|shop|station|sensor|meter|site|branch|"
    r"customer|code|key|name|route)($|[_\W])",
    re.IGNORECASE,
)
_TARGET = (
    re.compile(r"^(target|y|value|values)$", re.IGNORECASE),
    re.compile(
        r"(^|[_\W])(sales|demand|units|unit_sales|quantity|qty|sold|orders|volume|load|consumption|count|cnt|visits|"
        r"passengers|departures|trips|calls|admissions|revenue|turnover|amount|total)($|[_\W])",
        re.IGNORECASE,
    ),
)
"""How targets are called, the surer names first."""
_KNOWN = re.compile(
    r"(^|[_\W])(promo|promotion|promoted|discount|price[0-9]*|holiday|deal|feat|feature|featured|display|event|campaign|open|is_open|closed|school|weekend|"
    r"weekday|workingday|planned|scheduled|advert|sell_price|on_sale|christmas|easter)",
    re.IGNORECASE,
)
"""How covariates are called that one knows ahead."""


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are.

    Attributes:
        item: columns that name the item together; none: the table is one series.
        time: the column of the time, read.
        time_column: its name.
        target: the column to forecast.
        known: covariates that are known ahead.
        past: covariates that are known up to the origin.
        static: what an item is.
        left_out: further columns, each with why it is not used.
        numbers: how numbers in text are written.
        other_targets: columns that could be the target as well.
        ahead: known covariates that stand in rows whose target is still missing.
        several: whether rows share their item and time: single events, to be added up.
        overlapping: whether they share them with rows of other files only: later exports of the same.
    """

    item: list[str]
    time: Times
    time_column: str
    target: str
    known: list[str] = field(default_factory=list)
    past: list[str] = field(default_factory=list)
    static: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    numbers: NumberFormat = field(default_factory=NumberFormat)
    other_targets: list[str] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)
    several: bool = False
    overlapping: bool = False


def find_roles(place: str, rows: pd.DataFrame, columns: Sequence[str]) -> Roles:
    """Say what each column of a table is, by its values first and by its name where they leave a choice.

    Args:
        place: how messages call the table.
        rows: raw.
        columns: of the table, in their order.

    Raises:
        UsageError: there is no column of times, or none of numbers; it is no series before it is written anew.
    """
    texts_of = {name: read_texts(rows[name]) for name in columns}
    filled = [name for name in columns if texts_of[name].notna().any()]
    left_out = {name: "it is empty" for name in columns if name not in filled}
    times = {name: found for name in filled if (found := read_times(rows[name], name)) is not None}
    if not times:
        rewriting.require_long(place, columns)
        shown = ", ".join(f"{name} ({rows[name].dropna().iloc[0]!r})" for name in filled[:10])
        raise UsageError(
            f"{place}: no column of dates or times was found among {shown or 'its columns, which are empty'}; "
            "a spec by hand may declare columns.timestamp_format (docs/spec.md)"
        )
    time_column = _column_of_time(times)
    rewriting.require_names(place, columns, time_column)
    numbers = {name: _as_numbers(rows[name], texts_of[name]) for name in filled if name not in times}
    numeric = {name: read[0] for name, read in numbers.items() if read is not None}
    texts = [name for name in filled if name not in times and name not in numeric]
    named = [name for name in numeric if _ITEM.search(name) and _whole(numeric[name])]
    counting = [name for name in numeric if _numbers_rows(numeric[name])]
    left_out |= dict.fromkeys(counting, "it numbers the rows")
    numeric = {name: values for name, values in numeric.items() if name not in counting}
    target = _target([name for name in numeric if name not in named] or list(numeric))
    if target is None:
        rewriting.require_plain_numbers(place, {name: texts_of[name] for name in texts})
        raise UsageError(f"{place}: no column of numbers was found that could be forecast, among: {', '.join(columns)}")
    moments = times[time_column].moments
    item, alone = _item(texts_of, moments, [*texts, *(name for name in named if name != target)])
    labels = _labels(rows, item)
    overlapping = alone < _SINGLE and rewriting.overlap(moments, labels, rows[ROW_SOURCE])
    if alone < _SINGLE:
        rewriting.require_one_time(place, moments, labels, time_column, numeric)
        rewriting.require_items(place, moments, labels, rows[ROW_SOURCE], rows)
    static, time_varying = [], []
    for name in filled:
        if name in (time_column, target) or name in item or name in left_out:
            continue
        if name in times:
            left_out[name] = "it is another time"
        elif _constant(texts_of[name], labels) and labels.nunique() > 1:
            distinct, items = texts_of[name].nunique(), labels.nunique()
            if 2 <= distinct < items and distinct <= max(50, items // 2):
                static.append(name)
            else:
                left_out[name] = (
                    "it is the same for all items" if distinct == 1 else "it is as good as a name of the item"
                )
        elif name in numeric:
            time_varying.append(name)
        else:
            left_out[name] = "it is text that changes from row to row"
    static += [name for name in item if len(item) > 1 and 2 <= texts_of[name].nunique() <= 50]
    missing = numeric[target].isna().to_numpy()
    ahead = [name for name in time_varying if _known_ahead(numeric[name], missing, moments)]
    known = [name for name in time_varying if name in ahead or _KNOWN.search(name)]
    forms = [read[1] for name, read in numbers.items() if read is not None and name in (target, *time_varying)]
    return Roles(
        item=item,
        time=times[time_column],
        time_column=time_column,
        target=target,
        known=known,
        past=[name for name in time_varying if name not in known],
        static=static,
        left_out=left_out,
        numbers=next((form for form in forms if form.declared), NumberFormat()),
        other_targets=_as_good(target, [name for name in time_varying if name not in known]),
        ahead=ahead,
        several=alone < _SINGLE and not overlapping,
        overlapping=overlapping,
    )


def _column_of_time(times: dict[str, Times]) -> str:
    """Return the column that is the time: one that is called so, of the finest of them."""

    def rank(name: str) -> tuple[bool, int]:
        return NAMED.search(name) is not None, int(times[name].moments.nunique())

    return max(times, key=rank)


def _as_numbers(values: pd.Series, texts: pd.Series) -> tuple[pd.Series, NumberFormat] | None:
    """Read a column as numbers, and say how they are written; None if it is no column of numbers."""
    present = texts.notna().to_numpy()
    for form in (NumberFormat(), NumberFormat(decimal=","), NumberFormat(",", "."), NumberFormat(".", ",")):
        read = read_numbers(values, form, booleans=True)
        if present.any() and 1 - read.bad[present].mean() >= _NUMERIC and read.values.notna().any():
            return read.values, form if form.declared or not read.said.odd else _writing(values)
    return None


def _writing(values: pd.Series) -> NumberFormat:
    """Return the declaration by which the numbers of a column are read that were read without one."""
    for form in (NumberFormat(decimal=","), NumberFormat(",", "."), NumberFormat(".", ","), NumberFormat(",", " ")):
        if not read_numbers(values, form, booleans=True).bad.any():
            return form
    return NumberFormat()


def _target(names: Sequence[str]) -> str | None:
    for pattern in _TARGET:
        for name in names:
            if pattern.search(name):
                return name
    plain = [name for name in names if not _KNOWN.search(name)]
    return next(iter([*plain, *names]), None)


def _as_good(target: str, others: Sequence[str]) -> list[str]:
    """Return the columns that could be the target as well: those that are called so, or any if it is not either."""
    called = [name for name in others if any(pattern.search(name) for pattern in _TARGET)]
    return called if any(pattern.search(target) for pattern in _TARGET) else list(others)


def _item(texts_of: Mapping[str, pd.Series], moments: pd.Series, names: Sequence[str]) -> tuple[list[str], float]:
    """Return the fewest columns that, with the time, tell the rows apart, and the share of the rows that they do.

    One series needs none, but may have one that names it. Of as many columns those come first that are called like an
    item, then those of fewer items.
    """
    alone = _share_alone(moments, [])
    if alone >= _UNIQUE:
        return [name for name in names if _ITEM.search(name) and texts_of[name].nunique() == 1][:1], alone
    codes = {name: pd.factorize(texts_of[name])[0] for name in names}
    usable = [name for name in names if codes[name].max() > 0 and codes[name].max() + 1 < 0.9 * len(moments)]
    usable.sort(key=lambda name: (_ITEM.search(name) is None, codes[name].max()))
    best, most = list[str](), alone
    for count in range(1, min(_MOST_COLUMNS, len(usable)) + 1):
        for chosen in combinations(usable[:12], count):
            share = _share_alone(moments, [codes[name] for name in chosen])
            if share > most + 0.005:
                best, most = [name for name in names if name in chosen], share
        if most >= _UNIQUE:
            return best, most
    called = [name for name in usable if _ITEM.search(name)]
    return called or usable[:1], most


def _share_alone(moments: pd.Series, codes: Iterable[np.ndarray]) -> float:
    keys = pd.DataFrame({"moment": moments.to_numpy(), **{str(n): one for n, one in enumerate(codes)}})
    return 1 - float(keys.duplicated(keep=False).mean())


def _labels(rows: pd.DataFrame, item: Sequence[str]) -> pd.Series:
    if not item:
        return pd.Series("", index=rows.index)
    return read_item_ids([rows[name] for name in item]).fillna("")


def _constant(texts: pd.Series, labels: pd.Series) -> bool:
    """Whether nearly all rows have the usual value of their item."""
    value, of_item = pd.factorize(texts, use_na_sentinel=False)[0], pd.factorize(labels)[0]
    pairs, counts = np.unique(np.stack([of_item, value]), axis=1, return_counts=True)
    usual = pd.Series(counts).groupby(pairs[0]).max().sum()
    return float(usual / len(texts)) >= _ALIKE


def _known_ahead(values: pd.Series, missing: np.ndarray, moments: pd.Series) -> bool:
    """Whether a covariate stands in rows after the last target."""
    if missing.all():
        return False
    after = (moments > moments[~missing].max()).to_numpy()
    return bool(after.any()) and float(values[after].notna().mean()) > 0.5


def _numbers_rows(values: pd.Series) -> bool:
    """Whether whole numbers go up by one from each row to the next."""
    return len(values) > 2 and bool((values.diff().iloc[1:] == 1).all())


def _whole(values: pd.Series) -> bool:
    present = values.dropna()
    return len(present) > 0 and bool((present % 1 == 0).all())
