"""forecast_accuracy: whatever forecasts the actuals of a partition allow to score, and the history of those scores."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog.graph import Graph, with_earlier
from mlops_assets.catalog.metadata import add_row_counts, known_numbers, markdown_table
from mlops_assets.catalog.names import FORECAST_ACCURACY, FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import partition_of, periods, starts, whole_window, window_of
from mlops_assets.forecasting.data.contract import Window
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.segments import segments
from mlops_assets.lifecycle.decisions import Decisions, milestones
from mlops_assets.lifecycle.meanings import ChangedSpecError, Meanings, require_present
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.score import believed, earlier, keep_scores, known_static

SHOWN = ["rows", *ledger.shown_numbers()]
AHEAD = ["scored", "missing", "awaited", *ledger.shown_numbers()]
TREND = 40
"""Partitions that the small line of the metric goes back."""


def build_forecast_accuracy(graph: Graph) -> dg.AssetsDefinition:
    """Define `forecast_accuracy`."""
    spec, task = graph.spec, graph.spec.task
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
        partitions_def=graph.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            ["pandas"],
            "Forecasts beside the actuals of the partition, by item and lead; the headline numbers are over all "
            "forecasts of the partition's timestamps whose model had not seen them. The table accuracy_scores has the "
            "scores by version, vintage, lead and segment, and what they were before actuals were corrected.",
            {"partition_expr": "timestamp", "allow_new_columns": True},
        ),
    )
    @patient
    def forecast_accuracy(
        context: dg.AssetExecutionContext,
        tables: dg.ResourceParam[Tables],
        clock: Clock,
        observations: pd.DataFrame,
        forecasts: pd.DataFrame,
    ) -> dg.Output[pd.DataFrame]:
        keys = list(context.partition_keys)
        window = whole_window(graph.partitions, keys)
        try:
            require_present(tables, spec, keys)
        except ChangedSpecError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        forecasts = Meanings(tables, spec.name).scorable(forecasts, spec)
        actuals = believed(tables, spec, observations, forecasts, keys[0])
        scored = ledger.match(forecasts, actuals, task, zero=spec.fill == "zero")
        scored = scored[scored["timestamp"].between(window.start, window.end, inclusive="left")]
        partitions = partition_of(scored["timestamp"], graph.partitions, keys)
        add_row_counts(context, partitions, key)
        static = known_static(tables, spec, observations, keys[0])
        matched = {partition: scored[partitions == partition] for partition in keys}
        history = keep_scores(tables, spec, matched, static, naive_utc(clock.now()))
        known = ledger.delivered(pd.concat([earlier(tables, spec.name, keys[0], reach), scored], ignore_index=True))
        forecasts = ledger.delivered(forecasts)
        reaching = forecasts.groupby("origin")["timestamp"].agg(["min", "max"]) if len(forecasts) else pd.DataFrame()
        for partition, rows in matched.items():
            facts = partition_facts(spec, ledger.delivered(rows), static)
            facts |= _vintage_facts(spec, forecasts, known, reaching, window_of(graph.partitions, partition))
            until = history.loc[history["partition"] <= partition, spec.retraining.metric].tail(TREND)
            if until.notna().any():
                facts["trend"] = dg.MetadataValue.md(_charts().sparkline(until, f"{spec.retraining.metric} so far"))
            context.add_asset_metadata(facts, key, partition)
        # Pictures of the last partition only: a backfill over a year need not draw 365.
        pictures = _pictures(spec, history, milestones(Decisions(tables, spec.name).all()))
        if pictures:
            context.add_asset_metadata(pictures, key, keys[-1])
        return dg.Output(scored)

    return forecast_accuracy


def partition_facts(spec: ForecastSpec, rows: pd.DataFrame, static: pd.DataFrame | None) -> dict[str, Any]:
    """Return the numbers of a partition's forecasts, as metadata: in all, by lead, by segment, the worst items."""
    task, honest = spec.task, ledger.honest(rows)
    facts: dict[str, Any] = {
        **known_numbers(ledger.summary(honest, task)),
        "in_sample_rows": len(rows) - len(honest),
        "origins": int(honest["origin"].nunique()),
    }
    if honest.empty:
        return facts
    names = ledger.bands(task.horizon)
    by_lead = ledger.compared(honest.assign(lead=honest["lead"].map(names)), task, ["lead"]).set_index("lead")
    facts["by_lead"] = _table(by_lead.loc[[n for n in dict.fromkeys(names.values()) if n in by_lead.index]], SHOWN)
    inside = honest.merge(segments(honest, static), on="item_id")
    if len(inside):
        facts["by_segment"] = _table(ledger.compared(inside, task, ["segment"]).set_index("segment"), SHOWN)
    worst = ledger.worst_items(honest, task).set_index("item_id")
    facts["worst_items"] = _table(worst, ["share_of_error", *SHOWN])
    return facts


def _vintage_facts(
    spec: ForecastSpec, forecasts: pd.DataFrame, known: pd.DataFrame, reaching: pd.DataFrame, window: Window
) -> dict[str, Any]:
    """Say how far the vintages have come whose horizon, `min` to `max` of `reaching`, goes into a partition."""
    if reaching.empty:
        return {}
    end = window.end
    origins = reaching.index[(reaching["min"] < end) & (reaching["max"] >= window.start)]
    if len(origins) == 0:
        return {}
    own = forecasts[forecasts["origin"].isin(origins)]
    rows = known[known["origin"].isin(origins) & (known["timestamp"] < end)]
    vintages = ledger.vintages(own, rows, spec.task, end)
    so_far = ledger.leads(own, rows, spec.task, end)
    return {
        "awaited": int(vintages["awaited"].sum()),
        "missing": int(vintages["missing"].sum()),
        "by_vintage": _table(vintages.set_index("origin"), AHEAD),
        "by_lead_so_far": _table(so_far.set_index("lead"), AHEAD),
    }


def _table(frame: pd.DataFrame, columns: Sequence[str]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(markdown_table(ledger.known_numbers(frame[list(columns)]).reset_index(), 3))


def _pictures(spec: ForecastSpec, history: pd.DataFrame, events: pd.DataFrame) -> dict[str, Any]:
    if history.empty or not history["rows"].any():
        return {}
    charts, metric = _charts(), spec.retraining.metric
    times = history.assign(timestamp=starts(spec, history["partition"]))
    over = charts.accuracy_over_time(times, metric, spec.retraining.threshold, events)
    return {"over_time": dg.MetadataValue.md(charts.markdown_image(over, f"{metric} over time"))}


def _charts() -> Any:
    from mlops_assets.forecasting import charts

    return charts
