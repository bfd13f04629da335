"""Fitting: training rows in, a forecaster out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from . import regressors
from .baselines import Population
from .encoding import Encoding, plain_columns
from .errors import DataError
from .features import is_reference, is_smoothed
from .forecaster import LEVEL, Forecaster
from .panel import TARGET, TIME
from .quantiles import GRID, anchors, of_more_trees, right_levels
from .scaling import Scaling, rebased, squash, stretch
from .task import ModelSettings, Task
from .trees import Trees, join, known_codes

SHARE, ROWS_PER_TREE = 0.2, 4000
"""Share of the rows that each tree of a bootstrapped forest learns from, or this many if that is more."""
HELD_OUT = 0.8
"""Share of the origins after which a trial forest is held against what came, for its `anchors`."""
TRIAL_TREES, OTHERS = 8, 4
"""Trees of a trial forest that learn targets from the level, and from each other reference: the most that may do so."""
EXCHANGED, GAIN = 2, 0.004
"""How many of these at once, and the least share of the loss that this must save."""
LEAST, MOST = 200, 6000
"""Rows on either side of the trial: with fewer there is none, and more are not looked at."""
STEP, MOST_BLENDED = 0.1, 0.6
"""Shares by which a forest is drawn towards smoothed forecasts, and the most in all: a trial flatters them."""
WORTH = 0.002
"""Least share of the loss that such a step must save."""


@dataclass(frozen=True)
class Sample:
    """Rows to learn from.

    Attributes:
        X: codes, NaN where missing, shape (rows, columns).
        y: targets from the level, in scales, squashed, shape (rows,), float32.
        away: reference -> how far it lies from the level, in scales, zero where it is unknown, shape (rows,).
    """

    X: np.ndarray
    y: np.ndarray
    away: dict[str, np.ndarray]

    @classmethod
    def of(cls, training: pd.DataFrame, encoding: Encoding) -> Sample:
        """Take them from rows of `features.training_rows`."""
        return cls(
            encoding.matrix(plain_columns(training, encoding.names)),
            training["y"].to_numpy(dtype=np.float32),
            {
                name: np.nan_to_num(training[name].to_numpy(dtype=np.float64))
                for name in map(str, training.columns)
                if is_reference(name)
            },
        )

    def some(self, rows: np.ndarray) -> Sample:
        """Return some of the rows, by their numbers."""
        return Sample(self.X[rows], self.y[rows], {name: values[rows] for name, values in self.away.items()})

    def targets(self, base: str) -> np.ndarray:
        """`y`, but from a reference."""
        return self.y if base == LEVEL else rebased(self.y, -self.away[base])


def fit(
    training: pd.DataFrame, task: Task, made: type[Forecaster] = Forecaster, own: Callable[[], Any] | None = None
) -> Forecaster:
    """Fit the task's regressor on rows of `features.training_rows`, also when read back from Parquet or SQL.

    Args:
        training: the rows.
        task: what is forecast.
        made: what comes of it.
        own: makes the regressor, not fitted; None: it is the engine's, by the task's kind.

    Raises:
        ValueError: the kind of model or one of its parameters is not known, or there are no rows, or too few.
    """
    if training.empty:
        raise DataError("there are no training rows")
    encoding = Encoding.learn(training)
    scaling = Scaling.from_name(str(training["scaling"].iloc[0]))
    sample = Sample.of(training, encoding)
    population = Population.of(
        training[TARGET].to_numpy(dtype=float), scaling.backward(training["reference"].to_numpy(dtype=float))
    )
    forecaster = partial(
        made,
        task,
        scaling,
        encoding,
        seen=(float(training["reference"].min()), float(training["reference"].max())),
        lowest=float(training[TARGET].min()),
        population=population,
    )
    origin, timestamp = (pd.to_datetime(training[name]).to_numpy() for name in ("origin", TIME))
    if not regressors.is_forest(task.model.kind):
        return forecaster(*regressors.fit_calibrated(task.model, sample.X, sample.y, origin, timestamp, own))

    def forest(sample: Sample, counts: Mapping[str, int]) -> Forecaster:
        model, bases, importance = fit_mixture(task.model, sample, counts)
        return forecaster(model, importance, bases=bases)

    trees = regressors.forest(task.model).n_estimators
    # Drawn by recency, the last fifth of the rows would be too few moments: there it is the last fifth of the time.
    moments = np.sort(origin) if task.model.recency is None else np.unique(origin)
    early, late = _before_and_after(moments[int(HELD_OUT * len(moments))], origin, timestamp)
    if min(len(early), len(late)) < LEAST:
        return forest(sample, {LEVEL: trees})
    before = sample.some(early)
    trial = forest(before, {LEVEL: min(trees, TRIAL_TREES)})
    trial = _mended(trial, before, sample.some(late), training.iloc[late], trees)
    others = {name: trees * count // len(trial.bases) for name, count in Counter(trial.bases).items() if name != LEVEL}
    whole = forest(sample, {LEVEL: trees - sum(others.values()), **others})
    return replace(whole, blend=trial.blend, anchors=trial.anchors)


def _mended(trial: Forecaster, early: Sample, late: Sample, held: pd.DataFrame, trees: int) -> Forecaster:
    """Give a trial forest the mixture, blend and anchors that later rows ask for.

    Args:
        trial: trees that learn from the level.
        early: what they have learnt from.
        late: later rows.
        held: the same, as training rows.
        trees: of the forest that is tried.
    """
    reference, scale, target = (held[name].to_numpy() for name in ("reference", "scale", TARGET))
    came = (trial.scaling.forward(target) - reference) / scale
    forests: dict[str, Any] = {LEVEL: trial.model}
    for name in nearest(late.away, came) if len(trial.bases) == TRIAL_TREES else []:
        forests[name], _, _ = fit_mixture(trial.task.model, early, {name: OTHERS})
    outcomes = {}
    for name, forest in forests.items():
        away = 0 if name == LEVEL else late.away[name][:, None]
        found = stretch(forest.outcomes(forest.locate(late.X))) + away
        outcomes[name] = found.reshape(len(held), forest.count, -1)
    taken = mixture(outcomes, came)
    mixed = join([forests[name].part(0, count) for name, count in taken.items()])
    trial = replace(trial, model=mixed, bases=tuple(Counter(taken).elements()))
    middle = stretch(np.median(trial.scaled(late.X, trial.others(held)), axis=1).astype(np.float64))
    smoothed = {name: held[name].to_numpy(dtype=np.float64) for name in filter(is_smoothed, trial.encoding.names)}
    trial = replace(trial, blend=blend(middle, smoothed, came))
    others = trial.others(held)

    def levels(of: slice) -> np.ndarray:
        return right_levels(trial.distribution(late.X, reference, scale, others, GRID, of)[1], target)

    whole = levels(slice(None))
    if mixed.count > 1:
        halves = (levels(slice(0, None, 2)) + levels(slice(1, None, 2))) / 2
        whole = of_more_trees(whole, halves, mixed.count, trees)
    return replace(trial, anchors=anchors(whole, _horizons(held, trial.task.horizon)))


def _horizons(held: pd.DataFrame, horizon: int) -> float:
    """Over how many horizons the origins of rows are spread."""
    origin, target = (pd.to_datetime(held[name]).to_numpy() for name in ("origin", TIME))
    step = np.median((target - origin) / held["lead"].to_numpy())
    return float((origin.max() - origin.min()) / (step * horizon))


def nearest(away: dict[str, np.ndarray], target: np.ndarray) -> list[str]:
    """Of each season the reference that later targets lay nearest to; all in scales from the level, shape (rows,)."""
    missed = {name: float(squash(np.abs(target - values)).mean()) for name, values in away.items()}
    seasons = groupby(missed, key=lambda name: name.rpartition("_")[0])
    return [min(names, key=lambda name: missed[name]) for _, names in seasons]


def mixture(outcomes: dict[str, np.ndarray], target: np.ndarray) -> dict[str, int]:
    """How many trees should learn targets from each reference, as later targets have shown.

    Greedy, as `blend`: trees of the level give way to those of another reference as long as that helps; half of them
    at most.

    Args:
        outcomes: reference, the level first -> outcomes in scales from the level, shape (rows, trees, outcomes).
        target: what came, in the same units, shape (rows,).

    Returns:
        Reference -> trees, as many in all as there are of the level.
    """

    def loss(taken: dict[str, int]) -> float:
        found = np.concatenate([outcomes[name][:, :count].reshape(len(target), -1) for name, count in taken.items()], 1)
        return float(squash(np.abs(target - np.median(found, axis=1))).mean())

    trees = outcomes[LEVEL].shape[1]
    taken = {LEVEL: trees}
    least = loss(taken)
    while taken[LEVEL] - EXCHANGED >= trees / 2:
        fewer = {**taken, LEVEL: taken[LEVEL] - EXCHANGED}
        tried = [{**fewer, name: taken.get(name, 0) + EXCHANGED} for name in outcomes if name != LEVEL]
        losses = [loss(others) for others in tried]
        if not tried or min(losses) > (1 - GAIN) * least:
            break
        least, taken = min(losses), tried[int(np.argmin(losses))]
    return taken


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


def fit_mixture(
    model: ModelSettings, sample: Sample, counts: Mapping[str, int], share: float = SHARE
) -> tuple[Trees, tuple[str, ...], np.ndarray]:
    """Fit a forest of which some trees learn targets from the level, others from another reference.

    Args:
        model: kind, parameters and seed.
        sample: what to learn from.
        counts: reference, or `LEVEL` -> number of trees.
        share: of the rows that each tree of a bootstrapped forest learns from.

    Returns:
        The trees, the reference of each, and the importance of each column.

    Raises:
        DataError: a parameter has a value that it cannot have.
    """
    codes = known_codes(sample.X)
    share = max(share, ROWS_PER_TREE / len(codes))
    parts, importance = [], np.zeros(codes.shape[1])
    for base, count in counts.items():
        forest = regressors.forest(model).set_params(n_estimators=count)
        if forest.bootstrap and "max_samples" not in model.parameters and share < 1:
            forest.set_params(max_samples=share)
        y = sample.targets(base)
        try:
            forest.fit(codes, y)
        except ValueError as error:
            raise DataError(f"{model.kind} cannot learn from the training rows: {error}") from error
        parts.append(Trees.of(forest.estimators_, codes, y))
        importance += forest.feature_importances_ * count / sum(counts.values())
    return join(parts), tuple(Counter(counts).elements()), importance


def _before_and_after(cut: Any, origin: np.ndarray, timestamp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that were known at a moment, and a bounded number of those with a later origin."""
    late = np.flatnonzero(origin >= cut)
    some = np.linspace(0, len(late) - 1, min(len(late), MOST)).astype(np.int64)
    return np.flatnonzero(timestamp <= cut), late[some]
