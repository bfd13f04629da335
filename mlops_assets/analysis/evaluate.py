"""Try a spec out: read its source, backtest it beside other models, and touch no store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from mlops_assets.analysis import memory, revisions
from mlops_assets.analysis.levels import by_level
from mlops_assets.analysis.opened import latest_origin, read_history
from mlops_assets.catalog.graph import Graph
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.data.contract import Checked
from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, NAIVE
from mlops_assets.forecasting.evaluation.metrics import score
from mlops_assets.forecasting.evaluation.ranking import best_by_segment, ranking
from mlops_assets.forecasting.evaluation.segments import segments
from mlops_assets.forecasting.formatting import plain_rows
from mlops_assets.forecasting.model import kinds
from mlops_assets.forecasting.model.task import Task
from mlops_assets.reading.questions import QuestionError
from mlops_assets.resources.clock import Clock
from mlops_assets.settings import Settings
from mlops_assets.sources import calendars
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages import findings
from mlops_assets.stages.ahead import look_ahead
from mlops_assets.stages.known import AsKnown
from mlops_assets.stages.remarks import Remarks, silent_point

MANY_VALUES = 20
"""Values of a static covariate beyond which it makes no segments."""
_AS_KNOWN = "Backtested on what is stored, not on the source: each origin saw {} as it was known then (as_known)."
_AS_OF = "Each origin saw what was known at the moment that was asked for: as_known is not heeded with --as-of."


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A backtest of a spec beside other models; scores are those of `forecasting.evaluation.metrics`.

    Attributes:
        forecast: name of the forecast.
        source: what the contract counted: rows_read, rows_accepted, rows_quarantined and the like.
        quarantine: reason -> rows in quarantine for it.
        items: how many items have a usable row.
        left_out: items of which nothing has been observed lately: they would get no forecast.
        remarks: what is odd about the rows and the forecasts, and what is missing of the future, a sentence each.
        observations: rows of the history.
        training_rows: rows that a model of the whole history would learn from.
        windows: origins of the backtest, oldest first.
        models: a row for each model, the spec's own first: model, the scores, fit_seconds and predict_seconds
            (processor), memory_mb (the most that the process grew while it ran; None where the system does not tell).
        metric: the spec's `gate.metric`.
        ranking: the same models by that metric, the best first, see `evaluation.ranking.ranking`.
        by_window: model, window (0 is the oldest), scores.
        by_lead: model, lead, scores.
        by_segment: segment (`volume` or a static covariate), value, model, scores; empty without segments.
        best_by_segment: segment, value, and which model is best there, see `evaluation.ranking.best_by_segment`.
        by_level: level of the hierarchy, model, scores after the forecasts were made to add up; None without one.
        peak_memory_mb: of this process; None where the system does not tell.
    """

    forecast: str
    source: Mapping[str, int]
    quarantine: Mapping[str, int]
    items: int
    left_out: tuple[str, ...]
    remarks: tuple[str, ...]
    observations: int
    training_rows: int
    windows: tuple[pd.Timestamp, ...]
    models: pd.DataFrame
    metric: str
    ranking: pd.DataFrame
    by_window: pd.DataFrame
    by_lead: pd.DataFrame
    by_segment: pd.DataFrame
    best_by_segment: pd.DataFrame
    by_level: pd.DataFrame | None
    peak_memory_mb: float | None

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each model: its scores and what it cost."""
        return self.models

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types, numbers rounded to six decimals; `models` by name."""
        models = {row.pop("model"): row for row in plain_rows(self.models)}
        return {
            "forecast": self.forecast,
            "source": {**self.source, "quarantine": dict(self.quarantine)},
            "items": self.items,
            "left_out": list(self.left_out),
            "remarks": list(self.remarks),
            "observations": self.observations,
            "training_rows": self.training_rows,
            "windows": [str(origin) for origin in self.windows],
            "models": models,
            "metric": self.metric,
            "ranking": plain_rows(self.ranking),
            "by_window": plain_rows(self.by_window),
            "by_lead": plain_rows(self.by_lead),
            "by_segment": plain_rows(self.by_segment),
            "best_by_segment": plain_rows(self.best_by_segment),
            **({} if self.by_level is None else {"by_level": plain_rows(self.by_level)}),
            "peak_memory_mb": self.peak_memory_mb,
        }


