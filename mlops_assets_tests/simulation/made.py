"""A made-up journal with something of everything in it, for tests of who reads one."""

import numpy as np
import pandas as pd

from mlops_assets.simulation.journal import (
    Asked,
    Course,
    Day,
    Decided,
    Fan,
    Happened,
    JobEvent,
    Journal,
    Point,
    Told,
)

ITEMS = ("east", "north")
HAPPEN = {"outage": (30, 36, ""), "regime change": (50, 120, ""), "drifting item": (70, 100, "east")}
DECIDED = {
    20: Decided(1, "promoted", "the first version: there is nothing to compare it with"),
    55: Decided(2, "refused", "wql 0.112 is not below 0.98 of the champion's 0.110", ("champion",)),
    60: Decided(3, "promoted", "wql 0.081 is below 0.98 of the champion's 0.110"),
    75: Decided(4, "promoted", "wql 0.070 is below 0.98 of the champion's 0.081"),
    80: Decided(3, "rolled back", "version 4 forecast nonsense"),
}


def journal(days: int = 120, seed: int = 7) -> Journal:
    """Return a journal over so many days."""
    rng = np.random.default_rng(seed)
    dates = [f"{at:%Y-%m-%d}" for at in pd.date_range("2024-01-01", periods=days)]
    level = {item: 40.0 * (number + 1) for number, item in enumerate(ITEMS)}
    wave = [1.0 + 0.3 * np.sin(2 * np.pi * day / 7) + (0.5 if day >= 50 else 0.0) for day in range(days + 7)]
    lived, champion = [], 0
    for day, date in enumerate(dates):
        champion = DECIDED[day].version if day in DECIDED and DECIDED[day].outcome != "refused" else champion
        outage = 30 <= day < 36
        happened = [
            Happened(kind, item, day == first) for kind, (first, after, item) in HAPPEN.items() if first <= day < after
        ]
        points = [Point(item, date, round(level[item] * wave[day] + rng.normal(0, 2), 2)) for item in ITEMS]
        fans = []
        for item in ITEMS if day >= 20 else ():
            middle = [round(level[item] * step, 2) for step in wave[day + 1 : day + 8]]
            at = tuple(f"{one:%Y-%m-%d}" for one in pd.date_range(date, periods=8)[1:])
            low, high = (tuple(round(value * by, 2) for value in middle) for by in (0.9, 1.1))
            fans.append(Fan(item, at, low, tuple(middle), high))
        lived.append(
            Day(
                date,
                happened=tuple(happened),
                came=0 if outage else len(points),
                quarantined=int(day in (40, 41)),
                revised=2 if day == 90 else 0,
                observed=() if outage else tuple(points),
                asked=(Asked("retraining", "refit", "wql 0.110 above 0.090", "relative"),)
                if day in (55, 60, 75)
                else (Asked("retraining", "keep", "wql 0.080 is within 0.090"),),
                decided=(DECIDED[day],) if day in DECIDED else (),
                champion=champion,
                forecasts=tuple(fans),
                wql=None if outage or day < 21 else round(0.08 + 0.04 * (50 <= day < 60) + rng.normal(0, 0.005), 4),
                naive=None if outage or day < 21 else 0.11,
                alerts=(Told("late partition", f"{date} is late: nothing came"),) if outage else (),
                jobs=(JobEvent("external-1", "timed out", "it hung for 3 days"),) if day == 65 else (),
                cpu_seconds={"ingest": 0.02, "predict": 0.05, **({"train": 0.4} if day in DECIDED else {})},
            )
        )
    sampled = [day > 20 and day % 5 == 0 for day in range(days)]
    courses = tuple(
        Course(
            name,
            note,
            tuple(worse * (0.08 + 0.03 * (day >= 50)) if on else None for day, on in enumerate(sampled)),
            tuple(cost if day > 20 else 0.0 for day in range(days)),
            verdict,
        )
        for name, note, worse, cost, verdict in (
            ("as lived", "", 0.9, 0.01, ""),
            ("never retrained", "", 1.2, 0.0, "33.3% worse over 20 origins, which is beyond chance"),
            ("retrained daily", "measured on each fifth day", 0.88, 0.4, "2.2% better"),
        )
    )
    return Journal(
        "simulated", "0.2.0", "abc1234", seed, days, "fast", "wql", "D", ("late file",), tuple(lived), courses
    )
