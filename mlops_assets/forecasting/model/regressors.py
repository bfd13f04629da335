"""Regressors by name: forests, gradient boosting, and any other of scikit-learn's that a model file can hold.

A forest brings its own quantiles (see `trees.Trees`). Every other regressor is asked for a point, and its
quantiles are those of its errors on rolling origins, each fitted on what was known before, scaled by how large
an error to expect of each row: locally weighted split conformal prediction, after Papadopoulos, Gammerman
and Vovk (2008), "Normalized nonlinear predictive systems", AIA, and Lei et al. (2018), "Distribution-free
predictive inference for regression", Journal of the American Statistical Association 113.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

from .errors import DataError, MissingExtraError, UsageError
from .task import ModelSettings

FORESTS = {
    "random_forest": "sklearn.ensemble.RandomForestRegressor",
    "extra_trees": "sklearn.ensemble.ExtraTreesRegressor",
}
LIGHTGBM = "lightgbm"
NAMED = {
    **FORESTS,
    "hist_gradient_boosting": "sklearn.ensemble.HistGradientBoostingRegressor",
    LIGHTGBM: "lightgbm.LGBMRegressor",
}
OTHERS = frozenset(
    f"sklearn.{module}.{name}"
    for module, names in {
        "dummy": "DummyRegressor",
        "ensemble": "AdaBoostRegressor BaggingRegressor GradientBoostingRegressor",
        "linear_model": "ARDRegression BayesianRidge ElasticNet ElasticNetCV GammaRegressor HuberRegressor Lars LarsCV "
        "Lasso LassoCV LassoLars LassoLarsCV LassoLarsIC LinearRegression OrthogonalMatchingPursuit "
        "OrthogonalMatchingPursuitCV PoissonRegressor QuantileRegressor RANSACRegressor Ridge RidgeCV SGDRegressor "
        "TheilSenRegressor",
        "svm": "LinearSVR NuSVR SVR",
        "tree": "DecisionTreeRegressor ExtraTreeRegressor",
    }.items()
    for name in names.split()
)
"""Import paths beside the named ones. Missing are those that a model file cannot hold, because they keep objects
that are not on its list (nearest neighbours, Gaussian processes, kernel ridge, neural networks), and those that
wrap another regressor."""
DEFAULTS: dict[str, dict[str, Any]] = {
    "random_forest": {"n_estimators": 40, "min_samples_leaf": 3, "max_features": 0.2, "n_jobs": -1},
    "extra_trees": {"n_estimators": 60, "min_samples_leaf": 5, "max_features": 1 / 2, "n_jobs": -1},
    "hist_gradient_boosting": {
        "loss": "absolute_error",
        "max_iter": 200,
        "learning_rate": 0.08,
        "early_stopping": False,
    },
    LIGHTGBM: {
        "objective": "regression_l1",
        "n_estimators": 200,
        "learning_rate": 0.08,
        "num_leaves": 31,
        "n_jobs": 1,
    },
}
"""Keyword arguments that the engine chooses, where the task does not."""
CUTS = (0.4, 0.6, 0.8)
"""Where the training rows are cut, as shares of the origins: errors are those between each cut and the next."""
LEAST = 50
"""Rows that a fit, and a measurement of errors, needs."""
TRIAL_ROWS = 20_000
"""Most rows of a fit that is only made to see its errors."""
TINY = 1e-6
OUTCOMES = 200
"""Errors that are kept, evenly spaced in rank."""


def import_path(kind: str) -> str:
    """Return the import path of a kind of model.

    Raises:
        ValueError: it is neither a known name nor an import path on the list.
    """
    if not is_regressor(kind):
        raise UsageError(
            f"the model kind {kind!r} is not known; known are {', '.join(NAMED)} and import paths of scikit-learn's "
            "regressors that a model file can hold, such as sklearn.linear_model.Ridge"
        )
    return NAMED.get(kind, kind)


def is_regressor(kind: str) -> bool:
    """Whether the kind is a regressor of feature rows, under its name or its import path."""
    return kind in NAMED or kind in NAMED.values() or kind in OTHERS


def is_forest(kind: str) -> bool:
    """Whether the kind is a forest, under its name or its import path."""
    return NAMED.get(kind, kind) in FORESTS.values()


def short_name(kind: str) -> str:
    """Name of a kind: the one that defaults are kept under, or else its import path."""
    return {path: name for name, path in NAMED.items()}.get(kind, kind)


def defaults(kind: str) -> dict[str, Any]:
    """Keyword arguments of a kind of model that the engine chooses, where the task does not."""
    return DEFAULTS.get(short_name(kind), {})


def build(model: ModelSettings) -> Any:
    """Make the regressor of some settings, not fitted; the engine's defaults stand where the settings say nothing.

    Raises:
        ValueError: the kind or a parameter is not known.
    """
    return _made(_class(model.kind), model)


def forest(model: ModelSettings) -> Any:
    """Make a forest, not fitted, by the accelerator that the settings name, else scikit-learn's.

    Raises:
        UsageError: the kind, a parameter or the accelerator is not known.
        MissingExtraError: the accelerator is not installed.
    """
    if model.accelerator is None:
        return build(model)
    if model.accelerator != "intelex":
        raise UsageError(f"the accelerator {model.accelerator!r} is not known; there is intelex")
    try:
        maker = getattr(import_module("sklearnex.ensemble"), _class(model.kind).__name__)
    except ImportError:
        raise MissingExtraError.of("model.accelerator: intelex", "sklearnex", "intelex") from None
    return _made(maker, model)


def prove(model: ModelSettings) -> None:
    """Have a regressor take the settings' parameters; LightGBM, which looks at them late, by a tree of a few rows.

    Raises:
        UsageError: it does not take them.
        MissingExtraError: its library is not installed.
    """
    if not model.parameters:
        return
    made = build(model)
    if short_name(model.kind) == LIGHTGBM:
        rows = np.random.default_rng(0).random((2 * LEAST, 2))
        try:
            made.set_params(n_estimators=1).fit(rows, rows[:, 0])
        except Exception as error:  # the library's own
            raise UsageError(f"LightGBM can do nothing with model.parameters: {error}") from error


def parameters(kind: str) -> list[str]:
    """Names of the keyword arguments of a kind of model."""
    return list(inspect.signature(_class(kind)).parameters)


def _class(kind: str) -> Any:

    module, _, name = import_path(kind).rpartition(".")
    try:
        return getattr(import_module(module), name)
    except ImportError:
        raise MissingExtraError.of(f"model.kind: {kind}", module, LIGHTGBM) from None


def _made(maker: Any, model: ModelSettings) -> Any:
    known = parameters(model.kind)
    strange = sorted({*model.parameters} - {*known})
    if strange:
        raise UsageError(f"{model.kind} has no parameter {', '.join(strange)}; it has {', '.join(known)}")
    seed: dict[str, Any] = {"random_state": model.seed} if "random_state" in known else {}
    if short_name(model.kind) == LIGHTGBM:  # the same model whatever the number of threads, and no words about it
        seed |= {"deterministic": True, "force_row_wise": True, "verbosity": -1}
    try:
        made = maker(**{**defaults(model.kind), **seed, **model.parameters})
    except TypeError as error:
        raise UsageError(f"the parameters of {model.kind} do not fit together: {error}") from error
    if hasattr(made, "_parameter_constraints"):  # scikit-learn looks at values only when it fits
        try:
            made._validate_params()
        except ValueError as error:
            raise UsageError(f"model.parameters: {error}") from error
    return made


@dataclass(frozen=True)
class Calibrated:
    """A fitted regressor, and the outcomes that its errors on held-out rows make likely.

    Attributes:
        point: regressor of the scaled target, scikit-learn's or somebody's own, or LightGBM's own text of a model.
        spread: regressor of the size of the error to expect.
        errors: errors of held-out rows over their expected size, ascending, shape (outcomes,), float32.
        filling: per column what stands for a missing value, shape (columns,); of no columns where the regressor
            takes missing values as they are.
    """

    point: Any
    spread: Any
    errors: np.ndarray
    filling: np.ndarray

    def locate(self, X: np.ndarray) -> np.ndarray:
        """Point and expected size of the error of each row: shape (rows, 2)."""
        filled = _filled(X, self.filling)
        with one_thread():
            return np.column_stack([self._predict(filled), np.maximum(self.spread.predict(X), TINY)])

    def outcomes(self, located: np.ndarray) -> np.ndarray:
        """Equally likely scaled targets, shape (rows, outcomes), for what `locate` has found."""
        return (located[:, :1] + located[:, 1:] * self.errors).astype(np.float32)

    @cached_property
    def _predict(self) -> Callable[[np.ndarray], Any]:
        """Predict by the regressor, or by LightGBM's model read from its text."""
        if not isinstance(self.point, str):
            return self.point.predict
        try:
            from lightgbm import Booster
        except ImportError:
            raise MissingExtraError.of("this model", "lightgbm", LIGHTGBM) from None
        return partial(Booster(model_str=self.point).predict, num_threads=1)


