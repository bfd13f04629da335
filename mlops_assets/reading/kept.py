"""Questions about times that are not kept any more: refused by the name of the setting, in every door alike."""

from __future__ import annotations

import pandas as pd

from mlops_assets.catalog.names import FORECAST_ACCURACY, FORECASTS, REVISIONS
from mlops_assets.catalog.partitions import before, holding, periods
from mlops_assets.forecasting.data.grid import parse_frequency
from mlops_assets.lifecycle.retention import Retained
from mlops_assets.reading.asked import Asked
from mlops_assets.reading.matched import RECENT
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec


def require_forecasts(tables: Tables, spec: ForecastSpec, asked: Asked, steps: int = 1) -> None:
    """Refuse a question about forecasts that were removed.

    Args:
        tables: where they were.
        spec: the forecast.
        asked: the question.
        steps: from how many steps before a timestamp its forecasts are asked for.

    Raises:
        NotKeptError: some of them are not kept.
    """
    kept = Retained(tables, spec)
    kept.require_moment(FORECASTS, asked.as_of)
    named, first = _first(asked)
    if first is not None and FORECASTS in kept.bounds:
        origins = pd.date_range(end=first, periods=steps + 1, freq=parse_frequency(spec.frequency), unit="us")
        kept.require_partition(FORECASTS, holding(spec, origins[0]), named, first)


def require_scores(tables: Tables, spec: ForecastSpec, asked: Asked) -> None:
    """Refuse a question about scores whose forecasts, or whose actuals as they were known, were removed.

    Raises:
        NotKeptError: some of them are not kept.
    """
    kept = Retained(tables, spec)
    if not kept.bounds:
        return
    named, first = _first(asked)
    if first is not None:
        kept.require_partition(FORECAST_ACCURACY, holding(spec, first), named, first)
    if asked.as_of is None:
        return
    for setting in (FORECASTS, FORECAST_ACCURACY, REVISIONS):
        kept.require_moment(setting, asked.as_of)
    reach = periods(spec, spec.horizon)
    here = holding(spec, asked.as_of if first is None else first)
    if first is None:
        scored = [*before(spec, here, max(RECENT, reach)), here]
        kept.require_partition(FORECAST_ACCURACY, scored[0], "as_of", asked.as_of)
    looked_at = [*before(spec, here, reach if first is not None else reach + max(RECENT, reach)), here]
    kept.require_partition(FORECASTS, looked_at[0], "as_of", asked.as_of)


def require_observations(tables: Tables, spec: ForecastSpec, asked: Asked) -> None:
    """Refuse a question about observations as they were known at a moment whose revisions were removed.

    Raises:
        NotKeptError: so it is.
    """
    if asked.as_of is not None:
        Retained(tables, spec).require_moment(REVISIONS, asked.as_of)


def _first(asked: Asked) -> tuple[str, pd.Timestamp | None]:
    """Return the first time that is named, and by which parameter."""
    return ("start", asked.since) if asked.since is not None else ("end", asked.until)
