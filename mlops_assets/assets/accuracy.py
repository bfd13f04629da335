"""forecast_accuracy: whatever forecasts the actuals of a partition allow to score, and the history of those scores."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.adjustments.publisher import Publisher
from mlops_assets.catalog.asset_graph import AssetGraph, with_earlier
from mlops_assets.catalog.metadata import add_by_partition, in_front, known_numbers, markdown_table
from mlops_assets.catalog.names import FORECAST_ACCURACY, FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import periods
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.metrics.definitions import Cost
from mlops_assets.lifecycle.meanings import ChangedSpecError, require_present
from mlops_assets.lifecycle.retention import NotKeptError, Retained
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.stored import StoredTable, Streamed
from mlops_assets.scale.engine import Engine
from mlops_assets.stages.score import keep_scores, whole_scores
from mlops_assets.stages.shards.accuracy import Accuracy, Partition

SHOWN = ["rows", *ledger.shown_numbers()]
AHEAD = ["scored", "missing", "awaited", *ledger.shown_numbers()]
TREND = 40
"""Partitions that the small line of the metric goes back."""


def build_forecast_accuracy(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `forecast_accuracy`."""
    spec = graph.spec
    key, reach = graph.key(FORECAST_ACCURACY), periods(graph.spec, graph.spec.horizon)

    @dg.asset(
        key=key,
        ins={
            OBSERVATIONS: dg.AssetIn(graph.key(OBSERVATIONS)),
            FORECASTS: dg.AssetIn(
                graph.key(FORECASTS),
                partition_mapping=with_earlier(reach),
                metadata={"allow_missing_partitions": True},
            ),
        },
        partitions_def=graph.partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            ["pandas"],
            "Forecasts beside the actuals of the partition, by item and lead; the headline numbers are over all "
            "forecasts of the partition's timestamps whose model had not seen them. The table accuracy_scores has the "
            "scores by version, vintage, lead and segment, and what they were before actuals were corrected.",
            {**graph.by_timestamp, "allow_new_columns": True},
        ),
    )
    @patient
    def forecast_accuracy(
        context: dg.AssetExecutionContext,
        tables: dg.ResourceParam[Tables],
        clock: dg.ResourceParam[Clock],
        engine: dg.ResourceParam[Engine],
        observations: StoredTable,
        forecasts: StoredTable,
    ) -> dg.Output[Any]:
        from mlops_assets.forecasting import charts

        keys = list(context.partition_keys)
        try:
            require_present(tables, spec, keys)
            Retained(tables, spec).require_scorable(keys)
        except (ChangedSpecError, NotKeptError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        found = Accuracy(graph, engine, observations, forecasts, keys)
        scores = {partition: one.scores() for partition, one in found.partitions.items()}
        now = naive_utc(clock.now())
        keep_scores(tables, spec, scores, now)
        history = whole_scores(tables, spec, keys)
        Publisher(tables, spec).refresh(keys[-1:], now)  # what somebody changed while the forecast was being stored
        facts: dict[str, dict[str, Any]] = {}
        for partition, one in found.partitions.items():
            own = {"dagster/row_count": one.rows, **partition_facts(one, scores[partition])}
            own |= _vintage_facts(found.so_far(partition))
            until = history.loc[history["partition"] <= partition, spec.retraining.metric].tail(TREND)
            if until.notna().any():
                own["trend"] = dg.MetadataValue.md(charts.sparkline(until, f"{spec.retraining.metric} so far"))
            facts[partition] = own
        add_by_partition(context, facts, key)
        costly = bool(spec.task.cost_columns)
        numbers = in_front("trend", spec.retraining.metric, *(name for name in SHOWN if costly or name != Cost.name))
        if found.many and len(keys) == 1:
            return dg.Output(Streamed(found.batches), metadata=numbers)
        return dg.Output(pd.concat(found.batches, ignore_index=True), metadata=numbers)

    return forecast_accuracy


def partition_facts(found: Partition, scores: pd.DataFrame | None) -> dict[str, Any]:
    """Return the numbers of a partition's forecasts, as metadata: in all, by lead, by segment, the worst items."""
    facts: dict[str, Any] = {"rows": 0, "in_sample_rows": found.in_sample, "origins": len(found.origins)}
    if scores is None:
        return facts
    whole = scores[scores["scope"] == ledger.ALL]
    if len(whole):
        facts |= known_numbers({str(name): whole[name].iloc[0] for name in whole if name not in ("scope", "value")})
    facts["by_lead"] = _table(found.by_lead(), SHOWN)
    inside = scores[scores["scope"] == ledger.SEGMENT]
    if len(inside):
        facts["by_segment"] = _table(inside.rename(columns={"value": "segment"}).set_index("segment"), SHOWN)
    facts["worst_items"] = _table(found.worst().set_index("item_id"), ["share_of_error", *SHOWN])
    return facts


def _vintage_facts(so_far: tuple[pd.DataFrame, pd.DataFrame] | None) -> dict[str, Any]:
    """Say how far the vintages have come whose horizon goes into a partition, by origin and by lead."""
    if so_far is None:
        return {}
    by_origin, by_lead = so_far
    return {
        "awaited": int(by_origin["awaited"].sum()),
        "missing": int(by_origin["missing"].sum()),
        "by_vintage": _table(by_origin.set_index("origin"), AHEAD),
        "by_lead_so_far": _table(by_lead.set_index("lead"), AHEAD),
    }


def _table(frame: pd.DataFrame, columns: Sequence[str]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(markdown_table(ledger.known_numbers(frame[list(columns)]).reset_index(), 3))
