"""Training: what is learnt from, how a model is made of it, and the model."""

import hashlib
import logging
import time
from dataclasses import asdict, dataclass, replace
from time import process_time
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.catalog import run_tags
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import OBSERVATIONS
from mlops_assets.catalog.partitions import window_of
from mlops_assets.errors import DataError, MlopsAssetsError
from mlops_assets.forecasting.data.grid import fill_with_zero
from mlops_assets.forecasting.data.outliers import bounded, without_outliers
from mlops_assets.forecasting.data.vintages import KNOWN_AT
from mlops_assets.forecasting.decisions.rules import GROW, REFIT, REWEIGH, TUNE
from mlops_assets.forecasting.model import kinds, regressors
from mlops_assets.forecasting.model.task import ModelSettings, Task
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources import meter
from mlops_assets.resources.protocols import Tables
from mlops_assets.sources.calendars import with_calendars
from mlops_assets.spec import ForecastSpec
from mlops_assets.tracking.studies import open_study
from mlops_assets.tracking.tracking import Tracking

if TYPE_CHECKING:
    import dagster as dg

MOST_REASONS = 8
"""Segments of which the facts say why they are forecast by whom; `explain` tells all."""

if TYPE_CHECKING:
    from mlops_assets.forecasting.evaluation.search import Budget, Listener, TuningTrial
    from mlops_assets.forecasting.model.kinds import Model


def history_of(spec: ForecastSpec, observations: pd.DataFrame, end: pd.Timestamp | None = None) -> pd.DataFrame:
    """Return observations as the engine wants them.

    That is without outliers, or with bounded ones, absent rows filled where they mean zero, with what the calendars
    say of their times, and without the moment since when they are known. What becomes of an item does not depend on
    the others.

    Args:
        spec: the forecast.
        observations: canonical frame.
        end: the last timestamp of all items, where the frame holds some of them. Default: the frame's.

    Raises:
        SourceError: a calendar cannot be read.
    """
    return with_calendars(spec, cleaned(spec, observations, end))


def cleaned(spec: ForecastSpec, observations: pd.DataFrame, end: pd.Timestamp | None = None) -> pd.DataFrame:
    """Return observations as the engine wants them, but for what the calendars say; see `history_of`."""
    if KNOWN_AT in observations:
        observations = observations.drop(columns=KNOWN_AT)
    observations = without_outliers(observations) if spec.outliers == "missing" else bounded(observations)
    if spec.fill == "zero" and len(observations):
        observations = fill_with_zero(observations, spec.frequency, spec.zone, end)
    return observations


def task_of(run: "dg.DagsterRun", spec: ForecastSpec) -> Task:
    """Return what a run trains for: the spec's task, or with the kind of model that its policy's strategy names."""
    return spec.task_by(run.tags.get(run_tags.POLICY, ""), run.tags.get(run_tags.ACTION, REFIT))


def training_set(graph: Graph, history: pd.DataFrame, last: str | None, task: Task | None = None) -> pd.DataFrame:
    """Make the rows that a model learns from.

    Args:
        graph: of the forecast.
        history: canonical frame, see `history_of`.
        last: key of the last partition to learn from; None or empty: all.
        task: what is forecast, see `task_of`; None: the spec's.

    Returns:
        What the kind of model learns from: of a forest, a row for each item, origin and lead.

    Raises:
        DataError: there is no such row.
    """
    spec = graph.spec
    until = pd.Timestamp(history["timestamp"].max())
    if last:
        until = min(until, window_of(graph.partitions, last).end - pd.Timedelta(microseconds=1))
    rows = kinds.rows(history, task or spec.task, until)
    if rows.empty:
        raise DataError(
            f"{spec.name}: no training row can be made from {len(history)} observations until {until}; "
            f"a row needs history before and a target within {spec.horizon} steps after its origin"
        )
    return rows


