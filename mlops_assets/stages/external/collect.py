"""Fetching what a service has made: checked, kept, and put into the ledger; one set of rows, whatever is killed."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from mlops_assets.alerts import messages
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import EXTERNAL_FORECASTS, FORECASTS
from mlops_assets.catalog.spending import Spending
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.forecasting.evaluation.ledger import own
from mlops_assets.forecasting.formatting import few
from mlops_assets.jobs.job import ENDED_BADLY, Job
from mlops_assets.jobs.providers.service_errors import WrongAnswerError
from mlops_assets.jobs.resource import Jobs
from mlops_assets.lifecycle import roles
from mlops_assets.lifecycle.roles import Roles
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.meter import Entry, Spent
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.external.answers import RefusedAnswerError, accepted, left_out
from mlops_assets.stages.external.asking import Known, inputs_of
from mlops_assets.stages.external.together import LATE, WAITING, settle, stored_under

if TYPE_CHECKING:
    from mlops_assets.jobs.poller import Looked

MOST_STEPS = 20
"""Looks in a row: more than the longest chain has steps, asked for and done."""
MOST_JOBS = 100
"""Jobs that one of them is at; where more are due, the next goes on."""
LOOKED_BACK = 31
"""Partitions back that a champion's answer may still be waited for."""


class Stores(Protocol):
    """Where results go, and who is told."""

    @property
    def tables(self) -> Tables:
        """Have the ledger of forecasts."""
        ...

    @property
    def notifications(self) -> Notifications:
        """Tell of what does not come."""
        ...

    @property
    def clock(self) -> Clock:
        """Says whether it is late."""
        ...

    @property
    def jobs(self) -> Jobs:
        """Know the jobs, and who speaks with the service."""
        ...


@dataclass(frozen=True)
class Result:
    """What has become of a job's result.

    Attributes:
        partition: that it is of.
        changed: whether the ledger of forecasts has changed.
        words: what has become of it, in a sentence.
        good: whether there is one.
        news: whether it was not known before.
    """

    partition: str
    changed: bool
    words: str
    good: bool = True
    news: bool = True


def collect(spec: ForecastSpec, stores: Stores, job: Job, run_id: str = "") -> Result:
    """Fetch the result of a job that has succeeded, and store it; an answer that is not what was asked for is refused.

    The rows are stored before the job is called collected: who is killed between does it all again, to the same end.

    Raises:
        ServiceError: the service cannot be asked just now, or its answer makes no sense, and it is neither the deadline
            nor the last of several such answers; the job stays as it is.
    """
    now = stores.clock.now()
    late = naive_utc(now).to_pydatetime() >= job.deadline
    known = Known(Graph(spec), stores.tables, job.partition)
    try:
        made = accepted(spec, stores.jobs.provider(spec).collect(job), known.recent(), known.origin, known.items)
    except RefusedAnswerError as error:
        return _refused(spec, stores, job, str(error), run_id)
    except WrongAnswerError as error:
        from mlops_assets.jobs.poller import no_sense, one_too_many

        if late:
            return _refused(spec, stores, job, str(error), run_id)
        if one_too_many(stores.jobs.ledger, job):
            return _refused(spec, stores, job, no_sense(str(error)), run_id)
        raise  # half an answer may be whole the next time
    made = made.assign(
        source=job.service,
        job_key=job.job_key,
        late=late,
        collected_at=pd.Series(_since(stores.tables, spec, job, now), index=made.index).astype("datetime64[us]"),
    )
    partition = stored_under(job.partition, job.job_key)
    stores.tables.write([spec.name, EXTERNAL_FORECASTS], made, partition, allow_new_columns=True)
    changed = settle(spec, stores.tables, job.partition, LATE if late else WAITING, run_id)
    words = f"{len(made)} rows of {made['item_id'].nunique()} items{', late' if late else ''}"
    if lacking := left_out(made, own(ForecastTables(stores.tables, spec.name).read(FORECASTS, [job.partition]))):
        words += f"; {len(lacking)} of our items are not among them: {few(lacking, 5)}"
    freed = {"lease_owner": "", "lease_until": None}
    stores.jobs.ledger.change(job, "collected", words, state="collected", error="", **freed)
    if job.submitted_at is not None and job.finished_at is not None:
        waited = Spent(waited_seconds=max(0.0, (job.finished_at - job.submitted_at).total_seconds()))
        entry = Entry("collect", (spec.name, EXTERNAL_FORECASTS), 1, waited)
        Spending(stores.tables, spec.name).note([entry], present=now)
    return Result(job.partition, changed, words)


