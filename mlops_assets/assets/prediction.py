"""forecasts: the ledger, one partition for each origin."""

from collections.abc import Sequence
from typing import Any, Literal

import dagster as dg
import pandas as pd
from pydantic import Field

from mlops_assets.adjustments.publisher import Publisher
from mlops_assets.catalog.asset_graph import AssetGraph, freshness_of, origin_inputs
from mlops_assets.catalog.graph import reach_of
from mlops_assets.catalog.metadata import in_front
from mlops_assets.catalog.names import CHAMPION, FORECASTS, FUTURE_COVARIATES, OBSERVATIONS
from mlops_assets.catalog.partitions import with_steps
from mlops_assets.errors import TerminalError
from mlops_assets.forecasting.formatting import few, significant
from mlops_assets.lifecycle.approvers import Approvers, UnprovenError
from mlops_assets.lifecycle.decisions import was_champion
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.meanings import require_present
from mlops_assets.lifecycle.retention import Retained
from mlops_assets.report.ingestion import MADE, note_facts
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Models, Tables
from mlops_assets.resources.stored import StoredTable, Streamed
from mlops_assets.scale.engine import Engine
from mlops_assets.stages.ahead import sentence
from mlops_assets.stages.deliver import Deliverer
from mlops_assets.stages.external.together import with_services
from mlops_assets.stages.predict import UNREGISTERED, ledger_of
from mlops_assets.stages.remarks import silent
from mlops_assets.stages.shards.forecasts import Forecasts
from mlops_assets.stages.shards.origin import Predicted
from mlops_assets.tracking.tracking import Tracking


class ForecastConfig(dg.Config):
    """Whose forecasts are made."""

    champion: Literal["then", "now"] = Field(
        "then",
        description="then: for a past origin, who was champion while it was the latest; now: who is champion.",
    )
    version: int = Field(
        0,
        description="Exactly this version, whoever is or was champion; where MLOPS_APPROVERS is set, one that was.",
    )


def build_forecasts(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `forecasts`."""
    spec = graph.spec

    @dg.asset(
        key=graph.key(FORECASTS),
        ins=origin_inputs(graph),
        deps=[graph.key(CHAMPION)],
        partitions_def=graph.partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        freshness_policy=freshness_of(spec),
        **graph.attributes(
            [graph.model_kind, "mlflow"],
            "The ledger of forecasts, a partition for each origin: every item that is alive, every lead, with "
            "quantiles, the model's version, who made it and why, and the run. Making an origin again replaces its "
            "rows.",
            {"partition_expr": "origin", "allow_new_columns": True},
        ),
    )
    @patient
    def forecasts(
        context: dg.AssetExecutionContext,
        config: ForecastConfig,
        tables: dg.ResourceParam[Tables],
        models: dg.ResourceParam[Models],
        tracking: dg.ResourceParam[Tracking],
        clock: dg.ResourceParam[Clock],
        engine: dg.ResourceParam[Engine],
        approvers: dg.ResourceParam[Approvers],
        **inputs: StoredTable,
    ) -> dg.Output[Any]:
        keys, now = with_steps(spec, context.partition_keys), clock.now()
        if not keys:  # a weekend of business days
            return dg.Output(graph.without_rows(FORECASTS))
        life = Lifecycle(tables, tracking, clock, spec.name, models)
        try:
            Retained(tables, spec).require_ledger(keys)
            stored = [key for key in tables.partitions([spec.name, OBSERVATIONS]) if key <= keys[-1]]
            require_present(tables, spec, stored[-reach_of(spec) - len(keys) :])
            make = Forecasts(graph, engine, inputs[OBSERVATIONS], inputs.get(FUTURE_COVARIATES), keys)
            if config.version and approvers.needed and not was_champion(life.log.all(), config.version):
                raise UnprovenError(f"version {config.version} of {spec.name} was never champion: nobody has let it in")
            deliver = Deliverer(graph, life, now, config.champion, config.version)
            made = deliver(keys, make)
        except TerminalError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        for key, one in made.items():
            for warning in (*one.warnings, *(one.odd.sentences() if one.odd else ())):
                context.log.warning(warning)
            context.add_asset_metadata(_facts(one), graph.key(FORECASTS), key)
        for reason in deliver.said:
            context.log.warning(reason)
        facts: dict[str, Any] = in_front("sum_by_step", "total")
        tallies = [one.tally for one in made.values()]
        if (latest := tallies[-1].version) != UNREGISTERED:
            facts["model_version"] = latest
            if tracking.ui:
                facts["mlflow_version"] = dg.MetadataValue.url(tracking.links.version(spec.name, latest))
        facts |= in_front("items", "delivered_because")
        facts |= {"delivered_in_place_of_the_champion": "; ".join(deliver.said)} if deliver.said else {}
        if quiet := silent(
            spec,
            sum(tally.zeros for tally in tallies),
            sum(tally.rows for tally in tallies),
            sum(tally.mean for tally in tallies),
        ):
            context.log.warning(quiet)
            facts["silent_point"] = quiet
        due = {"partition": keys[-1], "rows": tallies[-1].items * spec.horizon}
        note_facts(tables, spec.name, FORECASTS, {**_left_out(made[keys[-1]].left_out), MADE: due}, now)
        run = context.run.run_id
        stamped = (ledger_of(rows, run, naive_utc(now)) for one in made.values() for rows in one.batches)
        publisher = Publisher(tables, spec)
        if make.many and len(keys) == 1 and spec.external is None:
            return dg.Output(Streamed(publisher.passing(stamped, keys, naive_utc(now))), metadata=facts)
        rows = pd.concat(stamped, ignore_index=True)
        if spec.external is not None:
            rows = with_services(graph, tables, keys, rows, now, run)
        (rows,) = publisher.passing([rows], keys, naive_utc(now))
        return dg.Output(rows, metadata=facts)

    return forecasts


def _facts(made: Predicted) -> dict[str, Any]:
    """Return what the metadata of one origin says."""
    from mlops_assets.forecasting import charts

    tally = made.tally
    by_step = pd.Series(tally.by_step, dtype=float)
    return {
        "dagster/row_count": tally.rows,
        "items": tally.items,
        "fallback_rows": tally.fallback,
        "seasonal_naive_rows": tally.naive,
        "delivered_because": ", ".join(sorted(tally.because)),
        "total": significant(float(by_step.sum())),
        "sum_by_step": dg.MetadataValue.md(charts.sparkline(by_step, "sum of all items by step")),
        **_left_out(made.left_out),
        **(made.odd.facts() if made.odd else {}),
        **_missing(made),
    }


def _missing(made: Predicted) -> dict[str, Any]:
    """Return what the metadata says of covariates that are missing over the horizon, or late at the origin."""
    found: dict[str, Any] = {"late_covariates": ", ".join(made.late)} if made.late else {}
    if made.missing_ahead is not None:
        found["missing_ahead"] = int(made.missing_ahead["missing"].sum())
        found |= {"missing_ahead_of": sentence(made.missing_ahead)} if len(made.missing_ahead) else {}
    return found


def _left_out(items: Sequence[str]) -> dict[str, Any]:
    """Return what the metadata says of items that get no forecast, because nothing was observed of them lately."""
    return {"left_out": len(items), **({"left_out_items": few(items, 100)} if items else {})}
