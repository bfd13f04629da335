"""A forecasting service in this process that keeps the provider's protocol, and a shop that asks it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.graph import Graph
from mlops_assets.forecasting.model.baselines import SeasonalNaive
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.jobs.job import Job
from mlops_assets.jobs.providers.protocol import Inputs, Request, Status, Step
from mlops_assets.jobs.providers.service_errors import NotThereError
from mlops_assets.jobs.resource import Jobs
from mlops_assets.lifecycle.roles import Roles
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.settings import Settings
from mlops_assets.stages.external.asking import Known, plan
from mlops_assets.stages.external.collect import Result, look
from mlops_assets.stages.external.together import with_services
from mlops_assets.stages.predict import Maker, ledger_of
from mlops_assets_tests.stages.origins import forecast
from mlops_assets_tests.worlds import declare, panel

EXTERNAL: dict[str, Any] = {
    "service": "rest",
    "deadline": "10h",
    "rest": {
        "submit": {"url": "http://127.0.0.1:1/jobs", "body": {"name": "{name}", "rows": "{rows}"}},
        "describe": {"url": "http://127.0.0.1:1/jobs/{id}"},
    },
}
DAY = "2024-05-10"


@dataclass
class Service:
    """Forecasts seasonal naive plus one, once it is told to be done; `spoil` is done to the rows before they leave."""

    name: str = "rest"
    done: bool = True
    spoil: Callable[[pd.DataFrame], pd.DataFrame] = field(default=lambda rows: rows)
    made: dict[str, pd.DataFrame] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def steps(self, request: Request) -> list[Step]:
        self.requests.append(request)
        return [Step("forecast", {"origin": str(request.origin)})]

    def submit(self, job: Job, inputs: Inputs) -> str:
        request = next(one for one in self.requests if one.partition == job.partition)
        history = inputs.history()
        assert history["timestamp"].max() <= request.origin, "nothing of the future leaves the house"
        made = SeasonalNaive(request.task).predict(history, request.origin)
        names = ["mean", *request.task.quantile_columns]
        self.made[job.external_name] = made[["item_id", "timestamp", *names]].assign(**(made[names] + 1.0))
        return job.external_name

    def describe(self, job: Job) -> Status:
        if job.external_name not in self.made:
            raise NotThereError("no such job")
        return Status("succeeded" if self.done else "running", job.external_name)

    def cancel(self, job: Job) -> None:
        self.made.pop(job.external_name, None)

    def collect(self, job: Job) -> pd.DataFrame:
        return self.spoil(self.made[job.external_name].copy())


class JobsOf(Jobs):
    """The jobs of an environment whose service is the one of this process."""

    def __init__(self, settings: Settings, service: Service) -> None:
        super().__init__(settings)
        self.service = service

    def provider(self, spec: Any) -> Service:
        return self.service

    def exchange(self, spec: Any) -> str:
        return ""


class Shop:
    """A forecast of a few shops in memory, with all that a round leaves behind of it, and its service."""

    def __init__(self, folder: Path, url: str = "", **changes: Any) -> None:
        """Make it; where there is a server at an address, that is asked, else the service of this process."""
        if url:
            block = (Path(__file__).parents[3] / "docs" / "examples" / "rest_service.yaml").read_text(encoding="utf-8")
            changes = {**yaml.safe_load(block.replace("http://127.0.0.1:8765", url)), **changes}
        self._real = bool(url)
        self.spec = declare(folder / "forecasts", **{"external": EXTERNAL, **changes})
        self.graph = Graph(self.spec)
        self.tables, self.notifications, self.service = MemoryTables(), Notifications(), Service()
        self._data = str(folder / "data")
        self.at("2024-05-11T06:00")
        history = panel().rename(columns={"day": "timestamp", "shop": "item_id", "sales": "target"})
        history = history.astype({"timestamp": "datetime64[us]"})
        for day, rows in history.groupby(history["timestamp"].dt.strftime("%Y-%m-%d")):
            self.tables.write(["demo", "observations"], rows, str(day))

    def at(self, moment: str) -> None:
        """Let it be this moment, in UTC."""
        self.clock = Clock(fixed=moment)
        settings = Settings.read({"MLOPS_ENV": "test", "MLOPS_DATA": self._data, "MLOPS_NOW": moment})
        self.jobs = Jobs(settings) if self._real else JobsOf(settings, self.service)

    def round(self, *days: str, because: str = "champion") -> None:
        """Forecast from some days as the round does, for a reason of the ledger's, and ask the service."""
        keys, parts, now = list(days or [DAY]), [], self.clock.now()
        for day in keys:
            observed = Known(self.graph, self.tables, day).recent()
            parts.append(forecast(self.graph, day, observed, None, Maker(because=because)).rows)
        ours = ledger_of(pd.concat(parts, ignore_index=True), "round", naive_utc(now))
        rows = with_services(self.graph, self.tables, keys, ours, now, "round")
        for day in keys:
            self.tables.write(["demo", "forecasts"], rows[rows["origin"] == pd.Timestamp(day)], day)
        self.jobs.ledger.intend(*plan(self.graph, self.jobs, self.tables, keys, now, "round"))

    def look(self, hours: float = 1) -> list[Result]:
        """Let some hours pass, and look at each job."""
        self.at((self.clock.now() + timedelta(hours=hours)).isoformat())
        return look(self.spec, self)[1]

    def switch(self, role: str) -> None:
        """Give the service a role."""
        Roles(self.tables, self.spec).switch(role, "ada", "because", self.clock.now())

    def ledger(self, day: str = DAY) -> pd.DataFrame:
        """Return the forecasts of a day."""
        return self.tables.read(["demo", "forecasts"], [day])

    def roles(self, day: str = DAY) -> dict[str, tuple[set[str], set[str], int]]:
        """Return of each source: its roles, why, and its rows."""
        return {
            str(source): (set(rows["role"]), set(rows["delivered_because"]), len(rows))
            for source, rows in self.ledger(day).groupby("source")
        }
