"""observations and quarantine."""

import dagster as dg
import pandas as pd

from mlops_assets_tests.worlds import panel


def _with(rows):
    data = panel().astype({"sales": "object", "day": "str"})
    return pd.concat([data, pd.DataFrame(rows)], ignore_index=True)


def test_bad_rows_go_to_quarantine_and_are_counted(world):
    bad = [
        {"day": "2024-03-03", "shop": "shop 9", "sales": "many", "rain": 0.1},
        {"day": "2024-03-04", "shop": None, "sales": 3, "rain": 0.1},
        {"day": "someday", "shop": "shop 1", "sales": 3, "rain": 0.1},
    ]
    made = world(_with(bad), quarantine={"max_share": 0.2})
    result = made.run("observations", "quarantine", partition="2024-03-01...2024-03-09")
    rows = made.table("quarantine").set_index("reason")
    assert set(rows.index) == {"target_not_a_number", "missing_item", "unparsable_timestamp"}
    assert rows.at["target_not_a_number", "partition"] == "2024-03-03"
    assert '"sales": "many"' in rows.at["target_not_a_number", "record"]
    facts = made.metadata(result, "observations")
    assert (
        facts["rows_read"]
        == facts["rows_accepted"]
        + facts["rows_quarantined"]
        + facts["rows_collapsed"]
        + facts["rows_aggregated"]
        + facts["rows_of_other_times"]
    )
    assert facts["rows_quarantined"] == 3


def test_too_many_bad_rows_fail_the_run_and_keep_the_last_good_partition(world):
    made = world()
    made.run("observations", "quarantine", partition="2024-03-05")
    good = made.table("observations")
    data = panel().astype({"sales": "object"})
    data.loc[(data["day"] == "2024-03-05") & (data["shop"] != "shop 0"), "sales"] = "?"
    data.to_csv(made.spec.folder / "sales.csv", index=False)
    result = made.run("observations", "quarantine", partition="2024-03-05", raise_on_error=False)
    assert not result.success
    words = result.failure_data_for_node("demo__ingest").user_failure_data.description
    assert "75.0%" in words
    assert "target_not_a_number (3)" in words
    pd.testing.assert_frame_equal(made.table("observations"), good)
    assert len(made.table("quarantine")) == 3


def test_a_missing_column_names_file_column_and_what_there_is(world):
    made = world(panel().rename(columns={"sales": "turnover"}))
    result = made.run("observations", "quarantine", partition="2024-03-05", raise_on_error=False)
    words = result.failure_data_for_node("demo__ingest").user_failure_data.description
    assert "sales.csv" in words
    assert "'sales'" in words
    assert "turnover" in words


def test_single_run_over_many_partitions_equals_one_run_each(world):
    many, one = world(), world()
    many.run("observations", "quarantine", partition="2024-03-01...2024-03-04")
    for day in pd.date_range("2024-03-01", "2024-03-04"):
        one.run("observations", "quarantine", partition=f"{day:%Y-%m-%d}")
    pd.testing.assert_frame_equal(many.table("observations"), one.table("observations"))
    assert many.tables.partitions(["demo", "observations"]) == one.tables.partitions(["demo", "observations"])


def test_both_tables_carry_what_the_ui_shows(world):
    made = world()
    result = made.run("observations", "quarantine", partition="2024-03-05")
    for name in ("observations", "quarantine"):
        facts = made.metadata(result, name)
        assert facts["dagster/row_count"] == (4 if name == "observations" else 0)
        assert isinstance(facts["dagster/column_schema"], dg.TableSchema)
