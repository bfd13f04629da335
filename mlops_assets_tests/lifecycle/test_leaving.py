"""A forecast that leaves: retired, deleted, renamed; on each kind of store, and after a rename that was cut off."""

from dataclasses import fields
from datetime import datetime
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData

from mlops_assets.environments import Stores
from mlops_assets.errors import UsageError
from mlops_assets.io_managers.memory import MemoryModels, MemoryTables
from mlops_assets.io_managers.objects import ObjectModels, ObjectTables
from mlops_assets.io_managers.sql.tables import SqlTables
from mlops_assets.jobs.job import Job
from mlops_assets.jobs.resource import Jobs
from mlops_assets.lifecycle import leaving
from mlops_assets.lifecycle.leaving import Places
from mlops_assets.resources.clock import Clock
from mlops_assets.settings import Settings
from mlops_assets.tracking.tracking import Tracking
from mlops_assets_tests.worlds import HISTORY

DAYS = ["2024-03-01", "2024-03-02"]
SALES = pd.DataFrame({"item_id": ["a", "b"], "target": [1.0, 2.0]})


def tables_in(kind: str, folder: Path):
    if kind == "files":
        return ObjectTables(base=str(folder / "tables"))
    if kind == "object storage":
        return ObjectTables(base=f"memory://{folder.name}")
    return SqlTables(url=f"sqlite:///{folder}/tables.db") if kind == "sql" else MemoryTables()


@pytest.fixture(params=["files", "object storage", "sql", "memory"])
def stores(request, tmp_path) -> Stores:
    """Stores with a forecast `old`: three tables with partitions, one without, three models; no MLflow yet."""
    kind = request.param
    models = {
        "files": lambda: ObjectModels(base=str(tmp_path / "models")),
        "object storage": lambda: ObjectModels(base=f"memory://{tmp_path.name}"),
    }.get(kind, MemoryModels)()
    tables, tracking = tables_in(kind, tmp_path), Tracking(uri=f"sqlite:///{tmp_path}/no.db")
    jobs = Jobs(Settings(data=tmp_path))
    made = Stores(tables, models, tracking, None, Clock(), jobs)  # pyright: ignore[reportArgumentType]
    for number, day in enumerate(DAYS):
        made.tables.write(["old", "observations"], SALES.assign(target=float(number)), day)
        made.tables.write(["old", "forecasts_daily"], SALES, day, meaning=f"as on {day}")
        made.tables.write(["old", "alerts"], pd.DataFrame({"forecast": ["old"], "what": ["old is late"]}), day)
    made.tables.write(["old", "model_version"], pd.DataFrame({"name": ["old"], "version": [3]}))
    for path in (["random_forest"], ["model_versions", "000003"], ["model_code", "abc"]):
        made.models.save(["old", *path], {"weights": [1.0, 2.0], "of": path[-1]}, {"version": 3})
    return made


def places(stores: Stores, *declared: str) -> Places:
    return Places(stores, None, declared)


def test_what_no_spec_declares_any_more_is_found(stores):
    assert leaving.undeclared(stores.tables, None, ["old"]) == []
    assert leaving.undeclared(stores.tables, None, ["new"]) == ["old"]
    words = leaving.holdings(stores, None, "old").words
    assert words == "4 tables with 6 partitions; 3 stored models"


def test_a_dry_run_changes_nothing(stores):
    before = leaving.holdings(stores, None, "old")
    assert list(leaving.rename(places(stores, "new"), "old", "new", do=False))
    assert list(leaving.retire(places(stores, "new"), "old", delete=True, do=False))
    assert leaving.holdings(stores, None, "old") == before
    assert not leaving.holdings(stores, None, "new")


def test_a_new_name_takes_everything_along(stores):
    said = list(leaving.rename(places(stores, "new"), "old", "new", do=True))
    assert "copy 4 tables and 3 stored models to new" in said
    assert not leaving.holdings(stores, None, "old")
    assert stores.tables.partitions(["new", "observations"]) == DAYS
    assert stores.tables.read(["new", "observations"], partitions=DAYS[1:])["target"].tolist() == [1.0, 1.0]
    assert (
        stores.tables.read(["new", "alerts"])[["forecast", "what"]].to_numpy().tolist() == [["new", "old is late"]] * 2
    )
    assert stores.tables.meanings(["new", "forecasts_daily"]) == {day: f"as on {day}" for day in DAYS}
    assert stores.tables.read(["new", "model_version"])["name"].tolist() == ["new"]
    assert stores.models.load(["new", "model_versions", "000003"]) == {"weights": [1.0, 2.0], "of": "000003"}
    assert stores.models.info(["new", "model_code", "abc"])["version"] == 3
    assert leaving.undeclared(stores.tables, None, ["new"]) == []
    with pytest.raises(UsageError, match="nothing is stored under old"):
        list(leaving.rename(places(stores, "new"), "old", "new", do=True))


