"""Tables of scores, one row per group of forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from mlops_assets.forecasting.evaluation.metrics.base import Average, Rows, outer_pair
from mlops_assets.forecasting.evaluation.metrics.own import metrics_of
from mlops_assets.forecasting.model.panel import ITEM, TARGET
from mlops_assets.forecasting.model.task import Task

SERIES = ("model", "window", ITEM, "origin")
"""Columns that tell one series of forecasts from another."""
NOTHING: Mapping[str, tuple[str, str]] = MappingProxyType({})


def score(predictions: pd.DataFrame, task: Task, by: Sequence[str] = ()) -> pd.DataFrame:
    """Score forecasts against what came, one row per group.

    Args:
        predictions: target, the task's point and quantile columns, mase_scale, rmsse_scale, and the columns
            of `by`; item_id and origin, where there, tell series apart.
        task: names the point forecast and the quantiles.
        by: columns to group by; none gives one row.

    Returns:
        The columns of `by`, then rows (scored), a column for each of `metrics_of(task)` and, when there is an outer
        pair of quantiles, interval (its nominal coverage, else NaN as is coverage). No row where nothing could be
        scored.
    """
    scoring = Scoring(task, by)
    scoring.add(predictions)
    return scoring.table()


@dataclass(frozen=True)
class Lost:
    """What some forecasts have lost, row by row.

    Attributes:
        scorable: whether a row counts.
        size: absolute target.
        losses: metric -> loss of each row.
    """

    scorable: np.ndarray
    size: np.ndarray
    losses: Mapping[str, np.ndarray]


class Scoring:
    """Scores forecasts that come part by part, such as those of some items after those of others; see `score`.

    Losses are added up row after row and series after series, so that no number depends on where one part ends and the
    next begins, as long as no series is in two of them.
    """

    def __init__(self, task: Task, by: Sequence[str] = (), beside: Mapping[str, tuple[str, str]] = NOTHING) -> None:
        """Begin with nothing.

        Args:
            task: names the point forecast and the quantiles.
            by: columns to group by; none gives one row.
            beside: further columns of the table, each a metric of another point forecast on the same rows, as the name
                of that metric and the column with that forecast.
        """
        own = metrics_of(task)
        self._metrics = {**own, **{name: own[metric] for name, (metric, _) in beside.items()}}
        self._points = {name: point for name, (_, point) in beside.items()}
        self._task, self._by = task, list(by) or ["all"]
        self._groups: pd.DataFrame | None = None
        self._sums: dict[str, np.ndarray] = {}

    def lost(self, predictions: pd.DataFrame) -> Lost:
        """Return the losses of some forecasts, for all that score the same metrics by one column or another."""
        rows = Rows(predictions, self._task)
        others = {
            name: Rows(predictions.assign(**{self._task.point_column: predictions[point]}), self._task)
            for name, point in self._points.items()
        }
        losses = {name: metric.losses(others.get(name, rows)) for name, metric in self._metrics.items()}
        return Lost(rows.scorable, rows.size, losses)

    def add(self, predictions: pd.DataFrame, lost: Lost | None = None) -> None:
        """Take some more forecasts.

        Args:
            predictions: columns as of `score`.
            lost: what `lost` has returned of them, where it was asked for; None: it is asked for here.
        """
        lost = lost or self.lost(predictions)
        keys = predictions.assign(all=0) if self._by == ["all"] else predictions
        counts = np.logical_and.reduce([lost.scorable, *(keys[name].notna().to_numpy() for name in self._by)])
        counted = np.flatnonzero(counts)
        keys = keys if counts.all() else keys.iloc[counted]
        of_row = self._places(keys)
        losses = {name: values[counted] for name, values in lost.losses.items()}
        self._add("rows", of_row, np.ones(len(counted)))
        self._add("size", of_row, lost.size[counted])
        for name in (*self._averaged_by("size"), *self._averaged_by("rows")):
            self._add(name, of_row, losses[name])
        columns = list(dict.fromkeys([*self._by, *(name for name in SERIES if name in keys.columns)]))
        series = _numbered(keys, columns)
        _, first = np.unique(series, return_index=True)
        for name in self._averaged_by("series"):
            known = ~np.isnan(losses[name])
            total = np.bincount(series[known], losses[name][known], len(first))
            count = np.bincount(series[known], minlength=len(first))
            means = np.divide(total, count, out=np.full(len(first), np.nan), where=count > 0)
            self._add(name, of_row[first], self._metrics[name].of_series(means))

    def table(self) -> pd.DataFrame:
        """Return the scores of all that has come; see `score`."""
        pair = outer_pair(self._task.quantiles)
        if self._groups is None:
            columns = [TARGET, *self._by, "mase_scale", "rmsse_scale", *self._points.values()]
            self.add(pd.DataFrame(columns=columns, dtype=float))
        sums, scores = self._sums, {}
        for name, metric in self._metrics.items():
            whole = sums["size" if metric.average == "size" else f"{name} count"]
            scores[name] = np.divide(sums[name], whole, out=np.full(len(whole), np.nan), where=whole > 0)
        interval = np.nan if pair is None else round(pair[1] - pair[0], 9)
        found = pd.DataFrame({"rows": sums["rows"].astype(np.int64), **scores, "interval": interval})
        return found if self._by == ["all"] else pd.concat([self._groups, found], axis=1)

    def _places(self, keys: pd.DataFrame) -> np.ndarray:
        """Return the number of each row's group among all, sorted; what is known gives way to new groups."""
        own = _sorted(keys, self._by)
        _, first = np.unique(own, return_index=True)
        new = keys[self._by].iloc[first]
        if self._groups is None:
            self._groups = new.reset_index(drop=True)
            return own
        known = self._groups
        groups = new if known.empty else pd.concat([known, new], ignore_index=True)
        place = _sorted(groups, self._by)
        _, one = np.unique(place, return_index=True)
        self._groups = groups.iloc[one].reset_index(drop=True)
        for name, before in self._sums.items():
            self._sums[name] = np.zeros(len(one))
            self._sums[name][place[: len(known)]] = before
        return place[len(known) :][own]

    def _add(self, name: str, place: np.ndarray, values: np.ndarray) -> None:
        """Add values to the sums of their groups, one after the other; what is missing is not counted."""
        assert self._groups is not None
        there = ~np.isnan(values)
        for of, added in ((name, values), (f"{name} count", np.ones(len(values)))):
            before = self._sums.get(of, np.zeros(len(self._groups)))
            at = np.concatenate([np.arange(len(before)), place[there]])
            self._sums[of] = np.bincount(at, np.concatenate([before, added[there]]), len(before))

    def _averaged_by(self, average: Average) -> list[str]:
        return [name for name, metric in self._metrics.items() if metric.average == average]


def _sorted(rows: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return the number of each row's group among all, sorted, shape (rows,); nothing is missing."""
    if len(columns) == 1 and rows[columns[0]].dtype.kind in "iufM":
        return pd.factorize(rows[columns[0]], sort=True)[0]
    return rows.groupby(list(columns), observed=True).ngroup().to_numpy()


def _numbered(rows: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return the number of each row's group, in the order in which they come; what is missing is a group too.

    Shape (rows,). It is `ngroup` of a grouping that sorts nothing, which takes five times as long for a day's rows.
    """
    found = np.zeros(len(rows), dtype=np.int64)
    for name in columns:
        codes, values = pd.factorize(rows[name], use_na_sentinel=False)
        found, _ = pd.factorize(found * len(values) + codes)
    return found
