"""The forecast of a simulated year: its spec, and where it is kept."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import copytree
from typing import Any

import dagster as dg
import pandas as pd
import yaml
from dagster._core.execution.plan.objects import StepFailureData, UserFailureData

from mlops_assets.alerts.messages import ALERTED
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.log import numbered
from mlops_assets.catalog.names import INGEST, MODEL_VERSIONS, OBSERVATIONS, job_name, step_name
from mlops_assets.catalog.partitions import whole_window
from mlops_assets.catalog.run_tags import FORECAST
from mlops_assets.environments import Stores, open_stores
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.data.contract import Checked
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.roles import CHAMPION, SHADOW
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.stored import StoredTable
from mlops_assets.settings import Settings
from mlops_assets.simulation.journal import JobEvent
from mlops_assets.simulation.service import EXTERNAL, Service, ServiceJobs
from mlops_assets.simulation.stores import KeptModels, KeptTables, instance
from mlops_assets.simulation.world import HISTORY, START, World
from mlops_assets.sources.factory import open_source
from mlops_assets.spec import ForecastSpec, load_spec
from mlops_assets.stages import ingest
from mlops_assets.tracking.memory import MemoryTracking
from mlops_assets.tracking.registry import Version

NAME = "simulated"
SOURCE = "sales.csv"

REREAD = 10
"""Days before the latest that are read again on Mondays: what is revised lies back no further."""
MOST_BAD = 0.4
"""Share of unusable rows above which none is stored."""
_JOBS = 3
"""The latest jobs, of which anything may have happened since yesterday."""
WAYS: tuple[Mapping[str, Any], ...] = (
    {
        "gate": {"confidence": 0.5, "segment_tolerance": 0.0},
        "backtest": {"windows": 6, "step": 3},
        "retraining": {"cool_down": 2, "futility": 1},
    },
    {
        "approval": "manual",
        "gate": {"require": "no_worse", "tolerance": 0.1},
        "retraining": {"relative": None, "threshold": 0.06, "budget": 2},
        "policies": [
            {
                "name": "covered",
                "trigger": {"error": {"relative": None, "coverage": [0.5, 1.0]}},
                "action": "replace",
            },
            {"name": "skilled", "trigger": {"error": {"relative": None, "skill": 0.0}}},
        ],
    },
    {
        "retraining": {
            "relative": 2.0,
            "max_age_days": 21,
            "cool_down": 0,
            "minimum_new": 5,
            "ladder": ["grow", "refit"],
        },
        "policies": [{"name": "fed", "trigger": {"age": {"new_rows": 100}}}],
    },
    {
        "retraining": {"relative": None, "bias": 0.2, "drift": 0.5},
        "policies": [
            {"name": "weekly", "trigger": {"schedule": "0 5 * * 1"}, "action": "keep_aside"},
            {"name": "biased", "trigger": {"bias": {"limit": 0.05}}, "action": "replace"},
        ],
    },
)
"""How the forecast is looked after: each seed has its way."""
ROLES = (SHADOW, CHAMPION)
"""What the service's forecasts are for."""


def declare(folder: Path, world: World, day: int = 0) -> ForecastSpec:
    """Write the spec that a world's forecast has on a day into a folder, beside the source's file, and read it."""
    fields = {
        "name": NAME,
        "description": "Sales of a made-up world.",
        "source": {"kind": "file", "path": SOURCE},
        "columns": {"item_id": "item", "timestamp": "day", "target": "sales"},
        "frequency": "D",
        "partitions": {"kind": "daily", "start": f"{world.date(-HISTORY):%Y-%m-%d}"},
        "quarantine": {"max_share": MOST_BAD},
        "schedule": "0 6 * * *",
        "automation": True,
        "horizon": 7,
        "model": {"parameters": {"n_estimators": 10, "n_jobs": 1}, "max_training_rows": 2000},
        "backtest": {"windows": 3},
        **WAYS[world.seed % len(WAYS)],
    }
    if world.serves(day):
        fields["external"] = EXTERNAL | {"role": ROLES[world.seed % len(ROLES)]}
    file = folder / f"{NAME}.yaml"
    file.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
    return load_spec(file)


class RefusedRowsError(MlopsAssetsError):
    """Too many rows are rejected for any to be stored; people have been told."""


