"""The event log of dagster.yaml: what Dagster's own stores, several processes at once, processes that are killed."""

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
import yaml
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage

from mlops_assets.resources import event_log
from mlops_assets.resources.event_log import EventLog, OwnEventLog
from mlops_assets.resources.instance import CONFIGURATION

OURS = {"event_log_storage": yaml.safe_load(CONFIGURATION)["event_log_storage"]}
SHIPPED = Path(__file__).parents[2] / "dagster.yaml"
KEY = dg.AssetKey(["demo", "observations"])
FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def _batches_as_chosen(monkeypatch):
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "100")


@dg.asset(
    check_specs=[dg.AssetCheckSpec("sound", asset="daily")], partitions_def=dg.DailyPartitionsDefinition("2013-01-01")
)
def daily(context: dg.AssetExecutionContext) -> Iterator[Any]:
    yield dg.Output(None, tags={"kind": "demo"})
    yield dg.AssetCheckResult(passed=True, check_name="sound")


def instance_in(folder: Path, overrides: Any = OURS) -> dg.DagsterInstance:
    """Return the instance of a folder, with our event log unless the overrides choose another."""
    folder.mkdir(exist_ok=True)
    return dg.DagsterInstance.local_temp(str(folder), overrides=overrides)


def stored(run_id: str, partition: str) -> EventLogEntry:
    """Return the event that a partition has been stored."""
    data = StepMaterializationData(dg.AssetMaterialization(KEY, partition=partition))
    event = DagsterEvent(dg.DagsterEventType.ASSET_MATERIALIZATION.value, "demo", event_specific_data=data)
    return EventLogEntry(None, "debug", "", run_id, time.time(), step_key="demo", job_name="demo", dagster_event=event)


def counted(folder: Path, file: str) -> int:
    """Return how many events a file has, as SQLite finds it, and that the file is sound."""
    with sqlite3.connect(folder / "history" / "runs" / f"{file}.db") as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return raw.execute("SELECT count(*) FROM event_logs").fetchone()[0]


def test_the_shipped_configurations_choose_it_and_dagster_is_the_one_it_was_made_for(tmp_path):
    assert event_log.changed() == ""
    for number, configuration in enumerate((CONFIGURATION, SHIPPED.read_text(encoding="utf-8"))):
        folder = tmp_path / str(number)
        with instance_in(folder, yaml.safe_load(configuration)) as instance:
            assert type(instance.event_log_storage) is EventLog
            assert (folder / "history" / "runs" / "index.db").exists()


@pytest.mark.parametrize("batch", ["0", "100"])
def test_what_is_stored_is_what_dagsters_own_stores(tmp_path, monkeypatch, batch):
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", batch)
    found = []
    for name, overrides in (("own", {}), ("ours", OURS)):
        with instance_in(tmp_path / name, overrides) as instance:
            run = dg.materialize([daily], instance=instance, partition_key="2013-01-02")
            log = instance.all_logs(run.run_id)
            check = dg.AssetCheckKey(daily.key, "sound")
            checks = instance.event_log_storage.get_asset_check_execution_history(check, limit=5)
            record = instance.get_asset_records([daily.key])[0].asset_entry
            found.append(
                (
                    [event.dagster_event_type for event in log],
                    len(instance.get_run_records()),
                    instance.get_materialized_partitions(daily.key),
                    [one.status for one in checks],
                    record.last_materialization.asset_materialization.tags["kind"],
                    sorted(instance.get_asset_keys()),
                )
            )
    assert found[0] == found[1]


def test_either_goes_on_where_the_other_was(tmp_path):
    for overrides, partition in (({}, "2013-01-01"), (OURS, "2013-01-02"), ({}, "2013-01-03")):
        with instance_in(tmp_path, overrides) as instance:
            instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition=partition))
            there = instance.get_materialized_partitions(KEY)
    assert there == {"2013-01-01", "2013-01-02", "2013-01-03"}


def test_a_batch_that_cannot_be_stored_is_not_stored_in_part(tmp_path, monkeypatch):
    with instance_in(tmp_path) as instance:
        log = instance.event_log_storage
        own = SqliteEventLogStorage.store_event

        def third_fails(self: Any, event: EventLogEntry) -> None:
            own(self, event)
            if event.get_dagster_event().partition == "3":
                raise OSError("no space left on device")

        monkeypatch.setattr(SqliteEventLogStorage, "store_event", third_fails)
        with pytest.raises(OSError):
            log.store_event_batch([stored("run", str(number)) for number in range(9)])
        assert instance.get_materialized_partitions(KEY) == set()
        monkeypatch.undo()
        log.store_event_batch([stored("run", str(number)) for number in range(9)])
        assert instance.get_materialized_partitions(KEY) == {str(number) for number in range(9)}
    assert counted(tmp_path, "run") == counted(tmp_path, "index") == 9


def test_after_a_batch_an_asset_says_what_it_says_after_single_events(tmp_path):
    other = dg.AssetKey(["demo", "quarantine"])
    planned = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value

    def plan(key: dg.AssetKey, run_id: str) -> EventLogEntry:
        event = DagsterEvent(planned, "demo", event_specific_data=AssetMaterializationPlannedData(key))
        return EventLogEntry(None, "debug", "", run_id, 1e9, step_key="demo", job_name="demo", dagster_event=event)

    events = [
        plan(KEY, "first"),
        stored("first", "1"),
        stored("first", "2"),
        plan(other, "second"),
        plan(KEY, "second"),
    ]
    rows = []
    for name in ("single", "batch"):
        with instance_in(tmp_path / name) as instance:
            log = instance.event_log_storage
            log.store_event_batch(events) if name == "batch" else [log.store_event(event) for event in events]
        with sqlite3.connect(tmp_path / name / "history" / "runs" / "index.db") as raw:
            query = (
                "SELECT asset_key, last_materialization, last_run_id, last_materialization_timestamp FROM asset_keys"
            )
            rows.append(sorted(raw.execute(query)))
    assert rows[0] == rows[1]
    assert len(rows[0]) == 2


