"""How good a forecast is, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mlops_assets.catalog.partitions import starts
from mlops_assets.forecasting.evaluation.ledger import BASELINE
from mlops_assets.forecasting.formatting import counted, stamp
from mlops_assets.spec import ForecastSpec

_EVEN = 0.005
"""Skill nearer to zero than this is neither better nor worse."""


def words(spec: ForecastSpec, scores: pd.DataFrame, partitions: Sequence[str]) -> str:
    """Say how good forecasts were beside seasonal naive.

    Args:
        spec: the forecast.
        scores: of them all, as `accuracy` gives them: one row.
        partitions: that they are of, in their order.
    """
    found = scores.iloc[0] if len(scores) else None
    if found is None or not partitions or found["rows"] == 0 or pd.isna(found["naive_mase"]):
        return "No forecast could be scored yet."
    own, naive = float(found[BASELINE]), float(found["naive_mase"])
    days = starts(spec, pd.Series([partitions[0], partitions[-1]]))
    first, last = stamp(days.iloc[0]), stamp(days.iloc[-1])
    of = f"{counted(int(found['rows']), 'forecast')} of {first}" + (f" to {last}" if first != last else "")
    skill = 0.0 if pd.isna(found["skill"]) else float(found["skill"])
    beside = f"{abs(skill):.0%} {'smaller' if skill > 0 else 'larger'} than seasonal naive's"
    said = "as large as seasonal naive's" if abs(skill) < _EVEN else beside
    return f"The errors of {of} were {said} (MASE {own:.2f}, seasonal naive {naive:.2f})."
