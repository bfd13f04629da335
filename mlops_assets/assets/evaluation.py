"""backtest: rolling origins, refitted without looking ahead, on the same rows for everyone."""

from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog.asset_graph import AssetGraph
from mlops_assets.catalog.metadata import known_numbers, markdown_table
from mlops_assets.catalog.names import BACKTEST, OBSERVATIONS, TRAINING_SET, model_asset
from mlops_assets.catalog.run_tags import ACTION
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.forecasting.decisions.rules import TUNE
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Models, Tables
from mlops_assets.resources.stored import StoredTable, Streamed
from mlops_assets.scale.engine import Engine
from mlops_assets.stages import backtest as stage
from mlops_assets.stages.shards.history import Histories
from mlops_assets.stages.train import fitting_of, task_of
from mlops_assets.tracking.tracking import Tracking


def build_backtest(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `backtest`: the forecasts of every model at every rolling origin, with the targets."""
    spec = graph.spec

    @dg.asset(
        key=graph.key(BACKTEST),
        ins={OBSERVATIONS: dg.AssetIn(graph.key(OBSERVATIONS))},
        deps=[graph.key(model_asset(spec))],
        io_manager_key="tables",
        **graph.attributes(
            [graph.model_kind, "pandas"],
            "Forecasts from rolling origins with a model refitted at each, with seasonal naive and with the present "
            "champion, beside what really came.",
        ),
    )
    @patient
    def backtest(
        context: dg.AssetExecutionContext,
        tables: dg.ResourceParam[Tables],
        models: dg.ResourceParam[Models],
        tracking: dg.ResourceParam[Tracking],
        clock: dg.ResourceParam[Clock],
        engine: dg.ResourceParam[Engine],
        observations: StoredTable,
    ) -> dg.Output[Any]:
        from mlops_assets.forecasting import charts

        until = pd.Timestamp(tables.read([spec.name, TRAINING_SET], columns=["timestamp"])["timestamp"].max())
        life = Lifecycle(tables, tracking, clock, spec.name, models)
        task = task_of(context.run, spec)
        if context.run.tags.get(ACTION) == TUNE:  # with the settings that were found for the model
            task = Task.from_dict(models.load([spec.name, model_asset(spec)])["forecaster"]["task"])
        fitting = fitting_of(context.run, life, spec, task, context.log)
        try:
            found = stage.backtest(spec, life, Histories(graph, engine, observations), until, fitting)
        except MlopsAssetsError as error:
            raise dg.Failure(f"{spec.file}: backtest: {error}", allow_retries=False) from error
        if found.left_out:
            context.log.warning(found.left_out)
        metric = spec.gate.metric
        picture = charts.backtest_windows(found.by_window, metric)
        return dg.Output(
            Streamed(found.batches),
            metadata={
                "by_window": dg.MetadataValue.md(charts.markdown_image(picture, f"{metric} by backtest window")),
                **known_numbers(stage.headline(found.overall)),
                "scores": dg.MetadataValue.md(markdown_table(found.overall)),
                "scores_by_window": dg.MetadataValue.md(markdown_table(found.by_window)),
                "seconds": dg.MetadataValue.md(markdown_table(found.seconds, 3)),
            },
        )

    return backtest
