"""What a metric is, and the list of all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, TypeVar

import numpy as np
import pandas as pd

from mlops_assets.forecasting.model.panel import TARGET
from mlops_assets.forecasting.model.task import Task, quantile_column

View = Literal["summary", "report", "windows", "side by side"]
"""Where there is no room for every metric: the summary of a round, the report and Dagster's tables, the windows and
the models side by side of an evaluation."""
Average = Literal["series", "size", "rows"]
DEFAULT = "wql"
"""The metric that models are compared by where nothing else is said; the first in lists for people."""


@dataclass(frozen=True)
class Rows:
    """Forecasts beside what came, as arrays.

    Attributes:
        frame: target, the task's point and quantile columns, mase_scale, rmsse_scale.
        task: names the point forecast and the quantiles.
    """

    frame: pd.DataFrame
    task: Task

    def column(self, name: str) -> np.ndarray:
        """Return a column, shape (rows,), NaN where missing."""
        return self.frame[name].to_numpy(dtype=float)

    def forecast(self, name: str) -> np.ndarray:
        """Return a column of forecasts, shape (rows,), NaN where the rows were made without it."""
        return self.column(name) if name in self.frame else np.full(len(self.frame), np.nan)

    @cached_property
    def target(self) -> np.ndarray:
        """What came, shape (rows,)."""
        return self.column(TARGET)

    @cached_property
    def point(self) -> np.ndarray:
        """The point forecast, shape (rows,)."""
        return self.forecast(self.task.point_column)

    @cached_property
    def error(self) -> np.ndarray:
        """Point forecast minus target, shape (rows,)."""
        return self.point - self.target

    @cached_property
    def size(self) -> np.ndarray:
        """Absolute target, shape (rows,)."""
        return np.abs(self.target)

    def quantile(self, level: float) -> np.ndarray:
        """Return the quantile of a level, shape (rows,)."""
        return self.forecast(quantile_column(level))

    @cached_property
    def known(self) -> np.ndarray:
        """Which of the task's quantiles are there, shape (rows, levels)."""
        return ~np.isnan([self.quantile(level) for level in self.task.quantiles]).T

    @cached_property
    def scorable(self) -> np.ndarray:
        """Whether the target, the point forecast and a quantile are there, shape (rows,).

        Not all quantiles: a forecast that was made when others were asked for is scored by those that it has.
        """
        return ~np.isnan(self.error) & self.known.any(axis=1)


class Metric(ABC):
    """A measure of accuracy: a loss for each row, and how the losses of many rows become one number.

    Attributes:
        name: of the column, of MLflow's metric and of the choice in a spec.
        title: as the literature writes it; without one, its name.
        meaning: one sentence for the documentation of tables.
        since: the release that first stores it; rows of earlier ones are read without it. Of one of others, nothing.
        average: `series`: the mean over series (item and origin) of the mean over their rows, as in the M competitions;
            `size`: the sum over rows by the sum of absolute targets; `rows`: the mean over rows.
        in_gate: whether models may be compared by it. Such a metric is never negative, and lower is better.
        shown_in: where it is shown beside the tables that show all.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    meaning: ClassVar[str] = ""
    since: ClassVar[str] = ""
    average: ClassVar[Average]
    in_gate: ClassVar[bool] = True
    shown_in: ClassVar[frozenset[View]] = frozenset({"summary", "report", "windows"})

    @abstractmethod
    def losses(self, rows: Rows) -> np.ndarray:
        """Return the loss of each row, shape (rows,), NaN where it cannot be told."""

    def of_series(self, means: np.ndarray) -> np.ndarray:
        """Turn the mean losses of series into what is averaged over them; as they are unless a metric says more."""
        return means


METRICS: dict[str, Metric] = {}
"""Every metric by its name, in the order of the columns of tables."""
M = TypeVar("M", bound=Metric)


def register(metric: type[M]) -> type[M]:
    """Add a class of metric to `METRICS`; a decorator."""
    METRICS[metric.name] = metric()
    return metric


def gate_metrics() -> list[str]:
    """Names of the metrics that models may be compared by, the default first."""
    return _default_first(name for name, metric in METRICS.items() if metric.in_gate)


def shown_metrics(view: View) -> list[str]:
    """Names of the metrics that a view shows, the default first."""
    return _default_first(name for name, metric in METRICS.items() if view in metric.shown_in)


def _default_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: name != DEFAULT)


def symmetric(levels: Sequence[float]) -> list[float]:
    """Return the levels that lie symmetrically around one half, and one half itself; ascending."""
    return [level for level in sorted(levels) if any(abs(level + other - 1) < 1e-9 for other in levels)]


def outer_pair(levels: Sequence[float]) -> tuple[float, float] | None:
    """Return the outermost two levels that lie symmetrically around one half, or None."""
    pairs = symmetric(levels)
    return (pairs[0], pairs[-1]) if len(pairs) > 1 else None
