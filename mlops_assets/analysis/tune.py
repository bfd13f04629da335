"""Search for better settings of the model on the backtest, within a time budget; print them as a change of the spec."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.analysis.opened import QuestionError, read_history
from mlops_assets.analysis.spec_change import changed_text, diff
from mlops_assets.environments import open_stores
from mlops_assets.errors import DataError, MissingExtraError
from mlops_assets.forecasting.evaluation.backtest import CHALLENGER
from mlops_assets.forecasting.formatting import plain, stamp
from mlops_assets.forecasting.model import regressors
from mlops_assets.forecasting.model.task import ModelSettings
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec
from mlops_assets.tracking.studies import Study, open_study


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


@dataclass(frozen=True)
class TuningResult:
    """What a search has found.

    Attributes:
        forecast: name of the forecast.
        metric: what was made lower, the spec's `gate.metric`.
        trials: all that were tried, in order; the first is the spec as it stands.
        search_until: the search saw only data until then; None where it shared the windows of the comparison.
        best: number of the trial with the lowest score.
        before: the metric with the present settings on the spec's backtest windows.
        after: the metric with the best settings on the same.
        change: a unified diff of the spec's file; empty if nothing is better.
        written: whether the file was changed.
        run_id: the study's run in MLflow.
    """

    forecast: str
    metric: str
    trials: tuple[TuningTrial, ...]
    search_until: pd.Timestamp | None
    best: int
    before: float
    after: float
    change: str
    written: bool
    run_id: str

    @property
    def held_out(self) -> bool:
        """Whether the comparison was on windows that the search has not seen."""
        return self.search_until is not None

    @property
    def better(self) -> bool:
        """Whether the best settings beat the present ones in the comparison."""
        return self.after < self.before

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each trial: number, score, seconds, message and its settings by their dotted names."""
        rows = pd.DataFrame([trial.to_json() for trial in self.trials])
        first = ["number", "score", "seconds", "message"]
        return rows[[*first, *(name for name in rows.columns if name not in first)]]

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types, scores rounded to six decimals."""
        return {
            "forecast": self.forecast,
            "metric": self.metric,
            "trials": [trial.to_json() for trial in self.trials],
            "search_until": None if self.search_until is None else stamp(self.search_until),
            "held_out": self.held_out,
            "best": self.best,
            "before": plain(self.before),
            "after": plain(self.after),
            "better": self.better,
            "change": self.change,
            "written": self.written,
            "run_id": self.run_id,
        }


Listener = Callable[[TuningTrial], None]


def tune(
    spec: ForecastSpec,
    settings: Settings,
    minutes: float,
    trials: int | None = None,
    write: bool = False,
    listen: Listener = lambda trial: None,
) -> TuningResult:
    """Search the settings of the model for a lower `gate.metric`.

    The search looks at backtest windows before those of the spec; then the best settings and the present ones meet on
    the spec's own windows, which took no part in the choice, and the present ones stay unless they lose. Where the
    history is too short for that, both happen on the spec's windows, and the result says so.

    Args:
        spec: the forecast.
        settings: where MLflow is; the study is logged in the experiment `<name>_tuning`.
        minutes: budget of the search and of the last comparison. A trial that has begun is finished.
        trials: at most so many, the first of which is the spec as it stands.
        write: change the spec's file if something better was found.
        listen: told of each trial.

    Raises:
        MissingExtraError: Optuna is not installed.
        QuestionError: there is nothing to tune in this kind of model, or the file cannot be changed.
        DataError, SourceError, TrackingError: as `open_forecast` does.
    """
    _must_be_tunable(spec)
    metric = spec.gate.metric
    history, _ = read_history(spec, settings)
    budget = Budget(time.monotonic() + 60 * minutes, trials)
    tags = {"spec_hash": spec.fingerprint(), "metric": metric}
    with (
        open_stores(settings) as stores,
        open_study(stores.tracking, f"{spec.name}_tuning", f"tune {spec.name}", tags) as study,
    ):
        search = Search.of(spec, history, study, listen)
        search.run(budget)
        best = search.best
        before, after = compare_held_out(search)
        study.conclude(best.settings, {f"{metric}_before": before, f"{metric}_after": after})
    new = changed_text(spec, best.model) if after < before else None
    change = diff(spec, new) if new is not None else ""
    if write and new is not None:
        Path(spec.file).write_text(new, encoding="utf-8")
    return TuningResult(
        forecast=spec.name,
        metric=metric,
        trials=tuple(search.trials),
        search_until=search.until,
        best=best.number,
        before=before,
        after=after,
        change=change,
        written=write and new is not None,
        run_id=study.run_id,
    )


def _must_be_tunable(spec: ForecastSpec) -> None:
    try:
        import optuna
    except ImportError:
        raise MissingExtraError.of("tuning", "optuna", "tune") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kind = regressors.short_name(spec.task.model.kind)
    if kind not in regressors.NAMED:
        raise QuestionError(f"nothing is known to tune in {kind}; known are {', '.join(regressors.NAMED)}")


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
        spec: the forecast.
        history: canonical frame.
        until: the search sees only data until then; None: it sees all, for want of history.
        windows: backtest windows of the search.
        study: where each trial is logged.
        listen: told of each trial.
        trials: those done, in order.
    """

    spec: ForecastSpec
    history: pd.DataFrame
    until: pd.Timestamp | None
    windows: int
    study: Study
    listen: Listener
    trials: list[TuningTrial] = field(default_factory=list)

    @classmethod
    def of(cls, spec: ForecastSpec, history: pd.DataFrame, study: Study, listen: Listener) -> "Search":
        """Make a search on windows before those of the spec, where there is history enough."""
        until, windows = _search_windows(history, spec)
        return cls(spec, history, until, windows, study, listen)

    def run(self, budget: Budget) -> None:
        """Try the spec as it stands, then others while the budget lasts; the comparison's two backtests are kept free.

        Raises:
            DataError: the spec as it stands cannot be scored.
        """
        import optuna

        began = time.monotonic()
        first = self.attempt(self.spec.task.model)
        if first.message:
            raise DataError(f"the spec as it stands cannot be scored: {first.message}")
        one = time.monotonic() - began
        left = budget.seconds_left(2 * one if self.until is not None else 0)
        if left > 0 and budget.more_trials != 0:
            sampler = optuna.samplers.TPESampler(seed=self.spec.task.model.seed, n_startup_trials=8)
            optuna.create_study(sampler=sampler).optimize(self._objective, n_trials=budget.more_trials, timeout=left)

    def _objective(self, drawn: Any) -> float:
        import optuna

        trial = self.attempt(suggest(drawn, self.spec.task.model))
        if trial.message:
            raise optuna.TrialPruned(trial.message)
        return trial.score

    def attempt(self, model: ModelSettings) -> TuningTrial:
        """Score some settings, log them and tell of them."""
        metric, began = self.spec.gate.metric, time.process_time()
        score, message = float("nan"), ""
        try:
            score = self.score(model, self.windows, self.until)
            if math.isnan(score):
                message = f"{metric} is not defined on the windows, whose targets are all zero or never change"
        except ValueError as error:
            message = str(error)
        trial = TuningTrial(len(self.trials), model, score, round(time.process_time() - began, 2), message)
        self.trials.append(trial)
        self.study.log(f"trial {trial.number}", trial.settings, {metric: score, "cpu_seconds": trial.seconds})
        self.listen(trial)
        return trial

    def score(self, model: ModelSettings, windows: int, until: pd.Timestamp | None) -> float:
        """Return the metric of a backtest with some settings, on the data until a moment (None: all)."""
        from mlops_assets.forecasting.evaluation.backtest import backtest

        task = replace(self.spec.task, model=model)
        result = backtest(self.history, task, windows, self.spec.backtest.step, models=(CHALLENGER,), until=until)
        return float(result.overall[self.spec.gate.metric].iloc[0])

    @property
    def best(self) -> TuningTrial:
        """The trial with the lowest score."""
        return min((trial for trial in self.trials if not trial.message), key=lambda trial: trial.score)


def compare_held_out(search: Search) -> tuple[float, float]:
    """Score the present settings and the best ones on the spec's own windows.

    Returns:
        (before, after): the metric of each; those of the search itself where it shared the windows, and where the
        present settings are the best ones.
    """
    first, best = search.trials[0], search.best
    if search.until is None or best.number == first.number:
        return first.score, best.score
    windows = search.spec.backtest.windows
    return search.score(first.model, windows, None), search.score(best.model, windows, None)


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


def _search_windows(history: pd.DataFrame, spec: ForecastSpec) -> tuple[pd.Timestamp | None, int]:
    """Until when the search may look, and at how many windows; None where it must share those of the comparison."""
    from mlops_assets.forecasting.evaluation.backtest import origins

    task, wanted, step = spec.task, spec.backtest.windows, spec.backtest.step
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
