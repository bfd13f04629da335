"""A forecast opened for questions: its data from the source, and the model that would forecast now. Writes nothing."""

from dataclasses import dataclass

import pandas as pd

from mlops_assets.analysis import revisions
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import FUTURE_COVARIATES, OBSERVATIONS
from mlops_assets.catalog.partitions import complete_keys, holding, origin_of, whole_window, window_of
from mlops_assets.environments import Stores, assets_of, open_stores
from mlops_assets.errors import DataError, nearest
from mlops_assets.forecasting.data.contract import Checked, ContractError
from mlops_assets.forecasting.data.grid import KEY
from mlops_assets.forecasting.model import kinds
from mlops_assets.forecasting.model.baselines import dead_items
from mlops_assets.forecasting.model.kinds import Model
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.reading.questions import QuestionError
from mlops_assets.resources.clock import Clock
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.ahead import carried_forward, known_ahead, with_events
from mlops_assets.stages.findings import no_usable_row, refusal
from mlops_assets.stages.ingest import read_observations
from mlops_assets.stages.predict import ask, on_the_clock
from mlops_assets.stages.train import history_of


@dataclass(frozen=True)
class OpenForecast:
    """What a forecast is made from, and what makes it.

    Attributes:
        spec: the forecast.
        history: canonical frame up to the origin.
        future: known covariates over the horizon after it; None without such covariates.
        origin: last timestamp known.
        forecaster: the champion's, or one fitted for the question.
        model: which one it is, in words.
        learnt_until: the last timestamp that its training rows were made from.
    """

    spec: ForecastSpec
    history: pd.DataFrame
    future: pd.DataFrame | None
    origin: pd.Timestamp
    forecaster: Model
    model: str
    learnt_until: pd.Timestamp

    def predict(self, future: pd.DataFrame | None = None, items: list[str] | None = None) -> pd.DataFrame:
        """Forecast, with other known covariates if given."""
        known = self.future if future is None else future
        return on_the_clock(self.spec, ask(self.forecaster, self.spec.task, self.history, self.origin, known, items))

    def must_know(self, item: str) -> None:
        """Raise QuestionError unless there is such an item in the data."""
        known = self.history["item_id"].unique()
        if item not in known:
            near = nearest(item, known, 3) or sorted(known)[:3]
            raise QuestionError(f"no item {item!r} in the data; there are {len(known)}, such as {', '.join(near)}")

    def left_out(self) -> list[str]:
        """Items that get no forecast, because nothing has been observed of them lately."""
        return dead_items(self.history, self.spec.task, self.origin)


def read_history(spec: ForecastSpec, settings: Settings, as_of: str | None = None) -> tuple[pd.DataFrame, Checked]:
    """Read all partitions that have ended from the source, as the engine wants them, and what the contract said.

    Args:
        spec: the forecast.
        settings: where what is stored is, and when it is now.
        as_of: read what is stored, as it was known at this moment; None: read the source.

    Raises:
        RevisionsError: nothing was stored by then, or it is no moment.
        SourceError: the source cannot be read.
        ContractError: a column is absent, or more rows are rejected or repeated than the spec allows.
        DataError: there is no usable row, or no partition has ended yet.
    """
    if as_of is not None:
        rows = revisions.observations(spec, settings, as_of)
        return history_of(spec, rows), Checked.of_stored(rows)
    graph = Graph(spec)
    clock = Clock.of(settings)
    keys = complete_keys(spec, clock.now())
    if not keys:
        raise DataError(f"the first partition, from {spec.partitions.start}, has not ended yet")
    with assets_of(settings):
        checked, source = read_observations(graph, whole_window(graph.partitions, [keys[0], keys[-1]]), clock)
    span = f"{keys[0]} to {keys[-1]}"
    if refused := refusal(spec, checked, source, f"the rows of {span}"):
        raise ContractError(refused)
    history = history_of(spec, checked.accepted)
    if history["target"].notna().sum() == 0:
        raise DataError(no_usable_row(spec, checked, source, span))
    return history, checked


def latest_origin(graph: Graph, history: pd.DataFrame, clock: Clock) -> pd.Timestamp:
    """Return the origin of the last partition that has ended, or the last observation's time if that is earlier."""
    last = complete_keys(graph.spec, clock.now())[-1]
    observed = history.loc[history["target"].notna(), "timestamp"]
    return min(origin_of(graph.spec, window_of(graph.partitions, last)), pd.Timestamp(observed.max()))


