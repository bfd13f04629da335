"""checks: what should hold of a forecast's assets, asked of what is stored, at any time and by itself."""

from collections.abc import Iterator
from contextlib import nullcontext

import dagster as dg

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.names import CHECKS, step_name
from mlops_assets.jobs.resource import Jobs
from mlops_assets.report.health import OF_STEPS, answers, checks_of, declared, key_of
from mlops_assets.report.state import Sources, overview
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.meter import Prices
from mlops_assets.resources.protocols import Models, Tables
from mlops_assets.resources.snapshot import remembered
from mlops_assets.spec import ForecastSpec
from mlops_assets.tracking.tracking import Tracking


def all_checks(spec: ForecastSpec) -> list[dg.AssetChecksDefinition]:
    """Define the checks of a forecast as one step, of which each can be run by itself; nothing if all are off."""
    specs = [declared(one, spec) for one in checks_of(spec) if one.name not in OF_STEPS]
    if not specs:
        return []

    @dg.multi_asset_check(
        name=step_name(spec.name, CHECKS),
        specs=specs,
        can_subset=True,
        description=f"What `mlops-assets status {spec.name}` says, asset by asset, of what is stored.",
    )
    def checks(
        context: dg.AssetCheckExecutionContext,
        tables: dg.ResourceParam[Tables],
        models: dg.ResourceParam[Models],
        tracking: dg.ResourceParam[Tracking],
        notifications: dg.ResourceParam[Notifications],
        clock: dg.ResourceParam[Clock],
        jobs: dg.ResourceParam[Jobs],
        prices: dg.ResourceParam[Prices],
    ) -> Iterator[dg.AssetCheckResult]:
        seen, instance = remembered(tables), context.instance
        sources = Sources(
            spec, seen, tracking, clock, notifications, lambda: nullcontext(instance), models, jobs, prices
        )
        chosen = context.op_execution_context.selected_asset_check_keys
        yield from (one for one in answers(spec, overview(sources), clock.now()) if key_of(one) in chosen)

    return [checks]
