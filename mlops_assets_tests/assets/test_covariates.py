"""Covariates of another table, in Dagster: stored with the observations, and over the horizon for every item."""

import pandas as pd

from mlops_assets_tests.worlds import panel


def test_another_table_is_joined_to_observations_and_horizon(world, tmp_path):
    table = {"kind": "file", "path": str(tmp_path / "heat.csv")}
    days = pd.date_range("2024-03-01", "2024-03-14")
    pd.DataFrame({"date": days, "city": "x", "heat": days.day}).to_csv(tmp_path / "heat.csv", index=False)
    weather = {"name": "weather", "source": table, "timestamp": "date", "by": "city", "known": ["heat"]}
    data = panel().assign(city=lambda frame: frame["shop"].map({"shop 0": "x"}).fillna("y"))
    here = world(data, covariates={"static": ["city"], "sources": [weather]})
    assert here.run("observations", "quarantine", partition="2024-03-01...2024-03-10").success
    stored = here.table("observations").set_index(["item_id", "timestamp"])["heat"]
    assert stored["shop 0"].tolist() == list(range(1, 11))
    assert stored["shop 1"].isna().all(), "another city, of which the table has nothing"
    before = version_ahead(here)
    ahead = here.table("future_covariates").set_index(["item_id", "timestamp"])["heat"]
    assert ahead["shop 0"].dropna().tolist() == [11, 12, 13, 14]
    assert len(ahead) == 4 * 7
    assert version_ahead(here) == before
    pd.DataFrame({"date": days, "city": "x", "heat": days.day + 1}).to_csv(tmp_path / "heat.csv", index=False)
    assert version_ahead(here) != before, "another forecast of the weather makes forecasts stale"


def version_ahead(here) -> str:
    """Make the covariates ahead; return the version that Dagster notes."""
    made = here.run("future_covariates", partition="2024-03-10")
    assert made.success
    (stored,) = made.get_asset_materialization_events()
    return stored.materialization.tags["dagster/data_version"]
