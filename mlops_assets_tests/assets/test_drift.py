"""data_drift over the graph: what it stores, says and warns of, and who reads it."""

from datetime import datetime, timezone

import pandas as pd
import pytest

from mlops_assets.lifecycle.decisions import Decisions, Entry
from mlops_assets.stages.evidence import drift_history
from mlops_assets_tests.worlds import HISTORY, World, declare, panel, sandbox

LAST = "2024-05-10"


@pytest.fixture(scope="module")
def stormy(tmp_path_factory, empty_mlflow) -> World:
    """A world without a champion in which it rains much more in the last week, and a shop is closed."""
    data = panel()
    late = data["day"].between("2024-05-04", LAST)
    data = data.assign(rain=data["rain"] + 5 * late)
    folder = tmp_path_factory.mktemp("stormy")
    made = World(
        declare(folder / "forecasts", data[~(late & (data["shop"] == "shop 3"))]), sandbox(folder, empty_mlflow)
    )
    made.run("observations", "quarantine", partition=HISTORY)
    return made


def test_drift_is_stored_said_and_warned_of(stormy):
    days = ["2024-05-03", LAST]
    result = stormy.run("data_drift", partition="...".join(days))
    table = stormy.table("data_drift")
    assert table["partition"].nunique() == 8
    quiet, loud = (table[table["partition"] == day] for day in days)
    assert not quiet["drifted"].any()
    assert set(map(tuple, loud[["feature", "kind"]].to_numpy())) == {
        *[("target", kind) for kind in ("shape", "level", "missing")],
        *[("items", "set"), ("rain", "values")],
    }
    assert loud["feature"].iloc[0] == "rain"
    facts = {
        event.partition: {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
    }
    assert facts[days[0]]["drift"] == 0
    assert facts[days[0]]["drifted"] == "nothing"
    assert facts[LAST]["drift"] > 1
    assert facts[LAST]["drifted"].startswith("rain values")
    assert facts[LAST]["vanished_items"] == "shop 3"
    assert facts[LAST]["new_items"] == "none"
    assert facts[LAST]["window"] == "2024-05-04 00:00:00 to 2024-05-10 00:00:00"
    assert "rain has drifted" in facts[LAST]["features"]
    history = drift_history(stormy.tables, "demo")
    assert history is not None
    assert list(history["partition"]) == sorted(table["partition"].unique())
    assert facts[LAST]["drift"] == pytest.approx(history.set_index("partition")["drift"][LAST], rel=0.005), (
        "three digits"
    )


def test_the_first_partitions_are_not_judged(stormy):
    stormy.run("data_drift", partition="2024-03-03...2024-03-20")
    days = [f"2024-03-{day:02d}" for day in range(3, 21)]
    table = stormy.table("data_drift", days)
    assert table["partition"].min() == "2024-03-14"
    assert not table["drifted"].any()
    assert table["explanation"].str.contains("cannot be judged").all()


def test_before_the_first_observation_there_is_nothing_to_look_at(world):
    made = world(partitions={"kind": "daily", "start": "2024-02-25", "end": "2024-06-01"})
    made.run("observations", "quarantine", "data_drift", partition="2024-02-25")
    assert made.table("data_drift").empty


def test_the_reference_is_what_the_champion_has_learnt(stormy):
    def reference() -> str:
        return stormy.metadata(stormy.run("data_drift", partition=LAST), "data_drift")["reference"]

    assert reference() == "9 windows, 2024-03-02 00:00:00 to 2024-05-03 00:00:00"
    promoted = Entry("gate", "promoted", 1, None, 1, "gate", "first", trained_until=pd.Timestamp("2024-04-20"))
    Decisions(stormy.tables, "demo").append(lambda log: promoted, datetime(2024, 4, 21, tzinfo=timezone.utc))
    assert reference() == "7 windows, 2024-03-02 00:00:00 to 2024-04-19 00:00:00"
