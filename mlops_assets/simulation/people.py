"""What the people of a simulated year do: they mend what they are told of, and now and then make a mistake."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlops_assets.catalog.names import FORECASTS, OBSERVATIONS
from mlops_assets.catalog.run_tags import REASON
from mlops_assets.jobs.poller import Poller
from mlops_assets.lifecycle import decisions
from mlops_assets.simulation.forecast import Forecast
from mlops_assets.simulation.hands import Hands
from mlops_assets.simulation.journal import Told
from mlops_assets.simulation.service import Trouble
from mlops_assets.simulation.world import HISTORY, Kind, World
from mlops_assets.stages import holes
from mlops_assets.stages.external.asking import inputs_of

ADA, BEN = "ada", "ben"
TROUBLES = (Trouble.HANGS, Trouble.FAILS, Trouble.NONSENSE, Trouble.HANGS)
"""What is wrong with the service on the days of its trouble; on the last of them people cancel its job."""
REGRET = 5
"""Days after which a bad promotion is rolled back; on the next one somebody trains that version again."""


HESITATION = 3
"""Every so many days people decide on the versions that wait."""


@dataclass
class People:
    """Those who look after the forecast.

    Attributes:
        world: what happens.
        forecast: theirs.
        hands: do what they ask of the machine.
        missing: days of which they know that nobody has forecast from them.
        regretted: the version that was promoted in error.
    """

    world: World
    forecast: Forecast
    hands: Hands
    missing: set[str] = field(default_factory=set)
    regretted: int | None = None

    def read(self, day: int, alerts: Sequence[Told]) -> None:
        """Read what is told at the end of a day."""
        if any(one.kind == "stale data" and one.message.startswith(f"{FORECASTS} of") for one in alerts):
            spec, stores = self.forecast.spec, self.forecast.stores
            key = f"{self.world.date(day):%Y-%m-%d}"
            self.missing |= {*holes.unforecast(spec, stores.tables, key, stores.clock.now())}

    def mend(self) -> None:
        """Make up for the forecasts that are missing, once there are rows to make them from."""
        stores, observed = self.forecast.stores, [self.forecast.spec.name, OBSERVATIONS]
        for key, count in sorted(stores.tables.row_counts(observed, sorted(self.missing)).items()):
            if count and self.hands.mend(key):
                self.missing.remove(key)

    def decide(self, day: int) -> None:
        """Decide on versions that wait for approval, train by hand, promote in error and take that back."""
        life, world = self.forecast.life, self.world
        for number in decisions.waiting(life.log.all()) if day % HESITATION == 0 else ():
            if number % 3 or life.champion() is None:
                life.approve(number, ADA, "it is better on the backtest, and the weeks before were bad")
            else:
                life.reject(number, ADA, "the data of that week were not to be trusted")
        if day % HESITATION == 0 and life.champion() is None and not decisions.waiting(life.log.all()):
            self.train("nobody is champion")  # the machine tries once, and what the gate refuses is left to people
        if world.since(Kind.BY_HAND, day) is not None:
            self.train("ada wants to know whether more data help")
        if world.since(Kind.TORN, day) is not None:
            with self.forecast.losing_files():
                self.train("ada trains while the disk of the models is full")
        since = world.since(Kind.BAD, day)
        if since == 0:
            self.regretted = self.train("ben tries old data", self._old)
            outcome = life.log.all()["outcome"].iloc[-1]
            if self.regretted is not None and outcome in ("refused", "awaiting approval"):
                life.approve(self.regretted, BEN, "the gate is too strict", force=outcome == "refused")
        elif since == REGRET and self._can_be_undone():
            life.rollback(ADA, "forecasts have become worse since it is champion")
        elif since == REGRET + 1:
            self.train("ben tries once more", self._old)
        if world.since(Kind.LOST, day) is not None and (champion := life.champion()) is not None:
            self.forecast.lose(champion)

    def train(self, reason: str, until: str = "") -> int | None:
        """Train by hand; return the version, None if that has failed."""
        return self.hands.train({REASON: reason}, until)

    def meddle(self, day: int) -> None:
        """Have the service in trouble on its days, and cancel the job of the last of them."""
        since = self.world.since(Kind.SERVICE, day)
        self.forecast.service.trouble = Trouble.NONE if since is None else TROUBLES[since]
        if since != len(TROUBLES) - 1:
            return
        spec, stores = self.forecast.spec, self.forecast.stores
        poller = Poller(
            stores.jobs.ledger,
            lambda _: stores.jobs.provider(spec),
            lambda job: inputs_of(spec, stores.tables, job),
        )
        for job in stores.jobs.ledger.of(spec.name, f"{self.world.date(day):%Y-%m-%d}"):
            poller.cancel(job.job_key, "ada does not wait for it")

    def _can_be_undone(self) -> bool:
        log, registry = self.forecast.life.log.all(), self.forecast.life.registry
        before = decisions.champion_before(log)
        there = {version.number for version in registry.versions()}
        return decisions.champion_of(log) == self.regretted is not None and before in there

    @property
    def _old(self) -> str:
        return f"{self.world.date(-HISTORY // 3):%Y-%m-%d}"
