"""Try a spec out: read its source, backtest it beside other models, and touch no store."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.analysis.opened import QuestionError, read_history
from mlops_assets.forecasting.decisions.gate import CHALLENGER as FOREST
from mlops_assets.forecasting.decisions.gate import NAIVE
from mlops_assets.forecasting.formatting import plain, plain_rows
from mlops_assets.forecasting.model import regressors
from mlops_assets.forecasting.model.task import Task
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.reconcile import add_up

VOLUMES = ["1 low", "2 middle", "3 high"]
MANY_VALUES = 20
"""Values of a static covariate beyond which it makes no segments."""


def evaluate(spec: ForecastSpec, settings: Settings, others: Sequence[str] = ()) -> dict[str, Any]:
    """Backtest a spec on its source.

    Args:
        spec: the forecast; its own model is called `forest`.
        settings: when it is now.
        others: kinds of models to compare with, with the engine's defaults, on the same rows.

    Returns:
        Plain JSON types: `forecast`, `source` (the contract's counts, quarantine by reason), `items`, `left_out` (those
        of which nothing has been observed lately: they would get no forecast), `observations`,
        `training_rows`, `windows` (their origins), `models` (for `forest`, `seasonal_naive` and each of the others
        every metric, fit and predict processor seconds, and `memory_mb`: the most that the process grew while it ran),
        `by_window`, `by_lead`, `by_segment` (`segment` is `volume` or a static covariate), `by_level` (of a hierarchy:
        the items and their sums after they were made to add up), `peak_memory_mb` (of this process).

    Raises:
        QuestionError: one of the others is not known.
        SourceError: the source cannot be read.
        ContractError: a column is absent.
        ValueError: the history is too short for the backtest.
    """
    import sklearn.ensemble  # noqa: F401 - now, so that no model's memory includes it

    from mlops_assets.forecasting.evaluation.metrics import score
    from mlops_assets.forecasting.model.baselines import dead_items
    from mlops_assets.forecasting.model.features import training_rows

    tasks = _tasks(spec.task, others)
    history, checked = read_history(spec, settings)
    parts, costs, forecasters = [], {}, []
    for name, task in tasks.items():
        made, costs[name] = _run(name, task, history, spec, forecasters if name == FOREST else [])
        parts.append(made)
    predictions = pd.concat(parts, ignore_index=True)
    overall = score(predictions, spec.task, by=["model"]).set_index("model")
    return {
        "forecast": spec.name,
        "source": {**checked.counts, "quarantine": checked.reasons},
        "items": int(history["item_id"].nunique()),
        "left_out": dead_items(history, spec.task, history.loc[history["target"].notna(), "timestamp"].max()),
        "observations": len(history),
        "training_rows": len(training_rows(history, spec.task)),
        "windows": [str(origin) for origin in sorted(predictions["origin"].unique())],
        "models": {name: {**plain_rows(overall.loc[[name]])[0], **costs[name]} for name in tasks},
        "by_window": plain_rows(score(predictions, spec.task, by=["model", "window"])),
        "by_lead": plain_rows(score(predictions, spec.task, by=["model", "lead"])),
        "by_segment": [
            row
            for segment, values in segments(history, spec.task).items()
            for row in plain_rows(
                score(predictions.assign(value=predictions["item_id"].map(values)), spec.task, by=["model", "value"])
                .assign(segment=segment)
                .dropna(subset="value")
            )
        ],
        **({"by_level": by_level(spec, history, parts[0], forecasters)} if spec.hierarchy is not None else {}),
        "peak_memory_mb": peak_memory_mb(),
    }


def _tasks(task: Task, others: Sequence[str]) -> dict[str, Task]:
    """The task of every model by its name, the spec's own first."""
    found = {FOREST: task, NAIVE: task}
    for kind in others:
        if kind in found:
            continue
        try:
            regressors.import_path(kind)
        except ValueError as error:
            raise QuestionError(f"--models: {error}") from None
        same = kind == task.model.kind
        found[kind] = replace(
            task, model=replace(task.model, kind=kind, parameters=task.model.parameters if same else {})
        )
    return found


