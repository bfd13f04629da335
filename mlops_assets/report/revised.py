"""How much of what was stored of late has been revised since, as status and report say it."""

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import OBSERVATIONS, REVISIONS
from mlops_assets.forecasting.monitoring import revising
from mlops_assets.lifecycle.revisions import Revisions
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec

RECENT = 90
"""Partitions that are looked at."""


def revised(tables: Tables, spec: ForecastSpec) -> str:
    """Say which share of the values of the latest partitions was revised; empty where none was."""
    key = [spec.name, OBSERVATIONS]
    keys = tables.partitions(key)[-RECENT:]
    if not keys or not tables.exists([spec.name, REVISIONS]):
        return ""
    rows = Revisions(Graph(spec), tables).rows(OBSERVATIONS, keys)
    values = sum(tables.row_counts(key, keys).values())
    said = revising.sentence(revising.shares(rows[rows["contract"] > 0], values), values)
    return f"{said} (of the latest {len(keys)} partitions)" if said else ""
