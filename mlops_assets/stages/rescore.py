"""Late and corrected data: which partitions are read again, and which are scored again because of it."""

import dagster as dg

from mlops_assets.catalog.names import FORECAST_ACCURACY, FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import before, periods
from mlops_assets.spec import ForecastSpec


def reread_keys(spec: ForecastSpec, last: str) -> list[str]:
    """Return the partitions before `last` that are read again in its round."""
    count = spec.partitions.reread
    return before(spec, last, count) if count else []


def old_scores(spec: ForecastSpec, keys: list[str], instance: dg.DagsterInstance) -> dict[str, int]:
    """Return the partitions whose scores are older than what they are made from, with the event that made them so."""
    stored = {
        name: instance.get_latest_storage_id_by_partition(
            dg.AssetKey([spec.name, name]), dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        for name in (OBSERVATIONS, FORECASTS, FORECAST_ACCURACY)
    }
    reach, found = periods(spec, spec.horizon), {}
    for place, key in enumerate(keys):
        made = [stored[FORECASTS].get(origin, 0) for origin in keys[max(0, place - reach) : place]]
        newest = max(stored[OBSERVATIONS].get(key, 0), *made, 0)
        if any(made) and key in stored[OBSERVATIONS] and stored[FORECAST_ACCURACY].get(key, 0) < newest:
            found[key] = newest
    return found
