"""Rolling origins: refit on what was known, forecast what came after, score both models on the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd
from pandas.tseries.frequencies import to_offset

from mlops_assets.forecasting.delivery import deliver
from mlops_assets.forecasting.evaluation import metrics
from mlops_assets.forecasting.formatting import counted, stamp
from mlops_assets.forecasting.model import baselines, features, kinds
from mlops_assets.forecasting.model.errors import DataError, UsageError
from mlops_assets.forecasting.model.kinds import Model
from mlops_assets.forecasting.model.panel import ITEM, TARGET, TIME
from mlops_assets.forecasting.model.task import Task

CHALLENGER, NAIVE, CHAMPION = "challenger", "seasonal_naive", "champion"
"""Names of the models in a backtest: the one that is fitted, the baseline, and the one in charge."""
FORMERLY = {"forest": CHALLENGER}
"""Names that release 0.1.0 gave to models."""


class Past(Protocol):
    """The past as it was known."""

    def at(self, origin: pd.Timestamp) -> pd.DataFrame:
        """Return the canonical frame up to an origin as it was known there, and after it the known covariates."""
        ...

    def learnt(self, origin: pd.Timestamp, task: Task) -> pd.DataFrame:
        """Return what a task's kind of model would have learnt from at an origin."""
        ...


@dataclass(frozen=True)
class Backtest:
    """Forecasts of past origins beside what came, their scores and their cost.

    Attributes:
        predictions: window (0 is the oldest), model, item_id, origin, timestamp, lead, target, mean, one
            column per quantile, `task.cost_columns`, source, mase_scale, rmsse_scale. Scales are those of the history
            up to the window's origin.
        overall: one row per model: model and the columns of `metrics.score`.
        seconds: one row per model: model, fit, predict in processor seconds, summed over the windows.
    """

    predictions: pd.DataFrame
    overall: pd.DataFrame
    seconds: pd.DataFrame


def backtest(
    frame: pd.DataFrame,
    task: Task,
    windows: int = 3,
    step: int | None = None,
    *,
    models: Sequence[str] = (CHALLENGER, NAIVE),
    until: pd.Timestamp | None = None,
    fit: Callable[[pd.DataFrame], Model] | None = None,
    past: Past | None = None,
) -> Backtest:
    """Forecast from several past origins and score what came.

    The last origin lies one horizon before the end of the data, each earlier one `step` steps before. At
    each, the models see nothing later, the challenger is fitted anew, and the items alive then are forecast by
    all models.

    Args:
        frame: canonical long table.
        task: what is forecast.
        windows: number of origins.
        step: steps between origins; None is the horizon.
        models: some of `CHALLENGER` and `NAIVE`.
        until: rows after it are not looked at.
        fit: makes the model from what its kind learns from; None: `kinds.fit`.
        past: what was known at the origins; None: what the frame says of the time up to them. What is scored against
            stands in the frame.

    Raises:
        ValueError: an unknown model, or history too short for the windows.
    """
    strange = sorted({*models} - {CHALLENGER, NAIVE})
    if strange or not models:
        raise UsageError(f"unknown models {strange}; known are {CHALLENGER}, {NAIVE}")
    if until is not None:
        frame = frame.loc[(frame[TIME] <= until).to_numpy()]
    fit = fit or (lambda rows: kinds.fit(rows, task))
    tables, spent = [], {model: [0.0, 0.0] for model in models}
    for number, origin in enumerate(origins(frame, task, windows, step)):
        started = time.process_time()
        makers: dict[str, Model | baselines.SeasonalNaive] = dict.fromkeys(models, baselines.SeasonalNaive(task))
        if CHALLENGER in models:
            seen = frame.loc[(frame[TIME] <= origin).to_numpy()]
            makers[CHALLENGER] = fit(kinds.rows(seen, task) if past is None else past.learnt(origin, task))
            spent[CHALLENGER][0] += time.process_time() - started
        known = None if past is None else past.at(origin)
        table, seconds = forecast(frame, task, Window(number, origin, makers), known)
        tables.append(table)
        for model, predict in seconds.items():
            spent[model][1] += predict
    predictions = by_item(tables)
    require_all(predictions["window"].unique(), windows)
    return Backtest(
        predictions=predictions,
        overall=metrics.score(predictions, task, ["model"]),
        seconds=pd.DataFrame([{"model": m, "fit": f, "predict": p} for m, (f, p) in spent.items()]),
    )


