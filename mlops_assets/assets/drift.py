"""data_drift: the newest data beside those that the champion has learnt from."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog.asset_graph import AssetGraph, with_earlier
from mlops_assets.catalog.metadata import in_front, markdown_table
from mlops_assets.catalog.names import DATA_DRIFT, OBSERVATIONS
from mlops_assets.catalog.partitions import periods, with_steps
from mlops_assets.forecasting.formatting import significant
from mlops_assets.forecasting.monitoring import drift
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.stored import StoredTable
from mlops_assets.stages.watching.drift import detect, steps_of

SHOWN = 20


def build_data_drift(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `data_drift`."""
    spec, task = graph.spec, graph.spec.task
    least = steps_of(graph)

    @dg.asset(
        key=graph.key(DATA_DRIFT),
        ins={
            OBSERVATIONS: dg.AssetIn(
                graph.key(OBSERVATIONS),
                partition_mapping=with_earlier(periods(spec, drift.reach(task, least))),
            )
        },
        partitions_def=graph.partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            ["pandas"],
            "The newest window of the observations against the same slots of the season in the champion's training: "
            "target, level, missing values, set of items, covariates; most unlikely first.",
            {"partition_expr": "partition"},
        ),
    )
    @patient
    def data_drift(
        context: dg.AssetExecutionContext, tables: dg.ResourceParam[Tables], observations: StoredTable
    ) -> dg.Output[pd.DataFrame]:
        found = detect(graph, tables, observations, with_steps(spec, context.partition_keys))
        if not found.parts and not found.not_judged:  # the source begins later than the partitions
            context.log.info("no observations in reach: there is nothing to look at")
        for key, why in found.not_judged.items():
            context.log.info(f"{key}: {why}")
        sampled = {"items_inspected": found.inspected} if found.inspected else {}
        for key, part in found.parts.items():
            for words in part.table.loc[part.table["drifted"], "explanation"]:
                context.log.info(f"{key}: {words}")  # nothing to be done by itself: status and report list it
            context.add_asset_metadata({**_facts(part, found.ends[key]), **sampled}, graph.key(DATA_DRIFT), key)
        return dg.Output(found.table(), metadata=in_front("drift", "drifted", "features"))

    return data_drift


def _facts(result: drift.DriftResult, end: pd.Timestamp) -> Mapping[str, Any]:
    """Return what the metadata of one partition says."""
    table = result.table
    shown = table[["explanation", "psi", "usual_psi", "statistic", "p_value"]].head(SHOWN)
    names = [f"{row.feature} {row.kind}" for row in table[table["drifted"]].itertuples()]
    reference = f"{result.windows} windows, {result.since} to {result.until}" if result.windows else "none yet"
    return {
        "dagster/row_count": len(table),
        "drift": significant(float(table["drift"].max())),
        "drifted": ", ".join(names) or ("nothing" if table["p_value"].notna().any() else "nothing could be judged"),
        "window": f"{result.first} to {end}",
        "reference": reference,
        "new_items": ", ".join(result.new[:SHOWN]) or "none",
        "vanished_items": ", ".join(result.vanished[:SHOWN]) or "none",
        "features": dg.MetadataValue.md(markdown_table(shown, 2)),
    }
