"""What is overdue: a partition that never came, a decision or a lost champion that nobody was told of."""

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Late:
    """Partitions of an asset that should be there and are not: the one that is `due` since, and the `last` there is."""

    asset: str
    due: str
    since: datetime
    last: str


def late(spec: ForecastSpec, last: Mapping[str, str | None], now: datetime) -> list[Late]:
    """Return of which assets the partition that the schedule asked for is not there, observations before forecasts.

    Nothing is late that never began: of which no partition is stored.

    Args:
        spec: the forecast.
        last: asset -> its last stored partition.
        now: the present moment.
    """
    due = expected(spec, now)
    if due is None:
        return []
    key, since = due
    there = [(asset, last.get(asset)) for asset in (OBSERVATIONS, FORECASTS)]
    return [Late(asset, key, since, latest) for asset, latest in there if latest is not None and latest < key]


def tell_stale(spec: ForecastSpec, tables: Tables, notifications: Notifications, now: datetime) -> int:
    """Tell of the partition that should be there and is not; forecasts are looked at once the observations are there.

    Returns:
        How many alerts were told now.
    """
    stored = {asset: tables.partitions([spec.name, asset]) for asset in (OBSERVATIONS, FORECASTS)}
    found = late(spec, {asset: max(keys, default=None) for asset, keys in stored.items()}, now)
    if not found or not stored[OBSERVATIONS]:
        return 0
    one = found[0]
    alert = messages.stale(spec, one.asset, one.due, stored[one.asset], one.since, notifications)
    return int(notifications.send(tables, alert))
