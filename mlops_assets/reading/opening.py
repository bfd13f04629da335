"""The reader of a forecast in the environment that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlops_assets.environments import open_stores
from mlops_assets.reading.reader import Reader
from mlops_assets.resources.snapshot import snapshot
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec


@contextmanager
def open_reader(spec: ForecastSpec, settings: Settings) -> Iterator[Reader]:
    """Open the stores of an environment, and read one forecast in them as it is at this moment."""
    with open_stores(settings) as stores:
        yield Reader(spec, snapshot(stores.tables), stores.clock, stores.tracking, stores.jobs)
