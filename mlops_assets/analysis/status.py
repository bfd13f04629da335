"""The state of forecasts, and the page that shows one: what `mlops-assets status` and `report` give."""

import dagster as dg

from mlops_assets.environments import Stores, open_stores
from mlops_assets.report.overview import Overview
from mlops_assets.report.sections import page
from mlops_assets.report.state import Sources, overview
from mlops_assets.resources.instance import dagster_home, open_instance
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec


def sources_of(spec: ForecastSpec, stores: Stores, instance: dg.DagsterInstance | None) -> Sources:
    """Return where the facts of a forecast come from."""
    return Sources(spec, stores.tables, stores.tracking, stores.clock, stores.notifications, instance)


def present_instance(settings: Settings) -> dg.DagsterInstance | None:
    """Return the Dagster instance, or None where there has been none yet: looking makes none."""
    return open_instance(settings) if (dagster_home(settings) / "dagster.yaml").exists() else None


def status(specs: list[ForecastSpec], settings: Settings) -> list[Overview]:
    """Collect the state of some forecasts.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    instance = present_instance(settings)
    with open_stores(settings) as stores:
        return [overview(sources_of(spec, stores, instance)) for spec in specs]


def page_of(spec: ForecastSpec, settings: Settings) -> str:
    """Return the report of a forecast, as HTML.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    instance = present_instance(settings)
    with open_stores(settings) as stores:
        sources = sources_of(spec, stores, instance)
        return page(sources, overview(sources))