@pytest.mark.parametrize("step", range(5))
def test_a_rename_that_was_cut_off_goes_on(stores, step, monkeypatch):
    """Each write or delete may be the last one of a process."""

    def doomed(name: str, left: int):
        real, count = getattr(type(stores.tables), name), iter(range(100))

        def call(self, *arguments, **options):
            if next(count) >= left:
                raise KeyboardInterrupt
            return real(self, *arguments, **options)

        monkeypatch.setattr(type(stores.tables), name, call)

    for name, left in [("write_all", step)] if step < 2 else [("delete", step - 2)]:
        doomed(name, left)
    with pytest.raises(KeyboardInterrupt):
        list(leaving.rename(places(stores, "new"), "old", "new", do=True))
    monkeypatch.undo()
    assert "goes on" in next(leaving.rename(places(stores, "new"), "old", "new", do=False))
    list(leaving.rename(places(stores, "new"), "old", "new", do=True))
    assert not leaving.holdings(stores, None, "old")
    assert leaving.holdings(stores, None, "new").words == "4 tables with 6 partitions; 3 stored models"
    assert stores.tables.read(["new", "observations"])["target"].tolist() == [0.0, 0.0, 1.0, 1.0]


def test_a_name_that_is_used_is_not_taken_and_a_spec_comes_first(stores):
    stores.tables.write(["new", "observations"], SALES, DAYS[0])
    with pytest.raises(UsageError, match=r"new has been used already \(1 table with 1 partition"):
        list(leaving.rename(places(stores, "new"), "old", "new", do=True))
    for declared in ((), ("old",), ("old", "new")):
        with pytest.raises(UsageError, match="set name: new in the spec of old first"):
            list(leaving.rename(places(stores, *declared), "old", "new", do=True))


def test_jobs_of_outside_services_take_the_new_name_and_open_ones_of_who_is_retired_end(stores):
    ledger = stores.jobs.ledger
    asked = {
        "job_key": "k1", "forecast": "old", "partition": DAYS[0], "service": "rest", "step": "forecast",
        "deadline": datetime(2999, 1, 1), "created_by": "a test",
    }  # fmt: skip
    (first,) = ledger.intend(Job(**asked, exclusive="the door"))
    ledger.change(first, "submitted", state="submitted", external_id="outside-7", holds="the door")
    (second,) = ledger.intend(Job(**{**asked, "job_key": "k2", "partition": DAYS[1]}))
    ledger.change(second, "failed", state="failed")
    assert "2 jobs of outside services, 1 of them open" in leaving.holdings(stores, None, "old").words
    list(leaving.rename(places(stores, "new"), "old", "new", do=True))
    assert not leaving.holdings(stores, None, "old")
    assert [job.state for job in ledger.of("new")] == ["submitted", "failed"]
    assert ledger.events("k1")[-1].message == "its forecast was called old"
    list(leaving.retire(places(stores), "new", delete=False, do=True))
    ended, failed = ledger.of("new")
    assert (ended.state, ended.holds, failed.state) == ("cancelled", "", "failed")
    assert ledger.events("k1")[-1].message == "its forecast is retired; rest was not told to end outside-7"


def test_who_is_retired_is_kept_and_left_out_of_the_status(stores):
    with pytest.raises(UsageError, match="old is still declared"):
        list(leaving.retire(places(stores, "old"), "old", delete=True, do=True))
    before = leaving.holdings(stores, None, "old")
    list(leaving.retire(places(stores), "old", delete=False, do=True))
    assert leaving.holdings(stores, None, "old") == before
    assert leaving.undeclared(stores.tables, None, []) == []


def test_who_is_deleted_leaves_nothing(stores):
    list(leaving.retire(places(stores), "old", delete=False, do=True))
    list(leaving.retire(places(stores), "old", delete=True, do=True))
    assert not leaving.holdings(stores, None, "old")
    assert not stores.tables.exists(["old", "endings"])
    with pytest.raises(UsageError, match="nothing is stored under old"):
        list(leaving.retire(places(stores), "old", delete=True, do=True))


def switched_on(instance: dg.DagsterInstance, name: str) -> None:
    """Say of a schedule that a person has switched it on."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "specs")
    origin, cron = RemoteInstigatorOrigin(repository, name), ScheduleInstigatorData("0 6 * * *")
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, cron))


def test_versions_aliases_and_decisions_follow_the_new_name_and_a_deleted_one_can_come_back(world, tmp_path):
    made = world()
    made.run("observations", "quarantine", partition=HISTORY)
    made.train()
    stores = Stores(**{part.name: made.resources[part.name] for part in fields(Stores)})
    before = stores.tracking.registry("demo").versions()[0]
    alias = stores.tracking.registry("demo").by_alias("challenger")
    decisions = made.table("decisions")
    instance = dg.DagsterInstance.local_temp(str(tmp_path))
    switched_on(instance, "demo_daily_schedule")
    assert leaving.undeclared(stores.tables, instance, ["sales"]) == ["demo"]
    said = list(leaving.rename(Places(stores, instance, ["sales"]), "demo", "sales", do=True))
    assert "switch off demo_daily_schedule in Dagster: switch sales_daily_schedule on" in said
    assert not leaving.holdings(stores, instance, "demo")
    registry = stores.tracking.registry("sales")
    version = registry.versions()[0]
    assert (version.name, version.tags, version.run_id) == ("sales", before.tags, before.run_id)
    assert alias is not None
    assert registry.by_alias("challenger") == registry.version(alias.number)
    assert registry.forecaster(version).task == made.spec.task
    assert registry.metrics(version)
    pd.testing.assert_frame_equal(stores.tables.read(["sales", "decisions"]), decisions)

    list(leaving.retire(Places(stores, instance, []), "sales", delete=True, do=True))
    assert not leaving.holdings(stores, instance, "sales")
    _, experiment = stores.tracking.experiment("sales")
    assert stores.tracking.experiment("sales")[0].get_experiment(experiment).lifecycle_stage == "active"