@dataclass
class Forecast:
    """The forecast with its stores, all in this process.

    Attributes:
        spec: as it is now.
        folder: of the source's file and the jobs' ledger.
        service: forecasts beside it.
        stores: with the clock of the moment.
        graph: what all its assets share.
        instance: knows the runs.
        readings: partitions -> what the contract says of them this morning, where that was found out ahead.
    """

    spec: ForecastSpec
    folder: Path
    service: Service = field(default_factory=Service)
    stores: Stores = field(init=False)
    graph: Graph = field(init=False)
    instance: dg.DagsterInstance = field(default_factory=instance)
    readings: dict[tuple[str, ...], Checked] = field(default_factory=dict)
    _tables: KeptTables = field(default_factory=KeptTables)
    _tracking: MemoryTracking = field(default_factory=MemoryTracking)
    _runs: int = 0
    _seen: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Open the stores."""
        self.change(self.spec)
        clock, jobs = self._at(START)
        self._tables.wake(clock)
        self.stores = Stores(
            tables=self._tables,
            models=KeptModels(),
            tracking=self._tracking,
            notifications=Notifications(),
            clock=clock,
            jobs=jobs,
        )

    @property
    def life(self) -> Lifecycle:
        """The versions of its model."""
        return Lifecycle.of(self.stores, self.spec.name)

    def change(self, spec: ForecastSpec) -> None:
        """Let it be declared anew."""
        self.spec, self.graph = spec, Graph(spec)

    def wake(self, moment: pd.Timestamp) -> None:
        """Let it be a moment, in UTC."""
        clock, jobs = self._at(moment)
        self._tables.wake(clock)
        self.stores = replace(self.stores, clock=clock, jobs=jobs)

    def keep(self, folder: Path) -> None:
        """Write what is stored into a folder, which is made, as the data folder of an environment of its own."""
        copytree(self.folder, folder)
        with open_stores(Settings.read({"MLOPS_DATA": str(folder)})) as stores:
            self._tables.copy_to(stores.tables)
            models = self.stores.models
            for path in models.children([self.spec.name]):
                key = [self.spec.name, *path.split("/")]
                stores.models.save(key, models.load(key))

    def read(self, keys: Sequence[str]) -> tuple[Checked, str]:
        """Read consecutive partitions of the source; see `ingest.read_observations`."""
        if (found := self.readings.pop(tuple(keys), None)) is not None:
            return found, open_source(self.spec).name
        return ingest.read_observations(self.graph, whole_window(self.graph.partitions, keys), self.stores.clock)

    def stored(self, asset: str, last: str = "", count: int | None = None) -> StoredTable:
        """Return a table with its partitions up to one, all or so many, none of which is read yet."""
        key = [self.spec.name, asset]
        keys = [one for one in self.stores.tables.partitions(key) if not last or one <= last]
        return StoredTable(self.stores.tables, key, keys[-count:] if count else keys)

    def observations(self, last: str = "", count: int | None = None) -> StoredTable:
        """Return the same of the observations."""
        return self.stored(OBSERVATIONS, last, count)

    def write(self, asset: str, rows: pd.DataFrame, partition: str | None = None, **options: Any) -> None:
        """Store a table, or one partition of it."""
        self.stores.tables.write([self.spec.name, asset], rows, partition, **options)

    def lose(self, version: Version) -> None:
        """Lose a version and its kept copy, as whoever tidies up everywhere does."""
        self._tracking.registry(self.spec.name).remove(version.number)
        self.stores.models.delete([self.spec.name, MODEL_VERSIONS, numbered(version.number)])

    @contextmanager
    def losing_files(self) -> Iterator[None]:
        """Let the files of models that are logged be lost at once."""
        self._tracking.kept.losing = True
        try:
            yield
        finally:
            self._tracking.kept.losing = False

    def news(self, log: str) -> pd.DataFrame:
        """Return the rows of a log that have come since it was asked for last."""
        key, seen = [self.spec.name, log], self._seen.setdefault(log, set())
        new = [one for one in self.stores.tables.partitions(key) if one not in seen]
        seen.update(new)
        return self.stores.tables.read(key, new) if new else pd.DataFrame()

    def job_events(self) -> Iterator[JobEvent]:
        """Yield the states that jobs have come to since they were asked for last."""
        ledger = self.stores.jobs.ledger
        for job in ledger.of(self.spec.name, limit=_JOBS):
            seen = self._seen.setdefault(job.job_key, set())
            for event in ledger.events(job.job_key):
                if event.state not in seen:
                    seen.add(event.state)
                    yield JobEvent(f"{job.partition} {job.step}", event.state, event.message)

    @contextmanager
    def run(self, job: str, tags: Mapping[str, str] | None = None) -> Iterator[dg.DagsterRun]:
        """Let a run be under way; one that ends in an expected error has failed, and the error goes no further."""
        self._runs += 1
        name, number = job_name(self.spec, job), f"run-{self._runs:05d}"
        run = dg.DagsterRun(
            job_name=name,
            run_id=number,
            tags={FORECAST: self.spec.name, **(tags or {})},
            status=dg.DagsterRunStatus.STARTED,
        )
        self.instance.add_run(run)
        try:
            yield run
        except MlopsAssetsError as error:
            if isinstance(error, RefusedRowsError):
                self.instance.report_dagster_event(_told_of(name, step_name(self.spec.name, INGEST)), number)
            self.instance.report_run_failed(run, message=error.message)
        else:
            ended = dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_SUCCESS.value, job_name=name)
            self.instance.run_storage.handle_run_event(number, ended)  # of what goes well, nobody reads the event

    def _at(self, moment: pd.Timestamp) -> tuple[Clock, ServiceJobs]:
        text = moment.isoformat()
        settings = {"MLOPS_ENV": "test", "MLOPS_DATA": str(self.folder), "MLOPS_NOW": text}
        return Clock(fixed=text), ServiceJobs(Settings.read(settings), self.service)


def _told_of(job: str, step: str) -> dg.DagsterEvent:
    """Return the failure of a step of which people have been told: nobody tells them again that the run has failed."""
    told = UserFailureData("refused", metadata={ALERTED: dg.MetadataValue.text("quarantine")})
    return dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.STEP_FAILURE.value,
        job_name=job,
        step_key=step,
        event_specific_data=StepFailureData(error=None, user_failure_data=told),
    )
