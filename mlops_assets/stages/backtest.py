"""The backtest: model, seasonal naive and champion at rolling origins, on the same rows for everyone."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import process_time

import pandas as pd

from mlops_assets.catalog.names import BACKTEST
from mlops_assets.errors import DataError, MlopsAssetsError
from mlops_assets.forecasting.delivery import deliver
from mlops_assets.forecasting.evaluation import backtest as rolling
from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, CHAMPION, NAIVE, Window
from mlops_assets.forecasting.evaluation.metrics import Scoring
from mlops_assets.forecasting.model import kinds
from mlops_assets.forecasting.model.baselines import SeasonalNaive
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.versions import Portable, Versions, require_fit
from mlops_assets.resources.rows import Only
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.shards import shards
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.shards.frames import Frames
from mlops_assets.stages.shards.history import Histories, Part
from mlops_assets.stages.shards.learning import Drawing, rows_of
from mlops_assets.stages.train import Fitting
from mlops_assets.tracking.registry import Version

GIVEN = ["window", "item_id", "origin", "timestamp", "lead", "target", "mase_scale", "rmsse_scale"]
"""Columns of a backtest that are the same for all models."""


@dataclass
class Backtested:
    """What the models forecast at the rolling origins.

    Attributes:
        batches: rows as `evaluation.backtest` makes them, with the champion's and its `version`; sorted by item; they
            can be read once.
        overall: scores by model.
        by_window: scores by model and window.
        seconds: model, fit, predict: processor time, summed over the windows.
        left_out: why the champion takes no part; empty if it does, or if there is none.
    """

    batches: Iterable[pd.DataFrame]
    overall: pd.DataFrame
    by_window: pd.DataFrame
    seconds: pd.DataFrame
    left_out: str = ""


@dataclass(frozen=True)
class Champion:
    """The champion at the origins of a backtest.

    Attributes:
        number: of its version.
        models: window -> what forecasts there; None: the challenger's very forecasts are its own.
    """

    number: int
    models: Mapping[int, Portable | None]


@dataclass(frozen=True)
class Windows:
    """What forecasts the windows of a backtest.

    Attributes:
        task: what is forecast.
        until: the last timestamp that counts.
        origins: of the windows, the oldest first.
        challengers: the model of each.
        champion: None: it takes no part.
    """

    task: Task
    until: pd.Timestamp
    origins: Sequence[pd.Timestamp]
    challengers: Sequence[Portable]
    champion: Champion | None


@dataclass(frozen=True)
class Forecast:
    """What the models forecast of some items.

    Attributes:
        rows: as of `Backtested`.
        seconds: model -> processor time.
        problem: why the champion takes no part.
    """

    rows: pd.DataFrame
    seconds: dict[str, float] = field(default_factory=dict)
    problem: str = ""


def backtest(
    spec: ForecastSpec,
    life: Lifecycle,
    histories: Histories,
    until: pd.Timestamp,
    fitting: Fitting,
    version: Version | None = None,
) -> Backtested:
    """Backtest a recipe, or a version that is there already, seasonal naive and the present champion.

    Args:
        spec: the forecast.
        life: knows the champion.
        histories: of all items.
        until: the last timestamp that counts: a target was observed then.
        fitting: makes the model of each origin.
        version: the challenger, where it was trained before: from origins after its training it forecasts itself.

    Raises:
        DataError: there is too little history for the spec's windows.
    """
    task, windows = fitting.task, spec.backtest.windows
    origins = rolling.origins_between(histories.first_observed(), until, task, windows, spec.backtest.step)
    drawings = [Drawing(task, histories.last(origin), origin) for origin in origins]
    with histories.kept():
        itself: Mapping[int, Portable | None] = {}
        if version is not None:
            itself = champion_at(life.versions, version, histories, origins, spec, task).models
        anew = [drawing for number, drawing in enumerate(drawings) if itself.get(number) is None]
        made = iter(_fitted(histories, fitting, anew, here=fitting.base is not None))
        stored = {number: (model, 0.0) for number, model in itself.items() if model is not None}
        challengers, fits = zip(*(stored.get(number) or next(made) for number in range(len(drawings))), strict=True)
        present, left_out = life.champion(), ""
        champion = None
        if present is not None:
            try:
                since = None if version is None else version.trained_until
                champion = champion_at(life.versions, present, histories, origins, spec, task, since)
            except (MlopsAssetsError, ValueError) as error:
                left_out = _no_part(present.number, error)
        scores = {name: Scoring(spec.task, by) for name, by in _SCORES.items()}
        seconds: dict[str, float] = dict.fromkeys((CHALLENGER, NAIVE), 0.0)
        batches: Frames | list[pd.DataFrame] = Frames(BACKTEST) if histories.many else []
        found: set[int] = set()
        for made in histories.each(forecast, Windows(task, until, origins, challengers, champion)):
            if made.problem and champion is not None:
                left_out = left_out or _no_part(champion.number, made.problem)
            lost = scores["overall"].lost(made.rows)
            for scoring in scores.values():
                scoring.add(made.rows, lost)
            for name, spent in made.seconds.items():
                seconds[name] += spent
            found |= {*made.rows["window"].unique()}
            batches.add(made.rows) if isinstance(batches, Frames) else batches.append(made.rows)
    rolling.require_all(found, windows)
    overall, by_window = (scoring.table() for scoring in scores.values())
    spent = [
        {"model": name, "fit": sum(fits) * (name == CHALLENGER), "predict": took} for name, took in seconds.items()
    ]
    return Backtested(
        _without_champion(batches) if left_out else batches,
        overall[overall["model"] != CHAMPION] if left_out else overall,
        by_window[by_window["model"] != CHAMPION] if left_out else by_window,
        pd.DataFrame(spent),
        left_out,
    )


def forecast(part: Part, windows: Windows) -> Forecast:
    """Forecast some items, or all, at the origins of a backtest, by all its models."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusualInput)  # in the past, and of some items, that is no news
        return _forecast(part, windows)


