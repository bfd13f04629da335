"""Forecasts beside what came: of the partitions that a question is about, in parts of some items each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_assets.catalog.names import FORECAST_ACCURACY
from mlops_assets.catalog.partitions import partitions_of, periods, whole_window
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.lifecycle.meanings import Meanings
from mlops_assets.reading.asked import Asked
from mlops_assets.reading.forecasts import Forecasts, delivered_by
from mlops_assets.reading.item_ids import require
from mlops_assets.reading.observations import observations, within
from mlops_assets.reading.origins import Origins
from mlops_assets.reading.some_columns import read_columns
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.scale.shards import shards
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.score import believed

RECENT = 28
"""Partitions that are looked back over where no time is named, or so many that a horizon is over in them."""
MOST = 1_000_000
"""Rows that are looked back over then: of a large table fewer partitions, one at least."""
_INSTANT = pd.Timedelta(microseconds=1)


@dataclass(frozen=True)
class Matched:
    """Forecasts beside what came.

    As of a moment they are the forecasts that had been made by then beside the actuals as they were known then.

    Attributes:
        tables: where they are.
        spec: the forecast.
        asked: which rows.
        partitions: of the actuals, sorted.
    """

    tables: Tables
    spec: ForecastSpec
    asked: Asked
    partitions: tuple[str, ...]

    @classmethod
    def of(cls, tables: Tables, spec: ForecastSpec, asked: Asked, most: int = MOST) -> Matched:
        """Return what a question is about; without a time, the latest partitions.

        Args:
            tables: where they are.
            spec: the forecast.
            asked: the question.
            most: so many rows at most, where no time is named.
        """
        key = [spec.name, FORECAST_ACCURACY]
        keys = within(spec, tables.partitions(key), asked)
        if not asked.bounded:
            keys = keys[-max(RECENT, periods(spec, spec.horizon)) :]
            counts = tables.row_counts(key, keys) if asked.items is None else {}
            total = np.cumsum([counts.get(one, 0) for one in reversed(keys)])
            keys = keys[len(keys) - max(1, int((total <= most).sum())) :]
        return cls(tables, spec, asked, tuple(keys))

    def parts(self, also: Sequence[str] = ()) -> Iterator[pd.DataFrame]:
        """Yield the rows that count, whatever their role: those whose model had not seen the actual.

        No series is in two parts, so that scores can be added up.

        Args:
            also: columns beside those that scores are made of.

        Raises:
            UnknownItemError: there is no item that is asked about.
        """
        for rows in self._read(also):
            if self.asked.items is not None:
                require(self.tables, self.spec, self.asked, rows["item_id"])
            yield ledger.honest(rows)

    def _read(self, also: Sequence[str]) -> Iterator[pd.DataFrame]:
        task, key, asked = self.spec.task, [self.spec.name, FORECAST_ACCURACY], self.asked
        if not self.partitions:
            yield ledger.match(pd.DataFrame(), pd.DataFrame(), task, False)
            return
        if asked.as_of is not None:
            yield self._as_of(asked.as_of)
            return
        numbers = [task.point_column, *task.quantile_columns, *task.cost_columns, "naive", "mase_scale", "rmsse_scale"]
        columns = ["item_id", "origin", "lead", "target", "in_sample", "role", *numbers, *also]
        spans = [asked.items] if asked.items is not None else shards(self.tables, key, self.partitions, asked.only)
        for items in spans or [None]:
            only = Only(items, asked.since, asked.until)
            yield read_columns(self.tables, key, self.partitions, list(dict.fromkeys(columns)), only)

    def _as_of(self, moment: pd.Timestamp) -> pd.DataFrame:
        spec, task, asked = self.spec, self.spec.task, self.asked
        window = whole_window(partitions_of(spec), self.partitions)
        since = window.start if asked.since is None else max(asked.since, window.start)
        until = window.end - _INSTANT if asked.until is None else min(asked.until, window.end - _INSTANT)
        inside = asked.within(since, until)
        ledgers = Forecasts(Origins(self.tables, spec), "shadow")
        held = ["item_id", "timestamp", "origin", "lead", "mean", *task.quantile_columns, *task.cost_columns, "naive"]
        held += ["mase_scale", "rmsse_scale", "source", "model_version", "trained_until", "created_at", "role"]
        made = ledgers.known(ledgers.origins.reaching(inside), inside, held)
        made = made.assign(role=made["role"].mask(delivered_by(made, moment), ledger.DELIVERED))
        made = Meanings(self.tables, spec.name).scorable(made, spec)
        known = observations(self.tables, spec, inside.about(None))
        actuals = believed(self.tables, spec, known, made, self.partitions[0])
        observed = known["timestamp"].unique() if spec.fill == "zero" else None
        return ledger.match(made, actuals, task, spec.fill == "zero", observed)
