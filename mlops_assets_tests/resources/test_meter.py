"""What steps cost: processor, memory, waiting; said by each materialization, counted once."""

import time
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.catalog.spending import Spending
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.io_managers.steps import io_manager
from mlops_assets.resources import meter
from mlops_assets.resources.patience import patient

INSTANCE = dg.DagsterInstance.ephemeral()
ROW = pd.DataFrame({"item_id": ["a"], "partition": ["2013-01-01"]})


def burn(seconds: float) -> None:
    """Keep the processor busy."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def run(*assets: Any, tables: Any = None, **options: Any) -> dg.ExecuteInProcessResult:
    resources = {"tables": io_manager(tables or MemoryTables())}
    return dg.materialize(list(assets), resources=resources, raise_on_error=False, instance=INSTANCE, **options)


def said(result: dg.ExecuteInProcessResult) -> list[dict[str, Any]]:
    """Return the metadata of each materialization."""
    return [
        {k: v.value for k, v in e.materialization.metadata.items()} for e in result.get_asset_materialization_events()
    ]


def test_what_is_done_is_measured_and_a_part_of_it_too():
    with meter.metering() as whole:
        burn(0.03)
        with meter.metering() as part:
            burn(0.03)
            meter.add(worker_seconds=2, waited=3)
        meter.add(saved=1)
    assert part.cpu_seconds == pytest.approx(0.03, abs=0.02)
    assert whole.cpu_seconds == pytest.approx(0.06, abs=0.03)
    assert (part.worker_seconds, part.waited_seconds, part.saved_seconds) == (2, 3, 0)
    assert (whole.worker_seconds, whole.waited_seconds, whole.saved_seconds) == (2, 3, 1)


def test_the_peak_is_of_what_is_measured_and_of_nothing_before():
    big = np.ones(20_000_000)
    del big
    with meter.metering() as small:
        pass
    with meter.metering() as outer:
        with meter.metering() as large:
            np.ones(20_000_000)
        with meter.metering() as after:
            pass
    assert large.peak_memory_mb > small.peak_memory_mb + 120
    assert after.peak_memory_mb < large.peak_memory_mb - 120
    assert outer.peak_memory_mb >= large.peak_memory_mb


def test_every_materialization_says_what_it_took():
    @dg.asset(key=["demo", "first"], io_manager_key="tables")
    @patient
    def first(context: dg.AssetExecutionContext) -> pd.DataFrame:
        burn(0.05)
        meter.add(worker_seconds=7)
        return ROW

    result = run(first)
    (facts,) = said(result)
    assert set(meter.NUMBERS) <= set(facts)
    assert 0.05 <= facts["cpu_seconds"] < 0.3
    assert facts["worker_seconds"] == 7
    assert facts["peak_memory_mb"] > 50


def test_a_step_with_two_outputs_and_a_failed_try_counts_everything_once():
    @dg.multi_asset(
        name="demo__ingest",
        outs={n: dg.AssetOut(key=["demo", n], io_manager_key="tables") for n in ("observations", "quarantine")},
    )
    @patient
    def ingest(context: dg.AssetExecutionContext):
        burn(0.03)
        yield dg.Output(ROW, "quarantine")
        burn(0.06)
        yield dg.Output(ROW, "observations")

    @dg.asset(key=["demo", "forecasts"], io_manager_key="tables")
    @patient
    def failing(context: dg.AssetExecutionContext) -> pd.DataFrame:
        burn(0.04)
        raise ValueError("no")

    tables = MemoryTables()
    with meter.metering() as whole:
        result = run(ingest, failing, tables=tables)
    spent = Spending(tables, "demo").monthly().set_index("asset")["cpu_seconds"]
    assert spent["quarantine"] == pytest.approx(0.03, abs=0.03)
    assert spent["observations"] == pytest.approx(0.06, abs=0.03)
    assert spent["forecasts"] == pytest.approx(0.04, abs=0.03)
    assert spent.sum() <= whole.cpu_seconds + 0.01
    assert meter.entries_of(result.run_id) == []


def test_partitions_that_are_made_at_once_share_the_cost():
    days = dg.DailyPartitionsDefinition("2013-01-01", end_date="2013-01-05")

    @dg.asset(
        key=["demo", "daily"],
        io_manager_key="tables",
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={"partition_expr": "partition"},
    )
    @patient
    def daily(context: dg.AssetExecutionContext) -> pd.DataFrame:
        meter.add(worker_seconds=8)
        return ROW

    tags = {"dagster/asset_partition_range_start": "2013-01-01", "dagster/asset_partition_range_end": "2013-01-04"}
    found = said(run(daily, tags=tags))
    assert [facts["worker_seconds"] for facts in found] == [2, 2, 2, 2]
