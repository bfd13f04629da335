"""A search for better settings of a model on backtest windows, within a budget."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pandas as pd

from mlops_assets.errors import DataError, MissingExtraError, UsageError
from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, backtest, origins
from mlops_assets.forecasting.formatting import plain
from mlops_assets.forecasting.model import regressors
from mlops_assets.forecasting.model.task import ModelSettings, Task


@dataclass(frozen=True)
class TuningTrial:
    """One set of settings and its score.

    Attributes:
        number: 0 is the spec as it stands.
        model: the settings.
        score: the metric on the backtest windows of the search; NaN if it failed.
        seconds: processor seconds.
        message: why it failed; empty if it did not.
    """

    number: int
    model: ModelSettings
    score: float
    seconds: float
    message: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by their dotted names, as a spec spells them."""
        own = asdict(self.model)
        return {
            **{f"model.{name}": value for name, value in own.items() if name != "parameters"},
            **{f"model.parameters.{name}": value for name, value in self.model.parameters.items()},
        }

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON types; settings by their dotted names."""
        facts = {"number": self.number, "score": plain(self.score), "seconds": self.seconds, "message": self.message}
        return {**self.settings, **facts}


Listener = Callable[[TuningTrial], None]


def require_tunable(model: ModelSettings) -> None:
    """Refuse what cannot be searched.

    Raises:
        MissingExtraError: Optuna is not installed.
        UsageError: nothing is known to tune in this kind of model.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtraError.of("tuning", "optuna", "tune") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kind = regressors.short_name(model.kind)
    if kind not in regressors.NAMED:
        raise UsageError(f"nothing is known to tune in {kind}; known are {', '.join(regressors.NAMED)}")


@dataclass(frozen=True)
class Budget:
    """What a search may spend.

    Attributes:
        deadline: of the search and of the comparison after it, by `time.monotonic`.
        trials: at most so many; None: as many as there is time for.
    """

    deadline: float
    trials: int | None

    def seconds_left(self, reserved: float) -> float:
        """Return the seconds until the deadline, less some that are reserved."""
        return self.deadline - time.monotonic() - reserved

    @property
    def more_trials(self) -> int | None:
        """How many trials may follow the first; None: any number."""
        return None if self.trials is None else self.trials - 1


