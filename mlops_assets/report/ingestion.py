"""What the latest ingestion has counted, and whom the latest forecasts have left out, as Dagster's records say."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from mlops_assets.catalog.metadata import FILLED, UNTOUCHED
from mlops_assets.catalog.names import FORECASTS, OBSERVATIONS
from mlops_assets.report.overview import IngestionState
from mlops_assets.spec import ForecastSpec

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


def latest_ingestion(spec: ForecastSpec, instance: dg.DagsterInstance | None) -> IngestionState | None:
    """Return what the latest ingestion has counted; None where there has been none."""
    facts = _latest(spec, OBSERVATIONS, instance)
    if "rows_read" not in facts:
        return None
    made = _latest(spec, FORECASTS, instance)
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


def _latest(spec: ForecastSpec, asset: str, instance: dg.DagsterInstance | None) -> Mapping[str, Any]:
    """Return the metadata of an asset's latest materialization."""
    entry = instance and instance.get_latest_materialization_event(dg.AssetKey([spec.name, asset]))
    found = entry.asset_materialization if entry else None
    return {name: one.value for name, one in found.metadata.items()} if found is not None else {}
