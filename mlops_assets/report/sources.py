"""Where the facts of a forecast come from."""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.jobs.resource import Jobs
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.reading.reader import Reader
from mlops_assets.report.ingestion import Instance
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.meter import Prices
from mlops_assets.resources.protocols import Models, Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.tracking.tracking import Tracking


@dataclass(frozen=True)
class Sources:
    """What is asked about a forecast.

    `instance` opens Dagster's records, where our own tables do not say what an earlier release has done; `models` and
    `jobs` are None where nobody asks for them.
    """

    spec: ForecastSpec
    tables: Tables
    tracking: Tracking
    clock: Clock
    notifications: Notifications
    instance: Instance = nullcontext
    models: Models | None = None
    jobs: Jobs | None = None
    prices: Prices | None = None

    @cached_property
    def life(self) -> Lifecycle:
        """The versions of the forecast's model."""
        return Lifecycle.of(self, self.spec.name)

    @cached_property
    def reader(self) -> Reader:
        """Answers questions to what is stored."""
        return Reader(self.spec, self.tables, self.clock, self.tracking, self.jobs)

    @cached_property
    def stored(self) -> ForecastTables:
        """The tables of the forecast."""
        return ForecastTables(self.tables, self.spec.name)
