"""Level, scale and reference: what makes items of any size look alike to one forest.

A target enters the forest as `(f(target) - reference) / scale`, where `f` is the identity or log1p, `scale` is the
item's recent mean absolute seasonal difference (the denominator of MASE: Hyndman and Koehler 2006, "Another look at
measures of forecast accuracy"), and `reference` is its recent level, with or without its recent seasonal profile.
All three are known at the origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .panel import Panel
from .rolling import Rolling
from .task import Task

TINY = 1e-9
CLIP = 100.0
"""Bound of scaled targets and features: what is a hundred scales away is a fault or a near-constant item."""


@dataclass(frozen=True)
class Scaling:
    """How targets are put on one scale; decided once, from the training rows.

    Attributes:
        log: whether targets enter as log1p.
        seasonal: whether the reference follows the recent seasonal profile, or is the recent level only.
    """

    log: bool = False
    seasonal: bool = False

    @property
    def name(self) -> str:
        """The decision in words, as it stands in the training rows."""
        return f"{'log1p' if self.log else 'linear'}/{'seasonal' if self.seasonal else 'level'}"

    @classmethod
    def from_name(cls, name: str) -> Scaling:
        """Read `name` back."""
        transform, reference = name.split("/")
        return cls(log=transform == "log1p", seasonal=reference == "seasonal")

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Apply `f`."""
        return np.log1p(np.maximum(values, 0.0)) if self.log else values

    def backward(self, values: np.ndarray) -> np.ndarray:
        """Undo `f`."""
        return np.expm1(values) if self.log else values


def squash(y: np.ndarray) -> np.ndarray:
    """Asinh: linear near zero, logarithmic beyond one scale, so that a near-constant item's jumps do not rule the splits."""
    return np.arcsinh(y)


def stretch(y: np.ndarray) -> np.ndarray:
    """Undo `squash`."""
    return np.sinh(y)


@dataclass(frozen=True)
class Seasons:
    """The steps back that a task looks at; everything a forecast needs lies within `lookback`.

    Attributes:
        lengths: the season lengths, shortest first.
        slots: per season length, how many of the target's own slots are looked at.
        level: window of the recent level, in steps.
        windows: windows of the rolling features.
        scale: window of the scale.
        horizon: the longest lead.
    """

    lengths: tuple[int, ...]
    slots: tuple[int, ...]
    level: int
    windows: tuple[int, ...]
    scale: int
    horizon: int

    @classmethod
    def of(cls, task: Task) -> Seasons:
        """Derive the steps from the season lengths and the horizon."""
        lengths = tuple(sorted(set(task.season_lengths)))
        slots = tuple(_slots(length) for length in lengths)
        first = lengths[0] if lengths[0] > 1 else 4
        level = first
        reach = max(
            distance(task.horizon, length) + (count - 1) * length + level
            for length, count in zip(lengths, slots, strict=True)
        )
        windows = tuple(w for w in (max(2, first // 2), first, 2 * first, 4 * first, 8 * first) if w <= reach)
        return cls(lengths, slots, level, windows, max(reach - lengths[-1], first), task.horizon)

    @property
    def lookback(self) -> int:
        """Steps of history, the origin's included, that a forecast rests on."""
        reach = max(
            int(distance(self.horizon, length)) + (count - 1) * length + self.level
            for length, count in zip(self.lengths, self.slots, strict=True)
        )
        return max(reach, *self.windows, self.scale + self.lengths[-1], 2 * self.lengths[-1])


def distance(lead: np.ndarray | int, length: int):
    """Steps from a target back to the last slot of its season that is known at the origin."""
    return length * -(-np.asarray(lead) // length)


def _slots(length: int) -> int:
    if length == 1:
        return 1
    return int(np.clip(100 // length, 3, 8))


class Signal:
    """A panel's targets, transformed and standardised per item, with everything that can be asked at an origin.

    Standardising keeps the prefix sums exact and cancels out: whatever leaves here is either relative to the level
    and scale at the origin, or in the units of `Scaling.forward`.
    """

    def __init__(self, panel: Panel, seasons: Seasons, scaling: Scaling) -> None:
        self.seasons = seasons
        lengths = np.diff(panel.edges)
        values = scaling.forward(panel.target)
        self.center, self.spread = _moments(values, panel.edges)
        values = (values - np.repeat(self.center, lengths)) / np.repeat(self.spread, lengths)
        self.rolling = Rolling(values)
        self.seasonal_change = Rolling(_change(values, seasons.lengths[-1]))
        self.step_change = Rolling(_change(values, 1))

    def level(self, index: np.ndarray) -> np.ndarray:
        """Mean of the last season; of longer windows where that is empty."""
        level = self.rolling.mean(index, self.seasons.level)
        for window in (min(4 * self.seasons.level, self.seasons.lookback), self.seasons.lookback):
            if np.isnan(level).any():
                level = np.where(np.isnan(level), self.rolling.mean(index, window), level)
        return level

    def scale(self, index: np.ndarray) -> np.ndarray:
        """Recent mean absolute seasonal difference; the difference of steps, or the deviation, where there is none."""
        scale = self.seasonal_change.mean(index, self.seasons.scale)
        if np.isnan(scale).any():
            scale = np.where(np.isnan(scale), self.step_change.mean(index, self.seasons.scale), scale)
            scale = np.where(np.isnan(scale), self.rolling.deviation(index, self.seasons.lookback), scale)
        return scale

    def profile(self, index: np.ndarray, lead: np.ndarray, length: int, slot: int) -> np.ndarray:
        """What the same slot was, some seasons ago, above the level of then: NaN where missing."""
        back = distance(lead, length) + slot * length
        return self.rolling.at(index + lead - back) - self.rolling.mean(index - back, self.seasons.level)


def _moments(values: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    seen = ~np.isnan(values)
    count = np.maximum(np.add.reduceat(seen, edges[:-1], dtype=np.int64), 1)
    center = np.add.reduceat(np.where(seen, values, 0.0), edges[:-1]) / count
    away = np.where(seen, values - np.repeat(center, np.diff(edges)), 0.0)
    spread = np.sqrt(np.add.reduceat(away**2, edges[:-1]) / count)
    return center, np.where(spread > TINY * np.abs(center), spread, np.maximum(np.abs(center), 1.0))


def _change(values: np.ndarray, lag: int) -> np.ndarray:
    change = np.full(len(values), np.nan)
    np.abs(values[lag:] - values[:-lag], out=change[lag:])
    return change
