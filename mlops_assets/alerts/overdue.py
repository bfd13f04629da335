"""What is overdue: a partition that never came, a decision or a lost champion that nobody was told of."""

from datetime import datetime

from mlops_assets.alerts import messages
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.names import FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import expected
from mlops_assets.lifecycle.decisions import Decisions, entry_of
from mlops_assets.lifecycle.lost import lost_champion
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec


def tell_decision(spec: ForecastSpec, tables: Tables, notifications: Notifications) -> int:
    """Tell of the latest decision, should its process have died before it could; return how many were told now."""
    log = Decisions(tables, spec.name).all()
    if log.empty:
        return 0
    alert = messages.decided(spec.name, *entry_of(log.iloc[-1]), "", notifications)
    return int(alert is not None and notifications.send(tables, alert))


def tell_lost(name: str, tables: Tables, notifications: Notifications) -> int:
    """Tell that another forecasts because the champion is lost; return how many were told now.

    A refused version is told of by its decision.
    """
    lost = lost_champion(tables, name, Decisions(tables, name).all())
    return 0 if lost is None else int(notifications.send(tables, messages.lost_champion(name, lost, notifications)))


def tell_stale(spec: ForecastSpec, tables: Tables, notifications: Notifications, now: datetime) -> int:
    """Tell of the partition that should be there and is not; forecasts are looked at once the observations are there.

    Nothing is stale that never began: a forecast without any stored partition.

    Returns:
        How many alerts were told now.
    """
    late = expected(spec, now)
    if late is None:
        return 0
    key, due = late
    for asset in (OBSERVATIONS, FORECASTS):
        if tables.stored([spec.name, asset], [key]):
            continue
        stored = tables.partitions([spec.name, asset])
        if not stored:
            return 0
        if max(stored) < key:
            return int(notifications.send(tables, messages.stale(spec.name, asset, key, stored, due, notifications)))
    return 0
