"""Runs that failed: which are the forecast's, why they did, and telling it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from mlops_assets.alerts import messages
from mlops_assets.alerts.messages import ALERTED, FailedRun
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog import run_tags
from mlops_assets.catalog.names import OBSERVATIONS, QUARANTINE, asset_of
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.refusals import refusal
from mlops_assets.resources.secrets import scrub, secrets_of
from mlops_assets.spec import ForecastSpec

FIRST_SPAN = timedelta(days=1)
"""So far back those look who have never looked before."""
LONGEST = 600
"""Letters of an error that are told; chats take some thousand, and the run's log has the rest."""
_OURS = re.compile(r"^mlops_assets(\.\w+)+: ")
_FAILURES = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}


@dataclass(frozen=True)
class Failed:
    """A run that has failed for good.

    Attributes:
        run: itself.
        events: its failures: of steps, and of the run.
    """

    run: dg.DagsterRun
    events: Sequence[dg.DagsterEvent]

    def concerns(self, name: str) -> bool:
        """Whether a forecast's people may have to know: a step of it has failed, or the run is the forecast's."""
        return run_tags.is_of(self.run, name) or any(_whose(event) == name for event in self.events)


def failed_since(instance: dg.DagsterInstance, since: datetime) -> list[Failed]:
    """Return the runs that have failed since a moment, the oldest first, without those that Dagster tries again."""
    found = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since))
    runs = [run for run in reversed(found) if not run_tags.will_retry(run)]
    return [Failed(run, _failures(run, instance)) for run in runs]


def tell_failures(
    spec: ForecastSpec, tables: Tables, notifications: Notifications, instance: dg.DagsterInstance, since: datetime
) -> int:
    """Tell of the forecast's runs that have failed since a moment; return how many were told now."""
    return tell_failed(spec, tables, notifications, failed_since(instance, since))


def tell_failed(spec: ForecastSpec, tables: Tables, notifications: Notifications, failed: Sequence[Failed]) -> int:
    """Tell of those of some failed runs that are the forecast's; return how many were told now."""
    runs = [_of_forecast(spec, one) for one in failed if one.concerns(spec.name)]
    found = [messages.run_failure(spec.name, run, notifications) for run in runs if run is not None]
    return sum(notifications.send(tables, alert) for alert in found)


def _failures(run: dg.DagsterRun, instance: dg.DagsterInstance) -> list[dg.DagsterEvent]:
    events = (entry.get_dagster_event() for entry in instance.all_logs(run.run_id, of_type=_FAILURES))
    return [event for event in events if event is not None]


def _whose(event: dg.DagsterEvent) -> str:
    """Return the forecast whose step an event is of; empty for one of the run."""
    return (event.step_key or "").rpartition("__")[0]


def _of_forecast(spec: ForecastSpec, failed: Failed) -> FailedRun | None:
    """Return what there is to say of a failed run; None if what failed has been told, or is not this forecast's."""
    run = failed.run
    failures = [event for event in failed.events if event.is_step_failure]
    ends = [event for event in failed.events if not event.is_step_failure]
    own = [event for event in failures if _whose(event) == spec.name]
    steps = {asset_of(event.step_key): first_line(spec, reason_of(event)) for event in own if not _is_alerted(event)}
    if failures and not steps:
        return None
    selected = {key.path[-1] for key in run.asset_selection or ()}
    return FailedRun(
        run_id=run.run_id,
        job=run_tags.job_of(run),
        partition=run_tags.partition_of(run.tags),
        tries=run_tags.tries_of(run),
        steps=steps,
        message=first_line(spec, next(map(_reason_of_run, ends), "see its log")),
        ingests=bool(selected) and selected <= {OBSERVATIONS, QUARANTINE},
        command=run.tags.get(run_tags.COMMAND, ""),
    )


def first_line(spec: ForecastSpec, error: str) -> str:
    """Return the first line of an error, without secrets, and no more of it than a message can hold."""
    lines = scrub(error.strip(), {secret for source in spec.sources for secret in secrets_of(source)}).splitlines()
    if not lines:
        return "no message"
    return lines[0] if len(lines[0]) <= LONGEST else f"{lines[0][:LONGEST]} …"


def reason_of(event: dg.DagsterEvent) -> str:
    """Return why a step failed: the message of its `dagster.Failure`, or of its exception."""
    data = event.step_failure_data
    error = data.error.cause if data.error is not None and data.error.cause is not None else data.error
    described = data.user_failure_data.description if data.user_failure_data is not None else None
    if error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
        return "the process was told to end (SIGTERM, Ctrl-C)"
    if described or error is None:
        return (described or "no message").strip()
    refused = refusal(error.message)
    return refused.message if refused is not None else _OURS.sub("", error.message).strip()


def is_expected(event: dg.DagsterEvent) -> bool:
    """Whether a step failed of what is expected to go wrong, one of our errors or a `dagster.Failure`, and no bug."""
    data = event.step_failure_data
    error = data.error.cause if data.error is not None and data.error.cause is not None else data.error
    return data.user_failure_data is not None or (error is not None and bool(_OURS.match(error.message)))


def _reason_of_run(event: dg.DagsterEvent) -> str:
    error = getattr(event.event_specific_data, "error", None)  # no data where somebody else reports the run's end
    return (error.cause or error).message if error is not None else event.message or ""


def _is_alerted(event: dg.DagsterEvent) -> bool:
    data = event.step_failure_data.user_failure_data
    return data is not None and ALERTED in data.metadata
