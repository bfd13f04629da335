"""Exports that overlap: the last file counts if the spec says so, else the message names the field."""

import os

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.forecasting.data.contract import Window, check
from mlops_assets.sources.base import read_all
from mlops_assets.sources.factory import open_source
from mlops_assets_tests.sources.reading import HEADER, NOW
from mlops_assets_tests.worlds import declare

MARCH = Window(pd.Timestamp(2024, 3, 1), pd.Timestamp(2024, 4, 1))
COLUMNS = {"item_id": "item", "timestamp": "day", "target": "sales"}


def checked(folder, **fields):
    spec = declare(folder, source={"kind": "file", "path": "in", **fields}, columns=COLUMNS, covariates={})
    contract = Graph(spec).contract
    return check(read_all(open_source(spec), contract.columns, "day", MARCH), contract, MARCH, NOW)


def write(csv) -> None:
    """Day 1 is in both files, corrected in the later one; each has a day of its own."""
    csv(HEADER + "a,2024-03-01,1\na,2024-03-02,2\n", "in/export_9.csv")
    csv(HEADER + "a,2024-03-01,10\na,2024-03-03,3\n", "in/export_10.csv")


def targets(found) -> dict[int, float]:
    return dict(zip(found.accepted["timestamp"].dt.day, found.accepted["target"], strict=True))


def test_rows_that_contradict_another_file_are_told_with_the_field(csv, tmp_path):
    write(csv)
    found = checked(tmp_path)
    assert targets(found) == {2: 2, 3: 3}
    assert found.reasons == {"conflicting_duplicate": 2}
    assert (
        found.quarantined["detail"]
        .str.endswith(
            "its rows differ in target, and stand in several files: with source.latest_wins: name (or modified) the "
            "last file counts"
        )
        .all()
    )
    assert found.notes == [
        "2 rows contradict another file (export_10.csv, export_9.csv): with source.latest_wins: name (or modified) the "
        "last file counts"
    ]


def test_by_name_the_last_file_counts_and_ten_comes_after_nine(csv, tmp_path):
    write(csv)
    found = checked(tmp_path, latest_wins="name")
    assert targets(found) == {1: 10, 2: 2, 3: 3}
    assert found.counts["rows_superseded"] == 1
    assert found.quarantined.empty
    assert found.notes == []
    assert found.counts["rows_read"] == sum(found.counts.values()) - found.counts["rows_read"]


def test_by_time_the_file_written_last_counts(csv, tmp_path):
    write(csv)
    os.utime(tmp_path / "in/export_10.csv", (1, 1))
    assert targets(checked(tmp_path, latest_wins="modified")) == {1: 1, 2: 2, 3: 3}


def test_rows_that_contradict_each_other_within_the_last_file_are_still_refused(csv, tmp_path):
    write(csv)
    csv(HEADER + "a,2024-03-01,5\na,2024-03-01,6\n", "in/export_11.csv")
    found = checked(tmp_path, latest_wins="name")
    assert targets(found) == {2: 2, 3: 3}
    assert found.counts["rows_superseded"] == 2
    assert found.reasons == {"conflicting_duplicate": 2}
    assert "several files" not in found.quarantined["detail"][0]


def test_a_bad_row_of_the_last_file_does_not_take_the_good_one_with_it(csv, tmp_path):
    write(csv)
    csv(HEADER + "a,2024-03-01,x\n", "in/export_11.csv")
    found = checked(tmp_path, latest_wins="name")
    assert targets(found) == {1: 10, 2: 2, 3: 3}
    assert found.reasons == {"target_not_a_number": 1}
