"""forecast_change over the graph: a new model, restated history, a lost model; it always adds up."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.assets import build_assets
from mlops_assets.forecasting.monitoring.change import PARTS
from mlops_assets_tests.worlds import HISTORY, World, declare, panel, sandbox

THREE_DIGITS = 0.005
DAYS = ["2024-05-07", "2024-05-08", "2024-05-09", "2024-05-10"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory, empty_mlflow) -> World:
    """A world with a champion of 2024-05-01 and its forecasts of four days, each by a run of its own; a shop opens."""
    data = panel()
    opened = (data["shop"] == "shop 3") & (data["day"] < "2024-05-04")
    folder = tmp_path_factory.mktemp("change")
    spec = declare(folder / "forecasts", data[~opened], covariates={"known": ["rain"]})
    made = World(spec, sandbox(folder, empty_mlflow))
    made.run("observations", "quarantine", partition=HISTORY)
    made.run("future_covariates", partition="...".join((DAYS[0], DAYS[-1])))
    made.train(until="2024-05-01")
    for day in DAYS:
        made.run("forecasts", partition=day)
    return made


def explained(world: World, day: str) -> tuple[pd.DataFrame, dict]:
    """Make `forecast_change` of a day, check that it adds up to the ledger's difference, and return it."""
    facts = world.metadata(world.run("forecast_change", partition=day), "forecast_change")
    table = world.table("forecast_change", [day])
    before = str((pd.Timestamp(day) - pd.Timedelta(days=1)).date())
    old, new = (world.table("forecasts", [name]) for name in (before, day))
    shared = set(old["timestamp"]) & set(new["timestamp"])
    old, new = (rows[rows["timestamp"].isin(shared)].groupby("item_id")["q50"].sum() for rows in (old, new))
    change = new.sub(old, fill_value=0.0)
    assert set(table["item_id"]) == set(change.index)
    parts = table.set_index("item_id")[list(PARTS)].sum(axis=1)
    if not facts.get("undivided"):
        assert (parts - change).abs().max() < 1e-9
        shown = {name: facts[name] for name in PARTS}
        assert shown == pytest.approx(table[list(PARTS)].sum().to_dict(), rel=THREE_DIGITS, abs=1e-9)
    assert facts["change"] == pytest.approx(change.sum(), rel=THREE_DIGITS, abs=1e-9)
    return table, facts


def test_on_a_usual_day_new_data_explain_all_of_it(shop):
    table, facts = explained(shop, DAYS[1])
    assert (table["revised_history"] == 0).all()
    assert (table["new_model"] == 0).all()
    assert table["new_data"].abs().max() > 0
    assert table["change"].abs().is_monotonic_decreasing
    assert set(table["steps"]) == {6}
    assert facts["compared_with"].startswith("origin 2024-05-07 00:00:00, version 1, 6 timestamps")


def test_a_horizon_that_was_shortened_since_is_no_revised_history(shop, monkeypatch):
    monkeypatch.setattr(shop, "assets", build_assets(shop.spec.model_copy(update={"horizon": 3})))
    table, _ = explained(shop, DAYS[1])
    assert (table["revised_history"] == 0).all()
    assert set(table["steps"]) == {6}


def test_the_first_origin_has_nothing_to_compare_with(shop):
    result = shop.run("forecast_change", partition=DAYS[0])
    assert shop.table("forecast_change", [DAYS[0]]).empty
    assert shop.metadata(result, "forecast_change")["compared_with"].startswith("nothing")


def test_restated_actuals_are_revised_history(shop):
    """Last, but for the next: it changes the history of the world."""
    ledger = shop.table("forecasts", [DAYS[2]])
    data = pd.read_csv(shop.spec.folder / "sales.csv")
    restated = data.assign(
        sales=data["sales"].where(~((data["shop"] == "shop 1") & (data["day"] > "2024-05-04")), data["sales"] * 2)
    )
    restated.to_csv(shop.spec.folder / "sales.csv", index=False)
    try:
        shop.run("observations", "quarantine", partition="2024-05-05...2024-05-09")
        shop.run("forecasts", partition=DAYS[2])
        table, _ = explained(shop, DAYS[2])
    finally:
        data.to_csv(shop.spec.folder / "sales.csv", index=False)
        shop.run("observations", "quarantine", partition="2024-05-05...2024-05-09")
        shop.run("forecasts", partition=DAYS[2])
    assert table["item_id"].iloc[0] == "shop 1"
    others = table.set_index("item_id")
    assert others.loc["shop 1", "revised_history"] > 10
    assert (others.drop(index="shop 1")["revised_history"] == 0).all()
    pd.testing.assert_series_equal(shop.table("forecasts", [DAYS[2]])["q50"], ledger["q50"])


def test_a_new_champion_is_a_new_model(shop):
    config = {"ops": {"demo__forecasts": {"config": {"champion": "now", "version": 2}}}}
    shop.train(until="2024-05-09")
    shop.run("forecasts", partition=DAYS[3], config=config)
    table, facts = explained(shop, DAYS[3])
    assert set(table["previous_version"]) == {1}
    assert set(table["model_version"]) == {2}
    assert table["new_model"].abs().max() > 0
    assert table["new_data"].abs().max() > 0
    assert "new model" in facts["largest"]


def test_an_old_model_that_cannot_be_loaded_leaves_one_number_and_a_reason(shop):
    ledger = shop.table("forecasts", [DAYS[2]])
    shop.tables.write(["demo", "forecasts"], ledger.assign(model_version=77), DAYS[2])
    try:
        table, facts = explained(shop, DAYS[3])
    finally:
        shop.tables.write(["demo", "forecasts"], ledger, DAYS[2])
    assert table[list(PARTS)].isna().all(axis=None)
    assert np.isfinite(table["change"]).all()
    assert facts["undivided"].startswith("version 77, which made the previous forecasts")
    assert "new_data" not in facts
    assert table["undivided"].str.contains("77").all()


def test_a_range_is_explained_without_forecasting_again(shop, monkeypatch):
    from mlops_assets.forecasting.model.forecaster import Forecaster

    shop.run("forecasts", partition=f"{DAYS[0]}...{DAYS[2]}")
    monkeypatch.setattr(Forecaster, "predict", None)
    shop.run("forecast_change", partition=f"{DAYS[0]}...{DAYS[2]}")
    table = shop.table("forecast_change", DAYS[:3])
    assert table["origin"].nunique() == 2
    assert (table["new_data"] - table["change"]).abs().max() < 1e-9
