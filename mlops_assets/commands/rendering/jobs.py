"""Jobs of external services on a terminal: `mlops-assets jobs`."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mlops_assets.jobs.job import Job

if TYPE_CHECKING:
    from mlops_assets.jobs.tables import Event


def table(jobs: Iterable[Job]) -> Any:
    """Return a table with a row for each job."""
    from rich.markup import escape
    from rich.table import Table

    shown = Table(
        "key", "forecast", "partition", "service", "step", "state", "since (UTC)", "next look", "what is wrong"
    )
    for job in jobs:
        next_look = f"{job.next_look_at:%d %H:%M}" if job.open else "–"
        texts = (
            job.forecast,
            job.partition,
            job.service,
            job.step,
            job.state,
            f"{job.since:%Y-%m-%d %H:%M}",
            next_look,
        )
        shown.add_row(job.job_key[:8], *map(escape, texts), escape(job.error))
    return shown


def parts(job: Job, events: "Iterable[Event]") -> Iterator[Any]:
    """Yield what is known of a job, and what happened to it."""
    from rich.markup import escape
    from rich.table import Table

    facts = Table(show_header=False, box=None)
    for name, value in job.to_json().items():
        if value not in ("", None, {}):
            facts.add_row(name, escape(f"{value}"))
    yield facts
    told = Table("at (UTC)", "event", "state", "by", "message")
    for event in events:
        texts = (f"{event.at:%Y-%m-%d %H:%M:%S}", event.event, event.state, event.made_by, event.message)
        told.add_row(*map(escape, texts))
    yield told
