"""Which champion is lost: one rule for alerts and retraining."""

import pandas as pd
import pytest

from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.lifecycle.decisions import Decisions, Entry
from mlops_assets.lifecycle.lost import champion_failed, lost_champion
from mlops_assets.resources.protocols import Tables

PROMOTED = Entry("gate", "promoted", 7, None, 7, "gate", "good")
GONE = Entry("loss", "gone", 7, 7, None, "MLflow", "version 7 is gone")
WAITED = Entry("loss", "gone", 8, None, None, "MLflow", "version 8 is gone")
REFUSED = Entry("gate", "refused", 9, None, None, "gate", "worse")


def log_of(tables: Tables, *entries: Entry) -> pd.DataFrame:
    decisions = Decisions(tables, "demo")
    for entry in entries:
        decisions.append(lambda log, entry=entry: entry, pd.Timestamp("2024-05-01", tz="UTC"))
    return decisions.all()


@pytest.mark.parametrize(
    ("entries", "lost"),
    [
        ((), None),
        ((PROMOTED,), None),
        ((PROMOTED, GONE), (7, 2)),
        ((PROMOTED, GONE, WAITED), (7, 2)),
        ((WAITED,), (8, 1)),
        ((PROMOTED, GONE, REFUSED), None),
    ],
)
def test_the_lost_one_is_the_champion_else_the_version_that_waited(entries, lost):
    tables = MemoryTables()
    found = lost_champion(tables, "demo", log_of(tables, *entries))
    assert (None if found is None else (found.version, found.decision)) == lost


def test_a_champion_has_failed_also_where_seasonal_naive_forecasts_the_leads_that_another_lacks():
    tables = MemoryTables()
    rows = pd.DataFrame({"delivered_because": ["unloadable", "no_champion"], "job_key": "", "role": "delivered"})
    tables.write(["demo", "forecasts"], rows, "2024-05-01")
    assert champion_failed(tables, "demo")
    tables.write(["demo", "forecasts"], rows.assign(delivered_because="no_champion"), "2024-05-02")
    assert not champion_failed(tables, "demo")
