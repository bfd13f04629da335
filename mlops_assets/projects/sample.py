"""A table of made-up sales, for those who want to see something run before they bring their own."""

from pathlib import Path

import numpy as np
import pandas as pd

SHOPS = ("Harbour", "Market", "Station")
_WEEK = np.array([0.9, 0.95, 1.0, 1.05, 1.3, 1.5, 0.7])


def sample_sales(days: int = 365, last: str = "2025-12-31", planned: int = 28) -> pd.DataFrame:
    """Return daily sales of three shops: a level each, a week, a slow year, promotions, and noise.

    Args:
        days: how many, for each shop.
        last: the last of them.
        planned: days after it whose promotions are known already.

    Returns:
        shop, date, sold (pieces; missing after the last day), promotion (0 or 1); the same each time.
    """
    random = np.random.default_rng(7)
    last_day = pd.Timestamp(last)
    dates = pd.date_range(end=last_day + pd.Timedelta(days=planned), periods=days + planned, freq="D")
    year = 1 + 0.15 * np.sin(2 * np.pi * (dates.dayofyear.to_numpy() - 80) / 365.25)
    parts = []
    for number, shop in enumerate(SHOPS, start=1):
        promotion = (random.random(len(dates)) < 0.08).astype(int)
        expected = 40 * number * _WEEK[dates.dayofweek] * year * (1 + 0.4 * promotion)
        sold = pd.Series(random.poisson(expected * random.lognormal(0, 0.08, len(dates))), dtype="Int64")
        sold[dates > last_day] = pd.NA
        parts.append(pd.DataFrame({"shop": shop, "date": dates, "sold": sold, "promotion": promotion}))
    return pd.concat(parts, ignore_index=True)


def write_sample(file: Path) -> None:
    """Write the table as CSV."""
    sample_sales().to_csv(file, index=False, date_format="%Y-%m-%d")
