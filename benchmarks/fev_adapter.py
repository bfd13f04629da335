"""Our engine on the tasks of fev (https://github.com/autogluon/fev): past data in, predictions in its format out.

    python benchmarks/fev_adapter.py tasks.yaml --output summaries.csv

`tasks.yaml` is a benchmark of fev, such as fev-bench; it needs `pip install fev`. Each window of a task is a fit on
what is known at its cutoff, with the defaults of a spec, and a forecast. Several targets are forecast one by one.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.grid import default_season_lengths
from mlops_assets.forecasting.delivery import deliver
from mlops_assets.forecasting.model import kinds
from mlops_assets.forecasting.model.baselines import SeasonalNaive
from mlops_assets.forecasting.model.errors import DataError
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.model.task import ModelSettings, Task, quantile_column

POINT = "predictions"
"""What fev calls the point forecast."""
OF_MEANS = ("MSE", "RMSE", "RMSSE", "RMSLE")
"""Metrics of fev that the mean is best for; of the others it is the median."""


def task_of(task: Any, model: str = "random_forest", seed: int = 0) -> Task:
    """Return a task of fev, loaded, in the engine's words.

    Args:
        task: of fev: freq, horizon, seasonality, quantile_levels, eval_metric and the columns.
        model: kind of the model.
        seed: of the model.
    """
    metric = task.eval_metric if isinstance(task.eval_metric, str) else task.eval_metric["name"]
    seasons = [length for length in {task.seasonality, *default_season_lengths(task.freq)} if length > 1]
    return Task(
        frequency=task.freq,
        horizon=task.horizon,
        season_lengths=tuple(sorted(seasons)[:2]) or (1,),
        quantiles=tuple(sorted({0.5, *task.quantile_levels})),
        point="mean" if metric in OF_MEANS else "median",
        known=tuple(map(_named, task.known_dynamic_columns)),
        past=tuple(map(_named, task.past_dynamic_columns)),
        static=tuple(map(_named, task.static_columns)),
        model=ModelSettings(kind=model, seed=seed),
    )


def canonical(
    past: pd.DataFrame, future: pd.DataFrame, static: pd.DataFrame | None, task: Any, target: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the long tables of a window as the engine wants them.

    Args:
        past: id, timestamp, targets and dynamic columns up to the cutoff.
        future: id, timestamp and the known columns after it.
        static: id and the static columns; None without any.
        task: of fev; names the columns.
        target: the one to forecast.

    Returns:
        History (item_id, timestamp, target, covariates) and future (item_id, timestamp, known covariates). Texts among
        the dynamic covariates become numbers, the same in both.
    """
    dynamic = [*task.known_dynamic_columns, *task.past_dynamic_columns]
    names = {task.id_column: "item_id", task.timestamp_column: "timestamp"}
    names |= {name: _named(name) for name in [*dynamic, *task.static_columns]}
    history = past[[task.id_column, task.timestamp_column, target, *dynamic]].rename(
        columns={target: "target", **names}
    )
    ahead = future[[task.id_column, task.timestamp_column, *task.known_dynamic_columns]].rename(columns=names)
    for frame in (history, ahead):
        frame["item_id"] = frame["item_id"].astype(str)
        frame["timestamp"] = pd.to_datetime(frame["timestamp"]).astype("datetime64[us]")
    history["target"] = history["target"].astype(float).replace([np.inf, -np.inf], np.nan)
    for name in map(_named, dynamic):
        if not pd.api.types.is_numeric_dtype(history[name]):
            categories = pd.unique(history[name].dropna())
            for frame in (history, ahead):
                if name in frame:
                    codes = pd.Categorical(frame[name], categories=categories).codes
                    frame[name] = pd.Series(codes, index=frame.index).astype(float).where(codes >= 0)
        else:
            history[name] = history[name].astype(float)
    if static is not None:
        statics = static.rename(columns=names).astype({"item_id": str})
        history = history.merge(statics, on="item_id", how="left")
    return history, ahead


