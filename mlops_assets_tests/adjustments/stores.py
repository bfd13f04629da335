"""A store with the ledger of a small forecast that people may adjust."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.adjustments.adjuster import Adjuster
from mlops_assets.catalog.names import FORECASTS
from mlops_assets.io_managers.base import Tables
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.resources.clock import Clock
from mlops_assets.spec import ForecastSpec
from mlops_assets_tests.adjustments.frames import system
from mlops_assets_tests.worlds import declare

KEY, NEXT = "2024-05-10", "2024-05-11"
FIRST = "2024-05-11"


def ledger(key: str, seed: int = 0) -> pd.DataFrame:
    """The ledger's rows of a partition, as far as adjustments look at them."""
    return system(pd.Timestamp(key), seed).assign(role="delivered")


def adjuster(spec: ForecastSpec, tables: Tables, hour: int = 6) -> Adjuster:
    """Somebody at a desk, at this hour of the day after the first origin."""
    return Adjuster(tables, spec, Clock(fixed=datetime(2024, 5, 11, hour, tzinfo=timezone.utc).isoformat()))


def stored(folder: Path, **changes: Any) -> tuple[ForecastSpec, MemoryTables]:
    """A spec, and a store that has its first origin."""
    spec, tables = declare(folder, **changes), MemoryTables()
    tables.write([spec.name, FORECASTS], ledger(KEY), KEY)
    return spec, tables
