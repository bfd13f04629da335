"""What a day has brought, read from what is stored: told alike, however the day was lived."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from time import process_time

import pandas as pd

from mlops_assets.catalog.names import (
    ACCURACY_SCORES,
    ALERTS,
    DECISIONS,
    FORECAST_ACCURACY,
    FORECASTS,
    RETRAINING_DECISIONS,
)
from mlops_assets.forecasting.evaluation.ledger import delivered, honest
from mlops_assets.lifecycle.decisions import verdict_of
from mlops_assets.simulation.forecast import Forecast
from mlops_assets.simulation.journal import Asked, Day, Decided, Fan, Happened, JobEvent, Point, Told
from mlops_assets.simulation.rounds import Taken


@dataclass
class Teller:
    """Tells the days of a forecast, each thing on the day on which it is first there.

    Attributes:
        forecast: whose.
        items: those whose observations and forecasts are told; None: all.
    """

    forecast: Forecast
    items: frozenset[str] | None = None
    _known: dict[tuple[str, pd.Timestamp], float] = field(default_factory=dict)
    _spent: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what a stage of the day costs, without the stages within it."""
        began, before = process_time(), sum(self._spent.values())
        try:
            yield
        finally:
            within = sum(self._spent.values()) - before
            self._spent[name] = self._spent.get(name, 0.0) + process_time() - began - within

    def charge(self, stage: str, cpu_seconds: float) -> None:
        """Count what another process has done for a stage."""
        self._spent[stage] = self._spent.get(stage, 0.0) + cpu_seconds

    def know(self, rows: pd.DataFrame) -> None:
        """Take observations for known: they came before the first day."""
        self._known |= self.changed(rows)

    def changed(self, rows: pd.DataFrame) -> dict[tuple[str, pd.Timestamp], float]:
        """Return the observations that were not known with that value."""
        known = rows[["item_id", "timestamp", "target"]].dropna()
        columns = (known[name].tolist() for name in known)
        return {
            (str(item), at): float(value)
            for item, at, value in zip(*columns, strict=True)
            if self._known.get((item, at)) != value
        }

    def alerts(self) -> tuple[Told, ...]:
        """Return what people were told since they were asked of last; no word depends on where the source lies."""
        rows = self.forecast.news(ALERTS).to_dict("records")
        told = [Told(row["event"], row["what"].replace(f"{self.forecast.folder}/", "")) for row in rows]
        return tuple(sorted(told, key=lambda one: (one.kind, one.message)))

    def tell(
        self,
        key: str,
        taken: Taken,
        happened: Sequence[Happened] = (),
        alerts: Sequence[Told] = (),
        jobs: Sequence[JobEvent] = (),
        faults: Sequence[str] = (),
    ) -> Day:
        """Return a day as it stands in the stores in the end.

        Args:
            key: the partition.
            taken: what was read of the source.
            happened: in the world.
            alerts: that people got.
            jobs: what befell them.
            faults: that the auditor has found.
        """
        observed, came, revised = self._changes(taken)
        champion = self.forecast.life.champion()
        wql, naive = self._scores(key)
        spent, self._spent = self._spent, {}
        return Day(
            key,
            happened=tuple(happened),
            came=came,
            quarantined=taken.quarantined,
            revised=revised,
            observed=observed,
            asked=self._asked(),
            decided=self._decided(),
            champion=champion.number if champion is not None else 0,
            forecasts=tuple(self._fans(key)),
            wql=wql,
            naive=naive,
            alerts=tuple(alerts),
            jobs=tuple(jobs),
            cpu_seconds=spent,
            faults=tuple(faults),
        )

    def _changes(self, taken: Taken) -> tuple[tuple[Point, ...], int, int]:
        """Return what came or came anew, how many rows came, and how many came anew with another value."""
        points, came, revised = [], 0, 0
        for rows in taken.rows:
            for (item, at), value in self.changed(rows).items():
                new = (item, at) not in self._known
                came, revised = came + new, revised + (not new)
                self._known[item, at] = value
                if self.items is None or item in self.items:
                    points.append(Point(item, stamp(at), value))
        return tuple(points), came, revised

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

    def _scores(self, key: str) -> tuple[float | None, float | None]:
        """Return the weighted quantile loss of a day, and what seasonal naive's would be; None: nothing to score."""
        tables, name = self.forecast.stores.tables, self.forecast.spec.name
        if key not in tables.partitions([name, ACCURACY_SCORES]):
            return None, None
        rows = tables.read([name, ACCURACY_SCORES], [key])
        own = rows[rows["scope"] == "all"].sort_values("revision")["wql"].iloc[-1]
        made = honest(delivered(tables.read([name, FORECAST_ACCURACY], [key]))).dropna(subset="target")
        actual = float(made["target"].abs().sum())
        if pd.isna(own) or not actual:
            return None, None
        # A point forecast is all of its quantiles: their loss is the absolute error.
        return float(own), float((made["naive"] - made["target"]).abs().sum()) / actual

    def _fans(self, key: str) -> Iterator[Fan]:
        spec, table = self.forecast.spec, [self.forecast.spec.name, FORECASTS]
        if key not in self.forecast.stores.tables.partitions(table):
            return
        low, high = spec.task.quantile_columns[0], spec.task.quantile_columns[-1]
        rows = delivered(self.forecast.stores.tables.read(table, [key])).sort_values(["item_id", "lead"])
        numbers = (rows[name].astype(float).round(4).tolist() for name in (low, spec.task.point_column, high))
        steps = zip(rows["item_id"], map(stamp, rows["timestamp"]), *numbers, rows["source"], strict=True)
        for item, own in groupby(steps, key=itemgetter(0)):
            if self.items is None or item in self.items:
                _, at, below, middle, above, sources = zip(*own, strict=True)
                yield Fan(str(item), at, below, middle, above, source=str(sources[0]))


@lru_cache(maxsize=128)  # the same few days for each item
def stamp(at: pd.Timestamp) -> str:
    """Return a timestamp as ISO 8601, midnight without a clock."""
    return f"{at:%Y-%m-%d}" if at == at.normalize() else at.isoformat()