def one_thread() -> AbstractContextManager[Any]:
    """Have boosted trees fitted and asked in one thread, unless `OMP_NUM_THREADS` says in how many.

    OpenMP's threads wait for each other by spinning: on two processors that others use as well, two threads took
    twenty times the processor time of one, and ten times as long.
    """
    import sklearn.ensemble  # noqa: F401 - loads OpenMP, which can be told nothing before
    from threadpoolctl import threadpool_limits

    return threadpool_limits(None if "OMP_NUM_THREADS" in os.environ else 1, user_api="openmp")


def fit_calibrated(
    model: ModelSettings,
    X: np.ndarray,
    y: np.ndarray,
    origin: np.ndarray,
    timestamp: np.ndarray,
    own: Callable[[], Any] | None = None,
) -> tuple[Calibrated, np.ndarray]:
    """Fit any regressor, with the errors that it makes on origins later than what it has learnt from.

    Args:
        model: kind, parameters, seed.
        X: codes, NaN where missing, shape (rows, columns).
        y: scaled targets, shape (rows,).
        origin: of each row, shape (rows,).
        timestamp: of each row's target, shape (rows,).
        own: makes a regressor of somebody's own, which is given columns without gaps.

    Returns:
        The fitted regressor (on all rows; only its errors are of the first fit) and the importance of each column:
        how much worse the held-out errors get when it is shuffled, as shares that add up to one.

    Raises:
        ValueError: the kind or a parameter is not known, the regressor cannot learn from the rows, or there are too
            few of them to hold some out.
    """
    with one_thread():
        return _fit_calibrated(own or partial(build, model), model, X, y, origin, timestamp, gapless=own is not None)