def data_hash(frame: pd.DataFrame) -> str:
    """Return a hash of a frame's content (32 hex digits), the order of its rows included."""
    digest = hashlib.sha256("|".join(map(str, frame.columns)).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Fitting:
    """How a training makes its forecaster: anew, or by renewing the champion's.

    Attributes:
        task: what is forecast.
        base: the model to renew; None: fit anew.
        version: its number.
        until: the last timestamp that it has learnt from.
        action: how it is renewed: `grow` (a forest gets new trees, see `model.grow`) or `reweigh` (the members of an
            ensemble get new weights, see `Ensemble.reweighed`).
        anew: what fitting anew is called: `refit`, or by what the settings are others than the spec's.
        spared: processor seconds of the latest fit anew, which renewing spares.
    """

    task: Task
    base: "Model | None" = None
    version: int = 0
    until: pd.Timestamp | None = None
    action: str = GROW
    anew: str = REFIT
    spared: float = 0.0

    def renews(self, training: pd.DataFrame) -> bool:
        """Whether these training rows renew the model: it can be renewed so, and does not know them already."""
        from mlops_assets.forecasting.model.grow import why_not

        if self.base is None or self.until is None or pd.Timestamp(training["timestamp"].max()) <= self.until:
            return False
        if self.action == REWEIGH:
            return isinstance(self.base, kinds.Combined) and self.base.task == self.task
        return not why_not(self.base, training, self.task)

    def __call__(self, training: pd.DataFrame) -> "Model":
        """Make the forecaster."""
        from mlops_assets.forecasting.model import grow

        base: Any = self.base
        if self.until is None or not self.renews(training):
            return kinds.fit(training, self.task)
        return base.reweighed(training, self.until) if self.action == REWEIGH else grow.grow(base, training, self.until)


def in_vain(spec: ForecastSpec) -> list[str]:
    """Say which strategies of the spec's retraining policies its kind of model does not have, and what they come to."""
    kind = spec.model.kind
    combined, forest = kind in kinds.COMBINING, regressors.is_forest(kind)
    tunable = regressors.short_name(kind) in regressors.NAMED
    lacking = {
        REWEIGH: (combined, "only ensemble and auto have weights to renew", "it is fitted anew"),
        GROW: (forest, "only forests grow", "it is fitted anew"),
        TUNE: (tunable, f"only {', '.join(regressors.NAMED)} can be tuned", "the training fails"),
    }
    return [
        f"{rules.name} asks for {strategy}: {who}, and the kind is {kind}, so {then}"
        for rules in spec.rules_of_retraining
        for strategy in dict.fromkeys(rules.ladder)
        if strategy in lacking
        for able, who, then in [lacking[strategy]]
        if not able
    ]


def fitting_of(run: "dg.DagsterRun", life: Lifecycle, spec: ForecastSpec, task: Task, log: logging.Logger) -> Fitting:
    """Return how the run's tag `run_tags.ACTION` wants the model to be made; without it, or without a champion, anew.

    Args:
        run: has the tag.
        life: knows the champion.
        spec: the forecast.
        task: what is forecast, with the model's settings.
        log: told why a champion cannot be renewed.
    """
    from mlops_assets.forecasting.model import entry

    action = run.tags.get(run_tags.ACTION, "")
    if action not in (GROW, REWEIGH):
        return Fitting(task, anew=_named(spec, task))
    champion = life.champion()
    if champion is None:
        return Fitting(task)
    try:
        base = entry.rebuild(life.registry.load(champion))
        spared = next((one.fit_seconds for one in life.registry.versions() if one.tags.get("action") == REFIT), 0.0)
        return Fitting(task, base, champion.number, champion.trained_until, action, spared=spared)
    except (MlopsAssetsError, ValueError) as error:
        log.warning(f"version {champion.number} cannot be renewed, so the model is fitted anew: {error}")
        return Fitting(task)


@dataclass(frozen=True)
class Found:
    """What a search for settings has found.

    Attributes:
        trials: all that were tried, in order; the first is the spec as it stands.
        until: the search saw only data until then; None where it shared the windows of the comparison.
        best: number of the trial with the lowest score.
        before: the metric with the present settings on the spec's backtest windows.
        after: the metric with the best settings on the same.
        run_id: the study's run in MLflow.
    """

    trials: "tuple[TuningTrial, ...]"
    until: pd.Timestamp | None
    best: int
    before: float
    after: float
    run_id: str

    @property
    def model(self) -> ModelSettings:
        """The best settings, if they are better than the present ones, else these."""
        return self.trials[self.best if self.after < self.before else 0].model


def search(
    spec: ForecastSpec, history: pd.DataFrame, tracking: Tracking, budget: "Budget", listen: "Listener"
) -> Found:
    """Search the settings of the spec's model for a lower `gate.metric`, in a study of the experiment `<name>_tuning`.

    Args:
        spec: the forecast.
        history: canonical frame.
        tracking: where the study is kept.
        budget: what it may spend.
        listen: told of each trial.
    """
    from mlops_assets.forecasting.evaluation.search import Search

    metric, rolling = spec.gate.metric, spec.backtest
    tags = {"spec_hash": spec.fingerprint(), "metric": metric}
    with open_study(tracking, f"{spec.name}_tuning", f"tune {spec.name}", tags) as study:

        def tell(trial: "TuningTrial") -> None:
            study.log(f"trial {trial.number}", trial.settings, {metric: trial.score, "cpu_seconds": trial.seconds})
            listen(trial)

        made = Search.of(spec.task, history, metric, rolling.windows, rolling.step, tell)
        made.run(budget)
        before, after = made.compare_held_out()
        study.conclude(made.best.settings, {f"{metric}_before": before, f"{metric}_after": after})
    return Found(tuple(made.trials), made.until, made.best.number, before, after, study.run_id)


def tuned(spec: ForecastSpec, tables: Tables, tracking: Tracking, minutes: float, log: logging.Logger) -> Task:
    """Return the task with settings that a search finds on the stored observations.

    Raises:
        MissingExtraError: Optuna is not installed.
        UsageError: nothing is known to tune in this kind of model.
    """
    from mlops_assets.forecasting.evaluation.search import Budget, require_tunable

    require_tunable(spec.task.model)
    history = history_of(spec, tables.read([spec.name, OBSERVATIONS]))
    budget = Budget(time.monotonic() + 60 * minutes, None)
    found = search(spec, history, tracking, budget, lambda trial: log.info(f"trial {trial.number}: {trial.score:.4f}"))
    metric = spec.gate.metric
    log.info(f"{len(found.trials)} settings tried; {metric} {found.before:.4f} before, {found.after:.4f} with the best")
    return replace(spec.task, model=found.model)


def _named(spec: ForecastSpec, task: Task) -> str:
    """Name a training whose settings are not the spec's by their difference."""
    own, used = asdict(spec.task.model), asdict(task.model)
    others = ", ".join(f"{name}: {value}" for name, value in used.items() if value != own[name])
    return f"refit with {others}" if others else REFIT


def fit(rows: pd.DataFrame, fitting: Fitting) -> "tuple[Model, dict[str, Any]]":
    """Make a forecaster from training rows.

    Returns:
        The forecaster, and the facts that are kept beside it: trained_until, data_version, training_rows, action
        (`refit`, `grow from version N`, or by what the settings are others than the spec's), fit_seconds (processor
        time) and, of a kind that chooses, the choice.
    """
    began = process_time()
    forecaster = fitting(rows)
    seconds = process_time() - began
    renewed = fitting.renews(rows)
    if renewed:
        meter.add(saved=max(0.0, fitting.spared - seconds))
    return forecaster, {
        "trained_until": str(rows["timestamp"].max()),
        "data_version": data_hash(rows),
        "training_rows": len(rows),
        "action": f"{fitting.action} from version {fitting.version}" if renewed else fitting.anew,
        "fit_seconds": round(seconds, 3),
        **({"choice": chosen} if (chosen := "; ".join(kinds.reasons(forecaster)[:MOST_REASONS])) else {}),
    }
