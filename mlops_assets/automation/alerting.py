"""The sensor that tells people of what no run can tell itself: that it failed, or that it never came."""

from datetime import datetime, timedelta, timezone

import dagster as dg

from mlops_assets.alerts import messages
from mlops_assets.alerts.failures import FIRST_SPAN
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import BrokenSpec, ForecastSpec
from mlops_assets.stages.watching.telling import tell_all

OVERLAP = timedelta(minutes=10)
"""Clocks of machines differ; what was told already is not told again."""


def build_alert_sensor(spec: ForecastSpec) -> dg.SensorDefinition:
    """Define `<name>_alerts`; the table `alerts` says what was told.

    The cursor is the moment of the last look and, if nothing was left to deliver then, how many attempts there were.

    Dagster's own run failure sensor passes over runs of the command line and over failures while telling them.
    """

    @dg.sensor(
        name=f"{spec.name}_alerts",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Tells of failed runs of {spec.name}, of decisions and of late partitions, and tries again to "
        "deliver what could not be told. Starts no run.",
    )
    def tell(
        context: dg.SensorEvaluationContext,
        tables: dg.ResourceParam[Tables],
        clock: dg.ResourceParam[Clock],
        notifications: dg.ResourceParam[Notifications],
    ) -> dg.SkipReason:
        now = datetime.now(timezone.utc)
        moment, _, settled = (context.cursor or "").partition(" ")
        since = datetime.fromisoformat(moment) if moment else now - FIRST_SPAN
        told = tell_all(spec, tables, notifications, context.instance, clock.now(), since)
        again, settled = notifications.resend(tables, spec.name, int(settled or 0))
        context.update_cursor(f"{(now - OVERLAP).isoformat()} {settled}")
        return dg.SkipReason(f"{told} new, {again} delivered after all; see the table {spec.name}/alerts")

    return tell


def build_broken_sensor(broken: BrokenSpec) -> dg.SensorDefinition:
    """Define `<name>_alerts` of a forecast whose spec cannot be used: it tells so, once for each fault."""

    @dg.sensor(
        name=f"{broken.name}_alerts",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Tells that the spec of {broken.name} cannot be used. Starts no run.",
    )
    def tell(tables: dg.ResourceParam[Tables], notifications: dg.ResourceParam[Notifications]) -> dg.SkipReason:
        told = notifications.send(tables, messages.broken_spec(broken, notifications))
        again, _ = notifications.resend(tables, broken.name)
        return dg.SkipReason(f"{int(told)} new, {again} delivered after all; see the table {broken.name}/alerts")

    return tell
