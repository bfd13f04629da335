"""Made-up panels, seeded: kinds of series that the real ones lack, the same wherever they are made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd


def panel(
    make: Callable[[np.random.Generator, pd.DatetimeIndex], np.ndarray], items: int, **grid: object
) -> pd.DataFrame:
    """Make a long table: item_id, timestamp, target.

    Args:
        make: targets of one series, of the shape of its timestamps.
        items: number of series; each ends with the grid, and begins somewhere in its first half.
        grid: arguments of `pandas.date_range`.
    """
    times = pd.date_range(**grid, unit="us")  # type: ignore[call-overload]
    parts = []
    for item in range(items):
        random = np.random.default_rng([20, item])
        own = times[int(random.integers(len(times) // 2)) :] if items > 1 else times
        parts.append(pd.DataFrame({"item_id": f"item {item:03}", "timestamp": own, "target": make(random, own)}))
    return pd.concat(parts, ignore_index=True)


def trending_months(random: np.random.Generator, times: pd.DatetimeIndex) -> np.ndarray:
    """A damped local trend under a season that grows with the level."""
    steps = len(times)
    level = random.lognormal(6, 1)
    slope, noise = level * random.normal(0.004, 0.004), level * random.uniform(0.005, 0.03)
    levels = np.empty(steps)
    for step, (pull, push) in enumerate(random.normal(size=(steps, 2)) * noise):
        slope = 0.98 * slope + 0.02 * 0.003 * level + 0.1 * pull
        level = max(level + slope + 0.5 * push, 1.0)
        levels[step] = level
    angle = 2 * np.pi * (np.arange(steps) + random.integers(12)) / 12
    season = 1 + random.uniform(0, 0.25) * np.sin(angle) + random.uniform(0, 0.1) * np.cos(2 * angle)
    return np.maximum(levels * season + random.normal(0, noise, steps), 0.0)


def clean_hours(random: np.random.Generator, times: pd.DatetimeIndex) -> np.ndarray:
    """A day that repeats, 20 to 100 times as high as its noise."""
    height = 10 ** random.uniform(1, 3)
    noise = height / random.uniform(20, 100)
    drift = np.cumsum(random.normal(0, 0.05 * noise, len(times)))
    return height * (10 + _cycle(random, 24)[times.hour]) + drift + random.normal(0, noise, len(times))


def daily_cash(random: np.random.Generator, times: pd.DatetimeIndex) -> np.ndarray:
    """A week, a day of payment in each month, gamma noise, and days without any."""
    week = random.dirichlet(np.full(7, 8.0)) * 7
    away = (times.day - random.choice([1, 15, 25, 28])) % 31
    payment = 1 + random.uniform(0.1, 0.8) * np.exp(-away / random.uniform(2, 6))
    level = random.uniform(10, 30) * np.exp(np.cumsum(random.normal(0, 0.01, len(times))))
    target = level * week[times.dayofweek] * payment * random.gamma(8, 1 / 8, len(times))
    return np.where(random.random(len(times)) < 0.02, 0.0, target)


def five_minutes(random: np.random.Generator, times: pd.DatetimeIndex) -> np.ndarray:
    """A day of 288 steps, weaker at the weekend, and slow noise."""
    day = np.interp(np.arange(288) / 12, np.arange(25), [*(cycle := _cycle(random, 24)), cycle[0]])
    slow = np.convolve(random.normal(0, 3, len(times) + 50), np.exp(-np.arange(51) / 12), "valid")
    strength = np.where(times.dayofweek < 5, 20.0, 12.0)
    return np.maximum(100 + strength * day[(times.hour * 60 + times.minute) // 5] + slow, 0.0)


def short_years(random: np.random.Generator, times: pd.DatetimeIndex) -> np.ndarray:
    """Exponential growth that changes slowly."""
    growth = random.normal(0.03, 0.03) + np.cumsum(random.normal(0, 0.005, len(times)))
    return 10 ** random.uniform(1, 5) * np.exp(np.cumsum(growth + random.normal(0, 0.03, len(times))))


def short_quarters(random: np.random.Generator, times: pd.DatetimeIndex) -> np.ndarray:
    """A random walk with drift and a season."""
    walk = np.cumsum(random.normal(0.006, 0.02, len(times))) + random.normal(0, 0.02, len(times))
    return 10 ** random.uniform(1, 5) * np.exp(walk + random.normal(0, 0.1, 4)[times.quarter - 1])


def spare_parts(random: np.random.Generator, times: pd.DatetimeIndex) -> np.ndarray:
    """Demand in one month of two to twelve, a few pieces each."""
    demand = random.random(len(times)) < random.uniform(0.08, 0.5)
    return demand * (1.0 + random.poisson(random.lognormal(0, 0.8), len(times)))


def _cycle(random: np.random.Generator, steps: int) -> np.ndarray:
    walk = np.cumsum(random.normal(size=steps))
    return walk - np.linspace(walk[0], walk[-1], steps)
