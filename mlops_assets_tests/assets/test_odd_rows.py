"""Values that are hardly true and items that move: told where they come in, and held off the forecasts."""

import logging

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.report.state import Sources, overview
from mlops_assets.stages.train import history_of
from mlops_assets_tests.worlds import HISTORY, World, panel

SLIP, LATE, MOVED = pd.Timestamp("2024-04-19"), pd.Timestamp("2024-05-13"), pd.Timestamp("2024-05-13")
FIRST = {"ops": {"demo__forecasts": {"config": {"version": 1}}}}
"""Whatever the gate thinks of so small a panel."""


def odd_panel() -> pd.DataFrame:
    """Shop 1 has a value times 1,000 on a day of the history and on a later one; shop 0 moves on the later one."""
    data = panel(odd_days=False).assign(region="north")
    slips = (data["shop"] == "shop 1") & data["day"].isin([SLIP, LATE])
    data.loc[slips, "sales"] *= 1000
    data.loc[(data["shop"] == "shop 0") & (data["day"] >= MOVED), "region"] = "south"
    return data


def said(made: World, result: dg.ExecuteInProcessResult) -> list[str]:
    """The warnings of a run, as its event log has them."""
    logs = made.instance.all_logs(result.run_id)
    return [entry.user_message for entry in logs if entry.level == logging.WARNING and not entry.is_dagster_event]


def test_an_outlier_is_told_once_and_changes_neither_forecasts_nor_scores(world):
    made = world(odd_panel(), covariates={"static": ["region"]})
    result = made.run("observations", "quarantine", partition=HISTORY)
    slip = odd_panel().query("shop == 'shop 1' and day == @SLIP")["sales"].iloc[0]
    words = said(made, result)
    assert len(words) == 1
    assert words[0].startswith(
        f"1 value is hardly true and counted as missing: shop 1 on 2024-04-19: {slip:g} (usually"
    )
    assert "set outliers: keep" in words[0]
    assert made.metadata(result, "observations")["outliers"] == 1
    made.train()
    made.run("forecasts", partition="2024-05-10...2024-05-12", config=FIRST)
    rows = made.table("forecasts", ["2024-05-10"])
    usual = panel(odd_days=False).groupby("shop")["sales"].mean()
    means = rows.groupby("item_id")["mean"].mean()
    assert (means / usual).between(0.8, 1.3).all(), "as without the slip"
    assert (rows["naive"] < 200).all()

    made.run("observations", "quarantine", partition="2024-05-11...2024-05-13")
    result = made.run("forecasts", "forecast_accuracy", partition="2024-05-13", config=FIRST)
    told = " ".join(said(made, result))
    assert "shop 1 on 2024-05-13" in told
    assert "2024-04-19" not in told, "that was told before"
    assert "region of shop 0 was north and is south from 2024-05-13 on" in told
    facts = made.metadata(result, "forecasts")
    assert (facts["outliers"], facts["static_changes"]) == (1, 1)
    scored = made.table("forecast_accuracy", ["2024-05-13"])
    assert set(scored["item_id"]) == {"shop 0", "shop 2", "shop 3"}
    assert "region=south" in set(made.table("accuracy_scores", ["2024-05-13"])["value"])
    notifications = Notifications()
    state = overview(Sources(made.spec, made.tables, made.tracking, made.resources["clock"], notifications))
    assert state.outliers.startswith("2 values are hardly true")
    assert state.outliers in state.problems


def test_what_the_spec_keeps_is_told_and_learnt_from_as_the_farthest_other(world):
    made = world(odd_panel(), outliers="keep")
    result = made.run("observations", "quarantine", partition=HISTORY)
    assert (
        "kept (outliers: keep), learnt from as no further from the usual than the others: shop 1 on"
        in said(made, result)[0]
    )
    result = made.run("training_set")
    assert made.metadata(result, "training_set")["outliers"] == 1
    sales = history_of(made.spec, made.table("observations")).set_index(["item_id", "timestamp"])["target"]["shop 1"]
    others = sales.drop(SLIP)
    assert sales[SLIP] - others.median() == pytest.approx((others - others.median()).abs().max(), rel=0.05)
