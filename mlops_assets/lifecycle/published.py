"""What is published of a version that was rolled back, until the next round."""

import pandas as pd

from mlops_assets.catalog.names import FORECASTS
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.lifecycle import decisions
from mlops_assets.resources.protocols import Tables


def still_published(tables: Tables, name: str, log: pd.DataFrame) -> str:
    """Say that the latest forecasts are those of the version that was rolled back; nothing where they are not.

    Args:
        tables: what is stored.
        name: of the forecast.
        log: all decisions.
    """
    left = decisions.rolled_back_last(log)
    stored = ForecastTables(tables, name)
    keys = stored.partitions(FORECASTS)[-1:] if left is not None else []
    if not keys or not (stored.delivered(FORECASTS, keys, ["model_version"])["model_version"] == left).any():
        return ""
    return (
        f"the published forecasts are those of the rolled-back version {left} (from {keys[0]}); those of the champion "
        f"come with the next round, or now: mlops-assets run {name}"
    )
