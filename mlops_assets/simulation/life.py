"""The life of a simulated forecast, day by day: the stages on the world's clock, what people do, and the auditor."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from time import process_time

import pandas as pd

from mlops_assets.catalog.names import (
    ALERTS,
    DAILY,
    DECISIONS,
    FORECAST_ACCURACY,
    FORECASTS,
    RESCORE,
    RETRAIN,
    RETRAINING_DECISIONS,
)
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.evaluation.ledger import delivered, honest
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.decisions import verdict_of
from mlops_assets.simulation import rounds, training
from mlops_assets.simulation.auditor import Auditor, Rules
from mlops_assets.simulation.decisions import faults_of_decisions
from mlops_assets.simulation.forecast import MOST_BAD, REREAD, SOURCE, Forecast, declare
from mlops_assets.simulation.journal import Asked, Day, Decided, Fan, Happened, JobEvent, Point, Told
from mlops_assets.simulation.people import People
from mlops_assets.simulation.world import HISTORY, World
from mlops_assets.stages.external.collect import look
from mlops_assets.stages.rescore import reread_keys
from mlops_assets.stages.score import read_scores
from mlops_assets.stages.watching.retraining import Request, ask
from mlops_assets.stages.watching.telling import tell_all

MORNING, NOON, EVENING = (pd.Timedelta(hours=24 + hour) for hour in (6, 9, 20))
"""When the round of a day is made, when people are at work, and when all is looked at: on the day after it."""
AUDITED = 10
"""Days back that the auditor looks each day; every seventh he looks at all."""


@dataclass
class Life:
    """A forecast that lives in a world.

    Attributes:
        world: what happens.
        folder: empty, for the source's file, the spec and the jobs' ledger.
    """

    world: World
    folder: Path
    _known: dict[tuple[str, pd.Timestamp], float] = field(default_factory=dict)
    _spent: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the source and the spec, and take in the history."""
        self._began = datetime.now(timezone.utc)
        source = self._give(-1)
        self.forecast = Forecast(declare(self.folder, self.world), self.folder)
        spec = self.forecast.spec
        alive = max(2 * max(spec.task.season_lengths), spec.horizon)
        self.auditor = Auditor(Rules(REREAD, MOST_BAD, alive, spec.horizon))
        self.auditor.history(source)
        self.people = People(self.world, self.forecast)
        self.forecast.wake(self.world.date(-1) + MORNING)
        keys = [self._key(day) for day in range(-HISTORY, 0)]
        taken = rounds.Taken()
        rounds.take(self.forecast, keys, "history", taken)
        self._changes(taken)

    def live(self, number: int) -> Day:
        """Live a day, the one after the last; return what it was like."""
        self._spent = {}
        world, forecast, day = self.world, self.forecast, self.world.date(number)
        source = self._give(number)
        self.forecast.wake(day + MORNING)
        taken, fans = self._round(number)
        self.auditor.morning(source, day)
        self._retrain()
        forecast.wake(day + NOON)
        with self._stage("people"):
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
        observed, came, revised = self._changes(taken)
        champion = forecast.life.champion()
        asked, decided = self._asked(), self._decided()
        with self._stage("audit"):
            faults = self._faults(number)
        wql, naive = self._scores(number)
        return Day(
            date=self._key(number),
            happened=tuple(
                Happened(one.kind.value, one.item, one.first == number) for one in world.happenings if one.on(number)
            ),
            came=came,
            quarantined=taken.quarantined,
            revised=revised,
            observed=observed,
            asked=asked,
            decided=decided,
            champion=champion.number if champion is not None else 0,
            forecasts=fans,
            wql=wql,
            naive=naive,
            alerts=alerts,
            jobs=jobs,
            cpu_seconds=dict(self._spent),
            faults=faults,
        )

    def _round(self, number: int) -> tuple[rounds.Taken, tuple[Fan, ...]]:
        """Read the days before again, and make the round of a day; the scores of what has changed are made anew."""
        forecast, key, taken, fans = self.forecast, self._key(number), rounds.Taken(), ()
        again = reread_keys(forecast.spec, key)
        with self._stage("ingest"), forecast.run(RESCORE) as run:
            rounds.take(forecast, again, run.run_id, taken)
        with forecast.run(DAILY) as run:
            with self._stage("ingest"):
                self._fill(key, taken)
                rounds.take(forecast, [key], run.run_id, taken)
            if number == 0:
                with self._stage("train"):
                    training.train_and_judge(forecast, run)
            with self._stage("predict"):
                made = rounds.predict(forecast, key, run.run_id)
                fans = tuple(_fans(made, forecast.spec.task))
            with self._stage("score"):
                rounds.watch(forecast, key)
        with self._stage("score"):
            changed = {f"{day:%Y-%m-%d}" for rows in taken.rows for _, day in self._changed(rows)}
            rounds.score(forecast, sorted(changed | {key}))
        return taken, fans

    def _fill(self, key: str, taken: rounds.Taken) -> None:
        try:
            rounds.fill(self.forecast, key, taken)
        except MlopsAssetsError:
            return  # reading the day itself says what is wrong

    def _retrain(self) -> None:
        forecast = self.forecast
        stores = forecast.stores
        with self._stage("policies"):
            asked = ask(
                forecast.spec, stores.tables, stores.tracking, stores.clock, stores.notifications, forecast.instance
            )
        if isinstance(asked, Request):
            with self._stage("train"), forecast.run(RETRAIN, asked.tags) as run:
                if training.claim(forecast, run):
                    training.train_and_judge(forecast, run)

    def _jobs(self) -> tuple[JobEvent, ...]:
        """Look at the jobs that are due; return what has befallen them since the last look."""
        forecast = self.forecast
        if forecast.spec.external is None:
            return ()
        with self._stage("jobs"):
            look(forecast.spec, forecast.stores)
            return tuple(forecast.job_events())

    def _alerts(self) -> tuple[Told, ...]:
        forecast = self.forecast
        stores = forecast.stores
        with self._stage("alerts"):
            now = stores.clock.now()
            tell_all(forecast.spec, stores.tables, stores.notifications, forecast.instance, now, self._began)
            rows = forecast.news(ALERTS)
            told = [Told(row["event"], row["what"].replace(f"{self.folder}/", "")) for row in rows.to_dict("records")]
            return tuple(sorted(told, key=lambda one: (one.kind, one.message)))

    def _asked(self) -> tuple[Asked, ...]:
        rows = self.forecast.news(RETRAINING_DECISIONS).to_dict("records")
        return tuple(
            Asked(*(str(row[name]) for name in ("policy", "action", "reason", "rule", "guard"))) for row in rows
        )

    def _decided(self) -> tuple[Decided, ...]:
        found = []
        for row in self.forecast.news(DECISIONS).to_dict("records"):
            verdict = verdict_of(row["rules"]) or {"rules": []}
            failed = [rule["name"] for rule in verdict["rules"] if rule["state"] in ("failed", "missing")]
            found.append(Decided(int(row["version"]), row["outcome"], row["reason"], tuple(failed)))
        return tuple(found)

    def _scores(self, number: int) -> tuple[float | None, float | None]:
        """Return the weighted quantile loss of a day, and what seasonal naive's would be; None: nothing to score."""
        tables, name = self.forecast.stores.tables, self.forecast.spec.name
        rows = read_scores(tables, name)
        own = rows[(rows["partition"] == self._key(number)) & (rows["scope"] == "all")]
        if own.empty:
            return None, None
        made = honest(delivered(tables.read([name, FORECAST_ACCURACY], [self._key(number)]))).dropna(subset="target")
        # A point forecast is all of its quantiles: their loss is the absolute error.
        naive = (made["naive"] - made["target"]).abs().sum() / made["target"].abs().sum()
        return float(own["wql"].iloc[0]), float(naive)

    def _faults(self, number: int) -> tuple[str, ...]:
        """Return what the auditor finds wrong."""
        forecast, last = self.forecast, self._key(number)
        back = None if number % 7 == 0 or number == self.world.days - 1 else AUDITED
        observed = forecast.observations(last, back).read(["item_id", "timestamp", "target"])
        ledger = forecast.stored(FORECASTS, last, back).read(["origin", "item_id", "lead", "mean", "role"])
        return (
            *self.auditor.faults_of_observations(observed),
            *self.auditor.faults_of_ledger(delivered(ledger)),
            *faults_of_decisions(forecast),
        )

    def _changes(self, taken: rounds.Taken) -> tuple[tuple[Point, ...], int, int]:
        """Return what came or came anew, how many rows came, and how many came anew with another value."""
        points, came, revised = [], 0, 0
        for rows in taken.rows:
            for (item, day), value in self._changed(rows).items():
                new = (item, day) not in self._known
                came, revised = came + new, revised + (not new)
                points.append(Point(item, day.isoformat(), value))
                self._known[item, day] = value
        return tuple(points), came, revised

    def _changed(self, rows: pd.DataFrame) -> dict[tuple[str, pd.Timestamp], float]:
        known = rows[["item_id", "timestamp", "target"]].dropna()
        return {
            (str(item), day): float(value)
            for item, day, value in known.itertuples(index=False)
            if self._known.get((item, day)) != value
        }

    def _give(self, number: int) -> pd.DataFrame:
        source = self.world.source(number)
        source.to_csv(self.folder / SOURCE, index=False)
        return source

    def _key(self, number: int) -> str:
        return f"{self.world.date(number):%Y-%m-%d}"

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = process_time()
        try:
            yield
        finally:
            self._spent[name] = self._spent.get(name, 0.0) + process_time() - began


def _fans(rows: pd.DataFrame, task: Task) -> Iterator[Fan]:
    low, high = task.quantile_columns[0], task.quantile_columns[-1]
    for item, own in delivered(rows).sort_values(["item_id", "lead"]).groupby("item_id"):
        columns = (tuple(own[name].astype(float)) for name in (low, task.point_column, high))
        at = tuple(moment.isoformat() for moment in own["timestamp"])
        yield Fan(str(item), at, *columns, source=str(own["source"].iloc[0]))
