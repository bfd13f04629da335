"""Anomalies of arriving data: values that the forecast made before them hardly thought possible, and flat lines."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd

from mlops_assets.forecasting.evaluation.metrics import outer_pair
from mlops_assets.forecasting.formatting import counted, stamp
from mlops_assets.forecasting.model.panel import ITEM, TARGET, TIME
from mlops_assets.forecasting.model.task import Task, quantile_column

ABOVE, BELOW, FLAT = "above", "below", "flat"
"""Kinds of anomalies: beyond what was expected, and the same value again and again."""
COLUMNS = [ITEM, TIME, TARGET, "low", "high", "origin", "kind", "reason"]
DEVIATIONS = 6.0
"""So many standard deviations, were the errors normal, what was expected reaches from the median. Of 20,000 real values
that came after their forecasts in six public sets (monthly, quarterly, weekly, hourly), one in 1,000 lies beyond."""
ENOUGH = 12
"""Fewer values before it say nothing of a flat line."""
RARE = 1e-4
"""A line is flat if values drawn from the item's history would repeat so often with less than this chance."""


def find(observations: pd.DataFrame, forecasts: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return what is anomalous in observations.

    Args:
        observations: canonical frame, with so much history that flat lines show.
        forecasts: rows of the ledger; of several for an item and timestamp, the latest counts, and none whose model had
            seen what came.
        task: names the quantiles.

    Returns:
        Columns item_id, timestamp, target, low and high (what was expected; missing for a flat line), origin (of the
        forecast), kind (`above`, `below`, `flat`) and reason; by time and item.
    """
    known = observations.loc[observations[TARGET].notna(), [ITEM, TIME, TARGET]]
    known = known if known[TARGET].dtype == np.float64 else known.astype({TARGET: float})
    known = known.sort_values([ITEM, TIME], ignore_index=True)
    found = [part for part in (_outside(known, forecasts, task), _flat(known)) if len(part)]
    if not found:
        return pd.DataFrame(columns=COLUMNS).astype({TIME: "datetime64[us]", "origin": "datetime64[us]"})
    return pd.concat(found)[COLUMNS].sort_values([TIME, ITEM, "kind"], ignore_index=True)


def _outside(known: pd.DataFrame, forecasts: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the values beyond the widest interval at hand, widened until hardly any true value lies outside.

    Each side of the interval reaches `DEVIATIONS`, by its level in a normal distribution. A side that is narrower than
    the item's usual seasonal change (of an intermittent item, all quantiles may be zero) reaches as far as if it were
    as wide, and what the item has had before lies within.
    """
    pair = outer_pair(task.quantiles)
    middle = "q50" if 0.5 in task.quantiles else "mean"
    if pair is None or forecasts.empty:
        return pd.DataFrame()
    names = [quantile_column(level) for level in pair]
    told = forecasts[~(forecasts[TIME] <= forecasts["trained_until"]).fillna(False).astype(bool)]
    told = told.reindex(columns=[ITEM, TIME, "origin", middle, *names, "mase_scale"]).dropna(subset=[middle, *names])
    told = told.sort_values("origin").drop_duplicates([ITEM, TIME], keep="last")
    by_item, first = known.groupby(ITEM)[TARGET], ~known[ITEM].duplicated().to_numpy()
    before = (np.where(first, np.nan, np.roll(most.to_numpy(), 1)) for most in (by_item.cummax(), by_item.cummin()))
    rows = known.assign(**dict(zip(("highest", "lowest"), before, strict=True))).merge(told, on=[ITEM, TIME])
    wider = DEVIATIONS / NormalDist().inv_cdf(pair[1])
    center, least = rows[middle].to_numpy(float), rows["mase_scale"].fillna(0.0).to_numpy(float)
    low, high = rows[names[0]].to_numpy(float), rows[names[1]].to_numpy(float)
    down, up = np.maximum(center - low, 0.0), np.maximum(high - center, 0.0)
    low, high = center - wider * np.maximum(down, least), center + wider * np.maximum(up, least)
    low = np.where(down < least, np.fmin(low, rows["lowest"]), low)
    high = np.where(up < least, np.fmax(high, rows["highest"]), high)
    low = np.where((rows[names[0]] >= 0) & ~(rows["lowest"] < 0), np.maximum(low, 0.0), low)
    target = rows[TARGET].to_numpy(float)
    kind = np.where(target > high, ABOVE, np.where(target < low, BELOW, ""))
    if not (kind != "").any():
        return pd.DataFrame()
    rows = rows.assign(low=low, high=high, kind=kind)[kind != ""]
    interval = f"{pair[1] - pair[0]:.0%} interval"
    reason = [
        f"{row[TARGET]:.5g} where {row['low']:.4g} to {row['high']:.4g} was expected: the {interval} of the forecast "
        f"from {stamp(row['origin'])}, widened {wider:.1f}-fold"
        for row in rows.to_dict("records")
    ]
    return rows.assign(reason=reason)


def _flat(known: pd.DataFrame) -> pd.DataFrame:
    """Return where a value has been repeated far more often than ever before, and than chance would have it.

    Far more is more than twice as often, and two times more: the seasons of a shop, the nights of a street repeat.
    """
    item, value = pd.factorize(known[ITEM])[0], pd.factorize(known[TARGET])[0]
    place, first = np.arange(len(known)), np.ones(len(known), dtype=bool)  # of each row; and of its item
    first[1:] = item[1:] != item[:-1]
    new = first.copy()
    new[1:] |= value[1:] != value[:-1]
    run, starts = new.cumsum() - 1, np.flatnonzero(new)
    repeats = place - starts[run] + 1
    lengths = np.diff(starts, append=len(known))
    longest = _highest_before(lengths, first[starts])[run]
    before = place - np.maximum.accumulate(np.where(first, place, 0)) + 1 - repeats
    alike = _earlier(item * (value.max(initial=0) + 1) + value) - repeats + 1
    chance = ((alike + 1) / (before + 2)) ** (repeats - 1)
    flat = (repeats > 2 * longest + 2) & (before >= ENOUGH) & (before >= 2 * repeats) & (chance < RARE)
    if not flat.any():
        return pd.DataFrame()
    never = np.full(np.count_nonzero(flat), np.datetime64("NaT", "us"))
    rows = known[flat].assign(low=np.nan, high=np.nan, origin=never, kind=FLAT)
    reason = [
        f"{value:.5g}, {count} times in a row, until then at most {counted(int(most), 'time')}"
        for value, count, most in zip(rows[TARGET], repeats[flat], longest[flat], strict=True)
    ]
    return rows.assign(reason=reason)


def _highest_before(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the highest of the values before each, from the last `first` one on; 0 of a first one; shape (values,)."""
    group = np.cumsum(first)
    step = values.max(initial=0) + 1  # what a group has is above all that those before it have
    highest = np.maximum.accumulate(values + group * step) - group * step
    return np.where(first, 0, np.concatenate([[0], highest[:-1]])[: len(values)])


def _earlier(values: np.ndarray) -> np.ndarray:
    """Return how often each value stands before its place, shape (values,)."""
    order = np.argsort(values, kind="stable")
    ordered, place = values[order], np.arange(len(values))
    first = np.ones(len(values), dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    found = np.empty(len(values), dtype=np.int64)
    found[order] = place - np.maximum.accumulate(np.where(first, place, 0))
    return found
