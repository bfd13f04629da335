"""Dagster's instance: runs whose worker was killed, and a storage that takes runs or does not."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from mlops_assets.errors import TerminalError, UsageError
from mlops_assets.resources.instance import CONFIGURATION, open_instance, prove_instance
from mlops_assets.settings import Settings
from mlops_assets_tests.io_managers import servers

SHIPPED = Path(__file__).parents[2] / "dagster.yaml"


@pytest.mark.parametrize("settings", [CONFIGURATION, SHIPPED.read_text(encoding="utf-8")], ids=["package", "folder"])
def test_a_run_whose_worker_was_killed_is_made_again_and_one_with_a_failed_step_is_not(tmp_path, settings):
    @dg.op
    def step() -> None:
        raise ValueError("a step that fails")

    @dg.job
    def demo_daily() -> None:
        step()

    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=yaml.safe_load(settings)) as instance:
        killed = instance.create_run_for_job(demo_daily, status=dg.DagsterRunStatus.STARTED)
        instance.report_run_failed(killed, "the process is gone: it was killed")
        failed = demo_daily.execute_in_process(instance=instance, raise_on_error=False)
        own = instance.create_run_for_job(
            demo_daily, status=dg.DagsterRunStatus.STARTED, tags={"dagster/max_retries": "0"}
        )
        instance.report_run_failed(own, "the command was ended")
        again = {one.run_id: instance.get_run_by_id(one.run_id).tags for one in (killed, failed, own)}
    assert [again[one.run_id].get("dagster/will_retry") for one in (killed, failed, own)] == ["true", "false", "false"]


def test_what_is_stored_as_a_proof_is_removed(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        prove_instance(instance)
        assert instance.get_runs_count() == 0


@pytest.mark.process
def test_postgres_keeps_runs_with_its_driver_and_without_it_the_line_that_is_missing_is_told(tmp_path):
    with servers.postgres(tmp_path / "pg") as url:
        home = tmp_path / "home"
        home.mkdir()
        plain = url.replace("postgresql+psycopg://", "postgresql://")
        right = {"storage": {"postgres": {"postgres_url": plain.replace("postgresql://", "postgresql+psycopg2://")}}}
        with dg.DagsterInstance.local_temp(str(home), overrides=right) as instance:
            prove_instance(instance)
            assert instance.get_runs_count() == 0
        wrong = {"storage": {"postgres": {"postgres_url": plain}}}
        said = pytest.raises(TerminalError, match=r"scheme: postgresql\+psycopg2 under storage")
        with dg.DagsterInstance.local_temp(str(home), overrides=wrong) as instance, said:
            prove_instance(instance)


def test_two_places_for_the_events_are_refused_with_what_to_remove(tmp_path, monkeypatch):
    own = f"{CONFIGURATION}storage:\n  sqlite:\n    base_dir: {tmp_path}\n"
    (tmp_path / "dagster.yaml").write_text(own, encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=r"dagster\.yaml: .*incompatible.* entries; remove event_log_storage"):
        open_instance(Settings())


OPENED_AGAIN = """
import sys
from mlops_assets.resources.instance import open_instance
from mlops_assets.settings import Settings

instance = open_instance(Settings())
assert not {"alembic", "dagster._daemon", "structlog"} & {*sys.modules}
found = instance.event_log_storage.alembic_version()
instance.upgrade(print_fn=lambda _: None)  # with Alembic, which is imported for it

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from dagster._core.storage.sql import get_alembic_config
from dagster._daemon.types import DaemonHeartbeat
import dagster._daemon

assert dagster._daemon.DaemonHeartbeat is DaemonHeartbeat
config = get_alembic_config(dagster._core.storage.runs.sqlite.sqlite_run_storage.__file__)
migrations = ScriptDirectory.from_config(config)
with instance.run_storage.connect() as connection:
    upgraded = MigrationContext.configure(connection).get_current_revision()
print(*found, migrations.as_revision_number("head"), upgraded)
"""


@pytest.mark.process
def test_databases_that_are_there_are_opened_without_alembic_and_an_earlier_one_is_still_migrated(tmp_path):
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path)}
    open_new = OPENED_AGAIN.partition("assert")[0]
    subprocess.run([sys.executable, "-c", open_new], env=environment, check=True, timeout=120)
    with sqlite3.connect(tmp_path / "history" / "runs.db") as runs:
        (head,) = runs.execute("SELECT version_num FROM alembic_version").fetchone()
        runs.execute("UPDATE alembic_version SET version_num = '7e2f3204cf8e'")  # the last but one
    said = subprocess.run(
        [sys.executable, "-c", OPENED_AGAIN], check=False, env=environment, capture_output=True, text=True, timeout=120
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines()[-1].split() == [head] * 4


CHANGED = """
import sys
from mlops_assets.resources import instance as module
from mlops_assets.settings import Settings

module._RELIED_ON = {**module._RELIED_ON, "check_alembic_revision": "another way"}
instance = module.open_instance(Settings())
from alembic.runtime.migration import MigrationContext
from dagster._core.storage import sql

assert sql.MigrationContext is MigrationContext
print(*instance.event_log_storage.alembic_version(), instance.run_storage.alembic_version()[0])
"""


@pytest.mark.process
def test_a_dagster_that_asks_alembic_in_another_way_gets_alembic_itself(tmp_path):
    environment = os.environ | {"DAGSTER_HOME": str(tmp_path), "MLOPS_DATA": str(tmp_path)}
    said = subprocess.run(
        [sys.executable, "-c", CHANGED], check=False, env=environment, capture_output=True, text=True, timeout=120
    )
    assert said.returncode == 0, said.stderr
    (version,) = {*said.stdout.splitlines()[-1].split()}
    with sqlite3.connect(tmp_path / "history" / "runs.db") as runs:
        assert runs.execute("SELECT version_num FROM alembic_version").fetchone() == (version,)


STATES = """
import sys
from pathlib import Path
from mlops_assets.resources.instance import open_instance
from mlops_assets.settings import Settings

instance = open_instance(Settings())
assert not {"upath.core", "fsspec"} & {*sys.modules}
given, found = Path(sys.argv[1], "given"), Path(sys.argv[1], "found")
given.write_text("a state")
instance.defs_state_storage.upload_state_from_path("component", "1", given)
instance.defs_state_storage.download_state_to_path("component", "1", found)
assert found.read_text() == "a state"

import dagster as dg
from upath import UPath

with dg.DagsterInstance.from_ref(instance.get_ref()) as other:
    place, again = other.defs_state_storage.base_path, instance.defs_state_storage.base_path
    assert type(place) is type(again.own) and isinstance(place, UPath) and str(place) == str(again)
"""


@pytest.mark.process
def test_states_of_components_are_kept_where_dagster_keeps_them(tmp_path):
    environment = os.environ | {"DAGSTER_HOME": str(tmp_path), "MLOPS_DATA": str(tmp_path)}
    command = [sys.executable, "-c", STATES, str(tmp_path)]
    said = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
