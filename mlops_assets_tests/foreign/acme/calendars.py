"""A calendar of our own."""

import pandas as pd


def market_days(start, end, weekday=5):
    """Return the market days of a span: one row each."""
    days = pd.date_range(start, end, freq="D")
    return pd.DataFrame({"date": days[days.dayofweek == weekday], "kind": "market"})
