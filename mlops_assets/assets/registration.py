"""model_version: the one MLflow run of a training, and the version registered from it."""

from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog.asset_graph import AssetGraph
from mlops_assets.catalog.metadata import known_numbers, markdown_table
from mlops_assets.catalog.names import BACKTEST, MODEL_VERSION, OBSERVATIONS, TRAINING_SET, model_asset
from mlops_assets.forecasting.evaluation.importance import by_group
from mlops_assets.forecasting.model import kinds
from mlops_assets.lifecycle.claims import Registrations
from mlops_assets.lifecycle.decisions import Decisions, highest
from mlops_assets.lifecycle.versions import keep
from mlops_assets.report.ingestion import noted_facts
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Models, Tables
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.stages import register
from mlops_assets.stages.backtest import headline, rows_by_item
from mlops_assets.stages.shards.history import Histories
from mlops_assets.tracking.tracking import Tracking


def build_model_version(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `model_version`: a row that says which registered version this training is."""
    spec = graph.spec

    @dg.asset(
        key=graph.key(MODEL_VERSION),
        ins={
            OBSERVATIONS: dg.AssetIn(graph.key(OBSERVATIONS)),
            "model": dg.AssetIn(graph.key(model_asset(spec))),
            BACKTEST: dg.AssetIn(graph.key(BACKTEST)),
        },
        io_manager_key="tables",
        **graph.attributes(
            ["mlflow"],
            "The training as one MLflow run: parameters, metrics, dataset, pictures and the model, registered as a "
            "version under the alias challenger. The same training is not registered twice.",
        ),
    )
    @patient
    def model_version(
        context: dg.AssetExecutionContext,
        tables: dg.ResourceParam[Tables],
        models: dg.ResourceParam[Models],
        tracking: dg.ResourceParam[Tracking],
        engine: dg.ResourceParam[Engine],
        observations: StoredTable,
        model: dict[str, Any],
        backtest: StoredTable,
    ) -> dg.Output[pd.DataFrame]:
        until = pd.Timestamp(model["facts"]["trained_until"])
        history = register.largest(Histories(graph, engine, observations), until)
        training = register.Training(
            spec,
            history,
            next(iter(tables.batches([spec.name, TRAINING_SET], rows=register.ROWS))),
            register.with_right_intervals(spec, model, backtest),
            register.Summary.of(rows_by_item(backtest, spec.task), spec.task, {*history["item_id"]}),
            noted_facts(tables, spec.name).get(OBSERVATIONS, {}).get("source_version", ""),
        )
        claims, last = Registrations(tables, spec.name), highest(Decisions(tables, spec.name).all())
        version, is_new = register.register(training, tracking, claims, context, last)
        scores = headline(training.backtest.scores["overall"])
        keep(models, spec.name, version, training.model["forecaster"], scores)
        news = "registered" if is_new else "unchanged: nothing that this version depends on has changed"
        registry = tracking.registry(spec.name)
        links = {
            "mlflow_run": dg.MetadataValue.url(registry.run_link(version.run_id)),
            "mlflow_version": dg.MetadataValue.url(registry.link(version.number)),
        }
        importances = kinds.importances(training.forecaster())
        groups = None if importances is None else dg.MetadataValue.md(markdown_table(by_group(importances), 3))
        return dg.Output(
            register.row_of(spec.name, version),
            metadata={
                "version": version.number,
                "outcome": news,
                **(links if tracking.ui else {}),
                **known_numbers(scores),
                **({} if groups is None else {"importance_by_group": groups}),
            },
            data_version=dg.DataVersion(f"version {version.number}"),
        )

    return model_version
