"""The past as it was known: what training and backtest see at each origin of the columns that `as_known` names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import FUTURE_COVARIATES, OBSERVATIONS
from mlops_assets.catalog.windows import windows_of
from mlops_assets.forecasting.data import vintages
from mlops_assets.forecasting.data.grid import KEY, last_before
from mlops_assets.forecasting.data.vintages import Vintages
from mlops_assets.forecasting.model import features, kinds
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.revisions import Moments, Revisions
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.train import cleaned, history_of


@dataclass(frozen=True)
class AsKnown:
    """The history of some items, today's and as it was known at any origin.

    Attributes:
        spec: the forecast.
        today: canonical frame, as it is known now.
        vintages: what was known before.
        ahead: by origin, its known covariates as they were forecast: item_id, timestamp and those that the spec names.
        history: `today` as the engine wants it, see `history_of`.
    """

    spec: ForecastSpec
    today: pd.DataFrame
    vintages: Vintages
    ahead: Mapping[pd.Timestamp, pd.DataFrame]
    history: pd.DataFrame = field(repr=False)
    _then: "dict[pd.Timestamp, AsKnown]" = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, graph: Graph, tables: Tables, observations: pd.DataFrame, moments: Moments, only: Only | None = None
    ) -> "AsKnown":
        """Read what was known before of the observations of all items, or of some.

        Args:
            graph: of the forecast.
            tables: the store.
            observations: as they are stored.
            moments: since when the partitions are known, of all items.
            only: which rows the observations are.

        Raises:
            SourceError: a calendar cannot be read.
        """
        spec, found = graph.spec, Revisions(graph, tables).past(OBSERVATIONS, observations, only=only)
        current, superseded = (rows.drop(columns="partition") for rows in found)
        today = current.drop(columns=vintages.KNOWN_AT)
        known = Vintages(vintages.all_versions(current, superseded), moments.begins, moments.since)
        return cls(spec, today, known, _forecast_ahead(graph, tables, only), history_of(spec, today, moments.latest))

    @classmethod
    def wanted(cls, graph: Graph, tables: Tables, observations: pd.DataFrame) -> "AsKnown | None":
        """Return what was known of all items, if the spec names columns that are to be seen so."""
        if not graph.spec.as_known:
            return None
        return cls.of(graph, tables, observations, Revisions(graph, tables).moments())

    def at(self, origin: pd.Timestamp, items: Sequence[str] | np.ndarray | None = None) -> pd.DataFrame:
        """Return the history up to an origin as it was known there, and known covariates over the horizon after it.

        Args:
            origin: the last timestamp known.
            items: only these; None: all.
        """
        past = cleaned(self.spec, self._before(origin, items), origin)
        history = self.history if items is None else self.history[self.history["item_id"].isin(items)]
        if events := self.spec.calendar_columns:
            past = past.merge(history[[*KEY, *events]], on=KEY, how="left")
        return pd.concat([past, self._after(origin, history)], ignore_index=True)

    def until(self, origin: pd.Timestamp) -> "AsKnown":
        """Return what was known at an origin, as if nothing had become known since."""
        if origin not in self._then:
            self._then[origin] = self._until(origin)
        return self._then[origin]

    def _until(self, origin: pd.Timestamp) -> "AsKnown":
        today, seen = self._before(origin, None), self.at(origin)
        history = seen[seen["timestamp"] <= origin].reset_index(drop=True)
        return replace(self, today=today, vintages=self.vintages.until(origin), history=history, _then={})

    def learnt(self, origin: pd.Timestamp, task: Task) -> pd.DataFrame:
        """Return what a task's kind of model would have learnt from at an origin."""
        then = self.until(origin)
        return then.renewed(kinds.rows(then.history, task), task)

    def renewed(self, rows: pd.DataFrame, task: Task) -> pd.DataFrame:
        """Return training rows of a task with what was known at their origins; see `features.as_known`.

        Rows of models that look at each series by itself are the series: as it is known now.
        """
        if "y" not in rows:
            return rows
        origins = [pd.Timestamp(origin) for origin in rows["origin"].unique()]
        reach = (features.lookback(task) - 1) * to_offset(task.frequency)
        other = self.vintages.other(origins, [origin - reach for origin in origins])
        for origin in {*self.ahead}.intersection(origins):
            other[origin] = np.union1d(other.get(origin, []), self.ahead[origin]["item_id"].unique())
        return features.as_known(rows, task, other, self.at)

    def _before(self, origin: pd.Timestamp, items: Sequence[str] | np.ndarray | None) -> pd.DataFrame:
        """Return the rows up to an origin, named columns as they were known at it and the others as they are now."""
        now = self.today[self.today["timestamp"] <= origin]
        now = now if items is None else now[now["item_id"].isin(items)]
        seen = self.vintages.at(origin, items)
        named = [name for name in self.spec.as_known if name in now]
        others = [name for name in now.columns if name not in (*KEY, *named)]
        rows, given, columns = (seen, now, others) if "target" in named else (now, seen, named)
        if not columns:
            return rows
        index = pd.MultiIndex.from_frame(rows[KEY])
        found = given.set_index(KEY)[columns].reindex(index).set_axis(rows.index)
        if rows is seen:  # what has gone since
            gone = ~index.isin(pd.MultiIndex.from_frame(given[KEY]))
            found = found.mask(pd.Series(gone, rows.index), rows[columns])
        return rows.assign(**{name: found[name] for name in columns})

    def _after(self, origin: pd.Timestamp, history: pd.DataFrame) -> pd.DataFrame:
        end = origin + self.spec.horizon * to_offset(self.spec.frequency)
        rows = history[(history["timestamp"] > origin) & (history["timestamp"] <= end)]
        made = self.ahead.get(origin)
        if made is None or rows.empty:
            return rows
        found = rows[KEY].merge(made, on=KEY, how="left")
        return rows.assign(**{name: found[name].to_numpy() for name in found.columns if name not in KEY})


def _forecast_ahead(graph: Graph, tables: Tables, only: Only | None) -> dict[pd.Timestamp, pd.DataFrame]:
    """Return known covariates as they were first known over the horizon of each origin, those that the spec names."""
    spec = graph.spec
    named = [name for name in spec.covariates.all_known if name in spec.as_known]
    if not named or not tables.exists([spec.name, FUTURE_COVARIATES]):
        return {}
    keys = ["partition", *KEY]
    current, superseded = Revisions(graph, tables).versions(FUTURE_COVARIATES, only=only)
    first = vintages.all_versions(current, superseded, keys).drop_duplicates(keys)
    partitions = first["partition"].unique().tolist()
    ends = windows_of(graph.partitions, partitions).end
    origins = dict(zip(partitions, last_before(ends, spec.frequency, spec.zone), strict=True))
    return {origins[key]: rows[[*KEY, *named]] for key, rows in first.groupby("partition")}
