"""Forecasting from an origin, and the rows of the ledger that come of it."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.partitions import origin_of, window_of
from mlops_assets.errors import DataError
from mlops_assets.forecasting.data.grid import is_there
from mlops_assets.forecasting.evaluation.backtest import NAIVE
from mlops_assets.forecasting.evaluation.ledger import DELIVERED, OWN
from mlops_assets.forecasting.evaluation.metrics import seasonal_scale
from mlops_assets.forecasting.model import guards, kinds
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.versions import Portable
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages import ahead
from mlops_assets.stages.remarks import Remarks
from mlops_assets.stages.shards.origin import Part
from mlops_assets.tracking.registry import Version

if TYPE_CHECKING:
    from mlops_assets.forecasting.model.baselines import SeasonalNaive
    from mlops_assets.forecasting.model.kinds import Model


UNREGISTERED = 0
"""The ledger's `model_version` of forecasts that no registered version has made: seasonal naive's."""


@dataclass(frozen=True)
class Maker:
    """Who forecasts, and why.

    Attributes:
        model: makes the forecasts; None: seasonal naive does.
        version: which one it is; None of seasonal naive.
        because: why this one forecasts, see the ledger's column `delivered_because`.
        beyond: the same of leads that the version was not trained for, which are seasonal naive's.
    """

    model: "Portable | None" = None
    version: Version | None = None
    because: str = "champion"
    beyond: str = "no_champion"


def known_at(graph: Graph, key: str, observations: pd.DataFrame) -> tuple[pd.DataFrame, pd.Timestamp]:
    """Return what is known at the origin of a partition, and that origin.

    Raises:
        DataError: nothing was observed up to it.
    """
    spec = graph.spec
    origin = origin_of(spec, window_of(graph.partitions, key))
    history = observations[observations["timestamp"] <= origin]
    if history.empty:
        raise nothing_known(graph, key)
    return history, origin


def nothing_known(graph: Graph, key: str) -> DataError:
    """Return the error that nothing was observed up to the origin of a partition."""
    spec = graph.spec
    return DataError(
        f"{spec.name}: no observation is stored for the {kinds.lookback(spec.task)} steps up to the origin "
        f"{origin_of(spec, window_of(graph.partitions, key))}; materialize {spec.name}/observations for partition "
        f"{key} and before"
    )


def ask(
    forecaster: "SeasonalNaive | Model",
    task: Task,
    history: pd.DataFrame,
    origin: pd.Timestamp,
    future: pd.DataFrame | None,
    items: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Forecast the whole horizon of a task: beyond the leads that a model was trained for, seasonal naive does.

    Args:
        forecaster: is asked as far as it reaches.
        task: what is forecast, within which bounds, at which costs.
        history: canonical frame up to the origin.
        origin: the last timestamp known.
        future: known covariates over the horizon; None without such covariates.
        items: ids to forecast; None: those that are alive.
    """
    from mlops_assets.forecasting.delivery import deliver
    from mlops_assets.forecasting.model.baselines import SeasonalNaive

    reach = min(task.horizon, forecaster.task.horizon)
    made = deliver(forecaster, task, history, origin, future=future, horizon=reach, items=items)
    if reach == task.horizon:
        return made
    rest = deliver(SeasonalNaive(task), task, history, origin, items=list(made["item_id"].unique()))
    both = pd.concat([made, rest[rest["lead"] > reach]], ignore_index=True)
    return both.sort_values(["item_id", "lead"], ignore_index=True)


