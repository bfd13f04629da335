"""The tables of a simulated forecast."""

import dagster as dg
import pandas as pd

from mlops_assets.catalog.spending import Spending
from mlops_assets.io_managers.steps import io_manager
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.patience import patient
from mlops_assets.simulation.tables import KeptTables


def test_what_runs_take_is_booked_in_the_months_of_the_simulated_life():
    @dg.asset(key=["demo", "forecasts"], io_manager_key="tables")
    @patient
    def forecasts(context: dg.AssetExecutionContext) -> pd.DataFrame:
        return pd.DataFrame({"item_id": ["a"]})

    tables = KeptTables()
    resources = {"tables": io_manager(tables)}
    for moment in ("2024-01-31", "2024-02-01"):
        tables.wake(Clock(fixed=moment))
        dg.materialize([forecasts], resources=resources)
    assert list(Spending(tables, "demo").monthly()["month"]) == ["2024-01", "2024-02"]
