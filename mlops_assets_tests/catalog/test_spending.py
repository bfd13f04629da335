"""What is spent: noted by run, summed by day and month, counted once whatever is killed."""

from datetime import datetime, timezone

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.catalog.spending import Spending, note_all
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.io_managers.steps import io_manager
from mlops_assets.resources import meter
from mlops_assets.resources.meter import Entry, Spent
from mlops_assets.resources.patience import patient
from mlops_assets_tests.resources.test_meter import burn

ROW = pd.DataFrame({"item_id": ["a"]})


def entry(seconds: float, name: str = "forecasts", peak: float = 300, partitions: int = 1) -> Entry:
    spent = Spent(seconds, 2 * seconds, peak, waited_seconds=1, saved_seconds=3)
    return Entry(f"demo__{name}", ("demo", name) if partitions else None, partitions, spent)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def numbers(spending: Spending, months: int = 12) -> list[tuple]:
    columns = ["month", "asset", "steps", "partitions", "cpu_seconds", "peak_memory_mb"]
    return list(spending.monthly(months)[columns].itertuples(index=False, name=None))


def test_nothing_was_spent_before_anything_was_made():
    assert Spending(MemoryTables(), "demo").monthly().empty


def test_runs_add_up_by_month_and_asset():
    spending = Spending(MemoryTables(), "demo")
    spending.note([entry(1), entry(2, "report"), entry(0.5, partitions=0)], at("2013-11-30T23:59"))
    spending.note([entry(4, peak=500, partitions=30)], at("2013-12-01T00:00"))
    spending.note([entry(8, peak=200)], at("2013-12-02T12:00"))
    assert numbers(spending) == [
        ("2013-11", "forecasts", 2, 1, 1.5, 300),
        ("2013-11", "report", 1, 1, 2, 300),
        ("2013-12", "forecasts", 2, 31, 12, 500),
    ]
    assert numbers(spending, months=1) == [("2013-12", "forecasts", 2, 31, 12, 500)]
    assert list(spending.monthly()["failed"]) == [1, 0, 0]


def test_where_the_clock_stands_still_its_month_is_charged_whatever_was_summed_up():
    spending = Spending(MemoryTables(), "demo")
    for count, (day, after) in enumerate([("2026-11-28", "2026-11-29"), ("2026-11-30", "2026-12-02")], start=1):
        spending.note([entry(1)], at(f"{day}T06:00"), present=at("2013-12-05T06:00"))
        spending.note([entry(2)], at(f"{day}T07:00"), present=at("2013-11-05T06:00"))
        spending.sum_up(at(f"{after}T06:00"))
        assert [(row[0], row[4]) for row in numbers(spending)] == [("2013-11", 2.0 * count), ("2013-12", count)]
    assert [row[0] for row in numbers(spending, months=1)] == ["2013-12"]


def test_days_and_months_that_are_over_are_one_partition_each_and_nothing_else_changes():
    tables = MemoryTables()
    spending = Spending(tables, "demo")
    for day in ("2013-11-29", "2013-11-30", "2013-12-01", "2013-12-02"):
        for hour in range(5):
            spending.note([entry(1, name) for name in ("forecasts", "report")], at(f"{day}T{hour:02}:30"))
    before = spending.monthly()
    spending.sum_up(at("2013-12-02T06:00"))
    pd.testing.assert_frame_equal(spending.monthly(), before)
    stored = tables.partitions(["demo", "spending"])
    assert stored[:2] == ["2013-11", "2013-12-01"]
    assert len(stored) == 2 + 5
    spending.sum_up(at("2013-12-03T00:30"))  # until an hour after midnight somebody may write to the day
    assert tables.partitions(["demo", "spending"]) == stored
    spending.sum_up(at("2014-01-01T02:00"))
    assert tables.partitions(["demo", "spending"]) == ["2013-11", "2013-12"]
    pd.testing.assert_frame_equal(spending.monthly(), before)


@pytest.mark.parametrize("writes", range(1, 9))
def test_whoever_is_killed_between_two_writes_has_counted_nothing_twice_and_lost_nothing(monkeypatch, writes):
    class Killed(BaseException): ...

    tables, left = MemoryTables(), [writes]
    spending = Spending(tables, "demo")
    for day in ("2013-11-29", "2013-11-30"):
        for hour in range(2):
            spending.note([entry(1)], at(f"{day}T{hour:02}:30"))
    before = spending.monthly()
    for name in ("create", "delete"):
        own = getattr(MemoryTables, name)

        def counting(self, *arguments, own=own, **named):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return own(self, *arguments, **named)

        monkeypatch.setattr(MemoryTables, name, counting)
    with pytest.raises(Killed):
        spending.sum_up(at("2013-12-02T06:00"))
    monkeypatch.undo()
    pd.testing.assert_frame_equal(spending.monthly(), before)
    spending.sum_up(at("2013-12-02T06:00"))
    pd.testing.assert_frame_equal(spending.monthly(), before)
    assert tables.partitions(["demo", "spending"]) == ["2013-11"]


def test_a_run_notes_what_its_steps_took_for_the_forecast_that_they_are_of():
    @dg.asset(key=["demo", "forecasts"], io_manager_key="tables")
    @patient
    def forecasts(context: dg.AssetExecutionContext) -> pd.DataFrame:
        burn(0.02)
        meter.add(worker_seconds=5, saved=7)
        return ROW

    @dg.asset(key=["somebody", "elses"], io_manager_key="tables")
    @patient
    def elses(context: dg.AssetExecutionContext) -> pd.DataFrame:
        return ROW

    tables = MemoryTables(now="2013-12-31")
    dg.materialize([forecasts, elses], resources={"tables": io_manager(tables)})
    (row,) = Spending(tables, "demo").monthly().to_dict("records")
    assert row["month"] == "2013-12"
    assert (row["asset"], row["steps"], row["failed"], row["worker_seconds"], row["saved_seconds"]) == (
        "forecasts",
        1,
        0,
        5,
        7,
    )
    assert 0.02 <= row["cpu_seconds"] < 1
    assert not tables.exists(["somebody", "spending"])


def test_what_a_failed_step_took_counts_too():
    tables = MemoryTables()
    note_all(tables, [Entry("demo__ingest", None, 0, Spent(cpu_seconds=3))])
    (row,) = Spending(tables, "demo").monthly().to_dict("records")
    assert (row["asset"], row["failed"], row["cpu_seconds"]) == ("observations", 1, 3)
