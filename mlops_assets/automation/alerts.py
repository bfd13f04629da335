"""The sensor that tells people of what no run can tell itself: that it failed, or that it never came."""

from datetime import datetime, timedelta, timezone

import dagster as dg

from mlops_assets.alerts import messages as alerts
from mlops_assets.alerts.messages import TOLD, FailedRun
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.names import FORECASTS, OBSERVATIONS, asset_of
from mlops_assets.catalog.partitions import expected
from mlops_assets.lifecycle.decisions import Decisions
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.secrets import scrub, secrets_of
from mlops_assets.spec import ForecastSpec

FIRST_LOOK = timedelta(days=1)
"""So far back a sensor looks that has never looked before."""
OVERLAP = timedelta(minutes=10)
"""Clocks of machines differ; what was told already is not told again."""
LONGEST = 600
"""Letters of an error that are told; chats take some thousand, and the run's log has the rest."""
_FAILURES = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}


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
        clock: Clock,
        notifications: Notifications,
    ) -> dg.SkipReason:
        now = datetime.now(timezone.utc)
        moment, _, settled = (context.cursor or "").partition(" ")
        since = datetime.fromisoformat(moment) if moment else now - FIRST_LOOK
        told = tell_failures(spec, tables, notifications, context.instance, since)
        told += tell_decision(spec, tables, notifications)
        told += tell_stale(spec, tables, notifications, clock.now())
        again, settled = notifications.resend(tables, spec.name, int(settled or 0))
        context.update_cursor(f"{(now - OVERLAP).isoformat()} {settled}")
        return dg.SkipReason(f"{told} new, {again} delivered after all; see the table {spec.name}/alerts")

    return tell


def tell_failures(
    spec: ForecastSpec, tables: Tables, notifications: Notifications, instance: dg.DagsterInstance, since: datetime
) -> int:
    """Tell of the forecast's runs that have failed since a moment; return how many were told now."""
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    runs = [failed_run(spec, run, instance) for run in reversed(instance.get_runs(failed))]
    found = [alerts.run_failure(spec.name, run, notifications) for run in runs if run is not None]
    return sum(notifications.send(tables, alert) for alert in found)


def failed_run(spec: ForecastSpec, run: dg.DagsterRun, instance: dg.DagsterInstance) -> FailedRun | None:
    """Return what there is to say of a failed run.

    None if it is not of this forecast, if Dagster tries it again by itself, or if what failed it has been told.
    """
    if run.tags.get("dagster/will_retry") == "true":
        return None
    events = [entry.get_dagster_event() for entry in instance.all_logs(run.run_id, of_type=_FAILURES)]
    failures = [event for event in events if event.is_step_failure]
    ends = [event for event in events if not event.is_step_failure]
    own = [event for event in failures if (event.step_key or "").rpartition("__")[0] == spec.name]
    steps = {asset_of(event.step_key): hidden(spec, reason_of(event)) for event in own if not _is_told(event)}
    if failures and not steps:
        return None
    if not failures and not _concerns(run, spec.name):
        return None
    first, last = (run.tags.get(f"dagster/asset_partition_range_{end}", "") for end in ("start", "end"))
    return FailedRun(
        run_id=run.run_id,
        job=run.job_name,
        partition=run.tags.get("dagster/partition") or (first if first == last else f"{first}...{last}"),
        tries=int(run.tags.get("dagster/retry_number", "0")) + 1,
        steps=steps,
        words=hidden(spec, next(map(_reason_of_run, ends), "see its log")),
    )


def hidden(spec: ForecastSpec, words: str) -> str:
    """Return the first line of an error, without secrets, and no more of it than a message can hold."""
    lines = scrub(words.strip(), secrets_of(spec.source)).splitlines()
    if not lines:
        return "no message"
    return lines[0] if len(lines[0]) <= LONGEST else f"{lines[0][:LONGEST]} …"


def reason_of(event: dg.DagsterEvent) -> str:
    """Return why a step failed: the words of its `dagster.Failure`, or its exception."""
    data = event.step_failure_data
    error = data.error.cause if data.error is not None and data.error.cause is not None else data.error
    words = data.user_failure_data.description if data.user_failure_data is not None else None
    return (words or (error.message if error is not None else "no message")).strip()


def _reason_of_run(event: dg.DagsterEvent) -> str:
    error = getattr(event.event_specific_data, "error", None)  # no data where somebody else reports the run's end
    return (error.cause or error).message if error is not None else event.message or ""


def tell_decision(spec: ForecastSpec, tables: Tables, notifications: Notifications) -> int:
    """Tell of the latest decision, should its process have died before it could; return how many were told now."""
    log = Decisions(tables, spec.name).all()
    if log.empty:
        return 0
    last = log.iloc[-1]
    number, version = int(last["number"]), int(last["version"])
    alert = alerts.decided(spec.name, number, last["outcome"], version, last["reason"], "", notifications)
    return int(alert is not None and notifications.send(tables, alert))


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
        stored = tables.partitions([spec.name, asset])
        if not stored:
            return 0
        if key not in stored:
            return int(notifications.send(tables, alerts.stale(spec.name, asset, key, stored, due, notifications)))
    return 0


def _is_told(event: dg.DagsterEvent) -> bool:
    data = event.step_failure_data.user_failure_data
    return data is not None and TOLD in data.metadata


def _concerns(run: dg.DagsterRun, name: str) -> bool:
    """Whether a run of which no step has failed is one of the forecast's."""
    return run.tags.get("mlops/forecast") == name or any(key.path[0] == name for key in run.asset_selection or ())
