"""The tags of Dagster's runs that we write and read, and what they say."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlops_assets.forecasting.decisions.rules import CHALLENGE
from mlops_assets.forecasting.decisions.triggers import SCHEDULE

if TYPE_CHECKING:
    import dagster as dg

FORECAST = "mlops/forecast"
"""Name of the forecast that a run is of."""
REASON = "mlops/reason"
"""Why a run was asked for."""
BREACH, ATTEMPT, CHAMPION, ACTION = "mlops/breach", "mlops/attempt", "mlops/champion", "mlops/action"
"""Of a retraining that a policy asked for: on which breach, for which time, who is champion, how to train."""
POLICY, BECOMES = "mlops/policy", "mlops/becomes"
"""Of the same: which policy, and what becomes of the version."""
TICK = "mlops/tick"
"""Of a daily round that the schedule asked for: the latest complete partition then."""
RESCORED_FOR = "mlops/rescored_for"
"""The storage id of the event that made scores outdated."""
JOB_KEY = "mlops/job_key"
"""The job of an external service that a run deals with."""
PROCESS = "mlops/process"
"""The process of a command that executes the run itself: nobody else watches whether it lives."""
COMMAND = "mlops/command"
"""The command that asked for a run, without `mlops-assets`, where only that makes it again."""
REPOSITORY_LABEL = ".dagster/repository"
"""`<repository>@<code location>`: by it Dagster's web UI finds the runs of a job."""
MAX_RETRIES = "dagster/max_retries"
"""How often Dagster makes a run again whose worker was killed, instead of as often as dagster.yaml says."""

CHANGED, LOST = "spec", "lost"
"""Beginnings of breaches without bad forecasts: the spec has changed since the latest training, the champion is lost.
Beside them stands `triggers.SCHEDULE`: a policy's schedule has ticked."""
BY_HAND = "materialized by hand"
"""The reason of a run that gives none."""

_SHOWN = 3
"""Assets of a run that are named."""
_PARTITION = "dagster/partition"
_RANGE_START, _RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
_WILL_RETRY, _RETRY_NUMBER = "dagster/will_retry", "dagster/retry_number"


def reason_of(run: "dg.DagsterRun") -> str:
    """Return why a run was asked for."""
    return run.tags.get(REASON, BY_HAND)


def is_of_breach(run: "dg.DagsterRun") -> bool:
    """Whether a training was asked for because of the champion, and not by an edit of the spec or by a schedule."""
    return is_breach(run.tags.get(BREACH, ""))


def is_breach(key: str) -> bool:
    """Whether what asked for a training is a breach, by its key."""
    return bool(key) and key.partition(" ")[0] not in (CHANGED, SCHEDULE, LOST)


def becomes_of(run: "dg.DagsterRun") -> str:
    """Return what becomes of the version that a run trains: where no policy says otherwise, a challenger."""
    return run.tags.get(BECOMES, CHALLENGE)


def is_of(run: "dg.DagsterRun", forecast: str) -> bool:
    """Whether a run is one of the forecast's, by its tag or its assets; job names would not tell `a` from `a_b`."""
    return run.tags.get(FORECAST) == forecast or any(key.path[0] == forecast for key in run.asset_selection or ())


def job_of(run: "dg.DagsterRun") -> str:
    """Return the name of a run's job; of assets that were materialized by hand, which."""
    if not run.job_name.startswith("__"):
        return run.job_name
    names = sorted(key.path[-1] for key in run.asset_selection or ())
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{BY_HAND}: {', '.join(names[:_SHOWN])}{more}" if names else BY_HAND


def range_tags(first: str, last: str) -> dict[str, str]:
    """Return the tags of one run over consecutive partitions."""
    return {_RANGE_START: first, _RANGE_END: last}


def partition_of(tags: Mapping[str, str]) -> str:
    """Return the partition of a run, `FIRST...LAST` of one over several, empty of one without."""
    first, last = tags.get(_RANGE_START, ""), tags.get(_RANGE_END, "")
    return tags.get(_PARTITION) or (first if first == last else f"{first}...{last}")


def will_retry(run: "dg.DagsterRun") -> bool:
    """Whether Dagster will try a failed run again by itself."""
    return run.tags.get(_WILL_RETRY) == "true"


def tries_of(run: "dg.DagsterRun") -> int:
    """Return how often a run has been tried, with this time."""
    return int(run.tags.get(_RETRY_NUMBER, "0")) + 1