def _since(tables: Tables, spec: ForecastSpec, job: Job, now: datetime) -> pd.Timestamp:
    """Return when the result was collected: the first time, where it is stored already."""
    stored, partition = ForecastTables(tables, spec.name), stored_under(job.partition, job.job_key)
    if partition not in stored.partitions(EXTERNAL_FORECASTS):
        return naive_utc(now)
    return stored.read(EXTERNAL_FORECASTS, [partition])["collected_at"].min()


def _refused(spec: ForecastSpec, stores: Stores, job: Job, reason: str, run_id: str) -> Result:
    ledger = stores.jobs.ledger
    ended = ledger.change(
        job,
        "refused",
        reason,
        state="refused",
        error=reason,
        finished_at=ledger.now(),
        lease_owner="",
        lease_until=None,
    )
    return give_up(spec, stores, ended or ledger.get(job.job_key), run_id)


def finish(spec: ForecastSpec, stores: Stores, job_key: str, run_id: str = "") -> list[Result]:
    """Deal with a job that has ended, well or badly; one that is dealt with, or has not ended, is left alone.

    Raises:
        UnknownNameError: there is no such job.
        ServiceError: the service cannot be asked just now.
    """
    from mlops_assets.jobs.poller import WRONG

    job, results = stores.jobs.ledger.get(job_key), []
    if job.last and job.state == "succeeded":
        try:
            results.append(collect(spec, stores, job, run_id))
        except WrongAnswerError as error:
            stores.jobs.ledger.tell(job, WRONG, str(error))
            raise
    return results + give_up_overdue(spec, stores)


def look(spec: ForecastSpec, stores: Stores) -> "tuple[list[Looked], list[Result]]":
    """Look at each job of a forecast that is due, fetch what is there, and go on at once with what has come on.

    A service that answers within a call has forecast when this ends; another is looked at again when it may have.

    Returns:
        What the last look at each job has found, and what has become of the results.
    """
    from mlops_assets.jobs.poller import run_due

    results: list[Result] = []
    looked: dict[str, Looked] = {}
    for _ in range(MOST_STEPS):
        found = run_due(
            stores.jobs.ledger,
            lambda _: stores.jobs.provider(spec),
            lambda job: inputs_of(spec, stores.tables, job),
            lambda job: results.append(collect(spec, stores, job)),
            forecasts=[spec.name],
            limit=MOST_JOBS,
        )
        looked |= {one.job.job_key: one for one in found}
        begun = [one.job for one in found if one.event == "submitted"]
        for job in begun:
            stores.jobs.ledger.wake(job.job_key, message="it may be there already")
        come_on = begun or any(one.event in ("succeeded", "collected") for one in found)
        if not come_on and len(found) < MOST_JOBS:
            break
    return list(looked.values()), results + give_up_overdue(spec, stores)


def give_up(spec: ForecastSpec, stores: Stores, job: Job, run_id: str = "") -> Result:
    """Tell that a job has come to nothing; where its service is champion, ours is delivered for good."""
    champion = Roles(stores.tables, spec).of(job.created_at).role == roles.CHAMPION
    changed = waits(spec, stores.tables, job.partition) and settle(spec, stores.tables, job.partition, LATE, run_id)
    alert = messages.no_answer(
        spec.name, job.service, job.partition, job.state, job.error, champion, stores.notifications
    )
    told = stores.notifications.send(stores.tables, alert)
    return Result(job.partition, changed, f"{job.state}: {job.error}", good=False, news=told or changed)


def give_up_overdue(spec: ForecastSpec, stores: Stores) -> list[Result]:
    """Deal with the last jobs of chains that have come to nothing, and that nobody has dealt with yet.

    The forecast of a partition that waits for its champion is then delivered as late; every failure is told once.
    """
    recent = set(ForecastTables(stores.tables, spec.name).partitions(FORECASTS)[-LOOKED_BACK:])
    ended = stores.jobs.ledger.of(spec.name, states=ENDED_BADLY, limit=4 * LOOKED_BACK)
    results = [give_up(spec, stores, job) for job in ended if job.last and job.partition in recent]
    return [result for result in results if result.news]


def waits(spec: ForecastSpec, tables: Tables, partition: str) -> bool:
    """Whether the forecast of a partition waits for the service that is champion."""
    stored = ForecastTables(tables, spec.name)
    if partition not in stored.partitions(FORECASTS):
        return False
    rows = stored.delivered(FORECASTS, [partition], ["delivered_because"])
    return bool((rows["delivered_because"] == WAITING).any())
