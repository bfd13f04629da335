"""Search for better settings of the model on the backtest, within a time budget; print them as a change of the spec."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.analysis.opened import read_history
from mlops_assets.analysis.spec_change import changed_text, diff
from mlops_assets.environments import open_stores
from mlops_assets.forecasting.evaluation.search import Budget, Listener, TuningTrial, require_tunable
from mlops_assets.forecasting.formatting import plain, stamp
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.train import search


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
        UsageError: there is nothing to tune in this kind of model, or the file cannot be changed.
        DataError, SourceError, TrackingError: as `open_forecast` does.
    """
    require_tunable(spec.task.model)
    history, _ = read_history(spec, settings)
    budget = Budget(time.monotonic() + 60 * minutes, trials)
    with open_stores(settings) as stores:
        found = search(spec, history, stores.tracking, budget, listen)
    new = changed_text(spec, found.model) if found.after < found.before else None
    change = diff(spec, new) if new is not None else ""
    if write and new is not None:
        Path(spec.file).write_text(new, encoding="utf-8")
    return TuningResult(
        forecast=spec.name,
        metric=spec.gate.metric,
        trials=found.trials,
        search_until=found.until,
        best=found.best,
        before=found.before,
        after=found.after,
        change=change,
        written=write and new is not None,
        run_id=found.run_id,
    )
