"""Training: what is learnt from, how a model is made of it, and the model."""

import hashlib
import logging
from dataclasses import dataclass
from time import process_time
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog import run_tags
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.partitions import window_of
from mlops_assets.errors import DataError, MlopsAssetsError
from mlops_assets.forecasting.data.grid import fill_with_zero
from mlops_assets.forecasting.data.outliers import without_outliers
from mlops_assets.forecasting.model import kinds
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.sources.calendars import with_calendars
from mlops_assets.spec import ForecastSpec

MOST_REASONS = 8
"""Segments of which the facts say why they are forecast by whom; `explain` tells all."""

if TYPE_CHECKING:
    from mlops_assets.forecasting.model.kinds import Model


def history_of(spec: ForecastSpec, observations: pd.DataFrame) -> pd.DataFrame:
    """Return observations as the engine wants them.

    That is without outliers, absent rows filled where they mean zero, and with what the calendars say of their times.

    Raises:
        SourceError: a calendar cannot be read.
    """
    if spec.outliers == "missing":
        observations = without_outliers(observations)
    if spec.fill == "zero" and len(observations):
        observations = fill_with_zero(observations, spec.frequency, spec.zone)
    return with_calendars(spec, observations)


def training_set(graph: Graph, history: pd.DataFrame, last: str | None) -> pd.DataFrame:
    """Make the rows that a model learns from.

    Args:
        graph: of the forecast.
        history: canonical frame, see `history_of`.
        last: key of the last partition to learn from; None or empty: all.

    Returns:
        What the kind of model learns from: of a forest, a row for each item, origin and lead.

    Raises:
        DataError: there is no such row.
    """
    spec = graph.spec
    until = pd.Timestamp(history["timestamp"].max())
    if last:
        until = min(until, window_of(graph.partitions, last).end - pd.Timedelta(microseconds=1))
    rows = kinds.rows(history, spec.task, until)
    if rows.empty:
        raise DataError(
            f"{spec.name}: no training row can be made from {len(history)} observations until {until}; "
            f"a row needs history before and a target within {spec.horizon} steps after its origin"
        )
    return rows


def data_hash(frame: pd.DataFrame) -> str:
    """Return a hash of a frame's content (32 hex digits), the order of its rows included."""
    digest = hashlib.sha256("|".join(map(str, frame.columns)).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Fitting:
    """How a training makes its forecaster: anew, or by renewing the champion's.

    Attributes:
        task: what is forecast.
        base: the model to renew; None: fit anew.
        version: its number.
        until: the last timestamp that it has learnt from.
        action: how it is renewed: `grow` (a forest gets new trees, see `model.grow`) or `reweigh` (the members of an
            ensemble get new weights, see `Ensemble.reweighed`).
    """

    task: Task
    base: "Model | None" = None
    version: int = 0
    until: pd.Timestamp | None = None
    action: str = "grow"

    def renews(self, training: pd.DataFrame) -> bool:
        """Whether these training rows renew the model: it can be renewed so, and does not know them already."""
        from mlops_assets.forecasting.model.grow import why_not
        from mlops_assets.forecasting.model.kinds.ensemble import Ensemble

        if self.base is None or self.until is None or pd.Timestamp(training["timestamp"].max()) <= self.until:
            return False
        if self.action == "reweigh":
            return isinstance(self.base, Ensemble) and self.base.task == self.task
        return not why_not(self.base, training, self.task)

    def __call__(self, training: pd.DataFrame) -> "Model":
        """Make the forecaster."""
        from mlops_assets.forecasting.model import grow

        base: Any = self.base
        if self.until is None or not self.renews(training):
            return kinds.fit(training, self.task)
        return (
            base.reweighed(training, self.until) if self.action == "reweigh" else grow.grow(base, training, self.until)
        )


def fitting_of(run: dg.DagsterRun, life: Lifecycle, task: Task, log: logging.Logger) -> Fitting:
    """Return how the run's tag `run_tags.ACTION` wants the model to be made; without it, or without a champion, anew.

    Args:
        run: has the tag.
        life: knows the champion.
        task: what is forecast.
        log: told why a champion cannot be renewed.
    """
    from mlops_assets.forecasting.model import entry

    action = run.tags.get(run_tags.ACTION, "")
    if action not in ("grow", "reweigh"):
        return Fitting(task)
    champion = life.champion()
    if champion is None:
        return Fitting(task)
    try:
        base = entry.rebuild(life.registry.load(champion))
        return Fitting(task, base, champion.number, champion.trained_until, action)
    except (MlopsAssetsError, ValueError) as error:
        log.warning(f"version {champion.number} cannot be renewed, so the model is fitted anew: {error}")
        return Fitting(task)


def fit(rows: pd.DataFrame, fitting: Fitting) -> "tuple[Model, dict[str, Any]]":
    """Make a forecaster from training rows.

    Returns:
        The forecaster, and the facts that are kept beside it: trained_until, data_version, training_rows, action
        (`refit`, or `grow from version N`), fit_seconds (processor time) and, of a kind that chooses, the choice.
    """
    began = process_time()
    forecaster = fitting(rows)
    seconds = process_time() - began
    return forecaster, {
        "trained_until": str(rows["timestamp"].max()),
        "data_version": data_hash(rows),
        "training_rows": len(rows),
        "action": f"{fitting.action} from version {fitting.version}" if fitting.renews(rows) else "refit",
        "fit_seconds": round(seconds, 3),
        **({"choice": chosen} if (chosen := "; ".join(kinds.reasons(forecaster)[:MOST_REASONS])) else {}),
    }
