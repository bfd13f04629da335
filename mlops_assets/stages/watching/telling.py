"""Telling people of what no run can tell itself."""

from collections.abc import Sequence
from datetime import datetime

from mlops_assets.alerts.failures import Failed, tell_failed
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.alerts.overdue import tell_decision, tell_lost, tell_stale
from mlops_assets.catalog.names import ALERTS, DECISIONS, FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import expected
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.holes import tell_holes


def tell_all(
    spec: ForecastSpec,
    tables: Tables,
    notifications: Notifications,
    failed: Sequence[Failed],
    now: datetime,
) -> int:
    """Tell of failed runs, decisions, a lost champion and partitions that are late or missing.

    Args:
        spec: the forecast.
        tables: what is stored.
        notifications: tell.
        failed: runs that have failed, of whichever forecasts.
        now: the present moment, by the clock of the forecast.

    Returns:
        How many alerts were told now.
    """
    told = tell_failed(spec, tables, notifications, failed)
    told += tell_decision(spec, tables, notifications)
    told += tell_lost(spec.name, tables, notifications)
    told += tell_stale(spec, tables, notifications, now)
    return told + tell_holes(spec, tables, notifications, now)


def late_state(spec: ForecastSpec, tables: Tables, now: datetime) -> str:
    """Return, by lists of partitions alone, what tells whether there can be anything new to tell but failed runs."""
    stored = [tables.partitions([spec.name, table]) for table in (OBSERVATIONS, FORECASTS, DECISIONS, ALERTS)]
    counts = [f"{len(keys)} {max(keys, default='')}" for keys in stored]
    return "|".join([str(expected(spec, now)), *counts])
