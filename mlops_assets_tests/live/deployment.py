"""Forecasts that are run by the processes of a stack: how they begin, and what must have become of their rounds."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import psutil
import pytest

from mlops_assets.catalog import run_tags
from mlops_assets.catalog.names import FORECAST_ACCURACY, FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import before, latest_complete
from mlops_assets.environments import open_stores
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec, find_spec
from mlops_assets_tests.channels import Hook
from mlops_assets_tests.live.stack import Stack, deployed
from mlops_assets_tests.worlds import DAYS, declare, panel

LOCATION = "mlops_assets.definitions"
MISSED = 3
"""Partitions that the schedule is to have asked for while nobody was there."""
PATIENCE = 600.0
"""Seconds that a round may take, with all that happens to it, on a machine that is busy."""


class Deployment:
    """Forecasts over a stack: what becomes of their rounds.

    Attributes:
        stack: the processes.
        hook: where people are told.
        instance: Dagster's, as the processes know it.
        settings: of the processes.
    """

    def __init__(self, stack: Stack, hook: Hook, instance: dg.DagsterInstance) -> None:
        self.stack, self.hook, self.instance = stack, hook, instance
        self.settings = Settings.read(stack.environ)

    def spec(self, name: str) -> ForecastSpec:
        """Return the spec of a forecast as it stands now."""
        return find_spec(self.settings.forecasts, name)

    def learn(self, name: str) -> list[str]:
        """Run the first round of a forecast some partitions ago; return those that are due since."""
        spec = self.spec(name)
        key = latest_complete(spec, pd.Timestamp.now("UTC").to_pydatetime())
        assert key is not None
        due = [*before(spec, key, MISSED), key]
        self.stack.run("mlops_assets", "run", name, "--partition", due[0])
        return due

    def switch_on(self, name: str, hours: float = 1) -> None:
        """Switch a schedule on, as somebody did some hours ago: the daemon was down since."""
        from dagster._core.definitions.run_request import InstigatorType
        from dagster._core.remote_origin import (
            GrpcServerCodeLocationOrigin,
            RemoteInstigatorOrigin,
            RemoteRepositoryOrigin,
        )
        from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData

        place = GrpcServerCodeLocationOrigin("127.0.0.1", self.stack.ports["code"], location_name=LOCATION)
        schedule = RemoteInstigatorOrigin(RemoteRepositoryOrigin(place, "__repository__"), f"{name}_daily_schedule")
        data = ScheduleInstigatorData(self.spec(name).schedule or "", time.time() - 3600 * hours)
        state = InstigatorState(schedule, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, data)
        self.instance.add_instigator_state(state)

    def runs(self, job: str) -> list[dg.DagsterRun]:
        """Return the runs of a job, the oldest first."""
        return [*reversed(self.instance.get_runs(dg.RunsFilter(job_name=job)))]

    def begun(self, name: str) -> psutil.Process:
        """Wait until a round of a forecast is under way in a process, and return that."""
        job = f"{name}_daily"
        self.until(lambda: any(run.status == dg.DagsterRunStatus.STARTED for run in self.runs(job)), f"{job} has begun")
        return self.until(self.stack.workers, f"{job} has a process")[-1]

    def complete(self, name: str, due: list[str], before_edit: int | None = None) -> None:
        """Wait until every partition that is due has its forecasts and scores, and no run is left over.

        Each of the ledger's rows is there once, and what was stored has no holes. Origins from before an edit of the
        spec have as many leads as its horizon was then.
        """
        spec, jobs = self.spec(name), [f"{name}_daily", f"{name}_rescore"]
        with open_stores(self.settings) as stores:
            tables = stores.tables

            def whole() -> bool:
                there = {asset: set(tables.partitions([name, asset])) for asset in (FORECASTS, FORECAST_ACCURACY)}
                ended = all(run.is_finished for job in jobs for run in self.runs(job))
                return ended and all(stored.issuperset(due) for stored in there.values())

            self.until(whole, f"{name} is complete")
            ledger = tables.read([name, FORECASTS])
            assert len(ledger) == len(ledger.drop_duplicates(["item_id", "origin", "lead"]))
            leads = ledger.groupby("origin")["lead"].agg(["max", "size"])
            assert len(leads) == len(tables.partitions([name, FORECASTS]))
            assert (leads["size"] == leads["max"] * ledger["item_id"].nunique()).all()
            assert {*leads["max"]} <= {spec.horizon, before_edit or spec.horizon}
            observed = tables.partitions([name, OBSERVATIONS])
            assert observed == [*before(spec, due[-1], len(observed) - 1), due[-1]], "a partition was never read"
            rows = tables.read([name, OBSERVATIONS])
            assert len(rows) == len(rows.drop_duplicates(["item_id", "timestamp"]))

    def told(self) -> Counter[str]:
        """Return what people were told, and how often."""
        return Counter(f"{body['title']}: {body['message'].partition(chr(10))[0]}" for body in self.hook.bodies)

    def until(self, happened: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        """Wait for something, and return it.

        Raises:
            AssertionError: it does not come; with the runs, and the last that the daemon has said.
        """
        deadline, last = time.monotonic() + seconds, None
        while time.monotonic() < deadline:
            try:
                if found := happened():
                    return found
            except Exception as error:  # the database is away
                last = error
            else:
                last = None
            time.sleep(0.5)
        runs = [(run.job_name, run.status.value, run_tags.partition_of(run.tags)) for run in self.instance.get_runs()]
        raise AssertionError(f"not so after {seconds:g} s: {what}; {last}; {runs}; {self.stack.log('daemon')[-3000:]}")


def declared(folder: Path, *names: str) -> None:
    """Declare daily forecasts whose data end today, and which nobody is told to be late."""
    today = pd.Timestamp.now("UTC").normalize().tz_localize(None)
    data = panel()
    data["day"] += today - DAYS[-1]
    for name in names:
        declare(
            folder,
            data,
            name=name,
            time_zone="UTC",
            partitions={"kind": "daily", "start": f"{data['day'].min():%Y-%m-%d}"},
            schedule="* * * * *",
            freshness={"grace_hours": 24.0 * 7},
        )


@contextmanager
def deployment(
    folder: Path, *names: str, hook: Hook, mlflow: Path | None = None, **variables: str
) -> Iterator[Deployment]:
    """Start some processes of a deployment, PostgreSQL among them, with its alerts to a web hook; see `deployed`."""
    with deployed(folder, *names, mlflow=mlflow, MLOPS_NOTIFY=hook.url, **variables) as stack:
        stack.change("poll_interval_seconds", "2")
        with pytest.MonkeyPatch.context() as patch:
            for name, value in stack.environ.items():
                patch.setenv(name, value)
            with opened(stack, hook) as here:
                yield here


@contextmanager
def opened(stack: Stack, hook: Hook) -> Iterator[Deployment]:
    """Open the forecasts of a stack whose PostgreSQL runs."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.environ.items():
            patch.setenv(name, value)
        instance = dg.DagsterInstance.from_config(stack.environ["DAGSTER_HOME"])
    with instance:
        yield Deployment(stack, hook, instance)