def _run(
    name: str, task: Task, history: pd.DataFrame, spec: ForecastSpec, kept: list[Any]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Forecasts of one model at all origins, and what they cost; a hierarchy's forecasters are kept, oldest first."""
    from mlops_assets.forecasting.evaluation.backtest import backtest
    from mlops_assets.forecasting.model import fitting

    def fit(rows: pd.DataFrame) -> Any:
        made = fitting.fit(rows, task)
        if spec.hierarchy is not None:
            kept.append(made)
        return made

    model = NAIVE if name == NAIVE else FOREST
    with _memory() as grown:
        result = backtest(history, task, spec.backtest.windows, spec.backtest.step, models=(model,), fit=fit)
    seconds = result.seconds.iloc[0]
    cost = {"fit_seconds": plain(seconds["fit"]), "predict_seconds": plain(seconds["predict"]), "memory_mb": grown()}
    return result.predictions.assign(model=name), cost


def by_level(
    spec: ForecastSpec, history: pd.DataFrame, predictions: pd.DataFrame, forecasters: Sequence[Any]
) -> list[dict[str, Any]]:
    """Score a hierarchy's levels, beside seasonal naive made from the summed histories.

    Args:
        spec: with a hierarchy.
        history: canonical frame.
        predictions: the backtest's, of the spec's model.
        forecasters: of the backtest's windows, oldest first.
    """
    from mlops_assets.forecasting.evaluation.hierarchy import summed_predictions
    from mlops_assets.forecasting.evaluation.metrics import score, seasonal_scale
    from mlops_assets.forecasting.model.baselines import seasonal_naive

    task, parts = spec.task, []
    known = list(task.known)
    columns = ["item_id", "origin", "timestamp", "lead", "mean", *task.quantile_columns, "source"]
    for window, rows in predictions.groupby("window"):
        origin = rows["origin"].iloc[0]
        later = history[history["timestamp"] > origin]
        future = later[["item_id", "timestamp", *known]] if known else None
        both, sums, tree = add_up(spec, forecasters[int(str(window))], history, origin, rows[columns], future)
        scales = seasonal_scale(pd.concat([history[history["timestamp"] <= origin], sums]), task)
        came = rows[["item_id", "timestamp", "lead", "target"]]
        came = pd.concat([came, summed_predictions(came, tree, ["timestamp", "lead"])]).drop(columns="timestamp")
        level = both[["item_id", "level"]].drop_duplicates()
        naive = pd.concat(
            [
                seasonal_naive(frame, task, origin, items=list(items))
                for frame, items in ((history, tree.items), (sums, tree.nodes))
            ]
        ).merge(level, on="item_id")
        for model, made in ((FOREST, both), (NAIVE, naive)):
            joined = made.merge(came, on=["item_id", "lead"], how="left").merge(scales, on="item_id", how="left")
            parts.append(joined.assign(model=model, window=window))
    return plain_rows(score(pd.concat(parts, ignore_index=True), task, by=["level", "model"]))


def segments(history: pd.DataFrame, task: Task) -> dict[str, pd.Series]:
    """Ways to divide the items: name of the segment -> value of each item.

    Always by `volume`, terciles of an item's mean target, where there are at least six items; and by each static
    covariate of a few values.
    """
    found: dict[str, pd.Series] = {}
    volume = history.groupby("item_id")["target"].mean().dropna()
    if len(volume) >= 6:
        rank = volume.rank(method="first", pct=True)
        found["volume"] = pd.cut(rank, [0, 1 / 3, 2 / 3, 1], labels=VOLUMES).astype(object)
    for name in task.static:
        values = history.groupby("item_id")[name].first()
        if 1 < values.nunique() <= MANY_VALUES:
            found[name] = values.astype(object)
    return found


@contextmanager
def _memory() -> Iterator[Any]:
    """Give a function that tells, after the block, the most MB by which the process was larger during it."""
    import threading

    start, most, done = _resident_mb(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.02):
            most = max(most, (_resident_mb() or 0.0) - (start or 0.0))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: None if start is None else round(most, 1)
    finally:
        done.set()
        watcher.join()


def _resident_mb() -> float | None:
    """Resident memory of this process now, or None where the system has no /proc."""
    import os

    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def peak_memory_mb() -> float | None:
    """Return the peak resident memory of this process in MB, or None where the system does not tell (Windows)."""
    try:
        import resource
        import sys
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
