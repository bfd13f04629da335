"""What a simulated forecast is kept in."""

import dagster as dg
import pandas as pd

from mlops_assets.catalog.spending import Spending
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.io_managers.steps import io_manager
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.patience import patient
from mlops_assets.simulation.stores import KeptTables


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


def test_what_has_grown_is_read_as_it_is_stored():
    tables, plain = KeptTables(), MemoryTables()
    rows = [
        {"number": 1, "why": "", "cost": None},
        {"number": 2, "why": None, "cost": 0.5},
        {"number": 3, "why": "late", "cost": None},
        {"number": 4, "why": "new", "cost": 1.0, "since": pd.Timestamp("2024-01-01")},
    ]
    for row in rows:
        for one in (tables, plain):
            one.write(["demo", "log"], pd.DataFrame([row]), f"{row['number']}", allow_new_columns=True)
        pd.testing.assert_frame_equal(tables.read(["demo", "log"]), plain.read(["demo", "log"]))
    tables.write(["demo", "log"], pd.DataFrame([{**rows[1], "why": "again"}]), "2", allow_new_columns=True)
    assert list(tables.read(["demo", "log"])["why"]) == ["", "again", "late", "new"]
    tables.delete(["demo", "log"], "4")
    assert list(tables.read(["demo", "log"])["number"]) == [1, 2, 3]