def open_forecast(
    spec: ForecastSpec, settings: Settings, origin: str | None = None, as_of: str | None = None
) -> OpenForecast:
    """Read the source and take the champion's model, or fit one if there is none that may be used.

    Args:
        spec: the forecast.
        settings: where the registry is.
        origin: a timestamp of the grid; None is the last partition's that has data. A model that has learnt from
            later data is not used: what it says of the past would be hindsight.
        as_of: see `read_history`; known covariates, too, are those that were stored by then.

    Raises:
        QuestionError: the origin is not a timestamp, or nothing was observed until then.
        SourceError: the source cannot be read.
        TrackingError: the registry cannot be reached.
        DataError: there is too little history, or the champion is of another task.
    """
    graph = Graph(spec)
    clock = Clock.of(settings)
    history, _ = read_history(spec, settings, as_of)
    moment = latest_origin(graph, history, clock) if origin is None else _moment(origin, history)
    history = history[history["timestamp"] <= moment]
    if as_of is None:
        with assets_of(settings):
            future = known_ahead(graph, clock, history, moment)
    else:
        future = with_events(spec, history, revisions.future_covariates(spec, settings, moment, as_of), moment)
    future = carried_forward(spec, history, future, moment)
    found = _champion(spec, settings, moment)
    if found is not None:
        forecaster, model, learnt_until = found
    else:
        forecaster = kinds.fit(kinds.rows(history, spec.task), spec.task)
        model, learnt_until = f"{spec.model.kind} fitted now on data until {moment}", moment
    return OpenForecast(spec, history, future, moment, forecaster, model, learnt_until)


def open_stored(spec: ForecastSpec, stores: Stores) -> OpenForecast:
    """Open a forecast on what is stored, at the latest origin, with its champion: no source is read, nothing fitted.

    Raises:
        QuestionError: nothing is stored, or there is no champion.
        TrackingError: the registry cannot be reached.
    """
    graph, tables = Graph(spec), stores.tables
    if not tables.exists([spec.name, OBSERVATIONS]):
        raise QuestionError(f"{spec.name}: no observations are stored", advice=[f"mlops-assets run {spec.name}"])
    history = history_of(spec, tables.read([spec.name, OBSERVATIONS]))
    origin = latest_origin(graph, history, stores.clock)
    history = history[history["timestamp"] <= origin]
    key, future = holding(spec, origin), None
    if tables.stored([spec.name, FUTURE_COVARIATES], [key]):
        future = tables.read([spec.name, FUTURE_COVARIATES], [key])[[*KEY, *spec.covariates.all_known]]
    future = carried_forward(spec, history, with_events(spec, history, future, origin), origin)
    found = _champion_of(spec, stores, origin)
    if found is None:
        raise QuestionError(
            f"{spec.name} has no champion that could be asked", advice=[f"mlops-assets run {spec.name}"]
        )
    return OpenForecast(spec, history, future, origin, *found)


def _champion(spec: ForecastSpec, settings: Settings, origin: pd.Timestamp) -> tuple[Model, str, pd.Timestamp] | None:
    with open_stores(settings) as stores:
        return _champion_of(spec, stores, origin)


def _champion_of(spec: ForecastSpec, stores: Stores, origin: pd.Timestamp) -> tuple[Model, str, pd.Timestamp] | None:
    life = Lifecycle.of(stores, spec.name)
    if life.log.all().empty and not stores.tracking.exists():
        return None
    version = life.champion()
    if version is None or version.trained_until is None or version.trained_until > origin:
        return None
    words = f"{version.label} of {spec.name}, the champion, trained until {version.trained_until}"
    return life.versions.forecaster(version), words, version.trained_until


def _moment(text: str, history: pd.DataFrame) -> pd.Timestamp:
    moment = read_timestamp(text, "origin")
    times = history["timestamp"]
    if not times.min() <= moment <= times.max():
        raise QuestionError(f"the origin {text} is not within the data, {times.min()} to {times.max()}")
    return pd.Timestamp(times[times <= moment].max())


def read_timestamp(text: str, what: str) -> pd.Timestamp:
    """Read a timestamp in ISO 8601; QuestionError if it is none."""
    try:
        return pd.Timestamp(text).as_unit("us")
    except ValueError:
        raise QuestionError(f"{what} {text!r} is not a timestamp such as 2013-12-31 or 2013-12-31T06:00") from None