def _fit_calibrated(
    make: Callable[[], Any],
    model: ModelSettings,
    X: np.ndarray,
    y: np.ndarray,
    origin: np.ndarray,
    timestamp: np.ndarray,
    gapless: bool,
) -> tuple[Calibrated, np.ndarray]:
    takes_missing = not gapless and make().__sklearn_tags__().input_tags.allow_nan
    filling = np.zeros(0) if takes_missing else _medians(X)
    held_out, away, trial = [], [], None
    for early, late in _forward_cuts(origin, timestamp):
        trial = _fitted(make, model.kind, _filled(X[early], filling), y[early])
        held_out.append(late)
        away.append(y[late] - trial.predict(_filled(X[late], filling)))
    if not held_out:
        raise DataError(
            f"{model.kind} gets its quantiles from its errors on later training rows than it has learnt from, and "
            f"{len(y)} rows cannot be cut into {LEAST} before and {LEAST} after: give more history or a shorter "
            "horizon, or use random_forest"
        )
    seen, error = X[np.concatenate(held_out)], np.concatenate(away)
    spread = _spread(seen, np.abs(error), model.seed)
    ordered = np.sort(error / np.maximum(spread.predict(seen), TINY))
    rank = ((np.arange(OUTCOMES) + 0.5) / OUTCOMES * len(ordered)).astype(np.int64)
    importance = _importance(trial, _filled(X[held_out[-1]], filling), y[held_out[-1]], model.seed)
    point = _fitted(make, model.kind, _filled(X, filling), y)
    if short_name(model.kind) == LIGHTGBM:
        point = point.booster_.model_to_string()
    return Calibrated(point, spread, ordered[rank].astype(np.float32), filling), importance


def _forward_cuts(origin: np.ndarray, timestamp: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to fit on, all known by a cut in time, and rows of origins from there to the next cut."""
    origin, timestamp = (times.astype("datetime64[us]").astype(np.int64) for times in (origin, timestamp))
    cuts = [*np.quantile(origin, CUTS), np.inf]
    for cut, stop in pairwise(cuts):
        early = np.flatnonzero(timestamp <= cut)
        late = np.flatnonzero((origin >= cut) & (origin < stop))
        if min(len(early), len(late)) >= LEAST:
            yield early[:: -(-len(early) // TRIAL_ROWS)], late


def _fitted(make: Callable[[], Any], kind: str, X: np.ndarray, y: np.ndarray) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regressor = make()
    if hasattr(regressor, "__sklearn_tags__") and not regressor.__sklearn_tags__().input_tags.allow_nan:
        regressor = make_pipeline(StandardScaler(), regressor)
    try:
        return regressor.fit(_with_values(X), y)
    except ValueError as error:
        raise DataError(f"{kind} cannot learn from the training rows: {error}") from error


def _spread(X: np.ndarray, size: np.ndarray, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    calm: dict[str, Any] = {"early_stopping": False}
    cautious = HistGradientBoostingRegressor(
        loss="poisson", max_iter=30, max_leaf_nodes=6, min_samples_leaf=400, random_state=seed, **calm
    )
    return cautious.fit(_with_values(X), size + TINY)


def _with_values(X: np.ndarray) -> np.ndarray:
    """Columns without any value, which gradient boosting cannot bin, as a constant, which says as little."""
    empty = np.isnan(X).all(axis=0)
    return np.where(empty, np.float32(0), X) if empty.any() else X


def _medians(X: np.ndarray) -> np.ndarray:
    seen = ~np.isnan(X)
    return np.array(
        [np.median(X[seen[:, column], column]) if seen[:, column].any() else 0.0 for column in range(X.shape[1])]
    )


def _filled(X: np.ndarray, filling: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(X), filling, X) if len(filling) else X


def _importance(regressor: Any, X: np.ndarray, y: np.ndarray, seed: int, rows: int = 2000) -> np.ndarray:
    random = np.random.default_rng(seed)
    some = random.permutation(len(y))[:rows]
    X, y = X[some].copy(), y[some]
    base = np.abs(y - regressor.predict(X)).mean()
    worse = np.zeros(X.shape[1])
    for column in range(X.shape[1]):
        kept = X[:, column].copy()
        X[:, column] = random.permutation(kept)
        worse[column] = max(np.abs(y - regressor.predict(X)).mean() - base, 0.0)
        X[:, column] = kept
    return worse / worse.sum() if worse.sum() > 0 else np.full(X.shape[1], 1 / X.shape[1])
