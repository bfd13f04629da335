"""forecasts: the ledger, one partition for each origin."""

import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import dagster as dg
import pandas as pd
from pydantic import Field

from mlops_assets.catalog.graph import Graph, known_after, origin_inputs
from mlops_assets.catalog.partitions import freshness_of, origin_of, window_of
from mlops_assets.forecasting.formatting import few
from mlops_assets.forecasting.model.features import lookback
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle.decisions import champion_of
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.protocols import Tables
from mlops_assets.stages.train import history_of
from mlops_assets.tracking.tracking import Tracking, Version

PICTURES = 100
"""The latest origins of one run that get a picture: each costs a third of a second and 100 kB of the event log."""


class ForecastConfig(dg.Config):
    """Whose forecasts are made."""

    champion: Literal["then", "now"] = Field(
        "then",
        description="then: for a past origin, who was champion while it was the latest; now: who is champion.",
    )
    version: int = Field(0, description="Exactly this version, whoever is or was champion.")


def build_forecasts(graph: Graph) -> dg.AssetsDefinition:
    """Define `forecasts`."""
    spec, task = graph.spec, graph.spec.task

    @dg.asset(
        key=graph.key("forecasts"),
        ins=origin_inputs(graph),
        deps=[graph.key("champion")],
        partitions_def=graph.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        freshness_policy=freshness_of(spec),
        **graph.attributes(
            ["scikitlearn", "mlflow"],
            "The ledger of forecasts, a partition for each origin: every item that is alive, every lead, with "
            "quantiles, the model's version and the run. Making an origin again replaces its rows.",
            {"partition_expr": "origin"},
        ),
    )
    def forecasts(
        context: dg.AssetExecutionContext,
        config: ForecastConfig,
        tables: dg.ResourceParam[Tables],
        tracking: Tracking,
        clock: Clock,
        **inputs: pd.DataFrame,
    ) -> dg.Output[pd.DataFrame]:
        from mlops_assets.forecasting import charts
        from mlops_assets.forecasting.evaluation.metrics import seasonal_scale
        from mlops_assets.forecasting.model.baselines import seasonal_naive

        life = Lifecycle(tables, tracking, clock, spec.name)
        versions = chosen_versions(life, graph, context.partition_keys, config, clock.now())
        numbers = {version.number: version for version in versions.values()}
        forecasters = {n: life.registry.forecaster(version) for n, version in numbers.items()}
        observations = history_of(graph, inputs["observations"])
        created_at = naive_utc(clock.now())
        ledger = []
        for key in context.partition_keys:
            origin = origin_of(spec, window_of(graph.partitions, key))
            history = observations[observations["timestamp"] <= origin]
            if history.empty:
                raise dg.Failure(
                    f"{spec.name}: no observation is stored for the {lookback(task)} steps up to the origin {origin}; "
                    f"materialize {spec.name}/observations for partition {key} and before",
                    allow_retries=False,
                )
            known = known_after(inputs, key)
            version = versions[key]
            forecaster = forecasters[version.number]
            with warnings.catch_warnings(record=True) as unusual:
                warnings.simplefilter("always", UnusualInput)
                made = forecaster.predict(history, origin, future=known, horizon=spec.horizon, quantiles=task.quantiles)
            for warning in unusual:
                context.log.warning(f"origin {origin}: {warning.message}")
            naive = seasonal_naive(history, task, origin, items=made["item_id"].unique())
            made = made.merge(
                naive[["item_id", "lead", task.point_column]].rename(columns={task.point_column: "naive"}),
                on=["item_id", "lead"],
                how="left",
            ).merge(seasonal_scale(history, task), on="item_id", how="left")
            made["model_version"] = version.number
            made["trained_until"] = pd.Series(version.trained_until, index=made.index).astype("datetime64[us]")
            ledger.append(made)
            if history["timestamp"].max() < origin:
                context.log.warning(f"origin {origin}: the latest observation is of {history['timestamp'].max()}")
            facts = _facts(made, task) | _left_out(sorted({*history["item_id"]} - {*made["item_id"]}))
            if key in context.partition_keys[-PICTURES:]:
                fan = charts.fan(history, made, point=task.point_column, max_items=4)
                facts["fan"] = dg.MetadataValue.md(charts.markdown_image(fan, "forecasts of the largest items"))
            context.add_asset_metadata(facts, graph.key("forecasts"), key)
        rows = pd.concat(ledger, ignore_index=True)
        rows["source"] = rows["source"].replace({"model": "champion"})
        rows["run_id"] = context.run.run_id
        rows["created_at"] = pd.Series(created_at, index=rows.index).astype("datetime64[us]")
        latest = versions[key].number
        link = {"mlflow_version": dg.MetadataValue.url(life.registry.link(latest))} if tracking.ui else {}
        return dg.Output(rows, metadata={"model_version": latest, **link})

    return forecasts


def chosen_versions(
    life: Lifecycle, graph: Graph, keys: Sequence[str], config: ForecastConfig, now: datetime
) -> dict[str, Version]:
    """Return the version that forecasts each origin.

    An origin is the latest one until the partition after it has ended. Before the first decision nobody was champion;
    such an origin gets the present one, as does the latest.

    Raises:
        dagster.Failure: there is no champion.
    """
    if config.version:
        return dict.fromkeys(keys, life.registry.version(config.version))
    present = life.champion()
    if present is None:
        name = graph.spec.name
        raise dg.Failure(
            f"{name} has no champion yet: materialize training_set to champion first "
            f"(job {name}_retrain, or python -m mlops_assets run {name}); mlops-assets history {name} says what was "
            "decided",
            allow_retries=False,
        )
    if config.champion == "now":
        return dict.fromkeys(keys, present)
    log = life.log.all()
    versions = {present.number: present}
    chosen = {}
    for key in keys:
        ended = graph.partitions.time_window_for_partition_key(key).end
        following = graph.partitions.get_next_partition_window(ended, respect_bounds=False)
        past = following is not None and following.end <= now
        number = (champion_of(log, following.end) if past and following else None) or present.number
        if number not in versions:
            versions[number] = life.registry.version(number)
        chosen[key] = versions[number]
    return chosen


def _facts(made: pd.DataFrame, task: Task) -> dict[str, Any]:
    """Return what the metadata of one origin says."""
    from mlops_assets.forecasting import charts

    total = made.groupby("timestamp")[task.point_column].sum()
    return {
        "dagster/row_count": len(made),
        "items": int(made["item_id"].nunique()),
        "fallback_rows": int((made["source"] == "fallback").sum()),
        "total": float(total.sum()),
        "sum_by_step": dg.MetadataValue.md(charts.sparkline(total, "sum of all items by step")),
    }


def _left_out(items: Sequence[str]) -> dict[str, Any]:
    """Return what the metadata says of items that get no forecast, because nothing was observed of them lately."""
    return {"left_out": len(items), **({"left_out_items": few(items, 100)} if items else {})}
