"""The state of forecasts, and the page that shows one: what `mlops-assets status` and `report` give."""

from collections.abc import Collection, Iterable
from dataclasses import replace

import dagster as dg

from mlops_assets.environments import Stores, open_stores
from mlops_assets.forecasting.formatting import stamp
from mlops_assets.lifecycle import leaving
from mlops_assets.report.overview import Overview
from mlops_assets.report.page import page
from mlops_assets.report.reachable import Reachable
from mlops_assets.report.state import MLFLOW, RUNS, TABLES, Sources, overview
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.instance import dagster_home
from mlops_assets.resources.secrets import scrub
from mlops_assets.resources.snapshot import remembered, snapshot
from mlops_assets.settings import Settings
from mlops_assets.spec import BrokenSpec, ForecastSpec


def sources_of(spec: ForecastSpec, stores: Stores, instance: dg.DagsterInstance | None) -> Sources:
    """Return where the facts of a forecast come from."""
    return Sources(
        spec,
        snapshot(stores.tables),
        stores.tracking,
        stores.clock,
        stores.notifications,
        instance,
        stores.models,
        stores.jobs,
        stores.prices,
    )


def present_instance(settings: Settings) -> dg.DagsterInstance | None:
    """Return the Dagster instance, or None where there has been none yet: looking makes none, and needs no lock."""
    home = dagster_home(settings)
    if not (home / "dagster.yaml").exists():
        return None
    instance = dg.DagsterInstance.from_config(str(home))
    instance.get_runs(limit=1)
    return instance


def status(specs: Iterable[ForecastSpec], settings: Settings, broken: Iterable[BrokenSpec] = ()) -> list[Overview]:
    """Collect the state of some forecasts, and of those whose specs cannot be used, sorted by name.

    It always answers: what cannot be reached is a line of its own.
    """
    reached = Reachable()
    instance = reached.ask(RUNS, lambda: present_instance(settings), None)
    with open_stores(settings) as stores:
        found = [overview(sources_of(spec, stores, instance), reached.unreachable) for spec in specs]
        at = stamp(naive_utc(stores.clock.now()).floor("min"))
    found += [Overview.of_broken(spec.name, scrub(spec.message), at) for spec in broken]
    return sorted(found, key=lambda one: one.forecast)


def no_longer_declared(settings: Settings, declared: Collection[str]) -> list[Overview]:
    """Return the forecasts that something is stored of, or switched on for, but whose specs are gone.

    It always answers: where a store cannot be reached, they are left out.
    """
    reached = Reachable()
    instance = reached.ask(RUNS, lambda: present_instance(settings), None)
    with open_stores(settings) as stores:
        at = stamp(naive_utc(stores.clock.now()).floor("min"))
        names = reached.ask(TABLES, lambda: leaving.undeclared(stores.tables, instance, declared), [])
        words = [
            reached.ask(MLFLOW, lambda name=name: leaving.holdings(stores, instance, name).words, "stored")
            for name in names
        ]
    return [Overview.of_undeclared(name, what, at) for name, what in zip(names, words, strict=True)]


def page_of(spec: ForecastSpec, settings: Settings) -> str:
    """Return the report of a forecast, as HTML.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    instance = present_instance(settings)
    with open_stores(settings) as stores:
        sources = replace(sources_of(spec, stores, instance), tables=remembered(stores.tables))
        return page(sources, overview(sources))
