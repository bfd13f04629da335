"""forecast_change: why the forecasts of an origin differ from those of the origin before."""

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog.graph import Graph, known_after, known_numbers, markdown_table, origin_inputs
from mlops_assets.catalog.partitions import origin_of, window_of
from mlops_assets.errors import DataError, MlopsAssetsError
from mlops_assets.forecasting.model.guards import UnusualInput
from mlops_assets.forecasting.monitoring import change
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.stages.train import history_of
from mlops_assets.tracking.tracking import Tracking, TrackingError

SHOWN = 10
_TYPES = {
    "origin": "datetime64[us]",
    "previous_origin": "datetime64[us]",
    "item_id": "str",
    "steps": "int64",
    **dict.fromkeys(["previous", *change.PARTS, "current", "change"], "float64"),
    "previous_version": "int64",
    "model_version": "int64",
    "undivided": "str",
}


def build_forecast_change(graph: Graph) -> dg.AssetsDefinition:
    """Define `forecast_change`."""
    spec = graph.spec
    ins = origin_inputs(graph, before=1)
    ins["forecasts"] = dg.AssetIn(
        graph.key("forecasts"),
        partition_mapping=dg.TimeWindowPartitionMapping(
            start_offset=-1, end_offset=0, allow_nonexistent_upstream_partitions=True
        ),
    )

    @dg.asset(
        key=graph.key("forecast_change"),
        ins=ins,
        partitions_def=graph.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            ["scikitlearn", "pandas"],
            "Why the forecasts differ from those of the previous origin for the same timestamps: revised history, new "
            "data, new model. The three add up to the change; by item, the largest first.",
            {"partition_expr": "origin"},
        ),
    )
    def forecast_change(
        context: dg.AssetExecutionContext,
        tables: dg.ResourceParam[Tables],
        tracking: Tracking,
        clock: Clock,
        **inputs: pd.DataFrame,
    ) -> dg.Output[pd.DataFrame]:
        from mlops_assets.forecasting import charts

        explain = Explanation(graph, Lifecycle(tables, tracking, clock, spec.name), inputs)
        parts = []
        for key in context.partition_keys:
            table = explain(key)
            parts.append(table)
            context.add_asset_metadata(_facts(table), graph.key("forecast_change"), key)
        # One picture, of the last origin, as of the forecasts.
        picture = charts.markdown_image(charts.change_bridge(parts[-1]), "why the forecast changed")
        last = context.partition_keys[-1]
        context.add_asset_metadata({"bridge": dg.MetadataValue.md(picture)}, graph.key("forecast_change"), last)
        return dg.Output(pd.concat(parts, ignore_index=True))

    return forecast_change


class Explanation:
    """Explains the change of an origin's forecasts; models are loaded when they are needed, and once."""

    def __init__(self, graph: Graph, life: Lifecycle, inputs: Mapping[str, pd.DataFrame]) -> None:
        self.graph = graph
        self.inputs = inputs
        self.ledger = inputs["forecasts"]
        self.history = history_of(graph, inputs["observations"])
        self._forecaster = cache(lambda number: _load(life, number))

    def __call__(self, key: str) -> pd.DataFrame:
        """Return the table of a partition; without rows if the previous origin has no forecasts in the ledger."""
        nothing = pd.DataFrame(columns=list(_TYPES)).astype(_TYPES)
        partitions = self.graph.partitions
        earlier = partitions.get_prev_partition_window(partitions.time_window_for_partition_key(key).start)
        if earlier is None:
            return nothing
        before = earlier.start.strftime(partitions.fmt)
        origin, first = (origin_of(self.graph.spec, window_of(partitions, name)) for name in (key, before))
        previous, current = (self.ledger[self.ledger["origin"] == moment] for moment in (first, origin))
        if previous.empty or current.empty:
            return nothing
        old, new = (int(rows["model_version"].iloc[0]) for rows in (previous, current))
        # Both made by one run: from the same history, so that nothing in it is revised.
        replayed = previous if previous["run_id"].iloc[0] == current["run_id"].iloc[0] else None
        updated = current if old == new else None
        shared, undivided = set(previous["timestamp"]) & set(current["timestamp"]), ""
        # As far as was forecast then, which is not the spec's horizon if that has changed since.
        steps, ahead = (
            int(rows["lead"][rows["timestamp"].isin(shared)].max() if shared else 0) for rows in (previous, current)
        )
        try:
            if shared and replayed is None:
                replayed = self._predict(old, before, first, steps)
            if shared and updated is None:
                updated = self._predict(old, key, origin, ahead)
        except (MlopsAssetsError, ValueError) as error:
            undivided = f"version {old}, which made the previous forecasts, cannot make them again: {error}"
        table = change.bridge(previous, current, self.graph.spec.task.point_column, replayed, updated).assign(
            origin=origin, previous_origin=first, previous_version=old, model_version=new, undivided=undivided
        )
        return table[list(_TYPES)].astype(_TYPES)

    def _predict(self, number: int, key: str, origin: pd.Timestamp, horizon: int) -> pd.DataFrame:
        """Forecast so many steps from an origin, with what is stored now of what can be known there."""
        spec = self.graph.spec
        known = known_after(self.inputs, key)
        if known is not None and known.empty:
            raise DataError(f"the known covariates of partition {key} are not stored")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnusualInput)  # said when the forecasts were made
            return self._forecaster(number).predict(
                self.history[self.history["timestamp"] <= origin],
                origin,
                future=known,
                horizon=horizon,
                quantiles=spec.task.quantiles,
            )


def _load(life: Lifecycle, number: int) -> Any:
    """Load a version's forecaster; TrackingError, ModelFileError or ValueError if that cannot be done."""
    from mlflow.exceptions import MlflowException

    try:
        version = life.registry.version(number)
    except MlflowException as error:
        raise TrackingError(str(error)) from None
    return life.registry.forecaster(version)


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
        "largest": dg.MetadataValue.md(markdown_table(shown.rename(columns=change.WORDS), 6)),
    }
