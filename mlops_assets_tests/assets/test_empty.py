"""Tables without rows: their columns are those of tables with rows, whichever came first."""

import pandas as pd

from mlops_assets.catalog.names import assets_of
from mlops_assets_tests.worlds import HISTORY, panel

ROUND = ("observations", "quarantine", "forecasts", "forecast_accuracy", "data_drift", "anomalies", "forecast_change")


def schemas(world, name):
    """The columns and types of each stored partition of a table."""
    key = ["demo", name]
    found = {partition: world.tables._schema_of(key, partition) for partition in world.tables.partitions(key)}
    return {partition: [(field.name, str(field.type)) for field in schema] for partition, schema in found.items()}


def test_a_round_before_the_data_have_come_leaves_the_columns_of_a_full_one(world):
    late = world(panel().query("day > '2024-03-03'"))
    early = [one.name for one in assets_of(late.spec, "rescore")] + ["data_drift"]
    late.run(*early, partition="2024-03-01...2024-03-03")
    assert {name: len(late.table(name)) for name in early} == dict.fromkeys(early, 0)
    late.run("observations", "quarantine", partition="2024-03-04...2024-05-10")
    late.train()
    late.run(*ROUND, partition="2024-05-11...2024-05-12")
    assert len(late.table("forecast_accuracy", ["2024-05-12"])) == 4
    for name in early:
        columns = schemas(late, name)
        assert columns["2024-03-01"] == columns["2024-05-12"], name


def test_what_release_0_1_0_left_for_a_partition_without_forecasts_is_no_hindrance(world):
    made = world()
    made.run("observations", "quarantine", partition=HISTORY)
    made.run("forecast_accuracy", partition="2024-05-10")
    left = made.table("forecast_accuracy").astype({"lead": "int64"})
    made.tables.delete(["demo", "forecast_accuracy"])
    made.tables.write(["demo", "forecast_accuracy"], left, "2024-05-10")
    made.train()
    made.run(*ROUND, partition="2024-05-10...2024-05-11")
    rows = made.table("forecast_accuracy", ["2024-05-11"])
    assert (len(rows), rows["lead"].dtype) == (4, "int32")
    assert rows["error"].equals(rows["q50"] - rows["target"])
    assert pd.notna(rows["target"]).all()