def _forecast(part: Part, windows: Windows) -> Forecast:
    task = windows.task
    history = part.history[part.history["timestamp"] <= windows.until]
    tables = []
    seconds: dict[str, float] = dict.fromkeys((CHALLENGER, NAIVE), 0.0)
    for number, (origin, challenger) in enumerate(zip(windows.origins, windows.challengers, strict=True)):
        models = {CHALLENGER: challenger.model, NAIVE: SeasonalNaive(task)}
        known = None if part.past is None else part.seen(origin)
        table, spent = rolling.forecast(history, task, Window(number, origin, models), known)
        tables.append(table)
        for name, took in spent.items():
            seconds[name] += took
    rows = rolling.by_item(tables)
    rows = rows.assign(version=pd.array([pd.NA] * len(rows), dtype="Int64"))
    if windows.champion is None or rows.empty:
        return Forecast(rows, seconds)
    try:
        return Forecast(rolling.by_item([rows, champion_rows(windows.champion, part, rows, task)]), seconds)
    except (MlopsAssetsError, ValueError) as error:
        return Forecast(rows, seconds, str(error))


def champion_at(
    versions: Versions,
    version: Version,
    histories: Histories,
    origins: Sequence[pd.Timestamp],
    spec: ForecastSpec,
    task: Task,
    since: pd.Timestamp | None = None,
) -> Champion:
    """Return who forecasts for a champion at the origins of a backtest: itself, with what it had not seen.

    From an origin after its training, the stored model forecasts. An earlier window it has learnt from; there its
    recipe (features, covariates, parameters) is fitted to what was known at the origin, exactly as the challenger's
    is. The same recipe then has the challenger's very forecasts, and only newer windows tell the two apart.

    Args:
        versions: have the champion's model.
        version: the champion.
        histories: of all items.
        origins: of the windows.
        spec: the forecast.
        task: what the challenger forecasts, with its own model's settings.
        since: from this origin on the challenger's stored model forecasts, and no fit of its recipe; None: from none.

    Raises:
        DataError: the champion was made for other observations or another task (covariates), and cannot do this one.
        TrackingError: its file is gone.
        ModelFileError: its file is not the one that was registered.
    """
    stored = versions.portable(version)
    require_fit(version, stored.model, spec)
    seen = [version.trained_until is None or version.trained_until > origin for origin in origins]
    models: dict[int, Portable | None] = {number: None if known else stored for number, known in enumerate(seen)}
    other = stored.model.task != task
    anew = {
        number: origin
        for number, origin in enumerate(origins)
        if seen[number] and (other or (since is not None and origin >= since))
    }
    if anew:
        refitted = _refitted(versions, version, stored, histories, list(anew.values()))
        models |= zip(anew, refitted, strict=True)
    return Champion(version.number, models)


