"""The view `mlops_job_log`: one row for each forecast and partition, for whoever branches on it in SQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from mlops_assets.jobs.job import ENDED_BADLY, State
from mlops_assets.jobs.tables import JOBS, METADATA
from mlops_assets.resources.databases import DatabaseError, shown

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

NextAction = Literal["start", "wait", "collect", "deliver", "repair"]
"""What a caller does: `start` (call `run` or `jobs run-due`), `wait`, `collect` (the result is there), `deliver` (its
rows are here), `repair` (it ended badly)."""


@dataclass(frozen=True)
class Standing:
    """How the outside jobs of a forecast and partition stand: a row of the view.

    Attributes:
        forecast: whose they are.
        partition: of it.
        service: of the job that has to be dealt with first.
        step: of it.
        state: of it.
        next_action: what a caller does; see `NextAction`.
        since: when the job came to this state, in UTC.
        message: why, in words.
        job_key: of it.
    """

    forecast: str
    partition: str
    service: str
    step: str
    state: State
    next_action: NextAction
    since: datetime
    message: str
    job_key: str


VIEW = "mlops_job_log"
LOG = sa.table(
    VIEW, *(sa.column(field.name, sa.DateTime if field.type is datetime else sa.Text) for field in fields(Standing))
)
DATABASES = ("sqlite", "postgresql", "mysql", "mariadb")
_ADVISORY = 7355608
"""Number of the lock under which PostgreSQL lets one process at a time make the tables."""


def prepare(engine: "Engine") -> None:
    """Make the tables and the view of the ledger where they are not there yet; of processes at once, one does.

    Raises:
        DatabaseError: the database cannot hold a ledger.
    """
    if engine.dialect.name not in DATABASES:
        raise DatabaseError(
            f"{shown(engine.url)} cannot hold the ledger of jobs: that takes SQLite, PostgreSQL or MySQL; "
            "set MLOPS_JOBS_URL to one, such as sqlite:///data/jobs.db"
        )
    with engine.connect() as connection:
        if _has_view(connection.execution_options(reads_only=True)):
            return
    with engine.begin() as connection, _alone(connection):
        if not _has_view(connection):
            METADATA.create_all(connection)
            made = job_log().compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
            connection.exec_driver_sql(f"CREATE VIEW {VIEW} AS {made}".replace("%", "%%"))


@contextmanager
def _alone(connection: "Connection") -> Iterator[None]:
    """Let one process at a time make the tables; SQLite's transactions see to it themselves."""
    name = connection.dialect.name
    if name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY)))
    elif name in ("mysql", "mariadb"):
        connection.execute(sa.select(sa.func.get_lock(VIEW, 60)))
    yield
    if name in ("mysql", "mariadb"):
        connection.execute(sa.select(sa.func.release_lock(VIEW)))


def _has_view(connection: "Connection") -> bool:
    return VIEW in sa.inspect(connection).get_view_names()


def job_log() -> Any:
    """Return what the view shows: of each forecast and partition the job that has to be dealt with first.

    Of a step that was asked for again, only the latest job counts.
    """
    of_step = [JOBS.c.forecast, JOBS.c.partition, JOBS.c.service, JOBS.c.step]
    nth = sa.func.row_number().over(partition_by=of_step, order_by=[JOBS.c.created_at.desc(), JOBS.c.job_key])
    new = sa.select(JOBS, nth.label("nth")).subquery("latest")
    never_called = sa.and_(new.c.state == "intended", new.c.attempt == 0)
    free = sa.or_(sa.cast(new.c.after, sa.Text) == "{}", sa.cast(new.c.earlier, sa.Text) != "{}")
    urgency = sa.case(
        (new.c.state.in_(ENDED_BADLY), 1),
        (sa.and_(new.c.state == "succeeded", new.c.last), 2),
        (sa.and_(new.c.state != "collected", sa.not_(never_called)), 3),
        (sa.and_(never_called, free), 4),
        (never_called, 5),
        (new.c.last, 6),
        else_=7,
    )
    ranked = sa.select(new, urgency.label("urgency")).where(new.c.nth == 1).subquery("ranked")
    place = sa.func.row_number().over(
        partition_by=[ranked.c.forecast, ranked.c.partition],
        order_by=[ranked.c.urgency, ranked.c.since.desc(), ranked.c.job_key],
    )
    first = sa.select(ranked, place.label("place")).subquery("placed")
    action = sa.case(
        (first.c.urgency == 1, "repair"),
        (first.c.urgency == 2, "collect"),
        (first.c.urgency == 4, "start"),
        (first.c.urgency >= 6, "deliver"),
        else_="wait",
    )
    plain = first.c.service + " " + first.c.step + " is " + first.c.state
    message = sa.func.coalesce(sa.func.nullif(first.c.error, ""), plain)
    return sa.select(
        first.c.forecast,
        first.c.partition,
        first.c.service,
        first.c.step,
        first.c.state,
        action.label("next_action"),
        first.c.since,
        message.label("message"),
        first.c.job_key,
    ).where(first.c.place == 1)
