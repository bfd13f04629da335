"""anomalies: observations that the forecasts made before them hardly thought possible, and flat lines."""

import dagster as dg
import pandas as pd

from mlops_assets.alerts import messages
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.asset_graph import AssetGraph, with_earlier
from mlops_assets.catalog.graph import reach_of
from mlops_assets.catalog.metadata import add_by_partition, in_front
from mlops_assets.catalog.names import ANOMALIES, FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import periods
from mlops_assets.lifecycle.retention import NotKeptError, Retained
from mlops_assets.report.health import answer, declared, own_checks
from mlops_assets.report.overview import AnomaliesState
from mlops_assets.report.problems import anomalous
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.stages.watching.anomalies import detect, sentence


def build_anomalies(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `anomalies`."""
    spec, key = graph.spec, graph.key(ANOMALIES)
    checks = own_checks(spec, ANOMALIES)

    @dg.asset(
        key=key,
        ins={
            OBSERVATIONS: dg.AssetIn(graph.key(OBSERVATIONS), partition_mapping=with_earlier(reach_of(spec))),
            FORECASTS: dg.AssetIn(
                graph.key(FORECASTS),
                partition_mapping=with_earlier(periods(spec, spec.horizon)),
                metadata={"allow_missing_partitions": True},
            ),
        },
        check_specs=[declared(one, spec) for one in checks.values()],
        partitions_def=graph.partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            ["pandas"],
            "Observations far beyond the quantiles of the latest forecast made before them, and values that are "
            "repeated as never before.",
            {"partition_expr": "partition"},
        ),
    )
    @patient
    def anomalies(
        context: dg.AssetExecutionContext,
        tables: dg.ResourceParam[Tables],
        notifications: dg.ResourceParam[Notifications],
        engine: dg.ResourceParam[Engine],
        observations: StoredTable,
        forecasts: StoredTable,
    ):
        keys = list(context.partition_keys)
        try:
            Retained(tables, spec).require_scorable(keys)
        except NotKeptError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        found = detect(graph, engine, observations, forecasts, keys)
        facts = {
            partition: {"dagster/row_count": len(rows), **({"anomalies": sentence(rows, 20)} if len(rows) else {})}
            for partition, rows in found.items()
        }
        add_by_partition(context, facts, key)
        words = sentence(found[keys[-1]])
        if words:
            context.log.warning(f"{keys[-1]}: {words}")
            notifications.send(tables, messages.anomalies(spec.name, keys[-1], words, notifications))
        yield dg.Output(pd.concat(found.values(), ignore_index=True), metadata=in_front("anomalies"))
        if ANOMALIES not in checks:
            return
        # Late data of an earlier partition do not make the latest one right.
        newest = max([*keys, *tables.partitions([spec.name, ANOMALIES])])
        latest = found[newest] if newest in found else tables.read([spec.name, ANOMALIES], [newest])
        state = AnomaliesState(newest, len(latest), sentence(latest))
        numbers = {"partition": newest, "anomalies": len(latest)}
        yield answer(checks[ANOMALIES], spec, anomalous(state), numbers)

    return anomalies
