"""The way to outside services as a resource: the ledger of their jobs, and who speaks with them."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from mlops_assets.errors import UsageError
from mlops_assets.jobs.place import absent
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_assets.jobs.events import Woken
    from mlops_assets.jobs.job import Job
    from mlops_assets.jobs.ledger import Ledger
    from mlops_assets.jobs.providers.protocol import Provider


TOLERATED = timedelta(minutes=1)
"""By so much clocks may differ: deadlines are of hours."""


class Jobs:
    """The jobs of an environment; nothing is opened before it is used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def ledger(self) -> "Ledger":
        """The ledger of jobs; see `Ledger.open` for what it raises."""
        from mlops_assets.jobs.ledger import Ledger

        return Ledger.open(self._settings)

    def wrong_clock(self) -> str:
        """Say that the clock differs from the database server's by more than a minute; empty: it does not.

        One that stands still (`MLOPS_NOW`) is wrong on purpose.
        """
        ahead = timedelta() if self._settings.now else self.ledger.ahead()
        if abs(ahead) <= TOLERATED:
            return ""
        side, when = ("ahead of", "early") if ahead > timedelta() else ("behind", "late")
        return (
            f"the clock of this machine is {abs(ahead).total_seconds():.0f} s {side} that of the database of jobs: "
            f"they are looked at, and given up, too {when}; set the clock"
        )

    def provider(self, spec: ForecastSpec) -> "Provider":
        """Return who speaks with the service of a forecast.

        Raises:
            UsageError: the forecast declares none.
        """
        from mlops_assets.jobs.providers.registry import provider_of

        if spec.external is None:
            raise UsageError(f"{spec.name} has no external service: its spec has no block external")
        return provider_of(spec.external)

    def exchange(self, spec: ForecastSpec) -> str:
        """Return where data of a forecast are handed over to its service; empty: nowhere."""
        from mlops_assets.jobs.providers.registry import exchange_of

        return exchange_of(spec)

    def latest(self, forecast: str, limit: int) -> "list[Job]":
        """Return the latest jobs of a forecast in the order in which they were intended; none without a ledger."""
        return [] if absent(self._settings) else self.ledger.of(forecast, limit=limit)

    def kept(self, forecast: str) -> tuple[int, int]:
        """Return how many jobs the ledger has of a forecast, and how many of them are open."""
        jobs = [] if absent(self._settings) else self.ledger.of(forecast)
        return len(jobs), sum(job.open for job in jobs)

    def rename(self, old: str, new: str) -> None:
        """Give the jobs of a forecast its new name; again is no harm."""
        if not absent(self._settings):
            self.ledger.rename(old, new)

    def give_up(self, forecast: str) -> None:
        """End the open jobs of a forecast that no spec declares any more: nobody could look at them."""
        for one in [] if absent(self._settings) else self.ledger.of(forecast):
            told = f"; {one.service} was not told to end {one.external_id}" if one.external_id else ""
            while (job := self.ledger.get(one.job_key)).open:  # a poller may be changing it at the same time
                ended = {"state": "cancelled", "finished_at": self.ledger.now(), "holds": ""}
                self.ledger.change(job, "cancelled", f"its forecast is retired{told}", error="retired", **ended)

    def events(self, specs: "Iterable[ForecastSpec]") -> "Woken":
        """Wake what the queue of events names (`MLOPS_EVENTS_QUEUE`); nothing without one.

        Raises:
            ServiceError: the queue cannot be read.
        """
        from mlops_assets.jobs.events import EventQueue, Woken, drain

        url = self._settings.events_queue
        return drain(EventQueue(url), lambda: self.ledger, specs) if url else Woken()

    def wake(self, texts: "Sequence[str]", specs: "Iterable[ForecastSpec]", by: str) -> "Woken":
        """Wake what messages name that came by another way than the queue; see `jobs.events.wake`."""
        from mlops_assets.jobs.events import wake

        return wake(texts, self.ledger, specs, by)
