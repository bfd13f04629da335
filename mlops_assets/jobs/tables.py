"""The tables of the ledger: `mlops_jobs`, one row a job, and `mlops_job_events`, to which rows are only added."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from mlops_assets.jobs.job import OPEN, Job, State
from mlops_assets.resources.secrets import scrub

if TYPE_CHECKING:
    from sqlalchemy import Row

METADATA = sa.MetaData()

JOBS = sa.Table(
    "mlops_jobs",
    METADATA,
    sa.Column("job_key", sa.String(64), primary_key=True),
    sa.Column("forecast", sa.String(128), nullable=False),
    sa.Column("partition", sa.String(128), nullable=False),
    sa.Column("service", sa.String(64), nullable=False),
    sa.Column("step", sa.String(128), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("since", sa.DateTime, nullable=False),
    sa.Column("external_id", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("lease_owner", sa.String(255), nullable=False),
    sa.Column("lease_until", sa.DateTime),
    sa.Column("next_look_at", sa.DateTime, nullable=False),
    sa.Column("deadline", sa.DateTime, nullable=False),
    sa.Column("data_version", sa.String(255), nullable=False),
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("exclusive", sa.String(255), nullable=False),
    sa.Column("holds", sa.String(255), unique=True, comment="`exclusive` while the service has it, else null"),
    sa.Column("after", sa.JSON, nullable=False),
    sa.Column("earlier", sa.JSON, nullable=False),
    sa.Column("last", sa.Boolean, nullable=False),
    sa.Column("absent_since", sa.DateTime),
    sa.Column("submitted_at", sa.DateTime),
    sa.Column("finished_at", sa.DateTime),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("cost", sa.JSON, nullable=False),
    sa.Column("created_by", sa.String(255), nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
)

EVENTS = sa.Table(
    "mlops_job_events",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("job_key", sa.String(64), nullable=False, index=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("made_by", sa.String(255), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
)

IS_OPEN = JOBS.c.state.in_([sa.literal_column(f"'{state}'") for state in OPEN])
"""The condition of the partial index, word for word: else a database does not use it."""

sa.Index("mlops_jobs_due", JOBS.c.next_look_at, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)
sa.Index("mlops_jobs_of", JOBS.c.forecast, JOBS.c.partition)
sa.Index("mlops_jobs_usual", JOBS.c.service, JOBS.c.step, JOBS.c.finished_at)

_JSON = ("parameters", "after", "earlier", "cost")
_LONGEST_TEXT = 1000


@dataclass(frozen=True)
class Event:
    """What happened to a job: a row of `mlops_job_events`."""

    at: datetime
    event: str
    state: State
    made_by: str
    message: str


def values_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a job as its row has them."""
    values = {name: dict(value) if name in _JSON else value for name, value in changes.items()}
    if "holds" in values:
        values["holds"] = values["holds"] or None
    return values


def row_of(job: Job) -> dict[str, Any]:
    """Return the row of a job."""
    return values_of({field.name: getattr(job, field.name) for field in fields(job)})


def job_of(row: "Row[Any]") -> Job:
    """Return the job of a row."""
    values = row._asdict()
    return Job(**{**values, "holds": values["holds"] or ""})


def plain(text: str) -> str:
    """Return a text as a row may have it: without secrets, in one line, not long, of characters that databases take."""
    words = " ".join(scrub(str(text)).replace("\x00", " ").split())
    return words.encode("utf-8", "replace").decode("utf-8")[:_LONGEST_TEXT]
