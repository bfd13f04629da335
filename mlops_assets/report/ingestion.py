"""What the latest ingestion has counted, and whom the latest forecasts have left out: noted by the assets that know.

Release 0.1.0 noted nothing: of its rounds Dagster's records say the same.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_assets.catalog.log import Log
from mlops_assets.catalog.metadata import FILLED, UNTOUCHED
from mlops_assets.catalog.names import FORECASTS, LATEST_FACTS, OBSERVATIONS
from mlops_assets.forecasting.formatting import finite
from mlops_assets.report.overview import IngestionState
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables

if TYPE_CHECKING:
    import dagster as dg

COUNTED = {
    "rows_accepted": "accepted",
    "rows_quarantined": "in quarantine",
    "rows_collapsed": "collapsed, for the same row stood there before",
    "rows_superseded": "replaced by a later file",
    "rows_aggregated": "taken into another row of their item and time",
    "rows_of_other_times": "of other times",
    "targets_left_out": "targets left out that have not come yet",
    "rows_revised": "superseded by what the source says now, and kept as revisions",
}
"""Metadata of `observations`, and what each counts."""
MADE = "made"
"""Of the latest partition, its key and how many rows it should have."""
_NOTED = (
    *COUNTED,
    "rows_read",
    "source",
    "source_version",
    "notes",
    FILLED,
    UNTOUCHED,
    "left_out",
    "left_out_items",
    MADE,
)
"""Metadata that are told of."""

Instance = Callable[[], "AbstractContextManager[dg.DagsterInstance | None]"]
"""Opens Dagster's records for as long as they are asked; None where it has none."""


def note_facts(tables: Tables, forecast: str, asset: str, facts: Mapping[str, Any], now: datetime) -> None:
    """Note what an asset's metadata say of its latest run, in the place of what they said before."""
    kept = {name: finite(value) for name, value in facts.items() if name in _NOTED}
    row = {"asset": asset, "at": naive_utc(now), "facts": json.dumps(kept, default=lambda value: value.item())}
    Log(tables, forecast, LATEST_FACTS).replace(row, asset)


def noted_facts(tables: Tables, forecast: str) -> dict[str, dict[str, Any]]:
    """Return what the assets that note anything have noted, by asset."""
    noted = Log(tables, forecast, LATEST_FACTS).rows()
    return {str(row["asset"]): json.loads(str(row["facts"])) for row in noted.to_dict("records")}


def unstored(forecast: str, tables: Tables) -> dict[str, str]:
    """Say of which assets fewer rows of the latest partition are stored than it should have."""
    found = {}
    for asset, facts in noted_facts(tables, forecast).items():
        made = facts.get(MADE)
        if not made or not (stored := tables.row_counts([forecast, asset], [made["partition"]])):
            continue
        there, due = int(next(iter(stored.values()))), int(made["rows"])
        if there < due:
            found[asset] = f"{there:,} of the {due:,} rows that {asset} of {made['partition']} should have are stored"
    return found


def latest_ingestion(forecast: str, tables: Tables, instance: Instance) -> IngestionState | None:
    """Return what the latest ingestion has counted; None where there has been none.

    Args:
        forecast: its name.
        tables: have what was noted.
        instance: asked where observations are stored and nothing was noted.
    """
    told: Mapping[str, Mapping[str, Any]] = noted_facts(tables, forecast)
    if OBSERVATIONS not in told and tables.exists([forecast, OBSERVATIONS]):
        with instance() as records:
            told = {asset: _recorded(records, forecast, asset) for asset in (OBSERVATIONS, FORECASTS)}
    facts, made = told.get(OBSERVATIONS, {}), told.get(FORECASTS, {})
    if "rows_read" not in facts:
        return None
    return IngestionState(
        source=str(facts.get("source", "")),
        read=int(facts["rows_read"]),
        counts={words: int(facts[name]) for name, words in COUNTED.items() if facts.get(name)},
        filled=dict(facts.get(FILLED) or {}),
        kept=tuple(facts.get(UNTOUCHED) or ()),
        left_out=int(made.get("left_out") or 0),
        left_out_items=str(made.get("left_out_items") or ""),
        notes=tuple(facts.get("notes") or ()),
    )


def _recorded(instance: "dg.DagsterInstance | None", forecast: str, asset: str) -> Mapping[str, Any]:
    """Return the metadata of an asset's latest materialization."""
    if instance is None:
        return {}
    import dagster as dg

    entry = instance.get_latest_materialization_event(dg.AssetKey([forecast, asset]))
    found = entry.asset_materialization if entry else None
    return {name: one.value for name, one in found.metadata.items()} if found is not None else {}
