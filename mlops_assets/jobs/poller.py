"""The poller: looks at jobs that are due, and does what is next for each, so that a kill at any point doubles nothing.

The intent is committed, then the lease, then `attempt`, and only then the service is called, with the job's name. The
answer is compared and set. Who finds a job with an attempt and without an answer asks the service by name first, and
calls anew only if it has said twice, `SETTLE` apart, that there is no such thing: a call may still be on its way, be it
that its poller was killed or that a clock was wrong and its lease seemed to be over.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from mlops_assets.errors import MlopsAssetsError
from mlops_assets.jobs.job import Job, State
from mlops_assets.jobs.ledger import FARTHEST, ExclusiveError, Ledger
from mlops_assets.jobs.providers.protocol import Inputs, Provider, Status
from mlops_assets.jobs.providers.service_errors import (
    BusyError,
    NotThereError,
    RefusedByServiceError,
    UnreachableError,
    WrongAnswerError,
)
from mlops_assets.jobs.tables import plain

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=10)
LEASE = timedelta(minutes=5)
SETTLE = timedelta(minutes=2)
"""Longer than one call to a service takes: what was on its way has arrived by then."""
WRONG, WRONG_ANSWERS = "wrong answer", 5
"""The event of an answer that makes no sense; so many in a row, and none is expected any more."""
_FREE: dict[str, Any] = {"lease_owner": "", "lease_until": None}


@dataclass(frozen=True)
class Looked:
    """What a look at a job has found.

    Attributes:
        job: as it is now.
        event: in a word or two, such as `submitted`, `running`, `busy`, `collect`.
        message: in a sentence; empty: nothing to add.
    """

    job: Job
    event: str
    message: str = ""


def run_due(
    ledger: Ledger,
    providers: Callable[[Job], Provider],
    inputs: Callable[[Job], Inputs],
    collect: Callable[[Job], Any] | None = None,
    forecasts: Collection[str] | None = None,
    limit: int = 100,
    seconds: float = float("inf"),
    served: Mapping[str, str] | None = None,
) -> list[Looked]:
    """Look once at each job that is due, and return what came of it; jobs that others are at are left to them.

    Args:
        ledger: of the jobs.
        providers: makes the provider of a job's service.
        inputs: makes the data of a job, which are read only where they are sent.
        collect: fetches and stores the result of a succeeded job and sets it to `collected`. Default: the job is
            returned as `collect`, and somebody else does it.
        forecasts: look only at jobs of these.
        limit: look at so many.
        seconds: begin no further look after so many.
        served: when each forecast was served, as text that can be compared. They take turns, and who has waited longest
            begins.
    """
    poller = Poller(ledger, providers, inputs, collect)
    end, looked = time.monotonic() + seconds, []
    for job in _in_turns(ledger.due(ledger.now(), limit, forecasts), served or {}):
        if time.monotonic() > end:
            break
        found = poller.look(job)
        if found is not None:
            looked.append(found)
    return looked


class Poller:
    """Looks at single jobs; see `run_due` for what it is made of."""

    def __init__(
        self,
        ledger: Ledger,
        providers: Callable[[Job], Provider],
        inputs: Callable[[Job], Inputs],
        collect: Callable[[Job], Any] | None = None,
    ) -> None:
        self._ledger, self._providers, self._inputs, self._collect = ledger, providers, inputs, collect
        self._usual: dict[tuple[str, str], timedelta] = {}

    def look(self, job: Job) -> Looked | None:
        """Do what is next for a job; None if somebody else is at it."""
        leased = self._ledger.lease(job, self._ledger.who, self._ledger.now() + LEASE)
        if leased is None:
            return None
        if leased.waits_for_another:
            return self._later(leased, "")
        if leased.state == "succeeded":
            return self._hand_over(leased)
        try:
            provider = self._providers(leased)
        except MlopsAssetsError as error:
            return self._later(leased, "no provider", str(error))
        if provider.name != leased.service:
            return self._later(leased, "no provider", f"{leased.forecast} has {provider.name} as its service now")
        if leased.state == "intended" and not leased.attempt:
            return self._call(leased, provider)
        return self._ask(leased, provider)

    def cancel(self, key: str, message: str) -> Job:
        """Cancel a job, here and at its service; one that has ended stays as it is.

        Raises:
            UnknownNameError: there is no such job.
        """
        while (job := self._ledger.get(key)).open:
            try:
                provider = self._providers(job)
            except MlopsAssetsError as error:
                provider, message = None, f"{message}; the service was not told: {error}"
            ended = self._end(job, "cancelled", message, provider, cancel=True)
            if ended is not None:
                return ended.job
        return job

    # ---- the call

    def _call(self, job: Job, provider: Provider) -> Looked | None:
        if self._ledger.now() >= job.deadline:
            return self._expire(job, provider)
        try:
            calling = self._ledger.change(
                job, "calling", attempt=job.attempt + 1, holds=job.exclusive, absent_since=None
            )
        except ExclusiveError as error:
            return self._later(job, "", str(error))
        if calling is None:
            return None
        try:
            external_id = provider.submit(calling, self._inputs(calling))
        except (BusyError, UnreachableError) as error:  # nothing was made: the attempt is given back
            given_back = {"attempt": job.attempt, "holds": job.exclusive if job.attempt else ""}
            return self._later(calling, "busy", str(error), getattr(error, "after", None), provider, **given_back)
        except RefusedByServiceError as error:
            return self._end(calling, "refused", str(error))
        except Exception as error:  # it may have been made: whatever went wrong, it is looked for by name
            return self._later(calling, "unsure", _said(error), provider=provider)
        return self._submitted(calling, str(external_id), provider)

    def _submitted(self, job: Job, external_id: str, provider: Provider) -> Looked | None:
        """Write down what the service has taken, also where somebody has changed the job meanwhile."""
        now = self._ledger.now()
        taken: dict[str, Any] = {"state": "submitted", "external_id": external_id, "submitted_at": now, "error": ""}
        while job.state == "intended":  # else somebody knows more of it
            submitted = self._ledger.change(
                job, "submitted", **taken, **_FREE, next_look_at=self._next(job, now, now), absent_since=None
            )
            if submitted is not None:
                return Looked(submitted, "submitted")
            job = self._ledger.get(job.job_key)
        if not job.open or job.external_id not in ("", external_id):
            message = self._cancel_outside(replace(job, external_id=external_id), provider)
            self._ledger.tell(
                job, "too late", f"the service took {external_id} when the job was {job.state}; {message}"
            )
        return None

    # ---- the question

    def _ask(self, job: Job, provider: Provider) -> Looked | None:
        try:
            status = provider.describe(job)
        except NotThereError as error:
            return self._absent(job, provider, str(error))
        except WrongAnswerError as error:
            return self._wrong(job, provider, str(error))
        except Exception as error:
            return self._later(job, "not told", _said(error), getattr(error, "after", None), provider)
        return self._told(job, provider, status)

    def _told(self, job: Job, provider: Provider, status: Status) -> Looked | None:
        """Write down what the service says of a job."""
        now = self._ledger.now()
        if job.external_id and status.external_id not in ("", job.external_id):
            return self._wrong(job, provider, f"it was asked for {job.external_id} and tells of {status.external_id}")
        known: dict[str, Any] = {"external_id": status.external_id or job.external_id, "absent_since": None}
        known |= {"submitted_at": job.submitted_at or now, "cost": dict(status.cost) or job.cost, **_FREE}
        if status.state == "failed":
            return self._end(job, "failed", status.reason or "the service says no more than that it failed", **known)
        if status.state == "running":
            if now >= job.deadline:
                return self._expire(job, provider)
            event = "" if job.state == "running" and not job.error else "running"
            wait = self._next(job, known["submitted_at"], now)
            return self._changed(job, event, "", state="running", error="", next_look_at=wait, **known)
        known |= {"holds": "", "finished_at": now, "error": ""}
        if not job.last:
            return self._changed(job, "succeeded", "", state="collected", **known)
        looked = self._changed(job, "succeeded", "", state="succeeded", next_look_at=now + FIRST_WAIT, **known)
        return self.look(looked.job) or looked if looked is not None else None

    def _absent(self, job: Job, provider: Provider, message: str) -> Looked | None:
        """Deal with a job that the service does not know: it was never taken, or it is on its way, or it is gone."""
        now = self._ledger.now()
        since = job.absent_since
        if since is None or since > now:
            return self._later(job, "not there", message, SETTLE.total_seconds(), provider, absent_since=now)
        if now - since < SETTLE:
            return self._later(job, "", message, (since + SETTLE - now).total_seconds(), provider)
        if job.state == "intended":
            return self._call(job, provider)
        return self._end(job, "failed", f"the service does not know it any more: {message}")

    def _wrong(self, job: Job, provider: Provider, message: str) -> Looked | None:
        """Deal with an answer that makes no sense: the next may; after several, none is waited for."""
        if one_too_many(self._ledger, job):
            return self._end(job, "refused", no_sense(message), provider, True)
        return self._later(job, WRONG, message, provider=provider)

    # ---- what becomes of a job

    def _hand_over(self, job: Job) -> Looked | None:
        """Collect a result, or say that it is there to be collected."""
        if self._collect is not None:
            try:
                self._collect(job)
            except WrongAnswerError as error:
                return self._later(self._ledger.get(job.job_key), WRONG, str(error))
            except Exception as error:
                return self._later(self._ledger.get(job.job_key), "not collected", _said(error))
            done = self._ledger.get(job.job_key)
            return Looked(done, done.state, done.error)
        wait = self._ledger.now() + _grown(self._ledger.now() - job.since)
        return self._changed(job, "", "", "collect", next_look_at=wait, **_FREE)

    def _later(
        self,
        job: Job,
        event: str,
        message: str = "",
        after: float | None = None,
        provider: Provider | None = None,
        **changes: Any,
    ) -> Looked | None:
        """Look at a job again after a while, or give it up where its deadline is over.

        Args:
            job: as seen.
            event: what has happened; empty: nothing that is worth an event.
            message: what was met: it stands in the job's `error`.
            after: seconds that are waited at least.
            provider: of its service, if there is one.
            changes: further fields.
        """
        now = self._ledger.now()
        if now >= job.deadline and job.state != "succeeded":
            return self._expire(job, provider, message)
        if not job.open:
            return None
        wait = max(_grown(now - job.since), timedelta(seconds=min(after or 0, 86400)))
        next_look = now + (FARTHEST if job.waits_for_another else wait)
        if job.state != "succeeded":
            next_look = min(next_look, job.deadline)
        if message:
            changes["error"] = message
        return self._changed(job, event, message, event or "waits", next_look_at=next_look, **_FREE, **changes)

    def _expire(self, job: Job, provider: Provider | None, message: str = "") -> Looked | None:
        words = f"not done by its deadline{'; ' if message else ''}{message}"
        return self._end(job, "expired", words, provider, cancel=bool(job.attempt))

    def _end(
        self,
        job: Job,
        state: State,
        message: str,
        provider: Provider | None = None,
        cancel: bool = False,
        **changes: Any,
    ) -> Looked | None:
        if cancel and job.attempt and provider is not None:
            message = f"{message}; {self._cancel_outside(job, provider)}"
        ended = {"state": state, "error": message, "finished_at": self._ledger.now(), "holds": "", **_FREE, **changes}
        return self._changed(job, state, message, **ended)

    def _cancel_outside(self, job: Job, provider: Provider) -> str:
        try:
            provider.cancel(job)
        except NotThereError:
            return "the service has nothing to cancel"
        except Exception as error:
            return f"the service could not be told to cancel it: {_said(error)}"
        return "the service was told to cancel it"

    def _changed(self, job: Job, event: str, message: str, found: str = "", **changes: Any) -> Looked | None:
        changed = self._ledger.change(job, event, message, **changes)
        return None if changed is None else Looked(changed, found or event or changed.state, plain(message))

    def _next(self, job: Job, submitted_at: datetime, now: datetime) -> datetime:
        """Return when a job that the service has is looked at next: first when such jobs usually end."""
        which = (job.service, job.step)
        if which not in self._usual:
            self._usual[which] = self._ledger.usual(*which) or timedelta()
        expected = min(submitted_at, now) + self._usual[which]  # a clock may have gone back since
        return min(job.deadline, now + FARTHEST, max(expected, now + _grown(now - expected)))


def one_too_many(ledger: Ledger, job: Job) -> bool:
    """Whether one more answer without sense is one too many; what has only woken the job does not count."""
    before = [event.event for event in ledger.events(job.job_key) if event.event != "woken"][1 - WRONG_ANSWERS :]
    return len(before) == WRONG_ANSWERS - 1 and set(before) == {WRONG}


def no_sense(message: str) -> str:
    """Return why a job is refused after one answer without sense too many."""
    return f"{WRONG_ANSWERS} answers made no sense; the last: {message}"


def _in_turns(jobs: Iterable[Job], served: Mapping[str, str]) -> list[Job]:
    """Return jobs so that forecasts take turns: if the service of one hangs, the others do not wait for it."""
    turns: dict[str, int] = {}
    ordered = []
    for job in jobs:
        turns[job.forecast] = turns.get(job.forecast, 0) + 1
        ordered.append((turns[job.forecast], served.get(job.forecast, ""), len(ordered), job))
    return [job for *_, job in sorted(ordered, key=lambda one: one[:3])]


def _grown(waited: timedelta) -> timedelta:
    """Return the next wait: a quarter of the time that has passed, so that waits grow, within bounds."""
    return min(max(waited / 4, FIRST_WAIT), LONGEST_WAIT)


def _said(error: Exception) -> str:
    """Return an error in a sentence; one that is not ours with its type, for it is a bug."""
    return str(error) if isinstance(error, MlopsAssetsError) else f"a bug: {type(error).__name__}: {error}"