@dataclass(frozen=True)
class Window:
    """One origin of a backtest.

    Attributes:
        number: 0 is the oldest.
        origin: the last timestamp known.
        models: name -> who forecasts.
    """

    number: int
    origin: pd.Timestamp
    models: Mapping[str, Model | baselines.SeasonalNaive]


def forecast(
    frame: pd.DataFrame, task: Task, window: Window, known: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Forecast all items, or some, from the origin of a window, beside what came.

    Args:
        frame: canonical long table of these items.
        task: what is forecast.
        window: whence, and by whom.
        known: the same up to the origin as it was known there, and its known covariates; None: what the frame says.

    Returns:
        Rows as of `Backtest.predictions`, model by model; none where no item is alive at the origin. And of each model
        the processor seconds.
    """
    known = frame if known is None else known
    seen = known.loc[(known[TIME] <= window.origin).to_numpy()]
    alive = baselines.alive_items(seen, task, window.origin) if baselines.has_recent(seen, task, window.origin) else []
    answers, seconds = [], {}
    for name, model in window.models.items():
        started = time.process_time()
        if alive:
            made = deliver(model, task, known, window.origin, horizon=task.horizon, items=alive)
            answers.append(made.assign(model=name))
        seconds[name] = time.process_time() - started
    columns = ["window", "model", ITEM, "origin", TIME, "lead", TARGET, "mean", *task.quantile_columns]
    columns += [*task.cost_columns, "source", "mase_scale", "rmsse_scale"]
    if not answers:
        return pd.DataFrame(columns=columns), seconds
    table = pd.concat(answers, ignore_index=True).assign(window=window.number)
    table = table.merge(metrics.seasonal_scale(seen, task), on=ITEM, how="left")
    table = table.merge(frame[[ITEM, TIME, TARGET]], on=[ITEM, TIME], how="left")
    return table.loc[:, columns], seconds


def by_item(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join rows of the same items from several windows, or of several models: by item and window, then as they came."""
    there = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(there, ignore_index=True).sort_values([ITEM, "window"], kind="stable", ignore_index=True)


def require_all(found: Iterable[int], windows: int) -> None:
    """Raise a DataError unless something was forecast in each of so many windows."""
    missing = sorted({*range(windows)} - {*found})
    if missing:
        raise DataError(
            f"nothing was observed lately at the origin of window {missing[0]} of the backtest (0 is the oldest): "
            "use fewer windows or another step, or fill the gap in the observations"
        )


def origins(frame: pd.DataFrame, task: Task, windows: int, step: int | None = None) -> list[pd.Timestamp]:
    """Return the origins of a backtest, the oldest first.

    Raises:
        DataError: the data do not reach back far enough.
    """
    observed = frame.loc[frame[TARGET].notna(), TIME]
    return origins_between(observed.min(), observed.max(), task, windows, step)


def origins_between(
    first: pd.Timestamp, last: pd.Timestamp, task: Task, windows: int, step: int | None = None
) -> list[pd.Timestamp]:
    """Return the origins of a backtest of targets that are observed from `first` to `last`; see `origins`."""
    step = task.horizon if step is None else step
    if windows < 1 or step < 1:
        raise UsageError(f"a backtest needs at least one window and one step, not {windows} and {step}")
    if pd.isna(last):
        raise DataError("the backtest has no observed target to score against")
    offset = to_offset(task.frequency)
    found = [last - task.horizon * offset - step * back * offset for back in reversed(range(windows))]
    needed = found[0] - (features.MINIMUM_HISTORY + 1) * offset
    if first > needed:
        shorter = "use fewer windows, a shorter step or horizon, or " if max(windows, task.horizon) > 1 else ""
        raise DataError(
            f"a backtest of {counted(windows, 'window')} of {counted(task.horizon, 'step')} needs observed targets "
            f"from {stamp(needed)} on, and they begin at {stamp(first)}: {shorter}"
            "take a table, or partitions, that start earlier"
        )
    return found


def most_windows(steps: int, horizon: int) -> int:
    """Return how many windows, a horizon apart, a history of so many steps has room for; see `origins_between`."""
    return max(0, (steps - features.MINIMUM_HISTORY - 2) // horizon)


def steps_needed(task: Task, windows: int, step: int | None = None) -> int:
    """Return over how many steps targets must be observed, so that the first window has a season to learn from."""
    step = task.horizon if step is None else step
    return features.MINIMUM_HISTORY + 1 + min(task.season_lengths) + step * (windows - 1) + task.horizon


def with_names_of_today(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return a stored backtest, of any release, with the models called as they are now."""
    return predictions.assign(model=predictions["model"].replace(FORMERLY))
