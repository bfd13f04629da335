"""forecast_change: why the forecasts of an origin differ from those of the origin before."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog.asset_graph import AssetGraph, origin_inputs, with_earlier
from mlops_assets.catalog.metadata import in_front, known_numbers, markdown_table
from mlops_assets.catalog.names import FORECAST_CHANGE, FORECASTS
from mlops_assets.catalog.partitions import most_between, with_steps
from mlops_assets.forecasting.monitoring import change
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Models, Tables
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.stages.watching.change import Explanation
from mlops_assets.tracking.tracking import Tracking

SHOWN = 10


def build_forecast_change(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `forecast_change`."""
    spec = graph.spec
    ins = origin_inputs(graph, before=most_between(spec))
    ins[FORECASTS] = dg.AssetIn(
        graph.key(FORECASTS),
        partition_mapping=with_earlier(most_between(spec)),
        dagster_type=StoredTable,
    )

    @dg.asset(
        key=graph.key(FORECAST_CHANGE),
        ins=ins,
        partitions_def=graph.partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            [graph.model_kind, "pandas"],
            "Why the forecasts differ from those of the previous origin for the same timestamps: revised history, new "
            "data, new model. The three add up to the change; by item, the largest first.",
            {"partition_expr": "origin"},
        ),
    )
    @patient
    def forecast_change(
        context: dg.AssetExecutionContext,
        tables: dg.ResourceParam[Tables],
        models: dg.ResourceParam[Models],
        tracking: dg.ResourceParam[Tracking],
        clock: dg.ResourceParam[Clock],
        engine: dg.ResourceParam[Engine],
        **inputs: StoredTable,
    ) -> dg.Output[pd.DataFrame]:
        life = Lifecycle(tables, tracking, clock, spec.name, models)
        explain = Explanation(graph, life.versions, engine, inputs)
        parts = []
        for key in with_steps(spec, context.partition_keys):
            table = explain(key)
            parts.append(table)
            context.add_asset_metadata(_facts(table), graph.key(FORECAST_CHANGE), key)
        if not parts:
            return dg.Output(graph.without_rows(FORECAST_CHANGE))
        return dg.Output(pd.concat(parts, ignore_index=True), metadata=in_front("change", "compared_with", "largest"))

    return forecast_change


def _facts(table: pd.DataFrame) -> Mapping[str, Any]:
    """Return what the metadata of one origin says."""
    if table.empty:
        return {
            "dagster/row_count": 0,
            "compared_with": "nothing: the previous origin has no forecasts in the ledger, or none of the same times",
        }
    first = table.iloc[0]
    names = ["previous", *change.PARTS, "current", "change"]
    sums = {name: float(table[name].sum(skipna=False)) for name in names}
    shown = table[["item_id", *names]].head(SHOWN)
    said = {"undivided": first["undivided"]} if first["undivided"] else {}
    return {
        "dagster/row_count": len(table),
        "compared_with": f"origin {first['previous_origin']}, version {first['previous_version']}, "
        f"{first['steps']} timestamps in common",
        **known_numbers(sums),
        **said,
        "largest": dg.MetadataValue.md(markdown_table(shown.rename(columns=change.TITLES))),
    }
