"""training_set and random_forest."""

from collections.abc import Iterator
from time import process_time
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from mlops_assets.assets.common import Graph, known_numbers, markdown_table
from mlops_assets.assets.partitions import latest_complete, window_of
from mlops_assets.forecasting.grid import fill_with_zero
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.launches import Launch, Launches
from mlops_assets.resources.stores import Tables


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
        from mlops_assets.forecasting.features import training_rows

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
    def random_forest(training_set: pd.DataFrame) -> dg.Output[dict[str, Any]]:
        from mlops_assets.forecasting import forest, plots

        began = process_time()
        forecaster = forest.fit(training_set, spec.task)
        seconds = process_time() - began
        importances = forecaster.importances()
        facts = {
            "trained_until": str(training_set["timestamp"].max()),
            "data_version": data_hash(training_set),
            "training_rows": len(training_set),
            "fit_seconds": round(seconds, 3),
        }
        groups = importances.groupby("group")["importance"].sum().sort_values(ascending=False).reset_index()
        return dg.Output(
            {"forecaster": forecaster.state(), "facts": facts},
            metadata={
                **known_numbers(facts),
                "importance_by_group": dg.MetadataValue.md(markdown_table(groups, 3)),
                "importances": dg.MetadataValue.md(
                    plots.markdown_image(plots.importances(importances), "Feature importances")
                ),
                "importance_table": dg.MetadataValue.md(markdown_table(importances.head(30), 3)),
            },
        )

    return random_forest