def forecast_some(
    graph: Graph,
    key: str,
    observations: pd.DataFrame,
    future: pd.DataFrame | None,
    maker: Maker,
    odd: Remarks | None = None,
) -> Part | None:
    """Forecast some of the items from the origin of a partition; None if nothing was observed of them up to it.

    Args:
        graph: of the forecast.
        key: of the partition.
        observations: canonical frame of the items.
        future: their known covariates over the horizon.
        maker: who forecasts.
        odd: what is odd about the partition's observations of them, for whoever puts the parts together.
    """
    from mlops_assets.forecasting.model.baselines import SeasonalNaive, recent_rows

    spec, task = graph.spec, graph.spec.task
    origin = origin_of(spec, window_of(graph.partitions, key))
    history = observations[observations["timestamp"] <= origin]
    if history.empty:
        return None
    latest, newest = history["timestamp"].max(), ahead.newest_known(spec, history)
    items = set(history["item_id"])
    try:
        recent_rows(history, task, origin)
    except DataError as error:
        return Part(pd.DataFrame(), latest, sorted(items), newest, odd=odd, silent=str(error))
    future = ahead.with_events(spec, history, future, origin)
    given = ahead.carried_forward(spec, history, future, origin)
    model = maker.model.model if maker.model else SeasonalNaive(task)
    with guards.counted() as unusual, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UnusualInput)
        made = on_the_clock(spec, ask(model, task, history, origin, given))
    version = maker.version
    number, until = (version.number, version.trained_until) if version else (UNREGISTERED, None)
    rows = ledger_rows(made, history, task, origin, number, until)
    naive = (rows["source"] == NAIVE) & (version is not None)
    rows["model_version"] = rows["model_version"].mask(naive, UNREGISTERED)
    rows["trained_until"] = rows["trained_until"].mask(naive)
    rows["delivered_because"] = naive.map({True: maker.beyond, False: maker.because})
    left_out = sorted(items - {*made["item_id"]})
    missing = ahead.missing_of(spec, history, future, made) if future is not None else None
    words = [str(warning.message) for warning in said]
    return Part(rows, latest, left_out, newest, missing, unusual, words, odd)


def on_the_clock(spec: ForecastSpec, made: pd.DataFrame) -> pd.DataFrame:
    """Return forecasts without those of hours that the zone's clocks skip: nothing can come of them."""
    there = is_there(pd.DatetimeIndex(made["timestamp"]), spec.frequency, spec.zone)
    return made if there.all() else made[there].reset_index(drop=True)


def ledger_rows(
    made: pd.DataFrame,
    history: pd.DataFrame,
    task: Task,
    origin: pd.Timestamp,
    version: int = UNREGISTERED,
    trained_until: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Complete forecasts to rows of the ledger: what they are scored against, and who made them.

    Args:
        made: as `Model.predict` returns them.
        history: canonical frame up to the origin.
        task: what is forecast.
        origin: of the forecasts.
        version: of the model; 0: not a registered one.
        trained_until: the last timestamp that it has learnt from; None: none of the forecasts' is.

    Returns:
        The columns of `made`, `naive` (seasonal naive's point forecast), `mase_scale`, `rmsse_scale` (of the history),
        `model_version` and `trained_until`.
    """
    from mlops_assets.forecasting.delivery import deliver
    from mlops_assets.forecasting.model.baselines import SeasonalNaive

    naive = deliver(SeasonalNaive(task), task, history, origin, items=list(made["item_id"].unique()))
    naive = naive[["item_id", "lead", task.point_column]].rename(columns={task.point_column: "naive"})
    which = ["item_id", "lead"]
    # As a rule they are of the same rows, and joining those takes longer than forecasting them.
    if np.array_equal(made[which].to_numpy(), naive[which].to_numpy()):
        rows = made.reset_index(drop=True).assign(naive=naive["naive"].to_numpy())
    else:
        rows = made.merge(naive, on=which, how="left")
    scale = seasonal_scale(history, task).set_index("item_id").reindex(rows["item_id"])
    until = pd.Series(trained_until, index=rows.index).astype("datetime64[us]")
    scales = {str(name): column.to_numpy() for name, column in scale.items()}
    return rows.assign(**scales, model_version=version, trained_until=until)


def ledger_of(rows: pd.DataFrame, run_id: str, now: pd.Timestamp) -> pd.DataFrame:
    """Return our rows as a run stores them: delivered."""
    rows = rows.assign(role=DELIVERED, job_key=OWN)
    rows["source"] = rows["source"].replace({"model": "champion"})
    rows["run_id"] = run_id
    rows["created_at"] = pd.Series(now, index=rows.index).astype("datetime64[us]")
    return rows
