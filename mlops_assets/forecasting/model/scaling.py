"""Level and scale: what makes items of any size look alike to one model.

A target enters the model as `squash((f(target) - level) / scale)`, where `f` is the identity or log1p,
`scale` is the item's recent mean absolute seasonal difference (the denominator of MASE: Hyndman and Koehler
2006, "Another look at measures of forecast accuracy"), and `level` lies half way between its means over a
short and a long recent window. All is known at the origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .panel import ITEM, Panel
from .rolling import Rolling
from .task import Task

TINY = 1e-9
CLIP = 100.0
"""Bound of scaled targets and features: what is a hundred scales away is a fault or a near-constant item."""


@dataclass(frozen=True)
class Scaling:
    """How targets are transformed; decided once, from the training rows.

    Attributes:
        log: whether targets enter as log1p.
        whole: whether all targets are whole numbers, so that every possible outcome, and hence every
            quantile, is.
    """

    log: bool = False
    whole: bool = False

    @property
    def name(self) -> str:
        """The decision in words, as it stands in the training rows."""
        return f"{'log1p' if self.log else 'linear'} {'whole' if self.whole else 'real'}"

    @classmethod
    def from_name(cls, name: str) -> Scaling:
        """Read `name` back."""
        return cls(log="log1p" in name, whole="whole" in name)

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Apply `f`."""
        return np.log1p(np.maximum(values, 0.0)) if self.log else values

    def backward(self, values: np.ndarray) -> np.ndarray:
        """Undo `f`, which knows nothing below zero where it is a logarithm."""
        return np.expm1(np.maximum(values, 0.0)) if self.log else values

    def outcomes(self, reference: np.ndarray, scale: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Put scaled targets into original units, at another row's level and scale.

        None ends up further from the level than `CLIP` scales or the level itself, nor, of logarithms, by more than
        that factor: the first jump of an item that had never moved has no size that others could share, and would
        rule their means.
        """
        room = np.maximum(CLIP * scale, np.abs(reference))
        if self.log:
            room = np.minimum(room, np.log(CLIP))
        most = squash(room / scale).astype(y.dtype)
        return self.backward(reference + scale * stretch(np.clip(y, -most, most)))

    def possible(self, quantiles: np.ndarray) -> np.ndarray:
        """Quantiles of outcomes that can occur."""
        return np.rint(quantiles) if self.whole else quantiles


def squash(y: np.ndarray) -> np.ndarray:
    """Asinh: linear near zero, logarithmic beyond one scale.

    Keeps the jumps of near-constant items, many scales high, from ruling the splits.
    """
    return np.arcsinh(y)


def stretch(y: np.ndarray) -> np.ndarray:
    """Undo `squash`."""
    return np.sinh(y)


def rebased(y: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Squashed targets as seen from a place that lies `away` scales below, in the type of `y`."""
    return squash(stretch(y) + away.astype(y.dtype))


@dataclass(frozen=True)
class Seasons:
    """The steps back that a task looks at; everything a forecast needs lies within `lookback`.

    Attributes:
        lengths: the season lengths, shortest first.
        slots: per season length, how many of the target's own slots are looked at.
        short: window of the short level, in steps.
        long: window of the long level, in steps.
        windows: windows of the rolling features.
        scale: window of the scale.
        lookback: steps of history, the origin's included, that a forecast rests on.
    """

    lengths: tuple[int, ...]
    slots: tuple[int, ...]
    short: int
    long: int
    windows: tuple[int, ...]
    scale: int
    lookback: int

    @classmethod
    def of(cls, task: Task) -> Seasons:
        """Derive the steps from the season lengths and the horizon."""
        lengths = tuple(sorted(set(task.season_lengths)))
        slots = tuple(_slots(length) for length in lengths)
        short = min(lengths) if min(lengths) > 1 else 4
        reach = max(
            int(distance(task.horizon, length)) + count * length for length, count in zip(lengths, slots, strict=True)
        )
        lookback = max(reach, 2 * lengths[-1], 2 * short)
        return cls(
            lengths=lengths,
            slots=slots,
            short=short,
            long=lengths[-1] if len(lengths) > 1 else min(4 * short, lookback),
            windows=tuple(
                sorted({w for w in (max(2, short // 2), short, 2 * short, 4 * short, 8 * short) if w <= lookback})
            ),
            scale=lookback - min(lengths),
            lookback=lookback,
        )


def distance(lead: Any, length: int) -> Any:
    """Steps from a target back to the last slot of its season that is known at the origin."""
    return length * -(-np.asarray(lead) // length)


def _slots(length: int) -> int:
    """How many seasons of a length are looked at: eight up to a day by the hour, three at least of longer ones."""
    if length == 1:
        return 1
    return int(np.clip(200 // length, 3, 8))


class Signal:
    """A panel's targets, transformed and standardised per item, and what can be asked of them at an origin.

    Standardising keeps the running totals small and cancels out: whatever leaves `features` is either relative
    to the level and scale at the origin, or put back into the units of `Scaling.forward`. It is by powers of two, so
    that the totals of whole numbers stay exact, and a window of equal ones has no deviation at all.
    """

    def __init__(self, panel: Panel, seasons: Seasons, scaling: Scaling) -> None:
        self.seasons = seasons
        lengths = np.diff(panel.edges)
        values = scaling.forward(panel.target)
        self.center, self.spread = _moments(values, panel.edges)
        values = (values - np.repeat(self.center, lengths)) / np.repeat(self.spread, lengths)
        self.rolling = Rolling(values, panel.edges)
        self.seasonal_change = Rolling(_change(values, seasons.lengths[0]), panel.edges)
        self.step_change = Rolling(_change(values, 1), panel.edges)

    def level(self, index: np.ndarray) -> np.ndarray:
        """Half way between the short and the long window's mean, a longer one standing in if empty."""
        whole = self.rolling.mean(index, self.seasons.lookback)
        long = _or(self.rolling.mean(index, self.seasons.long), whole)
        return (_or(self.rolling.mean(index, self.seasons.short), long) + long) / 2

    def scale(self, index: np.ndarray) -> np.ndarray:
        """Recent mean absolute seasonal difference; where there is none, that of steps, or the deviation."""
        scale = _or(
            self.seasonal_change.mean(index, self.seasons.scale),
            self.step_change.mean(index, self.seasons.scale),
        )
        return _or(scale, self.rolling.deviation(index, self.seasons.lookback))

    def profile(self, index: np.ndarray, lead: np.ndarray, length: int, slot: int) -> np.ndarray:
        """What the target's slot was some seasons ago, above the mean of the season until that origin.

        `slot` counts seasons back from the last one known at the origin. NaN where missing.
        """
        back = distance(lead, length) + slot * length
        window = length if length > 1 else self.seasons.short
        return self.rolling.at(index + lead - back) - self.rolling.mean(index - back, window)


def _or(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), others, values)


def _moments(values: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Roughly the mean and the deviation of each item: the latter a power of two, the former a multiple of it."""
    seen = ~np.isnan(values)
    count = np.maximum(np.add.reduceat(seen, edges[:-1], dtype=np.int64), 1)
    center = np.add.reduceat(np.where(seen, values, 0.0), edges[:-1]) / count
    away = np.where(seen, values - np.repeat(center, np.diff(edges)), 0.0)
    spread = np.sqrt(np.add.reduceat(away**2, edges[:-1]) / count)
    spread = np.where(spread > TINY * np.abs(center), spread, np.maximum(np.abs(center), 1.0))
    spread = np.exp2(np.rint(np.log2(spread)))
    return np.rint(center / spread) * spread, spread


def _change(values: np.ndarray, lag: int) -> np.ndarray:
    change = np.full(len(values), np.nan)
    np.abs(values[lag:] - values[:-lag], out=change[lag:])
    return change


def seasonal_scale(history: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Denominators of MASE and RMSSE per item: mean absolute and root mean square seasonal difference.

    Differences are over the first season length of the task, where both values are there. NaN for an item
    without one, or whose differences are all zero: it has no scale to be measured on.

    Returns:
        Columns item_id, mase_scale, rmsse_scale, one row per item of the history.
    """
    plain = Task(task.frequency, task.horizon, task.season_lengths)
    length = min(task.season_lengths)
    panel = Panel.from_frame(history, plain, pad=length)
    change = np.full(len(panel.target), np.nan)
    change[length:] = panel.target[length:] - panel.target[:-length]
    seen = ~np.isnan(change)
    change = np.where(seen, change, 0.0)
    count = np.add.reduceat(seen, panel.edges[:-1], dtype=np.int64)
    return pd.DataFrame(
        {
            ITEM: panel.items,
            "mase_scale": _positive(np.add.reduceat(np.abs(change), panel.edges[:-1]), count),
            "rmsse_scale": np.sqrt(_positive(np.add.reduceat(change**2, panel.edges[:-1]), count)),
        }
    )


def _positive(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    mean = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return np.where(mean > 0, mean, np.nan)
