"""Telling people of what no run can tell itself."""

from datetime import datetime

import dagster as dg

from mlops_assets.alerts.failures import tell_failures
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.alerts.overdue import tell_decision, tell_lost, tell_stale
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.holes import tell_holes


def tell_all(
    spec: ForecastSpec,
    tables: Tables,
    notifications: Notifications,
    instance: dg.DagsterInstance,
    now: datetime,
    since: datetime,
) -> int:
    """Tell of failed runs, decisions, a lost champion and partitions that are late or missing.

    Args:
        spec: the forecast.
        tables: what is stored.
        notifications: tell.
        instance: knows the runs.
        now: the present moment, by the clock of the forecast.
        since: runs that have failed since then are told of, by the clock of the machine.

    Returns:
        How many alerts were told now.
    """
    told = tell_failures(spec, tables, notifications, instance, since)
    told += tell_decision(spec, tables, notifications)
    told += tell_lost(spec.name, tables, notifications)
    told += tell_stale(spec, tables, notifications, now)
    return told + tell_holes(spec, tables, notifications, now)
