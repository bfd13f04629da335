"""reconciled_forecasts: items and sums of items, with means that add up."""

from collections.abc import Mapping

import dagster as dg
import pandas as pd

from mlops_assets.adjustments.publisher import Publisher
from mlops_assets.catalog.asset_graph import AssetGraph, origin_inputs
from mlops_assets.catalog.graph import known_after
from mlops_assets.catalog.metadata import in_front, markdown_table
from mlops_assets.catalog.names import FORECASTS, FUTURE_COVARIATES, OBSERVATIONS, RECONCILED_FORECASTS
from mlops_assets.catalog.partitions import origin_of, window_of, with_steps
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.formatting import significant
from mlops_assets.forecasting.model.baselines import SeasonalNaive
from mlops_assets.lifecycle.versions import Versions
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Models, Tables
from mlops_assets.resources.stored import StoredTable
from mlops_assets.stages.predict import UNREGISTERED
from mlops_assets.stages.reconcile import add_up
from mlops_assets.stages.shards.frames import observed
from mlops_assets.stages.train import history_of
from mlops_assets.tracking.tracking import Tracking


def build_reconciled_forecasts(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `reconciled_forecasts`, for a spec with a hierarchy."""
    spec, task = graph.spec, graph.spec.task

    @dg.asset(
        key=graph.key(RECONCILED_FORECASTS),
        ins={**origin_inputs(graph), FORECASTS: dg.AssetIn(graph.key(FORECASTS), dagster_type=StoredTable)},
        partitions_def=graph.partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            [graph.model_kind, "pandas"],
            "Our forecasts of the items and of their sums over the declared levels; the means add up. Sums have the "
            "source aggregate and ids that start with sum:.",
            {"partition_expr": "origin", "allow_new_columns": True},
        ),
    )
    @patient
    def reconciled_forecasts(
        context: dg.AssetExecutionContext,
        tables: dg.ResourceParam[Tables],
        models: dg.ResourceParam[Models],
        tracking: dg.ResourceParam[Tracking],
        clock: dg.ResourceParam[Clock],
        **inputs: StoredTable,
    ) -> dg.Output[pd.DataFrame]:
        columns = ["item_id", "origin", "timestamp", "lead", "mean", *task.quantile_columns, "source"]
        versions = Versions(lambda: tracking.registry(spec.name), models, spec.name)
        history = history_of(spec, observed(inputs[OBSERVATIONS], spec))  # sums are of all items at once
        made = ledger.own(inputs[FORECASTS].read([*columns, "model_version", "job_key"]))
        future = {FUTURE_COVARIATES: inputs[FUTURE_COVARIATES].read()} if FUTURE_COVARIATES in inputs else {}
        numbers = sorted(made["model_version"].unique())
        forecasters = {
            number: SeasonalNaive(task)
            if number == UNREGISTERED
            else versions.forecaster(versions.version(int(number)))
            for number in numbers
        }
        parts = []
        keys = with_steps(spec, context.partition_keys)
        for key in keys:
            origin = origin_of(spec, window_of(graph.partitions, key))
            own = made[made["origin"] == origin]
            known = known_after(future, key)
            number = own["model_version"].max()
            both, _, _ = add_up(spec, forecasters[number], history, origin, own[columns], known)
            by_lead = own.groupby("lead")["model_version"].first()
            parts.append(both.assign(model_version=both["lead"].map(by_lead), run_id=context.run.run_id))
            context.add_asset_metadata(_facts(parts[-1]), graph.key(RECONCILED_FORECASTS), key)
        rows = pd.concat(parts or [graph.without_rows(RECONCILED_FORECASTS)], ignore_index=True)
        Publisher(tables, spec).with_sums(rows, keys, naive_utc(clock.now()))
        return dg.Output(rows, metadata=in_front("total", "levels"))

    return reconciled_forecasts


def _facts(rows: pd.DataFrame) -> Mapping[str, dg.MetadataValue | int | float]:
    """Return what the metadata of one origin says."""
    top = rows[rows["level"] == "total"]
    levels = rows.groupby("level", sort=False)["item_id"].nunique().rename("ids").reset_index()
    return {
        "dagster/row_count": len(rows),
        "total": significant(float(top["mean"].sum())),
        "levels": dg.MetadataValue.md(markdown_table(levels)),
    }
