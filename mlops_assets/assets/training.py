"""training_set, and the model: random_forest where it is a forest, else model."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from mlops_assets.catalog.asset_graph import AssetGraph
from mlops_assets.catalog.metadata import known_numbers, markdown_table
from mlops_assets.catalog.names import OBSERVATIONS, TRAINING_SET, model_asset
from mlops_assets.catalog.partitions import latest_complete
from mlops_assets.catalog.run_tags import ACTION, POLICY
from mlops_assets.errors import DataError
from mlops_assets.forecasting.decisions.rules import TUNE
from mlops_assets.forecasting.evaluation.importance import by_group
from mlops_assets.forecasting.model import kinds
from mlops_assets.lifecycle.launches import Launch, Launches
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.meanings import require_present
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.stages import register, train
from mlops_assets.stages.shards import learning
from mlops_assets.stages.shards.history import Histories
from mlops_assets.tracking.tracking import Tracking


class TrainingConfig(dg.Config):
    """How far the training may look.

    Attributes:
        until: key of the last partition to learn from; empty: the latest complete one that is stored.
    """

    until: str = Field("", description="Key of the last partition to learn from. Default: the latest complete one.")


def build_training_set(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `training_set`."""
    spec = graph.spec

    @dg.asset(
        key=graph.key(TRAINING_SET),
        ins={OBSERVATIONS: dg.AssetIn(graph.key(OBSERVATIONS))},
        io_manager_key="tables",
        output_required=False,
        **graph.attributes(
            ["pandas", "numpy"],
            f"What {spec.model.kind} learns from: of models of all items, the feature matrix by item, origin and lead, "
            "with its target (all in a row was known at its origin); of models that look at each series by itself, the "
            "observed targets. A run that a breach has asked for claims it first, and ends here if another run has.",
        ),
    )
    @patient
    def training_set(
        context: dg.AssetExecutionContext,
        config: TrainingConfig,
        tables: dg.ResourceParam[Tables],
        clock: dg.ResourceParam[Clock],
        engine: dg.ResourceParam[Engine],
        observations: StoredTable,
    ) -> Iterator[dg.Output[pd.DataFrame]]:
        last = config.until or latest_complete(spec, clock.now())
        stored = [key for key in tables.partitions([spec.name, OBSERVATIONS]) if not last or key <= last]
        launch = Launch.of(context.run, max(stored, default=""))
        holder = Launches(tables, spec.name).claim(launch, context.instance) if launch is not None else ""
        if holder:
            context.log.info(f"nothing to do: this retraining is run {holder}'s")
            return
        try:
            require_present(tables, spec)
            task = train.task_of(context.run, spec)
            found = learning.training_set(graph, Histories(graph, engine, observations), last, task)
        except DataError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        rows = found.rows
        yield dg.Output(
            rows,
            metadata={
                "trained_until": str(rows["timestamp"].max()),
                "items": rows["item_id"].nunique(),
                "rows": len(rows),
                "observations": found.observations,
                **found.odd.facts(),
                "latest_partition": max(stored),
            },
            data_version=dg.DataVersion(train.data_hash(rows)),
        )

    return training_set


def build_model(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `random_forest` or `model`: the fitted model and what it was fitted on."""
    spec = graph.spec

    @dg.asset(
        key=graph.key(model_asset(spec)),
        ins={TRAINING_SET: dg.AssetIn(graph.key(TRAINING_SET))},
        io_manager_key="models",
        **graph.attributes(
            [graph.model_kind],
            f"The fitted model for all items and all leads: {spec.model.kind}.",
        ),
    )
    @patient
    def model(
        context: dg.AssetExecutionContext,
        tables: dg.ResourceParam[Tables],
        tracking: dg.ResourceParam[Tracking],
        clock: dg.ResourceParam[Clock],
        training_set: pd.DataFrame,
    ) -> dg.Output[dict[str, Any]]:
        life = Lifecycle(tables, tracking, clock, spec.name)
        run, task = context.run, train.task_of(context.run, spec)
        if run.tags.get(ACTION) == TUNE:
            task = train.tuned(spec, tables, tracking, spec.minutes_of(run.tags.get(POLICY, "")), context.log)
        forecaster, facts = train.fit(training_set, train.fitting_of(run, life, spec, task, context.log))
        return dg.Output(
            {"forecaster": kinds.state_of(forecaster), "facts": facts},
            metadata={**_importances(forecaster), "kind": forecaster.task.model.kind, **known_numbers(facts)},
            data_version=dg.DataVersion(register.learnt(spec.fingerprint(), facts)),
        )

    return model


build_random_forest = build_model
"""The same asset, under the key that a forest has had since release 0.1.0."""


def _importances(model: kinds.Model) -> dict[str, dg.MetadataValue]:
    """Show what a model leans on, if its kind can say so."""
    from mlops_assets.forecasting import charts

    importances = kinds.importances(model)
    if importances is None:
        return {}
    picture = charts.markdown_image(charts.importances(importances), "Feature importances")
    return {
        "importance_by_group": dg.MetadataValue.md(markdown_table(by_group(importances), 3)),
        "importances": dg.MetadataValue.md(picture),
        "importance_table": dg.MetadataValue.md(markdown_table(importances.head(30), 3)),
    }
