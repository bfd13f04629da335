"""The life of a simulated forecast, day by day: the stages on the world's clock, what people do, and the auditor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from mlops_assets.alerts.overdue import tell_lost
from mlops_assets.catalog.names import FORECASTS
from mlops_assets.catalog.run_tags import REASON
from mlops_assets.environments import Stores
from mlops_assets.forecasting.evaluation.ledger import delivered
from mlops_assets.simulation.ahead import MORNING, Ahead, key_of, reads
from mlops_assets.simulation.audit.auditor import Auditor, Rules
from mlops_assets.simulation.audit.decisions import faults_of_answers, faults_of_decisions
from mlops_assets.simulation.forecast import MOST_BAD, REREAD, SOURCE, Forecast, declare
from mlops_assets.simulation.hands import ROUND, Hands, Stages
from mlops_assets.simulation.journal import Day, Happened, JobEvent, Told
from mlops_assets.simulation.people import People
from mlops_assets.simulation.telling import Teller
from mlops_assets.simulation.world import HISTORY, World
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.external.collect import look

NOON, EVENING = (pd.Timedelta(hours=24 + hour) for hour in (9, 20))
"""When people are at work, and when all is looked at: on the day after it."""
AUDITED = 10
"""Days back that the auditor looks each day; every seventh he looks at all."""


@dataclass
class Life:
    """A forecast that lives in a world.

    Attributes:
        world: what happens.
        folder: empty, for the source's file, the spec and the jobs' ledger.
        how: makes the hands that do the machine's part.
        ahead: has read the source where another process does; None: none does.
    """

    world: World
    folder: Path
    how: Callable[[Teller], Hands] = Stages
    ahead: Ahead | None = None

    def __post_init__(self) -> None:
        """Write the source and the spec, and take in the history."""
        self._ahead = self.ahead or Ahead(self.world)
        source = self._give(-1)
        self.forecast = Forecast(declare(self.folder, self.world), self.folder)
        spec = self.forecast.spec
        alive = max(2 * max(spec.task.season_lengths), spec.horizon)
        self.auditor = Auditor(Rules(REREAD, MOST_BAD, alive, spec.horizon))
        self.auditor.history(source)
        self.teller = Teller(self.forecast)
        self.hands = self.how(self.teller)
        self.people = People(self.world, self.forecast, self.hands)
        self.forecast.wake(self.world.date(-1) + MORNING)
        keys = [key_of(self.world, day) for day in range(-HISTORY, 0)]
        for rows in self.hands.history(keys).rows:
            self.teller.know(rows)

    @property
    def spec(self) -> ForecastSpec:
        """The forecast."""
        return self.forecast.spec

    @property
    def stores(self) -> Stores:
        """Where it is kept."""
        return self.forecast.stores

    @property
    def dates(self) -> Sequence[str]:
        """The days that there are to live."""
        return [key_of(self.world, number) for number in range(self.world.days)]

    def live(self, number: int) -> Day:
        """Live a day, the one after the last; return what it was like."""
        world, forecast, hands, day = self.world, self.forecast, self.hands, self.world.date(number)
        (key,), again = reads(world, number)
        source = self._give(number)
        if world.serves(number) != (forecast.spec.external is not None):
            forecast.change(declare(self.folder, world, number))
        forecast.wake(day + MORNING)
        if number == 0:
            hands.train({REASON: "there is no champion"})
        taken = hands.round(key, again)
        self.auditor.morning(source, day)
        with self.teller.stage("alerts"):  # of what the next training mends
            tell_lost(forecast.spec.name, forecast.stores.tables, forecast.stores.notifications)
        hands.ask()
        forecast.wake(day + NOON)
        with self.teller.stage("people"):
            self.people.decide(number)
            self.people.mend()
            self.people.meddle(number)
        self.auditor.noon()
        jobs = self._jobs()
        forecast.wake(day + EVENING)
        forecast.service.finish()
        jobs += self._jobs()
        alerts = self._alerts()
        self.people.read(number, alerts)
        self.auditor.evening(day)
        with self.teller.stage("audit"):
            faults = self._faults(number)
        happened = [
            Happened(one.kind.value, one.item, one.first == number) for one in world.happenings if one.on(number)
        ]
        told = self.teller.tell(key, taken, happened, alerts, jobs, faults)
        return replace(told, faults=(*told.faults, *faults_of_answers(told.asked)))

    def _jobs(self) -> tuple[JobEvent, ...]:
        """Look at the jobs that are due; return what has befallen them since the last look."""
        forecast = self.forecast
        if forecast.spec.external is None:
            return ()
        with self.teller.stage("jobs"):
            look(forecast.spec, forecast.stores)
            return tuple(forecast.job_events())

    def _alerts(self) -> tuple[Told, ...]:
        with self.teller.stage("alerts"):
            self.hands.tell()
            return self.teller.alerts()

    def _faults(self, number: int) -> tuple[str, ...]:
        """Return what the auditor finds wrong."""
        forecast, last = self.forecast, key_of(self.world, number)
        back = None if number % 7 == 0 or number == self.world.days - 1 else AUDITED
        observed = forecast.observations(last, back).read(["item_id", "timestamp", "target"])
        ledger = forecast.stored(FORECASTS, last, back).read(["origin", "item_id", "lead", "mean", "role"])
        return (
            *self.auditor.faults_of_observations(observed),
            *self.auditor.faults_of_ledger(delivered(ledger)),
            *faults_of_decisions(forecast),
        )

    def _give(self, number: int) -> pd.DataFrame:
        """Write the source as it is after a day, and let it be read as it was ahead."""
        morning = self._ahead.morning(number)
        (self.folder / SOURCE).write_text(morning.text, encoding="utf-8")
        if number >= 0:
            self.forecast.readings = dict(morning.readings)
            self.teller.charge(ROUND, morning.cpu_seconds)
        return morning.source
