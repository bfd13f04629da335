"""Search for better settings of the model on the backtest, within a time budget; print them as a change of the spec."""

import difflib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.analysis.opened import QuestionError, read_history
from mlops_assets.environments import open_stores
from mlops_assets.errors import DataError, MissingExtraError
from mlops_assets.forecasting.formatting import plain, stamp
from mlops_assets.forecasting.model import regressors
from mlops_assets.forecasting.model.task import ModelSettings, Task
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec, SpecError, parse_spec
from mlops_assets.spec.yaml_edit import set_values
from mlops_assets.tracking.studies import open_study


@dataclass(frozen=True)
class Trial:
    """One set of settings and its score.

    Attributes:
        number: 0 is the spec as it stands.
        model: the settings.
        score: the metric on the backtest windows of the search; NaN if it failed.
        seconds: processor seconds.
        words: why it failed; empty if it did not.
    """

    number: int
    model: ModelSettings
    score: float
    seconds: float
    words: str = ""


Listener = Callable[[Trial], None]


def tune(
    spec: ForecastSpec,
    settings: Settings,
    minutes: float,
    trials: int | None = None,
    write: bool = False,
    listen: Listener = lambda trial: None,
) -> dict[str, Any]:
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

    Returns:
        Plain JSON types: `forecast`, `metric`, `trials`, `search_until` and `held_out` (whether the comparison was on
        windows of its own), `before` and `after` (the metric on the spec's windows), `better`, `change` (a unified diff
        of the spec's file; empty if nothing is better), `written`, `run_id`.

    Raises:
        QuestionError: Optuna is not installed, there is nothing to tune in this kind of model, or the file cannot be
            changed.
        ValueError, SourceError, TrackingError: as `open_forecast` does.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtraError.of("tuning", "optuna", "tune") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    task, metric = spec.task, spec.gate.metric
    kind = regressors.short_name(task.model.kind)
    if kind not in regressors.NAMED:
        raise QuestionError(f"nothing is known to tune in {kind}; known are {', '.join(regressors.NAMED)}")
    history, _ = read_history(spec, settings)
    until, windows = _search_windows(history, spec)
    deadline = time.monotonic() + 60 * minutes
    done: list[Trial] = []

    def attempt(model: ModelSettings) -> Trial:
        began = time.process_time()
        score, words = float("nan"), ""
        try:
            score = _score(history, replace(task, model=model), windows, spec.backtest.step, metric, until)
            if math.isnan(score):
                words = f"{metric} is not defined on the windows, whose targets are all zero or never change"
        except ValueError as error:
            words = str(error)
        made = Trial(len(done), model, score, round(time.process_time() - began, 2), words)
        done.append(made)
        study_run.log(f"trial {made.number}", flat(model), {metric: score, "cpu_seconds": made.seconds})
        listen(made)
        return made

    def objective(trial: Any) -> float:
        made = attempt(suggest(trial, task.model))
        if made.words:
            raise optuna.TrialPruned(made.words)
        return made.score

    tags = {"spec_hash": spec.fingerprint(), "metric": metric}
    with (
        open_stores(settings) as stores,
        open_study(stores.tracking, f"{spec.name}_tuning", f"tune {spec.name}", tags) as study_run,
    ):
        began = time.monotonic()
        attempt(task.model)
        if done[0].words:
            raise DataError(f"the spec as it stands cannot be scored: {done[0].words}")
        one = time.monotonic() - began
        left = deadline - time.monotonic() - (2 * one if until is not None else 0)
        if left > 0 and (trials is None or trials > 1):
            sampler = optuna.samplers.TPESampler(seed=task.model.seed, n_startup_trials=8)
            optuna.create_study(sampler=sampler).optimize(
                objective, n_trials=None if trials is None else trials - 1, timeout=left
            )
        best = min((trial for trial in done if not trial.words), key=lambda trial: trial.score)
        before, after = done[0].score, best.score
        if until is not None and best.number > 0:
            before, after = (
                _score(history, replace(task, model=model), spec.backtest.windows, spec.backtest.step, metric, None)
                for model in (task.model, best.model)
            )
        better = after < before
        study_run.conclude(flat(best.model), {f"{metric}_before": before, f"{metric}_after": after})
    new = _changed_text(spec, best.model) if better else None
    change = _diff(spec, new) if new is not None else ""
    if write and new is not None:
        Path(spec.file).write_text(new, encoding="utf-8")
    return {
        "forecast": spec.name,
        "metric": metric,
        "trials": [{**flat(trial.model), **_facts(trial)} for trial in done],
        "search_until": None if until is None else stamp(until),
        "held_out": until is not None,
        "best": best.number,
        "before": plain(before),
        "after": plain(after),
        "better": bool(better),
        "change": change,
        "written": write and new is not None,
        "run_id": study_run.run_id,
    }


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


def _score(
    history: pd.DataFrame, task: Task, windows: int, step: int | None, metric: str, until: pd.Timestamp | None
) -> float:
    from mlops_assets.forecasting.evaluation.backtest import backtest

    result = backtest(history, task, windows, step, models=("forest",), until=until)
    return float(result.overall[metric].iloc[0])


def flat(model: ModelSettings) -> dict[str, Any]:
    """Return settings by their dotted names, as a spec spells them."""
    said = asdict(model)
    return {**{f"model.{k}": v for k, v in said.items() if k != "parameters"}, **_parameters(model)}


def _parameters(model: ModelSettings) -> dict[str, Any]:
    return {f"model.parameters.{name}": value for name, value in model.parameters.items()}


def _facts(trial: Trial) -> dict[str, Any]:
    return {"number": trial.number, "score": plain(trial.score), "seconds": trial.seconds, "words": trial.words}


def _changed_text(spec: ForecastSpec, model: ModelSettings) -> str:
    """The spec's file with other settings of the model, and nothing else changed."""
    old = spec.task.model
    values: dict[tuple[str, ...], Any] = {
        ("model", name): getattr(model, name)
        for name in ("kind", "max_training_rows")
        if getattr(model, name) != getattr(old, name)
    }
    values |= {
        ("model", "parameters", name): value
        for name, value in model.parameters.items()
        if name not in old.parameters or old.parameters[name] != value
    }
    try:
        text = set_values(Path(spec.file).read_text(encoding="utf-8-sig"), values)
        found = parse_spec(text, Path(spec.file))
    except (ValueError, SpecError) as error:
        raise QuestionError(f"{spec.file} cannot be changed by itself ({error}); set {_words(values)}") from None
    if found.task != replace(spec.task, model=model):
        raise QuestionError(f"{spec.file} cannot be changed by itself; set {_words(values)}")
    return text


def _words(values: Mapping[tuple[str, ...], Any]) -> str:
    return ", ".join(f"{'.'.join(path)}: {value}" for path, value in values.items())


def _diff(spec: ForecastSpec, new: str) -> str:
    old = Path(spec.file).read_text(encoding="utf-8-sig") if Path(spec.file).exists() else ""
    name = Path(spec.file).name
    return "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), name, name, n=2))
