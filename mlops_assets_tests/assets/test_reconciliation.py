"""reconciled_forecasts: items and their sums, with means that add up."""

import pytest

from mlops_assets.adjustments.adjuster import Adjuster, Wanted
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


def test_a_round_publishes_what_people_have_changed_and_sums_follow(world):
    made = regional(world)
    made.run("observations", "quarantine", partition=HISTORY)
    made.run("forecasts", "reconciled_forecasts", partition="2024-05-09")
    items = made.table("forecasts")["item_id"].unique()
    planner = Adjuster(made.tables, made.spec, made.resources["clock"])
    planner.adjust(Wanted("sum:*", "2024-05-11", None, "value", 400, "contract"), "ada")
    planner.lock(items[0], "2024-05-12", None, "eve")
    made.run("forecasts", "reconciled_forecasts", "forecast_accuracy", partition="2024-05-10")
    rows = made.table("published_forecasts", ["2024-05-10"]).set_index(["timestamp", "item_id"])
    assert rows["superseded_at"].isna().all()
    contract = rows.loc["2024-05-11"]
    assert contract.loc[items, "mean"].sum() == pytest.approx(400)
    assert contract.loc["sum:*", "mean"] == pytest.approx(400)
    held = made.table("forecasts", ["2024-05-09"]).query("item_id == @items[0] and lead == 3")["q50"].item()
    assert rows.loc[("2024-05-12", items[0]), "q50"] == held
    assert rows.loc[("2024-05-12", items[0]), "adjustment"] == 2
    assert set(made.table("forecasts", ["2024-05-10"])) == set(made.table("forecasts", ["2024-05-09"]))
