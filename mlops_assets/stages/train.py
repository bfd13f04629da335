"""training_set and random_forest."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import process_time
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
from pydantic import Field

from mlops_assets.catalog.graph import Graph, known_numbers, markdown_table
from mlops_assets.catalog.partitions import latest_complete, window_of
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.data.grid import fill_with_zero
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.launches import Launch, Launches
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.tracking.tracking import Tracking

if TYPE_CHECKING:
    from mlops_assets.forecasting.model.forecaster import Forecaster


class TrainingConfig(dg.Config):
    """How far the training may look.

    Attributes:
        until: key of the last partition to learn from; empty: the latest complete one that is stored.
    """

    until: str = Field("", description="Key of the last partition to learn from. Default: the latest complete one.")


def history_of(graph: Graph, observations: pd.DataFrame) -> pd.DataFrame:
    """Return observations as the engine wants them: absent rows filled where the spec says that they mean zero."""
    if graph.spec.fill == "zero" and len(observations):
        return fill_with_zero(observations, graph.spec.frequency)
    return observations


def build_training_set(graph: Graph) -> dg.AssetsDefinition:
    """Define `training_set`."""
    spec = graph.spec

    @dg.asset(
        key=graph.key("training_set"),
        ins={"observations": dg.AssetIn(graph.key("observations"))},
        io_manager_key="tables",
        output_required=False,
        **graph.attributes(
            ["pandas", "numpy"],
            "The feature matrix by item, origin and lead, with its target: all in a row was known at its origin. A run "
            "that a breach has asked for claims it first, and ends here if another run has.",
        ),
    )
    def training_set(
        context: dg.AssetExecutionContext,
        config: TrainingConfig,
        tables: dg.ResourceParam[Tables],
        clock: Clock,
        observations: pd.DataFrame,
    ) -> Iterator[dg.Output[pd.DataFrame]]:
        from mlops_assets.forecasting.model.features import training_rows

        history = history_of(graph, observations)
        last = config.until or latest_complete(spec, clock.now())
        until = pd.Timestamp(history["timestamp"].max())
        if last:
            until = min(until, window_of(graph.partitions, last).end - pd.Timedelta(microseconds=1))
        stored = [key for key in tables.partitions([spec.name, "observations"]) if not last or key <= last]
        launch = Launch.of(context.run, max(stored, default=""))
        holder = Launches(tables, spec.name).claim(launch, context.instance) if launch is not None else ""
        if holder:
            context.log.info(f"nothing to do: this retraining is run {holder}'s")
            return
        rows = training_rows(history, spec.task, until=until)
        if rows.empty:
            raise dg.Failure(
                f"{spec.name}: no training row can be made from {len(history)} observations until {until}; "
                f"a row needs history before and a target within {spec.horizon} steps after its origin",
                allow_retries=False,
            )
        facts = {"trained_until": str(rows["timestamp"].max()), "items": rows["item_id"].nunique()}
        yield dg.Output(
            rows,
            metadata={**facts, "rows": len(rows), "observations": len(history), "latest_partition": max(stored)},
            data_version=dg.DataVersion(data_hash(rows)),
        )

    return training_set


def data_hash(frame: pd.DataFrame) -> str:
    """Return a hash of a frame's content (32 hex digits), the order of its rows included."""
    import hashlib

    digest = hashlib.sha256("|".join(map(str, frame.columns)).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Fitting:
    """How a training makes its forecaster: anew, or from the champion's forest (`forecasting.grow`).

    Attributes:
        task: what is forecast.
        base: the forest to grow; None: fit anew.
        version: its number.
        until: the last timestamp that it has learnt from.
    """

    task: Task
    base: "Forecaster | None" = None
    version: int = 0
    until: pd.Timestamp | None = None

    def grows(self, training: pd.DataFrame) -> bool:
        """Whether these training rows grow the forest: it can be grown, and does not know them already."""
        from mlops_assets.forecasting.model.grow import why_not

        if self.base is None or self.until is None or pd.Timestamp(training["timestamp"].max()) <= self.until:
            return False
        return not why_not(self.base, training, self.task)

    def __call__(self, training: pd.DataFrame) -> "Forecaster":
        """Make the forecaster."""
        from mlops_assets.forecasting.model import fitting, grow

        if self.base is not None and self.until is not None and self.grows(training):
            return grow.grow(self.base, training, self.until)
        return fitting.fit(training, self.task)


def fitting_of(context: dg.AssetExecutionContext, life: Lifecycle, task: Task) -> Fitting:
    """Return how the run's tag `mlops/action` wants the model to be made; without it, or without a champion, anew."""
    from mlops_assets.forecasting.model.forecaster import Forecaster

    if context.run.tags.get("mlops/action") != "grow":
        return Fitting(task)
    champion = life.champion()
    if champion is None:
        return Fitting(task)
    try:
        base = Forecaster.from_state(life.registry.load(champion))
        return Fitting(task, base, champion.number, champion.trained_until)
    except (MlopsAssetsError, ValueError) as error:
        context.log.warning(f"version {champion.number} cannot be grown, so the model is fitted anew: {error}")
        return Fitting(task)


def build_random_forest(graph: Graph) -> dg.AssetsDefinition:
    """Define `random_forest`: the fitted model and what it was fitted on."""
    spec = graph.spec

    @dg.asset(
        key=graph.key("random_forest"),
        ins={"training_set": dg.AssetIn(graph.key("training_set"))},
        io_manager_key="models",
        **graph.attributes(
            ["scikitlearn"],
            "One Random Forest for all items and all leads, with the quantiles of its leaves.",
        ),
    )
    def random_forest(
        context: dg.AssetExecutionContext,
        tables: dg.ResourceParam[Tables],
        tracking: Tracking,
        clock: Clock,
        training_set: pd.DataFrame,
    ) -> dg.Output[dict[str, Any]]:
        from mlops_assets.forecasting import charts

        fit = fitting_of(context, Lifecycle(tables, tracking, clock, spec.name), spec.task)
        began = process_time()
        forecaster = fit(training_set)
        seconds = process_time() - began
        action = f"grow from version {fit.version}" if fit.grows(training_set) else "refit"
        importances = forecaster.importances()
        facts = {
            "trained_until": str(training_set["timestamp"].max()),
            "data_version": data_hash(training_set),
            "training_rows": len(training_set),
            "action": action,
            "fit_seconds": round(seconds, 3),
        }
        groups = importances.groupby("group")["importance"].sum().sort_values(ascending=False).reset_index()
        return dg.Output(
            {"forecaster": forecaster.state(), "facts": facts},
            metadata={
                **known_numbers(facts),
                "importance_by_group": dg.MetadataValue.md(markdown_table(groups, 3)),
                "importances": dg.MetadataValue.md(
                    charts.markdown_image(charts.importances(importances), "Feature importances")
                ),
                "importance_table": dg.MetadataValue.md(markdown_table(importances.head(30), 3)),
            },
        )

    return random_forest
