"""Questions to a forecast: how good it is, why, what if, which settings are better, how it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, overload

from mlops_assets.api.declared import load_spec, or_default

if TYPE_CHECKING:
    from mlops_assets.analysis.evaluate import Evaluation
    from mlops_assets.analysis.explain import ModelExplanation, RowExplanation
    from mlops_assets.analysis.members import MembersExplanation, MembersOfRow
    from mlops_assets.analysis.tune import TuningResult, TuningTrial
    from mlops_assets.analysis.what_if import ForecastResult
    from mlops_assets.api.declared import Forecast
    from mlops_assets.report.overview import Overview
    from mlops_assets.settings import Settings


def evaluate(
    forecast: Forecast,
    models: Sequence[str] = (),
    *,
    as_of: str | None = None,
    settings: Settings | None = None,
) -> Evaluation:
    """Backtest a forecast on its source, beside seasonal naive and other models. Nothing is stored.

    Args:
        forecast: a name, a path or a spec.
        models: kinds to compare with, such as `extra_trees` or `sklearn.linear_model.Ridge`, on the same rows.
        as_of: on what was stored at this moment (see `observations`), not on the source.
        settings: when it is now. Default: the environment's.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        QuestionError: one of the models is not known.
        SourceError: the source cannot be read.
        DataError: the source lacks a column, or its history is too short for the backtest.
    """
    from mlops_assets.analysis import evaluate as analysis

    settings = or_default(settings)
    return analysis.evaluate(load_spec(forecast, settings), settings, models, as_of)


@overload
def explain(forecast: Forecast, *, settings: Settings | None = None) -> ModelExplanation | MembersExplanation: ...


@overload
def explain(
    forecast: Forecast,
    item: str,
    timestamp: str,
    *,
    origin: str | None = None,
    top: int = 10,
    as_of: str | None = None,
    settings: Settings | None = None,
) -> RowExplanation | MembersOfRow: ...


def explain(
    forecast: Forecast,
    item: str | None = None,
    timestamp: str | None = None,
    *,
    origin: str | None = None,
    top: int = 10,
    as_of: str | None = None,
    settings: Settings | None = None,
) -> ModelExplanation | MembersExplanation | RowExplanation | MembersOfRow:
    """Say what the model leans on or, with an item and a timestamp, what one forecast is made like.

    The champion's model is asked; without one that may be used, a model is fitted. Nothing is stored.

    Args:
        forecast: a name, a path or a spec.
        item: id of an item; goes together with `timestamp`.
        timestamp: which of its forecasts, in ISO 8601.
        origin: made from which moment. Default: the latest.
        top: how many of the training rows that it is made like.
        as_of: of an item's forecast: on what was stored at this moment, not on the source.
        settings: where the registry is. Default: the environment's.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        QuestionError: there is no such row, or only one of `item` and `timestamp` is given.
        SourceError, TrackingError: the source cannot be read, the registry not be reached.
        DataError: the source lacks a column, or has too little history.
    """
    from mlops_assets.analysis.explain import explain_model, explain_row
    from mlops_assets.reading.questions import QuestionError

    settings = or_default(settings)
    if (item is None) != (timestamp is None):
        raise QuestionError("item and timestamp go together")
    spec = load_spec(forecast, settings)
    if item is None or timestamp is None:
        return explain_model(spec, settings)
    return explain_row(spec, settings, item, timestamp, origin, top, as_of)


def forecast(
    forecast: Forecast,
    changes: Sequence[str] = (),
    *,
    future: str | PathLike[str] | None = None,
    items: Sequence[str] = (),
    origin: str | None = None,
    as_of: str | None = None,
    horizon: int | None = None,
    save: str | PathLike[str] | None = None,
    settings: Settings | None = None,
) -> ForecastResult:
    """Forecast without storing anything; with changes, beside the forecast as things stand.

    The champion's model is asked; without one that may be used, a model is fitted. Of a table that no spec describes (a
    file such as `sales.csv`, a folder, an address) one is drafted, and the result has its backtest (`TableForecast`).

    Args:
        forecast: a name, a path or a spec; or a table.
        changes: of known covariates over the whole horizon, such as `price=*0.9`, `temperature=+5`, `promo=1`.
        future: CSV or Parquet file of other known covariates.
        items: only these ids. Default: every item of which something has been observed lately.
        origin: made from which moment, in ISO 8601. Default: the latest.
        as_of: on what was stored at this moment, not on the source.
        horizon: of a table: steps ahead. Default: by its frequency and history.
        save: of a table: keep the spec that was drafted for it, as this YAML file.
        settings: where the registry is. Default: the environment's.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        UsageError: what belongs to a spec was given with a table, or the other way round.
        QuestionError: an item, a covariate or the origin is not there.
        SourceError, TrackingError: the source cannot be read, the registry not be reached.
        DataError: the source lacks a column, or has too little history.
    """
    from mlops_assets.analysis import at_once
    from mlops_assets.analysis.what_if import what_if
    from mlops_assets.errors import UsageError
    from mlops_assets.spec import ForecastSpec

    settings = or_default(settings)
    if not isinstance(forecast, str | PathLike | ForecastSpec):
        raise UsageError(f"a {type(forecast).__name__} has no place to be read from: write it to a file, and name that")
    of_spec = {"changes": tuple(changes), "future": future, "origin": origin, "as_of": as_of}
    text = forecast.name if isinstance(forecast, ForecastSpec) else str(forecast)
    if at_once.is_table(text, settings, of_spec, {"horizon": horizon, "save": save}):
        kept = None if save is None else Path(save)
        return at_once.forecast_table(text, settings, horizon=horizon, save=kept, items=tuple(items))
    file = None if future is None else str(future)
    return what_if(load_spec(forecast, settings), settings, changes, file, items, origin, as_of)


def tune(
    forecast: Forecast,
    minutes: float,
    trials: int | None = None,
    *,
    write: bool = False,
    listen: Callable[[TuningTrial], None] = lambda trial: None,
    settings: Settings | None = None,
) -> TuningResult:
    """Search for better settings of the model on the backtest. Every trial is a run in MLflow.

    Args:
        forecast: a name, a path or a spec.
        minutes: time to spend; a trial that has begun is finished.
        trials: at most so many, the present settings included. Default: as many as there is time for.
        write: put what was found into the spec's file.
        listen: told of each trial as it ends.
        settings: where MLflow is. Default: the environment's.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        MissingExtraError: Optuna is not installed.
        QuestionError: there is nothing to tune in this kind of model, or the file cannot be changed by itself.
        SourceError, TrackingError: the source cannot be read, MLflow not be reached.
        DataError: the source lacks a column, or has too little history.
    """
    from mlops_assets.analysis import tune as analysis

    settings = or_default(settings)
    return analysis.tune(load_spec(forecast, settings), settings, minutes, trials, write, listen)


@overload
def status(forecast: None = None, *, settings: Settings | None = None) -> list[Overview]: ...


@overload
def status(forecast: Forecast, *, settings: Settings | None = None) -> Overview: ...


def status(forecast: Forecast | None = None, *, settings: Settings | None = None) -> Overview | list[Overview]:
    """Say how a forecast is, or every declared one: what is stored, who is champion, how good, what is wrong.

    Looks only, and changes nothing. What cannot be reached is named in `unreachable`, and the rest is told.

    Args:
        forecast: a name, a path or a spec. Default: every declared forecast, those with a broken spec among them.
        settings: where things are kept. Default: the environment's.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
    """
    from mlops_assets.analysis import status as analysis
    from mlops_assets.catalog.declared import usable

    settings = or_default(settings)
    if forecast is None:
        declared = usable(settings)
        return analysis.status(declared.specs, settings, declared.broken)
    return analysis.status([load_spec(forecast, settings)], settings)[0]
