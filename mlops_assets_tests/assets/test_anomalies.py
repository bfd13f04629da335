"""anomalies over the graph: stored, checked, told once, and seen in the status."""

import pytest

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.report.state import Sources, overview
from mlops_assets_tests.worlds import World, declare, panel, sandbox

DAY = "2024-04-11"


@pytest.fixture(scope="module")
def odd(tmp_path_factory, empty_mlflow) -> World:
    """A world without a champion, which seasonal naive forecasts; a shop sells ten times the usual one day."""
    data = panel(odd_days=False)
    wrong = (data["day"] == DAY) & (data["shop"] == "shop 1")
    data.loc[wrong, "sales"] *= 10
    folder = tmp_path_factory.mktemp("odd")
    made = World(declare(folder / "forecasts", data), sandbox(folder, empty_mlflow))
    made.run("observations", "quarantine", partition=f"2024-03-01...{DAY}")
    made.run("forecasts", partition="2024-04-09...2024-04-10")
    return made


def test_what_was_hardly_expected_is_stored_checked_told_and_shown(odd):
    days = ["2024-04-10", DAY]
    result = odd.run("anomalies", partition="...".join(days))
    (row,) = odd.table("anomalies").to_dict("records")
    assert (row["partition"], row["item_id"], row["kind"]) == (DAY, "shop 1", "above")
    assert row["target"] > row["high"] > row["low"]
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity.name) == ("anomalies", False, "ERROR")
    facts = {event.partition: event.materialization.metadata for event in result.get_asset_materialization_events()}
    assert facts[days[0]]["dagster/row_count"].value == 0
    assert "shop 1 on 2024-04-11" in facts[DAY]["anomalies"].value
    odd.run("anomalies", partition=DAY)
    again = odd.run("anomalies", partition=days[0])
    (check,) = again.get_asset_check_evaluations()
    assert (check.passed, check.metadata["partition"].value) == (False, DAY), "the latest counts"
    (alert,) = odd.table("alerts").to_dict("records")
    assert alert["event"] == "anomalies"
    assert "1 observation hardly expected: shop 1 on 2024-04-11" in alert["what"]
    stores = odd.resources
    state = overview(Sources(odd.spec, odd.tables, odd.tracking, stores["clock"], Notifications()))
    assert state.anomalies is not None
    assert state.anomalies.rows == 1
    assert any(problem.startswith(f"anomalies of {DAY}: 1 observation") for problem in state.problems)
