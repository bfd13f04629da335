"""forecasts: the ledger, one partition for each origin."""

from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.assets.common import Graph
from mlops_assets.assets.partitions import origin_of, periods, window_of
from mlops_assets.assets.training import history_of
from mlops_assets.forecasting.features import lookback
from mlops_assets.forecasting.task import Task
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.tracking import Tracking


def build_forecasts(graph: Graph) -> dg.AssetsDefinition:
    """Define `forecasts`."""
    spec, task = graph.spec, graph.spec.task
    reach = lookback(task)
    ins = {
        "observations": dg.AssetIn(
            graph.key("observations"),
            partition_mapping=dg.TimeWindowPartitionMapping(
                start_offset=-periods(spec, reach), end_offset=0, allow_nonexistent_upstream_partitions=True
            ),
        )
    }
    if spec.covariates.known:
        ins["future_covariates"] = dg.AssetIn(graph.key("future_covariates"))

    @dg.asset(
        key=graph.key("forecasts"),
        ins=ins,
        deps=[graph.key("champion")],
        partitions_def=graph.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            ["scikitlearn", "mlflow"],
            "The ledger of forecasts, a partition for each origin: every item that is alive, every lead, with "
            "quantiles, the model's version and the run. Making an origin again replaces its rows.",
            {"partition_expr": "origin"},
        ),
    )
    def forecasts(
        context: dg.AssetExecutionContext, tracking: Tracking, clock: Clock, **inputs: pd.DataFrame
    ) -> dg.Output[pd.DataFrame]:
        from mlops_assets.forecasting import plots
        from mlops_assets.forecasting.baselines import seasonal_naive
        from mlops_assets.forecasting.forest import Forecaster
        from mlops_assets.forecasting.metrics import seasonal_scale

        registry = tracking.registry(spec.name)
        version = registry.champion()
        if version is None:
            raise dg.Failure(
                f"{spec.name} has no champion yet: materialize training_set to champion first "
                f"(job {spec.name}_retrain, or python -m mlops_assets run {spec.name})",
                allow_retries=False,
            )
        forecaster = Forecaster.from_state(registry.load(version))
        observations = history_of(graph, inputs["observations"])
        future = inputs.get("future_covariates")
        created_at = pd.Timestamp(clock.now()).tz_convert("UTC").tz_localize(None)
        ledger = []
        for key in context.partition_keys:
            origin = origin_of(spec, window_of(graph.partitions, key))
            history = observations[observations["timestamp"] <= origin]
            if history.empty:
                raise dg.Failure(
                    f"{spec.name}: no observation is stored for the {reach} steps up to the origin {origin}; "
                    f"materialize {spec.name}/observations for partition {key} and before",
                    allow_retries=False,
                )
            known = None if future is None else future.loc[future["partition"] == key].drop(columns="partition")
            made = forecaster.predict(history, origin, future=known, horizon=spec.horizon, quantiles=task.quantiles)
            naive = seasonal_naive(history, task, origin, items=made["item_id"].unique())
            made = made.merge(
                naive[["item_id", "lead", task.point_column]].rename(columns={task.point_column: "naive"}),
                on=["item_id", "lead"],
                how="left",
            ).merge(seasonal_scale(history, task), on="item_id", how="left")
            ledger.append(made)
            if history["timestamp"].max() < origin:
                context.log.warning(f"origin {origin}: the latest observation is of {history['timestamp'].max()}")
            context.add_asset_metadata(_facts(made, task), graph.key("forecasts"), key)
        rows = pd.concat(ledger, ignore_index=True)
        rows["source"] = rows["source"].replace({"model": "champion"})
        rows["model_version"] = version.number
        rows["trained_until"] = pd.Series(version.trained_until, index=rows.index).astype("datetime64[us]")
        rows["run_id"] = context.run.run_id
        rows["created_at"] = pd.Series(created_at, index=rows.index).astype("datetime64[us]")
        # One picture, of the last origin: a backfill over a year need not draw 365.
        picture = dg.MetadataValue.md(
            plots.markdown_image(
                plots.fan(history, made, point=task.point_column, max_items=4), "forecasts of the largest items"
            )
        )
        context.add_asset_metadata({"fan": picture}, graph.key("forecasts"), key)
        link = {"mlflow_version": dg.MetadataValue.url(registry.link(version.number))} if tracking.ui else {}
        return dg.Output(rows, metadata={"model_version": version.number, **link})

    return forecasts


def _facts(made: pd.DataFrame, task: Task) -> dict[str, Any]:
    """Return what the metadata of one origin says."""
    from mlops_assets.forecasting import plots

    total = made.groupby("timestamp")[task.point_column].sum()
    return {
        "dagster/row_count": len(made),
        "items": int(made["item_id"].nunique()),
        "fallback_rows": int((made["source"] == "fallback").sum()),
        "total": float(total.sum()),
        "sum_by_step": dg.MetadataValue.md(plots.sparkline(total, "sum of all items by step")),
    }