@dataclass
class Search:
    """A search for settings, all of them tried on the same windows.

    Attributes:
        task: what is forecast, with the present settings.
        history: canonical frame.
        metric: what is made lower.
        held_out: backtest windows of the comparison after the search.
        step: steps between two origins; None: the horizon.
        until: the search sees only data until then; None: it sees all, for want of history.
        windows: backtest windows of the search.
        listen: told of each trial.
        trials: those done, in order.
    """

    task: Task
    history: pd.DataFrame
    metric: str
    held_out: int
    step: int | None
    until: pd.Timestamp | None
    windows: int
    listen: Listener
    trials: list[TuningTrial] = field(default_factory=list)

    @classmethod
    def of(
        cls, task: Task, history: pd.DataFrame, metric: str, windows: int, step: int | None, listen: Listener
    ) -> "Search":
        """Make a search on windows before those of the comparison, where there is history enough."""
        until, shared = _search_windows(history, task, windows, step)
        return cls(task, history, metric, windows, step, until, shared, listen)

    def run(self, budget: Budget) -> None:
        """Try the spec as it stands, then others while the budget lasts; the comparison's two backtests are kept free.

        Raises:
            DataError: the spec as it stands cannot be scored.
        """
        import optuna

        began = time.monotonic()
        first = self.attempt(self.task.model)
        if first.message:
            raise DataError(f"the spec as it stands cannot be scored: {first.message}")
        one = time.monotonic() - began
        left = budget.seconds_left(2 * one if self.until is not None else 0)
        if left > 0 and budget.more_trials != 0:
            sampler = optuna.samplers.TPESampler(seed=self.task.model.seed, n_startup_trials=8)
            optuna.create_study(sampler=sampler).optimize(self._objective, n_trials=budget.more_trials, timeout=left)

    def _objective(self, drawn: Any) -> float:
        import optuna

        trial = self.attempt(suggest(drawn, self.task.model))
        if trial.message:
            raise optuna.TrialPruned(trial.message)
        return trial.score

    def attempt(self, model: ModelSettings) -> TuningTrial:
        """Score some settings, and tell of them."""
        began = time.process_time()
        score, message = float("nan"), ""
        try:
            score = self.score(model, self.windows, self.until)
            if math.isnan(score):
                message = f"{self.metric} is not defined on the windows, whose targets are all zero or never change"
        except ValueError as error:
            message = str(error)
        trial = TuningTrial(len(self.trials), model, score, round(time.process_time() - began, 2), message)
        self.trials.append(trial)
        self.listen(trial)
        return trial

    def score(self, model: ModelSettings, windows: int, until: pd.Timestamp | None) -> float:
        """Return the metric of a backtest with some settings, on the data until a moment (None: all)."""
        task = replace(self.task, model=model)
        result = backtest(self.history, task, windows, self.step, models=(CHALLENGER,), until=until)
        return float(result.overall[self.metric].iloc[0])

    @property
    def best(self) -> TuningTrial:
        """The trial with the lowest score."""
        return min((trial for trial in self.trials if not trial.message), key=lambda trial: trial.score)

    def compare_held_out(self) -> tuple[float, float]:
        """Score the present settings and the best ones on the windows that were held out.

        Returns:
            (before, after): the metric of each; those of the search itself where it shared the windows, and where the
            present settings are the best ones.
        """
        first, best = self.trials[0], self.best
        if self.until is None or best.number == first.number:
            return first.score, best.score
        return self.score(first.model, self.held_out, None), self.score(best.model, self.held_out, None)


def suggest(trial: Any, model: ModelSettings) -> ModelSettings:
    """Draw settings from the space of a kind of model; parameters that are not in it stay as they are.

    Args:
        trial: Optuna's.
        model: the present settings.
    """
    kind = regressors.short_name(model.kind)
    if kind in regressors.FORESTS:
        kind = trial.suggest_categorical("kind", sorted(regressors.FORESTS))
        found: dict[str, Any] = {
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 30, log=True),
            "max_features": round(trial.suggest_float("max_features", 0.1, 0.8), 2),
            "n_estimators": trial.suggest_categorical("n_estimators", [20, 40, 80]),
        }
    elif kind == regressors.LIGHTGBM:
        found = {
            "learning_rate": round(trial.suggest_float("learning_rate", 0.02, 0.3, log=True), 3),
            "n_estimators": trial.suggest_int("n_estimators", 50, 400, step=50),
            "num_leaves": trial.suggest_int("num_leaves", 7, 63, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 5, 200, log=True),
        }
    else:
        found = {
            "learning_rate": round(trial.suggest_float("learning_rate", 0.02, 0.3, log=True), 3),
            "max_iter": trial.suggest_int("max_iter", 50, 400, step=50),
            "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 7, 63, log=True),
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 200, log=True),
        }
    rows = trial.suggest_categorical("max_training_rows", [30_000, 100_000, 200_000])
    return replace(model, kind=kind, parameters={**model.parameters, **found}, max_training_rows=rows)


def _search_windows(
    history: pd.DataFrame, task: Task, wanted: int, step: int | None
) -> tuple[pd.Timestamp | None, int]:
    """Until when the search may look, and at how many windows; None where it must share those of the comparison."""
    first = origins(history, task, wanted, step)[0]
    known = history[history["timestamp"] <= first]
    for windows in range(wanted, 0, -1):
        try:
            if (
                origins(known, task, windows, step)[0] - known["timestamp"].min()
                >= (first - known["timestamp"].min()) / 2
            ):
                return first, windows
        except ValueError:
            continue
    return None, wanted
