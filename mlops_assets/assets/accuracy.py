"""forecast_accuracy: whatever forecasts the actuals of a partition allow to score."""

from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.assets.common import Graph, add_row_counts, known_numbers, markdown_table
from mlops_assets.assets.partitions import partition_of, periods, whole_window
from mlops_assets.forecasting.task import Task


def build_forecast_accuracy(graph: Graph) -> dg.AssetsDefinition:
    """Define `forecast_accuracy`."""
    spec, task = graph.spec, graph.spec.task

    @dg.asset(
        key=graph.key("forecast_accuracy"),
        ins={
            "observations": dg.AssetIn(graph.key("observations")),
            "forecasts": dg.AssetIn(
                graph.key("forecasts"),
                partition_mapping=dg.TimeWindowPartitionMapping(
                    start_offset=-periods(spec, spec.horizon),
                    end_offset=0,
                    allow_nonexistent_upstream_partitions=True,
                ),
                metadata={"allow_missing_partitions": True},
            ),
        },
        partitions_def=graph.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            ["pandas"],
            "Forecasts beside the actuals of the partition, by item and lead; the headline numbers are over all "
            "forecasts of the partition's timestamps whose model had not seen them.",
            {"partition_expr": "timestamp"},
        ),
    )
    def forecast_accuracy(
        context: dg.AssetExecutionContext, observations: pd.DataFrame, forecasts: pd.DataFrame
    ) -> dg.Output[pd.DataFrame]:
        window = whole_window(graph.partitions, list(context.partition_keys))
        scored = match(forecasts, observations, task, zero=spec.fill == "zero")
        scored = scored[scored["timestamp"].between(window.start, window.end, inclusive="left")]
        place = partition_of(scored["timestamp"], graph.partitions, list(context.partition_keys))
        add_row_counts(context, place, graph.key("forecast_accuracy"))
        for key in context.partition_keys:
            context.add_asset_metadata(_facts(scored[place == key], task), graph.key("forecast_accuracy"), key)
        return dg.Output(scored)

    return forecast_accuracy


def _facts(scored: pd.DataFrame, task: Task) -> dict[str, Any]:
    """Return the headline numbers of a partition, as metadata."""
    honest = scored[~scored["in_sample"]]
    facts: dict[str, Any] = {
        **known_numbers(summary(honest, task)),
        "in_sample_rows": len(scored) - len(honest),
        "origins": int(honest["origin"].nunique()),
    }
    if len(honest):
        facts["by_lead"] = dg.MetadataValue.md(by_lead_table(honest, task))
    return facts


def match(forecasts: pd.DataFrame, observations: pd.DataFrame, task: Task, zero: bool) -> pd.DataFrame:
    """Join forecasts with actuals.

    Args:
        forecasts: rows of the ledger; may be without columns when nothing was forecast.
        observations: canonical frame.
        task: names the quantiles.
        zero: an absent row means an actual of 0 at every timestamp that has observations.

    Returns:
        A row for each forecast whose actual is known: the ledger's columns that matter, `target`, `error`
        (forecast minus actual) and `in_sample` (the model had seen the actual when it was trained).
    """
    kept = ["item_id", "timestamp", "origin", "lead", "target", "mean", *task.quantile_columns, "naive"]
    kept += ["error", "mase_scale", "rmsse_scale", "source", "model_version", "in_sample"]
    if forecasts.empty or observations.empty:
        return _nothing(kept)
    actuals = observations[["item_id", "timestamp", "target"]]
    if zero:
        forecasts = forecasts[forecasts["timestamp"].isin(actuals["timestamp"].unique())]
        rows = forecasts.merge(actuals, on=["item_id", "timestamp"], how="left", indicator=True)
        rows.loc[rows["_merge"] == "left_only", "target"] = 0.0
    else:
        rows = forecasts.merge(actuals, on=["item_id", "timestamp"], how="inner")
    rows = rows[rows["target"].notna()]
    rows = rows.assign(
        error=rows[task.point_column] - rows["target"],
        in_sample=(rows["timestamp"] <= rows["trained_until"]).fillna(False).astype(bool),
    )
    return rows[kept].sort_values(["timestamp", "item_id", "lead"], ignore_index=True)


def summary(rows: pd.DataFrame, task: Task) -> dict[str, float]:
    """Return the scores of matched forecasts, seasonal naive's MASE and the skill against it; `rows` is 0 if none."""
    from mlops_assets.forecasting.metrics import METRICS, mase, score

    if rows.empty:
        return {"rows": 0}
    scores = score(rows, task).iloc[0]
    facts = {"rows": int(scores["rows"]), **{name: float(scores[name]) for name in METRICS}}
    naive = mase(rows["target"].to_numpy(), rows["naive"].to_numpy(), rows["mase_scale"].to_numpy())
    facts["naive_mase"] = float(naive)
    facts["skill"] = 1 - facts["mase"] / facts["naive_mase"] if naive else float("nan")
    return facts


def by_lead_table(rows: pd.DataFrame, task: Task) -> str:
    """Return the scores by lead as a Markdown table."""
    from mlops_assets.forecasting.metrics import score

    return markdown_table(score(rows, task, by=["lead"])[["lead", "rows", "wql", "mase", "coverage", "bias"]], 3)


def _nothing(columns: list[str]) -> pd.DataFrame:
    kinds = {
        "item_id": "object",
        "source": "object",
        "lead": "int64",
        "model_version": "int64",
        "in_sample": "bool",
    }
    kinds |= {"timestamp": "datetime64[us]", "origin": "datetime64[us]"}
    return pd.DataFrame({name: pd.Series(dtype=kinds.get(name, "float64")) for name in columns})
