"""Fitting: training rows in, a forecaster out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from . import regressors
from .baselines import Population
from .encoding import Encoding, plain_columns
from .errors import DataError
from .features import is_smoothed
from .forecaster import Forecaster
from .panel import TARGET, TIME
from .quantiles import GRID, anchors, of_more_trees, right_levels
from .scaling import Scaling, squash, stretch
from .task import ModelSettings, Task
from .trees import Trees, known_codes

SHARE, ROWS_PER_TREE = 0.2, 4000
"""Share of the rows that each tree of a bootstrapped forest learns from, or this many if that is more."""
HELD_OUT = 0.8
"""Share of the origins after which a trial forest is held against what came, for its `anchors`."""
TRIAL_TREES = 10
"""Of a trial forest, at most."""
LEAST, MOST = 200, 6000
"""Rows on either side of the trial: with fewer there is none, and more are not looked at."""
STEP, MOST_BLENDED = 0.1, 0.6
"""Shares by which a forest is drawn towards smoothed forecasts, and the most in all: a trial flatters them."""
WORTH = 0.002
"""Least share of the loss that such a step must save."""


def fit(training: pd.DataFrame, task: Task) -> Forecaster:
    """Fit the task's regressor on rows of `features.training_rows`, also when read back from Parquet or SQL.

    Raises:
        ValueError: the kind of model or one of its parameters is not known, or there are no rows, or too few.
    """
    if training.empty:
        raise DataError("there are no training rows")
    encoding = Encoding.learn(training)
    scaling = Scaling.from_name(str(training["scaling"].iloc[0]))
    X = encoding.matrix(plain_columns(training, encoding.names))
    y = training["y"].to_numpy(dtype=np.float32)
    known = {
        "seen": (float(training["reference"].min()), float(training["reference"].max())),
        "lowest": float(training[TARGET].min()),
        "population": Population.of(
            training[TARGET].to_numpy(dtype=float), scaling.backward(training["reference"].to_numpy(dtype=float))
        ),
    }
    origin, timestamp = (pd.to_datetime(training[name]).to_numpy() for name in ("origin", TIME))
    if not regressors.is_forest(task.model.kind):
        model, importance = regressors.fit_calibrated(task.model, X, y, origin, timestamp)
        return Forecaster(task, scaling, encoding, model, importance, **known)
    model, importance = fit_trees(task.model, X, y)
    forecaster = Forecaster(task, scaling, encoding, model, importance, **known)
    # Drawn by recency, the last fifth of the rows would be too few moments: there it is the last fifth of the time.
    moments = np.sort(origin) if task.model.recency is None else np.unique(origin)
    early, late = _before_and_after(moments[int(HELD_OUT * len(moments))], origin, timestamp)
    if min(len(early), len(late)) < LEAST:
        return forecaster
    trial, _ = fit_trees(task.model, X[early], y[early], most=TRIAL_TREES)
    held = training.iloc[late]
    reference, scale, target = (held[name].to_numpy() for name in ("reference", "scale", TARGET))
    middle = stretch(np.median(trial.outcomes(trial.locate(X[late])), axis=1).astype(np.float64))
    smoothed = {name: held[name].to_numpy(dtype=np.float64) for name in filter(is_smoothed, encoding.names)}
    forecaster = replace(forecaster, blend=blend(middle, smoothed, (scaling.forward(target) - reference) / scale))
    drawn_to = forecaster.smoothed(smoothed, len(late))

    def levels(trees: slice) -> np.ndarray:
        found = replace(forecaster, model=trial).distribution(X[late], reference, scale, drawn_to, GRID, trees)[1]
        return right_levels(found, target)

    whole, half = levels(slice(None)), trial.count // 2
    if half:
        halves = (levels(slice(half)) + levels(slice(half, None))) / 2
        whole = of_more_trees(whole, halves, trial.count, model.count)
    return replace(forecaster, anchors=anchors(whole))


def blend(middle: np.ndarray, smoothed: dict[str, np.ndarray], target: np.ndarray) -> dict[str, float]:
    """Shares by which forecasts should be drawn towards others, as later targets have shown.

    Greedy selection, after Caruana et al. (2004), "Ensemble selection from libraries of models", ICML: the one that
    helps most gets a step more, until none helps. Losses are squashed: a few wild items decide nothing.

    Args:
        middle: medians of a forest, in scales from the reference, shape (rows,).
        smoothed: name -> other forecasts, in the same units, shape (rows,), NaN where unknown.
        target: what came, in the same units, shape (rows,).

    Returns:
        The names that help -> their shares, at most `MOST_BLENDED` in all.
    """
    steps = {name: np.nan_to_num(values - middle) * STEP for name, values in smoothed.items()}
    taken = dict.fromkeys(steps, 0)
    left = target - middle
    loss = squash(np.abs(left)).mean()
    while steps and sum(taken.values()) < round(MOST_BLENDED / STEP):
        losses = {name: squash(np.abs(left - step)).mean() for name, step in steps.items()}
        best = min(losses, key=lambda name: losses[name])
        if losses[best] > (1 - WORTH) * loss:
            break
        loss, left = losses[best], left - steps[best]
        taken[best] += 1
    return {name: count * STEP for name, count in taken.items() if count}


def fit_trees(
    model: ModelSettings, X: np.ndarray, y: np.ndarray, most: int | None = None, share: float = SHARE
) -> tuple[Trees, np.ndarray]:
    """Fit a forest on codes of shape (rows, columns) and scaled targets of shape (rows,).

    Args:
        model: kind, parameters and seed.
        X: codes, NaN where missing.
        y: scaled targets.
        most: upper bound of the number of trees.
        share: of the rows that each tree of a bootstrapped forest learns from.

    Returns:
        The trees, and the importance of each column.

    Raises:
        DataError: a parameter has a value that it cannot have.
    """
    forest = regressors.forest(model)
    share = max(share, ROWS_PER_TREE / len(y))
    if forest.bootstrap and "max_samples" not in model.parameters and share < 1:
        forest.set_params(max_samples=share)
    if most is not None:
        forest.set_params(n_estimators=min(most, forest.n_estimators))
    codes = known_codes(X)
    try:
        forest.fit(codes, y)
    except ValueError as error:
        raise DataError(f"{model.kind} cannot learn from the training rows: {error}") from error
    return Trees.of(forest.estimators_, codes, y), forest.feature_importances_


def _before_and_after(cut: Any, origin: np.ndarray, timestamp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that were known at a moment, and a bounded number of those with a later origin."""
    late = np.flatnonzero(origin >= cut)
    some = np.linspace(0, len(late) - 1, min(len(late), MOST)).astype(np.int64)
    return np.flatnonzero(timestamp <= cut), late[some]