def evaluate(
    spec: ForecastSpec, settings: Settings, others: Sequence[str] = (), as_of: str | None = None
) -> Evaluation:
    """Backtest a spec on its source, or on what was stored at a moment.

    A spec that names columns in `as_known` is backtested on what is stored, if anything is: each origin as known then.

    Args:
        spec: the forecast; its own model is called `challenger`.
        settings: when it is now.
        others: kinds of models to compare with, with the engine's defaults, on the same rows.
        as_of: see `opened.read_history`.

    Raises:
        QuestionError: one of the others is not known.
        SourceError: the source cannot be read.
        DataError: a column is absent, or the history is too short for the backtest.
    """
    import sklearn.ensemble  # noqa: F401 - now, so that no model's memory includes it

    from mlops_assets.forecasting.model.baselines import dead_items

    tasks = _tasks(spec.task, others)
    past = revisions.as_known(spec, settings) if as_of is None else None
    if past is None:
        history, checked = read_history(spec, settings, as_of)
    else:
        history, checked = past.history, Checked.of_stored(past.today)
    kept = [] if spec.hierarchy is not None else None
    runs = {
        name: _run(name, task, history, spec, kept if name == CHALLENGER else None, past)
        for name, task in tasks.items()
    }
    predictions = pd.concat([made for made, _ in runs.values()], ignore_index=True)
    costs = pd.DataFrame([{"model": name, **cost} for name, (_, cost) in runs.items()])
    models = costs[["model"]].merge(score(predictions, spec.task, by=["model"])).merge(costs)
    by_segment = _by_segment(history, predictions, spec.task)
    return Evaluation(
        forecast=spec.name,
        source=checked.counts,
        quarantine=checked.reasons,
        items=int(history["item_id"].nunique()),
        left_out=tuple(
            dead_items(history, spec.task, history.loc[history["target"].notna(), "timestamp"].max()),
        ),
        remarks=(
            *findings.of_rows(spec, checked, forecast=True),
            *(_remarks(spec, settings, history, checked.accepted) if as_of is None else ()),
            *filter(None, [silent_point(spec, runs[CHALLENGER][0])]),
            *([_AS_KNOWN.format(", ".join(spec.as_known))] if past is not None else []),
            *([_AS_OF] if spec.as_known and as_of is not None else []),
        ),
        observations=len(history),
        training_rows=len(kinds.rows(history, spec.task)),
        windows=tuple(pd.Timestamp(origin) for origin in sorted(predictions["origin"].unique())),
        models=models,
        metric=spec.gate.metric,
        ranking=ranking(predictions, models, spec.task, spec.gate.metric),
        by_window=score(predictions, spec.task, by=["model", "window"]),
        by_lead=score(predictions, spec.task, by=["model", "lead"]),
        by_segment=by_segment,
        best_by_segment=best_by_segment(by_segment, spec.gate.metric),
        by_level=None if kept is None else by_level(spec, history, runs[CHALLENGER][0], kept),
        peak_memory_mb=memory.peak_mb(),
    )


def _tasks(task: Task, others: Sequence[str]) -> dict[str, Task]:
    """The task of every model by its name, the spec's own first."""
    found = {CHALLENGER: task, NAIVE: task}
    for kind in others:
        if kind in found:
            continue
        try:
            kinds.class_of(kind)
        except UsageError as error:
            raise QuestionError(f"--models: {error}") from None
        same = kind == task.model.kind
        found[kind] = replace(
            task, model=replace(task.model, kind=kind, parameters=task.model.parameters if same else {})
        )
    return found


def _run(
    name: str, task: Task, history: pd.DataFrame, spec: ForecastSpec, kept: list[Any] | None, past: AsKnown | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Forecasts of one model at all origins, and what they cost; its forecasters go into `kept`, oldest first."""
    from mlops_assets.forecasting.evaluation.backtest import backtest

    def fit(rows: pd.DataFrame) -> Any:
        made = kinds.fit(rows, task)
        if kept is not None:
            kept.append(made)
        return made

    model = NAIVE if name == NAIVE else CHALLENGER
    with memory.growth() as grown:
        rolling = spec.backtest
        result = backtest(history, task, rolling.windows, rolling.step, models=(model,), fit=fit, past=past)
    seconds = result.seconds.iloc[0]
    cost = {"fit_seconds": seconds["fit"], "predict_seconds": seconds["predict"], "memory_mb": grown()}
    return result.predictions.assign(model=name), cost


def _remarks(spec: ForecastSpec, settings: Settings, history: pd.DataFrame, accepted: pd.DataFrame) -> tuple[str, ...]:
    """Say what a round would of odd rows and of known covariates missing ahead, and which events are of no item."""
    graph, clock = Graph(spec), Clock.of(settings)
    missing = look_ahead(graph, clock, history, latest_origin(graph, history, clock))
    strange = calendars.unmatched(spec, history)
    return (*Remarks.of(spec, accepted).sentences(), *([missing] if missing else []), *strange)


def _by_segment(history: pd.DataFrame, predictions: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Score by the segments that the gate looks at: those of the challenger's rows, and of static covariates.

    A covariate that has one value only, or more than a person reads, makes none.
    """
    own = predictions[predictions["model"] == CHALLENGER]
    groups = segments(own, history[["item_id", "timestamp", *task.static]])[["item_id", "by", "value"]]
    groups = groups[groups.groupby("by")["value"].transform("nunique").between(2, MANY_VALUES)]
    parts = []
    for by, rows in groups.groupby("by", sort=False):
        scores = score(predictions.merge(rows, on="item_id"), task, by=["model", "value"]).assign(segment=by)
        parts.append(scores.astype({"value": object}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["model", "value", "segment"])
