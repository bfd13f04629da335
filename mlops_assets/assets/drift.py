"""data_drift: the newest data beside those that the champion has learnt from."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog.graph import Graph, markdown_table
from mlops_assets.catalog.partitions import origin_of, periods, window_of
from mlops_assets.errors import DataError
from mlops_assets.forecasting.data.grid import parse_frequency
from mlops_assets.forecasting.monitoring import drift
from mlops_assets.lifecycle.decisions import Decisions, champion_of
from mlops_assets.resources.protocols import Tables

_TYPES = {
    "partition": "str",
    "feature": "str",
    "kind": "str",
    **dict.fromkeys(["psi", "usual_psi", "statistic", "farthest", "p_value"], "float64"),
    "rows": "int64",
    "reference_rows": "int64",
    "drifted": "bool",
    "drift": "float64",
    "words": "str",
}
SHOWN = 20


def build_data_drift(graph: Graph) -> dg.AssetsDefinition:
    """Define `data_drift`."""
    spec, task = graph.spec, graph.spec.task
    least = _steps(graph)

    @dg.asset(
        key=graph.key("data_drift"),
        ins={
            "observations": dg.AssetIn(
                graph.key("observations"),
                partition_mapping=dg.TimeWindowPartitionMapping(
                    start_offset=-periods(spec, drift.reach(task, least)),
                    end_offset=0,
                    allow_nonexistent_upstream_partitions=True,
                ),
            )
        },
        partitions_def=graph.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            ["pandas", "scipy"],
            "The newest window of the observations against the same slots of the season in the champion's training: "
            "target, level, missing values, set of items, covariates; most unlikely first.",
            {"partition_expr": "partition"},
        ),
    )
    def data_drift(
        context: dg.AssetExecutionContext, tables: dg.ResourceParam[Tables], observations: pd.DataFrame
    ) -> dg.Output[pd.DataFrame]:
        ends = {key: origin_of(spec, window_of(graph.partitions, key)) for key in context.partition_keys}
        learnt = trained_until(graph, tables, list(ends))
        if observations.empty:  # the source begins later than the partitions
            context.log.info("no observations in reach: there is nothing to look at")
            return dg.Output(pd.DataFrame(columns=list(_TYPES)).astype(_TYPES))
        parts = []
        sheet = drift.lay_out(observations, task, max(ends.values()), zero=spec.fill == "zero")
        for key, end in ends.items():
            try:
                found = drift.detect(sheet, task, end, learnt[key], least)
            except DataError as error:  # the first partitions
                context.log.info(f"{key}: {error}")
                continue
            parts.append(found.table.assign(partition=key))
            for words in found.table.loc[found.table["drifted"], "words"]:
                context.log.warning(f"{key}: {words}")
            some = {"items_looked_at": f"{len(sheet.items)} of {sheet.of}"} if len(sheet.items) < sheet.of else {}
            context.add_asset_metadata({**_facts(found, end), **some}, graph.key("data_drift"), key)
        table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(_TYPES))
        return dg.Output(table[list(_TYPES)].astype(_TYPES))

    return data_drift


def trained_until(graph: Graph, tables: Tables, keys: list[str]) -> dict[str, pd.Timestamp | None]:
    """Return until when the model that forecasts from each partition has learnt; None without a champion."""
    log = Decisions(tables, graph.spec.name).all()
    ends = log.dropna(subset=["trained_until"]).groupby("version")["trained_until"].last()
    found: dict[str, pd.Timestamp | None] = {}
    for key in keys:
        ended = graph.partitions.time_window_for_partition_key(key).end
        following = graph.partitions.get_next_partition_window(ended, respect_bounds=False)
        number = (champion_of(log, following.end) if following else None) or champion_of(log)
        found[key] = ends.get(number) if number is not None else None
    return found


def _steps(graph: Graph) -> int:
    """Return how many steps the first partition has."""
    window = graph.partitions.get_next_partition_window(graph.partitions.start, respect_bounds=False)
    if window is None:
        return 1
    start, end = (pd.Timestamp(moment).tz_localize(None) for moment in (window.start, window.end))
    return max(1, len(pd.date_range(start, end, freq=parse_frequency(graph.spec.frequency), inclusive="left")))


def _facts(found: drift.DriftResult, end: pd.Timestamp) -> Mapping[str, Any]:
    """Return what the metadata of one partition says."""
    table = found.table
    shown = table[["words", "psi", "usual_psi", "statistic", "p_value"]].head(SHOWN)
    names = [f"{row.feature} {row.kind}" for row in table[table["drifted"]].itertuples()]
    reference = f"{found.windows} windows, {found.since} to {found.until}" if found.windows else "none yet"
    return {
        "dagster/row_count": len(table),
        "drift": float(table["drift"].max()),
        "drifted": ", ".join(names) or ("nothing" if table["p_value"].notna().any() else "nothing could be judged"),
        "window": f"{found.first} to {end}",
        "reference": reference,
        "new_items": ", ".join(found.new[:SHOWN]) or "none",
        "vanished_items": ", ".join(found.vanished[:SHOWN]) or "none",
        "features": dg.MetadataValue.md(markdown_table(shown, 2)),
    }
