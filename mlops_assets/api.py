"""The public functions: everything that the command line answers, as Python objects.

A forecast is named (`"nyc_departures"`, one of those that the settings declare), or is the path of its YAML file, or
a spec that was loaded. Settings are those of the environment variables unless others are given. `docs/api.md` shows
them at work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd
    from matplotlib.figure import Figure

    from mlops_assets.analysis.evaluate import Evaluation
    from mlops_assets.analysis.explain import ModelExplanation, RowExplanation
    from mlops_assets.analysis.members import MembersExplanation, MembersOfRow
    from mlops_assets.analysis.tune import TuningResult, TuningTrial
    from mlops_assets.analysis.what_if import ForecastResult
    from mlops_assets.reading.asked import Moment
    from mlops_assets.report.overview import Overview
    from mlops_assets.settings import Settings
    from mlops_assets.spec import ForecastSpec

    Forecast = ForecastSpec | str | PathLike[str]


def load_spec(forecast: Forecast, settings: Settings | None = None) -> ForecastSpec:
    """Return the spec of a forecast.

    Args:
        forecast: the name of a declared forecast, or the path of a YAML file (`.yaml`, `.yml`); a spec is returned.
        settings: which folder forecasts are declared in. Default: the environment's.

    Raises:
        UnknownNameError: no forecast of that name is declared.
        SpecError: the file cannot be read or breaks the rules; the message has one line for each wrong field.
    """
    from mlops_assets.spec import ForecastSpec, find_or_load_spec
    from mlops_assets.spec import load_spec as load_file

    if isinstance(forecast, ForecastSpec):
        return forecast
    if isinstance(forecast, PathLike):
        return load_file(Path(forecast))
    return find_or_load_spec(_or_default(settings).forecasts, forecast)


def build_definitions(*forecasts: Forecast, settings: Settings | None = None) -> dg.Definitions:
    """Return Dagster definitions: assets, jobs, schedules, sensors and resources.

    Args:
        forecasts: which. None given: all that the settings declare.
        settings: the environment that they run in. Default: the environment's.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
    """
    from mlops_assets.definitions import assemble, build
    from mlops_assets.environments import build_environment

    settings = _or_default(settings)
    if not forecasts:
        return build(settings)
    specs = [load_spec(forecast, settings).approved_by(settings.approval) for forecast in forecasts]
    return assemble(specs, build_environment(settings))


def observations(forecast: Forecast, *, as_of: str | None = None, settings: Settings | None = None) -> pd.DataFrame:
    """Return the stored observations, as they are known now or as they were known at a moment.

    Args:
        forecast: a name, a path or a spec.
        as_of: the moment, in ISO 8601, in UTC where it names no offset. Default: now.
        settings: where they are kept. Default: the environment's.

    Returns:
        item_id, timestamp, target, the covariates, and since when the row is known (`known_at`, UTC).

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        RevisionsError: nothing is stored, or nothing was known then.
    """
    from mlops_assets.analysis import revisions

    settings = _or_default(settings)
    return revisions.observations(load_spec(forecast, settings), settings, as_of)


def read_forecasts(
    forecast: Forecast,
    items: str | Collection[str] | None = None,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    origin: Moment | None = None,
    as_of: Moment | None = None,
    leads: int | Collection[int] | None = None,
    version: Literal["system", "published"] = "published",
    settings: Settings | None = None,
) -> pd.DataFrame:
    """Return stored forecasts. Only what is asked for is read; no model is.

    Args:
        forecast: a name, a path or a spec.
        items: an id, or some, or sums of a hierarchy such as `sum:north`. Default: all items.
        start: first timestamp, in the spec's zone. With neither `start` nor `end` nor `origin`: what the latest origin
            looks ahead to.
        end: last timestamp; a day is meant until its end.
        origin: made from where: a timestamp, `latest`, or `all`. Default: of each item and timestamp the latest.
        as_of: only what had been made by this moment, in UTC where it names no offset.
        leads: only so many steps ahead.
        version: `published`: as people have adjusted it; `system`: as it was made.
        settings: where they are kept. Default: the environment's.

    Returns:
        item_id, origin, timestamp, lead, mean, the quantiles, naive, source, model_version, created_at (UTC),
        adjustment.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        QuestionError: there is no such item or origin, nothing was forecast by then, or a time is none.
    """
    from mlops_assets.reading.opening import open_reader

    settings = _or_default(settings)
    with open_reader(load_spec(forecast, settings), settings) as reader:
        return reader.forecasts(items, start, end, origin, as_of, leads=leads, version=version)


def read_accuracy(
    forecast: Forecast,
    by: Literal["all", "item", "lead", "origin", "period", "segment", "version"] = "all",
    items: str | Collection[str] | None = None,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    as_of: Moment | None = None,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """Return how good the stored forecasts were, beside seasonal naive.

    Args:
        forecast: a name, a path or a spec.
        by: one row for each of these, or one for all.
        items: of these. Default: all.
        start: first timestamp that was forecast. With neither `start` nor `end`: those of the latest partitions, and
            by period those of all.
        end: last timestamp that was forecast.
        as_of: the forecasts that had been made by this moment, beside the actuals as they were known then.
        settings: where they are kept. Default: the environment's.

    Returns:
        What it is by, rows, every metric, naive_mase and skill.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        QuestionError: there is no such item, or a time is none.
    """
    from mlops_assets.reading.opening import open_reader

    settings = _or_default(settings)
    with open_reader(load_spec(forecast, settings), settings) as reader:
        return reader.accuracy(by, items, start, end, as_of)


def plot_forecast(
    forecast: Forecast,
    items: str | Collection[str] | None = None,
    *,
    origin: Moment | None = None,
    as_of: Moment | None = None,
    settings: Settings | None = None,
) -> Figure:
    """Draw stored forecasts beside the history that was known, and beside what came.

    Args:
        forecast: a name, a path or a spec.
        items: six at most. Default: the largest.
        origin: made from where. Default: the latest.
        as_of: as they were known at this moment.
        settings: where they are kept. Default: the environment's.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        QuestionError: there is no such item or origin, or nothing was forecast by then.
    """
    from mlops_assets.reading.opening import open_reader
    from mlops_assets.reading.outputs.picture import picture

    settings = _or_default(settings)
    with open_reader(load_spec(forecast, settings), settings) as reader:
        return picture(reader, items, origin, as_of)


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

    settings = _or_default(settings)
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

    settings = _or_default(settings)
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
    settings: Settings | None = None,
) -> ForecastResult:
    """Forecast without storing anything; with changes, beside the forecast as things stand.

    The champion's model is asked; without one that may be used, a model is fitted.

    Args:
        forecast: a name, a path or a spec.
        changes: of known covariates over the whole horizon, such as `price=*0.9`, `temperature=+5`, `promo=1`.
        future: CSV or Parquet file of other known covariates.
        items: only these ids. Default: every item of which something has been observed lately.
        origin: made from which moment, in ISO 8601. Default: the latest.
        as_of: on what was stored at this moment, not on the source.
        settings: where the registry is. Default: the environment's.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        QuestionError: an item, a covariate or the origin is not there.
        SourceError, TrackingError: the source cannot be read, the registry not be reached.
        DataError: the source lacks a column, or has too little history.
    """
    from mlops_assets.analysis.what_if import what_if

    settings = _or_default(settings)
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

    settings = _or_default(settings)
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
    from mlops_assets.definitions import usable

    settings = _or_default(settings)
    if forecast is None:
        declared = usable(settings)
        return analysis.status(declared.specs, settings, declared.broken)
    return analysis.status([load_spec(forecast, settings)], settings)[0]


def _or_default(settings: Settings | None) -> Settings:
    from mlops_assets.settings import Settings

    return Settings.read() if settings is None else settings