def test_files_are_let_go_and_a_file_that_somebody_has_removed_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(event_log, "OPEN", 2)
    with instance_in(tmp_path) as instance:
        log = instance.event_log_storage
        for number in range(4):
            log.store_event(stored(f"run{number}", "1"))
        opened = [one.path for one in psutil.Process().open_files() if one.path.startswith(str(tmp_path))]
        assert len([one for one in opened if one.endswith(".db")]) <= event_log.OPEN
        for file in (tmp_path / "history" / "runs").glob("run3.db*"):
            file.unlink()
        log.store_event(stored("run3", "2"))
        assert len(log.get_logs_for_run("run3")) == 1
        log.wipe()
        assert instance.get_materialized_partitions(KEY) == set()


def test_the_file_of_a_run_is_a_copy_of_one_that_dagster_has_made(tmp_path, monkeypatch):
    with instance_in(tmp_path) as instance:
        instance.event_log_storage.store_event(stored("run1", "1"))
    with instance_in(tmp_path) as instance:
        log = instance.event_log_storage
        monkeypatch.setattr(log, "_initdb", lambda engine, for_index_shard=False: pytest.fail("made anew"))
        log._initialized_dbs.add("index")
        log.store_event(stored("run2", "1"))
        assert len(log.get_logs_for_run("run2")) == 1
        assert set(log.get_all_run_ids()) == {"run1", "run2"}
    made = [sqlite3.connect(tmp_path / "history" / "runs" / f"{name}.db") for name in ("run1", "run2")]
    assert len({tuple(one.execute("SELECT name, sql FROM sqlite_master ORDER BY 1")) for one in made}) == 1
    assert len({tuple(one.execute("SELECT * FROM alembic_version")) for one in made}) == 1
    for one in made:
        one.close()


def test_whoever_watches_a_run_is_told_while_it_is_written(tmp_path):
    with instance_in(tmp_path) as instance:
        told, enough = [], threading.Event()

        def tell(event: EventLogEntry, cursor: str) -> None:
            told.append(event.get_dagster_event().partition)
            if len(told) >= 2:
                enough.set()

        log = instance.event_log_storage
        log.store_event(stored("run", "before"))
        log.watch("run", None, tell)
        log.store_event(stored("run", "after"))
        assert enough.wait(5), told
        log.end_watch("run", tell)
    assert told == ["before", "after"]


def test_dagsters_own_is_taken_with_a_message_where_dagster_has_changed(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(SqliteEventLogStorage, "_connect", lambda self, shard, mode: None)
    assert event_log.changed() == "_connect takes (self shard) no longer: (self shard mode)"
    monkeypatch.undo()
    monkeypatch.setattr(event_log, "_CONNECTS_BY", "begin")
    with instance_in(tmp_path) as instance:
        assert type(instance.event_log_storage) is OwnEventLog
        instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition="1"))
        assert instance.get_materialized_partitions(KEY) == {"1"}
    assert "in its own, slower way: it connects in another way" in caplog.text


def _write(folder: Path, run_id: str, batches: int, told: Any) -> None:
    with instance_in(folder) as instance:
        for number in range(batches):
            instance.event_log_storage.store_event_batch([stored(run_id, f"{number}-{one}") for one in range(20)])
            instance.event_log_storage.store_event(stored(run_id, f"{number}-single"))
            told.send(number + 1)


@pytest.mark.process
def test_several_processes_write_at_once_and_one_that_is_killed_loses_and_breaks_nothing(tmp_path):
    with instance_in(tmp_path) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition="first"))
        pipes = {f"run{number}": FORK.Pipe(duplex=False) for number in range(3)}
        writers = {
            run: FORK.Process(target=_write, args=(tmp_path, run, 10_000 if run == "run0" else 10, told))
            for run, (_, told) in pipes.items()
        }
        for writer in writers.values():
            writer.start()
        heard = {run: _hear(pipes[run][0], 5) for run in writers}
        os.kill(writers["run0"].pid, signal.SIGKILL)
        heard |= {run: _hear(pipes[run][0], 10) for run in ("run1", "run2")}
        for writer in writers.values():
            writer.join(30)
        assert writers["run1"].exitcode == writers["run2"].exitcode == 0
        while pipes["run0"][0].poll():
            heard["run0"] = pipes["run0"][0].recv()
        kept = counted(tmp_path, "run0")
        assert kept >= 21 * heard["run0"]
        assert kept % 21 in (0, 20)
        assert counted(tmp_path, "run1") == counted(tmp_path, "run2") == 210
        # What the killed one had said in its run's file and not yet in the index is one batch, or one event.
        there = len(instance.get_materialized_partitions(KEY)) - 1
        assert counted(tmp_path, "index") - 1 - 420 in (kept, kept - 20, kept - 1)
        assert there >= 210
        instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition="last"))
        assert "last" in instance.get_materialized_partitions(KEY)


def _hear(pipe: Any, at_least: int) -> int:
    heard = 0
    while heard < at_least:
        assert pipe.poll(60), "the writer says nothing"
        heard = pipe.recv()
    return heard