def champion_rows(champion: Champion, part: Part, predictions: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return what a champion forecasts where the challenger does.

    Leads that it was not trained for have no forecast, and no part in the comparison.

    Args:
        champion: see there.
        part: the items.
        predictions: rows of a backtest of theirs, the challenger's among them.
        task: what the challenger forecasts.

    Returns:
        Rows like the challenger's, with the model named `champion`.
    """
    frames = []
    for window, rows in predictions[predictions["model"] == CHALLENGER].groupby("window"):
        stored = champion.models[int(str(window))]
        if stored is None:
            frames.append(rows)
            continue
        origin, reach = rows["origin"].iloc[0], min(task.horizon, stored.model.task.horizon)
        made = deliver(stored.model, task, part.seen(origin), origin, horizon=reach, items=rows["item_id"].unique())
        frames.append(rows[GIVEN].merge(made, on=["item_id", "origin", "timestamp", "lead"], how="left"))
    made = pd.concat(frames, ignore_index=True).assign(model=CHAMPION, version=champion.number)
    return made[[*predictions.columns]].astype({"version": "Int64"})


def rows_by_item(table: StoredTable, task: Task) -> Iterator[pd.DataFrame]:
    """Yield a stored backtest, of any release, in parts: all rows of some items in each."""
    for shard in shards(table.tables, table.key, None) or [None]:
        yield rolling.with_names_of_today(table.read(columns_of(task), Only(items=shard) if shard else None))


def columns_of(task: Task) -> list[str]:
    """Return the columns of a stored backtest that it is scored and judged by."""
    return ["model", *GIVEN, "mean", *task.quantile_columns, *task.cost_columns, "source", "version"]


def headline(overall: pd.DataFrame) -> dict[str, float]:
    """Return the challenger's scores under their names, and seasonal naive's as `naive_...`."""
    rows = overall.set_index("model")
    return {
        **{str(name): float(value) for name, value in rows.loc[CHALLENGER].to_dict().items()},
        **{f"naive_{name}": float(value) for name, value in rows.loc[NAIVE].to_dict().items() if name != "rows"},
    }


def portable(model: "kinds.Model") -> Portable:
    """Return a model of this release as it is sent to workers."""
    return Portable(model, kinds.state_of(model))


_SCORES = {"overall": ["model"], "by_window": ["model", "window"]}


def _fitted(
    histories: Histories,
    fit: "Callable[[pd.DataFrame], kinds.Model]",
    drawings: Sequence[Drawing],
    here: bool = False,
) -> Iterator[tuple[Portable, float]]:
    """Fit a model to what each drawing has drawn; yield it with the processor seconds that this took.

    Where there are many items, workers fit models that learn from a sample of rows, unless it is to be done here: a
    model that is renewed does not travel.
    """
    rows = rows_of(histories, drawings)
    if here or not histories.many or not all(kinds.draws(one.task.model.kind) for one in drawings):
        yield from map(partial(_fit, fit), rows)
    else:
        yield from histories.engine.map(partial(_fit, fit), list(rows))


def _fit(fit: "Callable[[pd.DataFrame], kinds.Model]", rows: pd.DataFrame) -> tuple[Portable, float]:
    began = process_time()
    model = fit(rows)
    return portable(model), process_time() - began


def _refitted(
    versions: Versions,
    version: Version,
    stored: Portable,
    histories: Histories,
    origins: Sequence[pd.Timestamp],
) -> Iterator[Portable]:
    """Fit a champion's recipe to what was known at some origins."""
    task = stored.model.task
    drawings = [Drawing(task, histories.last(origin), origin) for origin in origins]
    if stored.sources is None:
        yield from (model for model, _ in _fitted(histories, partial(kinds.fit, task=task), drawings))
        return
    if histories.many:
        raise DataError(
            "the code of another release runs it, which cannot learn anew from so many items as there are in windows "
            "before its training; it is compared once a window begins after that"
        )
    code = versions.code(version, stored.state)
    for one in drawings:  # used in this process only, so that their states do not matter
        history = histories.whole.then(one.origin).history
        known = history[history["timestamp"] <= one.until]
        yield Portable(code.refit(stored.model, known), stored.state, stored.sources)


def _no_part(number: int, why: object) -> str:
    return f"version {number}, the champion, takes no part in the backtest: {why}"


def _without_champion(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for rows in batches:
        yield rows[rows["model"] != CHAMPION].reset_index(drop=True)
