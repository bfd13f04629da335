"""Simple exponential smoothing of deseasonalised series, with their growth: what statistical forecasts rest on.

Not a model of its own: its forecasts are features, and what a forest is blended with (see `fitting`). After Holt
(1957), "Forecasting seasonals and trends by exponentially weighted moving averages", and Assimakopoulos and
Nikolopoulos (2000), "The theta model", International Journal of Forecasting 16, whose trend is halved, too.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..scaling import Signal, distance

WEIGHT = 0.3
"""Of the latest value in the level."""
STEPS = 24
"""Most steps that the level looks back; what is older would weigh less than a thousandth."""
DAMPING = 0.5
"""Share of a season's growth that is carried forward for each season ahead."""
SEASONS = 3
"""Most seasons that growth is measured over."""
PLAIN_DAMPING, PLAIN_DELAY = 0.8, 1.5
"""Without a season: share of a step's growth that is carried forward, and how many steps the level lags behind."""
SMOOTHED = {"smooth": 168, "trend": 12}
"""Features that are forecasts by themselves -> the longest season, in steps, that they are made for: of longer ones few
are known, so that slow features name the day rather than tell what follows from it."""


class Smoothing:
    """The level, profile and growth of one season length at some origins, in the units of the signal.

    All are sums over steps or seasons back, element by element: what is found of an origin depends on nothing else.
    """

    def __init__(self, signal: Signal, index: np.ndarray, length: int, slots: int) -> None:
        """Look at the cells `index` of shape (origins,), and at so many seasons of that length before each."""
        self._rolling, self._index, self._lookback = signal.rolling, index, signal.seasons.lookback
        self.length, self.slots = length, slots

    @cached_property
    def means(self) -> list[np.ndarray]:
        """Means of the last seasons, the latest first, each of shape (origins,)."""
        return [self._rolling.mean(self._index - slot * self.length, self.length) for slot in range(self.slots)]

    def profile(self, row: np.ndarray | slice, ahead: np.ndarray | int) -> np.ndarray:
        """Mean difference of a slot from its season, zero where never seen or without a season.

        Args:
            row: which origins, shape (rows,).
            ahead: steps from the origin to the slot, back into the last season (zero or below), shape (rows,).
        """
        at = self._index[row] + ahead
        total, present = np.zeros(len(at)), np.zeros(len(at))
        if self.length > 1:
            for slot, mean in enumerate(self.means):
                away = self._rolling.at(at - slot * self.length) - mean[row]
                seen = ~np.isnan(away)
                total += np.where(seen, away, 0.0)
                present += seen
        return total / np.maximum(present, 1)

    @cached_property
    def level(self) -> np.ndarray:
        """Exponentially weighted mean of the deseasonalised values, shape (origins,), NaN without any."""
        total, weights = np.zeros(len(self._index)), np.zeros(len(self._index))
        profiles: dict[int, np.ndarray] = {}
        for back in range(min(STEPS, self._lookback)):
            slot = back % self.length
            if slot not in profiles:
                profiles[slot] = self.profile(slice(None), -slot)
            value = self._rolling.at(self._index - back) - profiles[slot]
            seen = ~np.isnan(value)
            weight = (1 - WEIGHT) ** back
            total += np.where(seen, weight * value, 0.0)
            weights += weight * seen
        with np.errstate(invalid="ignore"):
            return total / np.where(weights > 0, weights, np.nan)

    @cached_property
    def growth(self) -> np.ndarray:
        """Mean growth of a season over the next, of a step without a season, shape (origins,), zero if unknown."""
        if self.length == 1:
            rolling, index = self._rolling, self._index
            return np.nan_to_num((rolling.mean(index, 2) - rolling.mean(index - 2, 4)) / 3)
        growth = np.full(len(self._index), np.nan)
        for back in range(min(self.slots, SEASONS) - 1, 0, -1):
            growth = np.where(np.isnan(growth), (self.means[0] - self.means[back]) / back, growth)
        return np.nan_to_num(growth)


def smooth(
    signal: Signal, index: np.ndarray, row: np.ndarray, lead: np.ndarray, length: int, slots: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Forecast the targets of some rows by smoothing alone.

    Args:
        signal: of a panel that is padded by the lookback.
        index: cell of each origin, shape (origins,).
        row: which origin a row belongs to, shape (rows,).
        lead: of each row, shape (rows,).
        length: of the season, in steps; 1 for none.
        slots: how many seasons back its profile looks.

    Returns:
        The profile, which is the difference from the season, and the forecasts of `SMOOTHED` for that length: level and
        profile (`smooth`), and those with damped growth (`trend`). In the units of the signal, of shape (rows,).
    """
    past = Smoothing(signal, index, length, slots)
    back = distance(lead, length)
    profile = past.profile(row, lead - back)
    forecasts = {}
    if length <= SMOOTHED["smooth"]:
        forecasts["smooth"] = past.level[row] + profile
    if length <= SMOOTHED["trend"]:
        steps = DAMPING * (back // length) if length > 1 else PLAIN_DAMPING * (lead + PLAIN_DELAY)
        forecasts["trend"] = forecasts["smooth"] + past.growth[row] * steps
    return profile, forecasts


def references(
    signal: Signal, index: np.ndarray, row: np.ndarray, lead: np.ndarray, length: int
) -> dict[str, np.ndarray]:
    """Forecasts that a target may be learnt from, as seasonal differences are taken.

    Args: as of `smooth`, with a season.

    Returns:
        The target's slot in the last season that is known at the origin (`last`), and that with the change that the
        origin shows over a season (`change`), in the units of the signal, of shape (rows,), NaN where unknown.
    """
    last = signal.rolling.at(index[row] + lead - distance(lead, length))
    change = signal.rolling.at(index) - signal.rolling.at(index - length)
    return {f"reference_{length}_last": last, f"reference_{length}_change": last + change[row]}


def is_reference(name: str) -> bool:
    """Whether a column is a forecast that targets may be learnt from: in scales, from the reference."""
    return name.startswith("reference_")


def is_smoothed(name: str) -> bool:
    """Whether a feature is a forecast by itself: in scales, from the reference."""
    return name.startswith("season_") and name.endswith(tuple(SMOOTHED))
