"""Logs and tables by name: rows are added once, types are the table's, nothing stored is a table without rows."""

from threading import Barrier, Thread
from typing import Any

import pandas as pd
import pytest

from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.log import Log, numbered
from mlops_assets.catalog.names import ALERTS, DECISIONS, ENTRIES, FORECASTS, NO_TABLES, RETRAINING_LAUNCHES
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.io_managers import MemoryTables, ObjectTables, Tables

LAUNCH: dict[str, Any] = {
    "breach": "v1 2024-05-01",
    "attempt": 1,
    "champion": 1,
    "action": "refit",
    "reason": "above",
    "partition": "2024-05-02",
    "policy": "retraining",
    "becomes": "challenger",
    "run_id": "r",
    "takeover": 1,
    "claimed_at": pd.Timestamp("2024-05-02 06:00"),
}


def types(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(kind) for name, kind in frame.dtypes.items()}


def test_a_row_is_added_once_and_read_as_it_was():
    log = Log(MemoryTables(), "demo", RETRAINING_LAUNCHES)
    before = log.rows()
    assert before.empty
    assert log.add(LAUNCH, "a")
    assert not log.add({**LAUNCH, "run_id": "other"}, "a")
    assert log.partitions() == ["a"]
    (row,) = log.rows().to_dict("records")
    assert row == LAUNCH
    assert types(log.rows()) == types(before)
    log.replace({**LAUNCH, "run_id": "other"}, "a")
    assert log.add(LAUNCH, "b")
    assert log.rows(["a"])["run_id"].tolist() == ["other"]


def test_a_missing_number_and_a_missing_text_stay_missing():
    log = Log(MemoryTables(), "demo", DECISIONS)
    fields: dict[str, Any] = dict.fromkeys((one.name for one in TABLES[DECISIONS]), None)
    log.add({**fields, "number": 1, "decided_at": pd.Timestamp("2024-05-02")}, numbered(1))
    row = log.rows().iloc[0]
    assert row[["champion_before", "trained_until", "reason", "cpu_seconds"]].isna().all()
    with pytest.raises(KeyError):
        log.add({"number": 2}, numbered(2))


def test_of_writers_at_the_same_time_one_adds_the_row(tmp_path):
    tables = ObjectTables(base=str(tmp_path))
    together, won = Barrier(4), []

    def write(number: int) -> None:
        together.wait()
        if Log(tables, "demo", RETRAINING_LAUNCHES).add({**LAUNCH, "run_id": str(number)}, "a"):
            won.append(str(number))

    threads = [Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Log(tables, "demo", RETRAINING_LAUNCHES).rows()["run_id"].tolist() == won


@pytest.mark.parametrize("name", [one.name for one in ENTRIES if one.kind not in NO_TABLES])
def test_what_is_not_stored_is_a_table_without_rows(name: str):
    tables: Tables = MemoryTables()
    none = ForecastTables(tables, "demo").read(name)
    assert none.empty
    assert set(none) <= {one.name for one in TABLES[name]}
    assert ForecastTables(tables, "demo").read(name, columns=list(none)[:2]).columns.tolist() == list(none)[:2]
    assert not ForecastTables(tables, "demo").exists(name)


def test_tables_are_asked_for_by_name():
    tables = MemoryTables()
    rows = {f"2024-05-0{day}": pd.DataFrame({"item_id": ["a"], "mean": [day + 0.5]}) for day in (1, 2)}
    tables.write_all(["demo", FORECASTS], rows)
    found = ForecastTables(tables, "demo")
    assert found.partitions(FORECASTS) == ["2024-05-01", "2024-05-02"]
    assert found.read(FORECASTS, ["2024-05-02"], ["mean"])["mean"].tolist() == [2.5]
    assert found.partitions(ALERTS) == []
