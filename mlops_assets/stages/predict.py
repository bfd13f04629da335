"""Forecasting from an origin: with which version, and the rows of the ledger that come of it."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.partitions import end_of_next, origin_of, window_of
from mlops_assets.errors import DataError, TerminalError
from mlops_assets.forecasting.evaluation.metrics import seasonal_scale
from mlops_assets.forecasting.formatting import stamp
from mlops_assets.forecasting.model import guards
from mlops_assets.forecasting.model.features import lookback
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.decisions import champion_of
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.stages import ahead
from mlops_assets.tracking.registry import Version

if TYPE_CHECKING:
    from mlops_assets.forecasting.model.forecaster import Forecaster


class NoChampionError(TerminalError, LookupError):
    """There is no champion that could forecast."""


@dataclass(frozen=True)
class Predicted:
    """What a version forecasts from an origin.

    Attributes:
        rows: of the ledger, see `ledger_rows`.
        history: canonical frame up to the origin.
        warnings: what is unusual about it, in sentences.
        left_out: items that get no forecast, because nothing was observed of them lately.
        late: past covariates of which the newest values have not come yet, see `ahead.late_covariates`.
        missing_ahead: known covariates that are missing over the horizon, see `ahead.missing_ahead`; None without any.
    """

    rows: pd.DataFrame
    history: pd.DataFrame
    warnings: list[str]
    left_out: list[str]
    late: list[str] = field(default_factory=list)
    missing_ahead: pd.DataFrame | None = None


def load(life: Lifecycle, versions: Iterable[Version]) -> "dict[int, Forecaster]":
    """Load the forecasters of some versions, each once: number -> forecaster.

    Raises:
        TrackingError: a file is gone.
        ModelFileError: a file is not the one that was registered.
    """
    distinct = {version.number: version for version in versions}
    return {number: life.registry.forecaster(version) for number, version in distinct.items()}


def forecast(
    graph: Graph,
    key: str,
    observations: pd.DataFrame,
    future: pd.DataFrame | None,
    forecaster: "Forecaster",
    version: Version,
) -> Predicted:
    """Forecast from the origin of a partition.

    Args:
        graph: of the forecast.
        key: of the partition.
        observations: canonical frame; rows after the origin are not looked at.
        future: known covariates over the horizon; None without such covariates.
        forecaster: makes the forecasts.
        version: which one it is.

    Raises:
        DataError: nothing was observed up to the origin.
    """
    spec, task = graph.spec, graph.spec.task
    origin = origin_of(spec, window_of(graph.partitions, key))
    history = observations[observations["timestamp"] <= origin]
    if history.empty:
        raise DataError(
            f"{spec.name}: no observation is stored for the {lookback(task)} steps up to the origin {origin}; "
            f"materialize {spec.name}/observations for partition {key} and before"
        )
    given = ahead.future_of(spec, history, future, origin)
    with warnings.catch_warnings(record=True) as unusual:
        warnings.simplefilter("always", UnusualInput)
        made = forecaster.predict(history, origin, future=given, horizon=spec.horizon, quantiles=task.quantiles)
    late = ahead.late_covariates(spec, history)
    todo = f"Mend the source, or train again: mlops-assets run {spec.name} --retrain"
    unlike = [str(warning.message) for warning in unusual]
    said = [f"{words}. {todo}" for words in guards.without_missing(unlike, late)]
    missing = ahead.missing_ahead(spec, history, future, made) if future is not None else None
    if missing is not None and len(missing):
        ahead.refuse(spec, missing)
        if spec.covariates.missing_future == "warn":
            unlike = guards.without_missing(unlike, [*late, *spec.covariates.known])
            said = [ahead.warning(missing), *(f"{words}. {todo}" for words in unlike)]
    if history["timestamp"].max() < origin:
        said.append(f"the latest observation is of {stamp(history['timestamp'].max())}")
    said = [f"origin {stamp(origin)}: {words}" for words in said]
    rows = ledger_rows(made, history, task, origin, version.number, version.trained_until)
    return Predicted(rows, history, said, sorted({*history["item_id"]} - {*made["item_id"]}), late, missing)


def ledger_rows(
    made: pd.DataFrame,
    history: pd.DataFrame,
    task: Task,
    origin: pd.Timestamp,
    version: int = 0,
    trained_until: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Complete forecasts to rows of the ledger: what they are scored against, and who made them.

    Args:
        made: as `Forecaster.predict` returns them.
        history: canonical frame up to the origin.
        task: what is forecast.
        origin: of the forecasts.
        version: of the model; 0: not a registered one.
        trained_until: the last timestamp that it has learnt from; None: none of the forecasts' is.

    Returns:
        The columns of `made`, `naive` (seasonal naive's point forecast), `mase_scale`, `rmsse_scale` (of the history),
        `model_version` and `trained_until`.
    """
    from mlops_assets.forecasting.model.baselines import seasonal_naive

    naive = seasonal_naive(history, task, origin, items=made["item_id"].unique())
    naive = naive[["item_id", "lead", task.point_column]].rename(columns={task.point_column: "naive"})
    rows = made.merge(naive, on=["item_id", "lead"], how="left")
    rows = rows.merge(seasonal_scale(history, task), on="item_id", how="left")
    rows["model_version"] = version
    rows["trained_until"] = pd.Series(trained_until, index=rows.index).astype("datetime64[us]")
    return rows


def ledger_of(parts: Sequence[pd.DataFrame], run_id: str, now: pd.Timestamp) -> pd.DataFrame:
    """Put the rows of several origins together as one run stores them."""
    rows = pd.concat(parts, ignore_index=True)
    rows["source"] = rows["source"].replace({"model": "champion"})
    rows["run_id"] = run_id
    rows["created_at"] = pd.Series(now, index=rows.index).astype("datetime64[us]")
    return rows


def chosen_versions(
    life: Lifecycle,
    graph: Graph,
    keys: Sequence[str],
    now: datetime,
    champion: Literal["then", "now"] = "then",
    version: int = 0,
) -> dict[str, Version]:
    """Return the version that forecasts each origin.

    An origin is the latest one until the partition after it has ended. Before the first decision nobody was champion;
    such an origin gets the present one, as does the latest.

    Args:
        life: knows who is and was champion.
        graph: of the forecast.
        keys: of the origins' partitions.
        now: the present moment.
        champion: `then`: for a past origin, who was champion while it was the latest; `now`: who is champion.
        version: exactly this one, whoever is or was champion; 0: see `champion`.

    Raises:
        NoChampionError: there is no champion.
    """
    if version:
        return dict.fromkeys(keys, life.registry.version(version))
    present = life.champion()
    if present is None:
        name = graph.spec.name
        raise NoChampionError(
            f"{name} has no champion yet: materialize training_set to champion first (job {name}_retrain)",
            advice=[f"mlops-assets run {name}", f"mlops-assets history {name}"],
        )
    if champion == "now":
        return dict.fromkeys(keys, present)
    log = life.log.all()
    versions = {present.number: present}
    chosen = {}
    for key in keys:
        end = end_of_next(graph.spec, key)
        number = (champion_of(log, end) if end <= now else None) or present.number
        if number not in versions:
            versions[number] = life.registry.version(number)
        chosen[key] = versions[number]
    return chosen
