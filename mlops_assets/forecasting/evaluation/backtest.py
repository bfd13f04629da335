"""Rolling origins: refit on what was known, forecast what came after, score both models on the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from pandas.tseries.frequencies import to_offset

from mlops_assets.forecasting.delivery import deliver
from mlops_assets.forecasting.evaluation import metrics
from mlops_assets.forecasting.model import baselines, features, kinds
from mlops_assets.forecasting.model.errors import DataError, UsageError
from mlops_assets.forecasting.model.kinds import Model
from mlops_assets.forecasting.model.panel import ITEM, TARGET, TIME
from mlops_assets.forecasting.model.task import Task

CHALLENGER, NAIVE, CHAMPION = "challenger", "seasonal_naive", "champion"
"""Names of the models in a backtest: the one that is fitted, the baseline, and the one in charge."""
FORMERLY = {"forest": CHALLENGER}
"""Names that release 0.1.0 gave to models."""


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

    Raises:
        ValueError: an unknown model, or history too short for the windows.
    """
    strange = sorted({*models} - {CHALLENGER, NAIVE})
    if strange or not models:
        raise UsageError(f"unknown models {strange}; known are {CHALLENGER}, {NAIVE}")
    if until is not None:
        frame = frame.loc[(frame[TIME] <= until).to_numpy()]
    fit = fit or (lambda rows: kinds.fit(rows, task))
    parts, spent = [], {model: [0.0, 0.0] for model in models}
    for window, origin in enumerate(origins(frame, task, windows, step)):
        seen = frame.loc[(frame[TIME] <= origin).to_numpy()]
        alive = baselines.alive_items(seen, task, origin)
        answers = []
        for model in models:
            started = time.process_time()
            forecaster = fit(kinds.rows(seen, task)) if model == CHALLENGER else None
            fitted = time.process_time()
            table = deliver(forecaster or baselines.SeasonalNaive(task), task, frame, origin, items=alive)
            spent[model][0] += fitted - started
            spent[model][1] += time.process_time() - fitted
            answers.append(table.assign(model=model))
        joined = pd.concat(answers, ignore_index=True).assign(window=window)
        joined = joined.merge(metrics.seasonal_scale(seen, task), on=ITEM, how="left")
        parts.append(joined.merge(frame[[ITEM, TIME, TARGET]], on=[ITEM, TIME], how="left"))
    predictions = pd.concat(parts, ignore_index=True)
    columns = ["window", "model", ITEM, "origin", TIME, "lead", TARGET, "mean", *task.quantile_columns]
    columns += [*task.cost_columns, "source", "mase_scale", "rmsse_scale"]
    predictions = predictions.loc[:, columns]
    return Backtest(
        predictions=predictions,
        overall=metrics.score(predictions, task, ["model"]),
        seconds=pd.DataFrame([{"model": m, "fit": f, "predict": p} for m, (f, p) in spent.items()]),
    )


def origins(frame: pd.DataFrame, task: Task, windows: int, step: int | None = None) -> list[pd.Timestamp]:
    """Return the origins of a backtest, the oldest first.

    Raises:
        DataError: the data do not reach back far enough.
    """
    step = task.horizon if step is None else step
    if windows < 1 or step < 1:
        raise UsageError(f"a backtest needs at least one window and one step, not {windows} and {step}")
    observed = frame.loc[frame[TARGET].notna(), TIME]
    if observed.empty:
        raise DataError("the backtest has no observed target to score against")
    offset = to_offset(task.frequency)
    last = observed.max() - task.horizon * offset
    found = [last - step * back * offset for back in reversed(range(windows))]
    needed = found[0] - (features.MINIMUM_HISTORY + 1) * offset
    if observed.min() > needed:
        raise DataError(
            f"{windows} windows of {task.horizon} steps need observed targets from {needed} on, and they "
            f"begin at {observed.min()}: use fewer windows, a shorter step or horizon, or partitions that start earlier"
        )
    return found


def steps_needed(task: Task, windows: int, step: int | None = None) -> int:
    """Return over how many steps targets must be observed, so that the first window has a season to learn from."""
    step = task.horizon if step is None else step
    return features.MINIMUM_HISTORY + 1 + min(task.season_lengths) + step * (windows - 1) + task.horizon


def with_names_of_today(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return a stored backtest, of any release, with the models called as they are now."""
    return predictions.assign(model=predictions["model"].replace(FORMERLY))