def forecast(history: pd.DataFrame, future: pd.DataFrame, task: Task, seconds: dict[str, float]) -> pd.DataFrame:
    """Fit on a history and forecast each item from its own last timestamp.

    Args:
        history: see `canonical`.
        future: see `canonical`.
        task: of the engine.
        seconds: `training` and `inference` are added to.

    Returns:
        The columns of `Model.predict`.
    """
    began = perf_counter()
    try:
        model: kinds.Model | SeasonalNaive = kinds.fit(kinds.rows(history, task), task)
    except DataError:  # too little to learn from
        model = SeasonalNaive(task)
    fitted = perf_counter()
    ends = history.groupby("item_id")["timestamp"].max()
    parts = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusualInput)
        for origin, items in ends.groupby(ends):
            known = history[history["timestamp"] <= origin]
            ahead = future[future["item_id"].isin(items.index)] if task.known else None
            moment = pd.Timestamp(str(origin))
            parts.append(deliver(model, task, known, moment, future=ahead, items=list(items.index)))
    seconds["training"] += fitted - began
    seconds["inference"] += perf_counter() - fitted
    return pd.concat(parts, ignore_index=True)


def records(
    made: pd.DataFrame, ids: Sequence[str], task: Task, levels: Sequence[float]
) -> list[dict[str, list[float]]]:
    """Return forecasts as fev wants them: a dict for each item, in its order, with a list over the leads by column.

    What has no forecast (an item of which nothing was observed) is zero: fev takes no missing value.
    """
    columns = {POINT: task.point_column, **{str(level): quantile_column(level) for level in levels}}
    by_item = {str(item): rows.sort_values("lead") for item, rows in made.groupby("item_id")}
    none = pd.DataFrame(0.0, index=range(task.horizon), columns=list(columns.values()))
    return [
        {name: by_item.get(item, none)[column].fillna(0.0).tolist() for name, column in columns.items()} for item in ids
    ]


def run(task: Any, model: str = "random_forest", seed: int = 0) -> dict[str, Any]:
    """Forecast all windows of a task of fev, and return its summary of them."""
    import fev  # pyright: ignore[reportMissingImports]

    seconds = {"training": 0.0, "inference": 0.0}
    predictions = []
    for window in task.iter_windows():
        past, future, static = fev.convert_input_data(window, adapter="pandas")
        ours = task_of(task, model, seed)
        ids = [str(one) for one in window.get_input_data()[0][task.id_column]]
        made = {
            target: records(
                forecast(*canonical(past, future, static, task, target), ours, seconds), ids, ours, task.quantile_levels
            )
            for target in task.target_columns
        }
        predictions.append(made)
    return task.evaluation_summary(
        predictions,
        model_name=f"mlops-assets {model}",
        training_time_s=seconds["training"],
        inference_time_s=seconds["inference"],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark, and print what each task scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", help="YAML file, or its address, with the tasks of a benchmark")
    parser.add_argument("--model", default="random_forest", help="kind of the model (model.kind of a spec)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="CSV file for the summaries, as fev.leaderboard reads them")
    given = parser.parse_args(arguments)
    try:
        import fev  # pyright: ignore[reportMissingImports]
    except ImportError:
        print("fev is not installed: pip install fev", file=sys.stderr)
        return 1
    summaries = []
    for task in fev.Benchmark.from_yaml(given.tasks).tasks:
        summaries.append(run(task, given.model, given.seed))
        last = summaries[-1]
        print(f"{last['task_name']}: {last['eval_metric']} {last['test_error']:.4f}, {last['training_time_s']:.1f} s")
        if given.output is not None:
            pd.DataFrame(summaries).to_csv(given.output, index=False)
    return 0


def _named(column: str) -> str:
    """Return the name of a covariate, which cannot be one of the engine's own columns."""
    return f"x_{column}"


if __name__ == "__main__":
    sys.exit(main())
