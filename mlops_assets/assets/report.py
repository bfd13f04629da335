"""report: one page on how a forecast is, kept with the champion's run in MLflow."""

from contextlib import nullcontext

import dagster as dg
import pandas as pd

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.asset_graph import AssetGraph
from mlops_assets.catalog.metadata import in_front, markdown_text
from mlops_assets.catalog.names import ANOMALIES, DATA_DRIFT, FORECAST_ACCURACY, FORECAST_CHANGE, REPORT
from mlops_assets.catalog.spending import Spending
from mlops_assets.jobs.resource import Jobs
from mlops_assets.report.beside import metrics_of
from mlops_assets.report.health import tell
from mlops_assets.report.page import page
from mlops_assets.report.state import Sources, overview
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.meter import Prices
from mlops_assets.resources.patience import patient
from mlops_assets.resources.protocols import Models, Tables
from mlops_assets.resources.snapshot import remembered
from mlops_assets.tracking.errors import TrackingError
from mlops_assets.tracking.registry import Registry
from mlops_assets.tracking.tracking import Tracking

FILE = "report/report.html"


def build_report(graph: AssetGraph) -> dg.AssetsDefinition:
    """Define `report`."""
    spec = graph.spec
    names = [FORECAST_ACCURACY, DATA_DRIFT, ANOMALIES, FORECAST_CHANGE]  # which come after the forecasts

    @dg.asset(
        key=graph.key(REPORT),
        deps=[graph.key(name) for name in names],
        partitions_def=graph.partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        **graph.attributes(
            ["mlflow", "html"],
            "The explorer as one file, without a server: forecasts, accuracy by lead and over time, drift, why it "
            "changed, the decisions, data quality. Kept with the champion's run in MLflow. Also: mlops-assets report.",
            {"partition_expr": "partition"},
        ),
    )
    @patient
    def report(
        context: dg.AssetExecutionContext,
        tables: dg.ResourceParam[Tables],
        models: dg.ResourceParam[Models],
        tracking: dg.ResourceParam[Tracking],
        notifications: dg.ResourceParam[Notifications],
        clock: dg.ResourceParam[Clock],
        jobs: dg.ResourceParam[Jobs],
        prices: dg.ResourceParam[Prices],
    ) -> dg.Output[pd.DataFrame]:
        # A file tells of the present, so a run over many partitions makes one, of the last.
        partition = context.partition_keys[-1]
        Spending(tables, spec.name).sum_up()
        seen = remembered(tables)
        sources = Sources(
            spec, seen, tracking, clock, notifications, lambda: nullcontext(context.instance), models, jobs, prices
        )
        state = overview(sources)
        tell(context, spec, state, clock.now())
        html = page(sources, state, partition)
        link = ""
        if state.champion is not None:
            try:
                registry = tracking.registry(spec.name)
                link = _kept(registry, state.champion.version, html)
                if numbers := metrics_of(state.external):
                    registry.add_metrics(state.champion.version, numbers)
            except TrackingError as error:
                context.log.warning(f"the page is not kept in MLflow: {error}")
        row = {"partition": partition, "made_at": naive_utc(clock.now()), "bytes": len(html.encode()), "link": link}
        facts = {
            "bytes": row["bytes"],
            "to_look_at": dg.MetadataValue.md(
                "\n".join(f"- {markdown_text(words)}" for words in state.problems) or "nothing"
            ),
        }
        context.add_asset_metadata(facts, graph.key(REPORT), partition)
        front = {**({"report": dg.MetadataValue.url(link)} if link else {}), **in_front("to_look_at")}
        return dg.Output(pd.DataFrame([row]).astype({"made_at": "datetime64[us]"}), metadata=front)

    return report


def _kept(registry: Registry, number: int, html: str) -> str:
    """Keep the page with the run of a version, and return its address."""
    version = registry.version(number)
    registry.attach(version.number, html, FILE)
    return registry.run_link(version.run_id, FILE)
