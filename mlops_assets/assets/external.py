"""external_jobs: what an external service is asked to forecast, beside ours."""

import dagster as dg
import pandas as pd

from mlops_assets.catalog.asset_graph import AssetGraph
from mlops_assets.catalog.column import typed
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.names import EXTERNAL_JOBS, FORECASTS
from mlops_assets.catalog.partitions import with_steps
from mlops_assets.jobs.resource import Jobs
from mlops_assets.lifecycle.roles import Roles
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Tables
from mlops_assets.stages.external.asking import plan


def build_external_jobs(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `external_jobs`, for a spec with an external service."""
    spec = graph.spec

    @dg.asset(
        key=graph.key(EXTERNAL_JOBS),
        deps=[graph.key(FORECASTS)],
        partitions_def=graph.partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            ["sqlalchemy"],
            "What the external service is asked to forecast: a job for each step, written down before anything is "
            "asked. Whoever looks at the jobs asks, and fetches what comes: the sensor jobs, or mlops-assets jobs "
            "run-due. The round does not wait.",
            {"partition_expr": "partition"},
        ),
    )
    @patient
    def external_jobs(
        context: dg.AssetExecutionContext,
        tables: dg.ResourceParam[Tables],
        jobs: dg.ResourceParam[Jobs],
        clock: dg.ResourceParam[Clock],
    ) -> dg.Output[pd.DataFrame]:
        now = clock.now()
        keys = with_steps(spec, context.partition_keys)
        planned = plan(graph, jobs, tables, keys, now, f"run {context.run.run_id}")
        made = jobs.ledger.intend(*planned)
        role = Roles(tables, spec).of(now)
        rows = pd.DataFrame(
            [
                # A step that is not made again for each partition was asked for by an earlier one.
                {
                    "partition": asked.partition,
                    "service": job.service,
                    "role": role.role,
                    "step": job.step,
                    "job_key": job.job_key,
                    "data_version": job.data_version,
                    "deadline": job.deadline,
                }
                for asked, job in zip(planned, made, strict=True)
            ],
            columns=[one.name for one in TABLES[EXTERNAL_JOBS]],
        )
        for key in context.partition_keys:
            own = rows[rows["partition"] == key]
            facts = {"dagster/row_count": len(own), "service": role.service, "role": role.role}
            context.add_asset_metadata(facts, graph.key(EXTERNAL_JOBS), key)
        return dg.Output(typed(rows, TABLES[EXTERNAL_JOBS]))

    return external_jobs
