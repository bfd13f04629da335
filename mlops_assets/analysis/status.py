"""The state of forecasts, and the page that shows one: what `mlops-assets status` and `report` give."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_assets.environments import Stores, open_stores
from mlops_assets.forecasting.formatting import stamp
from mlops_assets.lifecycle import leaving
from mlops_assets.report.decided import MLFLOW, TABLES
from mlops_assets.report.overview import Overview
from mlops_assets.report.page import page
from mlops_assets.report.reachable import Reachable
from mlops_assets.report.state import Sources, overview
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.secrets import scrub
from mlops_assets.resources.snapshot import remembered, snapshot
from mlops_assets.settings import Settings
from mlops_assets.spec import BrokenSpec, ForecastSpec

if TYPE_CHECKING:
    import dagster as dg


def sources_of(spec: ForecastSpec, stores: Stores, settings: Settings) -> Sources:
    """Return where the facts of a forecast come from."""
    return Sources(
        spec,
        snapshot(stores.tables),
        stores.tracking,
        stores.clock,
        stores.notifications,
        lambda: _records(settings),
        stores.models,
        stores.jobs,
        stores.prices,
    )


def status(specs: Iterable[ForecastSpec], settings: Settings, broken: Iterable[BrokenSpec] = ()) -> list[Overview]:
    """Collect the state of some forecasts, and of those whose specs cannot be used, sorted by name.

    It always answers: what cannot be reached is a line of its own.
    """
    with open_stores(settings) as stores:
        found = [overview(sources_of(spec, stores, settings)) for spec in specs]
        at = stamp(naive_utc(stores.clock.now()).floor("min"))
    found += [Overview.of_broken(spec.name, scrub(spec.message), at) for spec in broken]
    return sorted(found, key=lambda one: one.forecast)


def no_longer_declared(settings: Settings, declared: Collection[str]) -> list[Overview]:
    """Return the forecasts that something is stored of, but whose specs are gone.

    It always answers: where a store cannot be reached, they are left out. What is switched on in Dagster for a name of
    which nothing is stored, `mlops-assets check` tells.
    """
    reached = Reachable()
    with open_stores(settings) as stores:
        at = stamp(naive_utc(stores.clock.now()).floor("min"))
        names = reached.ask(TABLES, lambda: leaving.undeclared(stores.tables, None, declared), [])
        words = [
            reached.ask(MLFLOW, lambda name=name: leaving.holdings(stores, None, name).words, "stored")
            for name in names
        ]
    return [Overview.of_undeclared(name, what, at) for name, what in zip(names, words, strict=True)]


def page_of(spec: ForecastSpec, settings: Settings) -> str:
    """Return the report of a forecast, as HTML.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    with open_stores(settings) as stores:
        sources = replace(sources_of(spec, stores, settings), tables=remembered(stores.tables))
        return page(sources, overview(sources))


def metrics(specs: Iterable[ForecastSpec], settings: Settings, broken: Iterable[BrokenSpec] = ()) -> str:
    """Return the state of forecasts in Prometheus's text format.

    Raises:
        MissingExtraError: prometheus-client is not installed.
    """
    from mlops_assets.report.metrics import samples_of, text

    with open_stores(settings) as stores:
        every = [sources_of(spec, stores, settings) for spec in specs]
        found = {sources.spec.name: samples_of(sources, overview(sources)) for sources in every}
    return text(found, broken)


@contextmanager
def _records(settings: Settings) -> "Iterator[dg.DagsterInstance | None]":
    from mlops_assets.resources.instance import present_instance

    with present_instance(settings) or nullcontext() as instance:
        yield instance
