"""Metrics of others, by the names that a spec gives them, beside those that every forecast is scored by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from mlops_assets.forecasting.evaluation.metrics.base import METRICS, Average, Metric
from mlops_assets.forecasting.model import extensions
from mlops_assets.forecasting.model.task import Task

_LOADED: dict[str, Metric] = {}
"""What a spec of this process has named, by the metric's own name."""


def load(name: str) -> Metric:
    """Return a metric of somebody's own.

    Args:
        name: its path or entry point, see `extensions.resolve`.

    Raises:
        UnknownNameError: there is none.
        ExtensionError: its package fails, or it is no metric or has a name that one of ours has.
    """
    found = extensions.resolve(extensions.METRICS, name, METRICS)
    metric = extensions.called(extensions.METRICS, name, found) if isinstance(found, type) else found
    extensions.require(extensions.METRICS, name, metric, ("name", "average", "losses"))
    problem = ""
    if not isinstance(metric, Metric):
        problem = "is no child of mlops_assets.api.extensions.Metric"
    elif metric.name in METRICS:
        problem = f"is called {metric.name}, as one of ours is"
    elif metric.average not in get_args(Average) or not metric.name.isidentifier():
        problem = f"needs a name of letters, digits and _, and an average of {', '.join(get_args(Average))}"
    if problem:
        raise extensions.ExtensionError(f"the metric {name!r} {problem}")
    return _LOADED.setdefault(metric.name, metric)


def loaded(name: str) -> Metric | None:
    """Return the metric of a name, ours or one that a spec of this process has named; None if there is none."""
    return METRICS.get(name) or _LOADED.get(name)


def metrics_of(task: Task) -> Mapping[str, Metric]:
    """Return every metric that the forecasts of a task are scored by: ours, then its own."""
    return METRICS if not task.metrics else METRICS | {one.name: one for one in map(load, task.metrics)}
