"""reconciled_forecasts: items and their sums, with means that add up."""

import pytest

from mlops_assets.catalog.column import expand
from mlops_assets.catalog.columns import TABLES
from mlops_assets.spec import SpecError
from mlops_assets_tests.worlds import HISTORY, panel


def regional(world, **changes):
    data = panel().assign(region=lambda rows: rows["shop"].map(lambda shop: "north" if shop < "shop 2" else "south"))
    columns = {"item_id": ["region", "shop"], "timestamp": "day", "target": "sales"}
    return world(data, columns=columns, hierarchy={"levels": ["region", "shop"]}, **changes)


def test_the_means_of_items_add_up_to_regions_and_the_total(world):
    made = regional(world)
    made.run("observations", "quarantine", partition=HISTORY)
    made.train()
    first = {"ops": {"demo__forecasts": {"config": {"version": 1}}}}  # whatever the gate thinks of so small a panel
    made.run("forecasts", "reconciled_forecasts", partition="2024-05-09...2024-05-10", config=first)
    rows = made.table("reconciled_forecasts")
    assert rows.groupby("level")["item_id"].nunique().to_dict() == {"item": 4, "region": 2, "total": 1}
    assert len(rows) == 2 * 7 * 7
    assert set(rows) == set(expand(TABLES["reconciled_forecasts"], ["q10", "q50", "q90"], []))
    sums = rows.pivot_table(index=["origin", "timestamp"], columns="level", values="mean", aggfunc="sum")
    assert sums["item"].to_numpy() == pytest.approx(sums["total"].to_numpy())
    assert sums["region"].to_numpy() == pytest.approx(sums["total"].to_numpy())
    assert (rows["q10"] <= rows["q50"]).all()
    assert (rows["q50"] <= rows["q90"]).all()
    items = rows[rows["level"] == "item"].set_index(["item_id", "origin", "lead"])["mean"]
    ledger = made.table("forecasts").set_index(["item_id", "origin", "lead"])["mean"]
    assert items.sort_index().to_numpy() == pytest.approx(ledger.sort_index().to_numpy()), "bottom-up leaves the items"
    assert rows["model_version"].unique().tolist() == [1]
    assert set(rows.loc[rows["level"] != "item", "item_id"]) == {"sum:*", "sum:north", "sum:south"}
    assert set(rows.loc[rows["level"] != "item", "source"]) == {"aggregate"}


def test_a_level_that_no_item_has_is_an_error(world):
    with pytest.raises(SpecError, match=r"hierarchy.levels.*'country' is neither a static covariate"):
        world(hierarchy={"levels": ["country"]})
