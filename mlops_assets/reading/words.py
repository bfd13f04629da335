"""How good a forecast is, in a sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_assets.catalog.partitions import starts
from mlops_assets.forecasting.evaluation.ledger import BASELINE
from mlops_assets.forecasting.formatting import counted, stamp
from mlops_assets.reading.accuracy import RECENT
from mlops_assets.spec import ForecastSpec

_EVEN = 0.005
"""Skill nearer to zero than this is neither better nor worse."""


def words(spec: ForecastSpec, by_period: pd.DataFrame) -> str:
    """Say how good the latest forecasts were beside seasonal naive.

    Args:
        spec: the forecast.
        by_period: scores of partitions, the latest last, as `accuracy` by period gives them.
    """
    found = by_period.tail(RECENT)
    found = found[found["rows"].gt(0) & found[BASELINE].notna() & found["naive_mase"].notna()]
    if found.empty:
        return "No forecast could be scored yet."
    weights = found["rows"]
    own, naive = (float(np.average(found[name], weights=weights)) for name in (BASELINE, "naive_mase"))
    days = starts(spec, found["period"])
    first, last = stamp(days.iloc[0]), stamp(days.iloc[-1])
    of = f"{counted(int(weights.sum()), 'forecast')} of {first}" + (f" to {last}" if first != last else "")
    skill = 1 - own / naive if naive > 0 else 0.0
    beside = f"{abs(skill):.0%} {'smaller' if skill > 0 else 'larger'} than seasonal naive's"
    said = "as large as seasonal naive's" if abs(skill) < _EVEN else beside
    return f"The errors of {of} were {said} (MASE {own:.2f}, seasonal naive {naive:.2f})."
