"""Metadata of partitions, as Dagster shows it."""

import dagster as dg
import pytest
from dagster._core.execution.context import metadata_logging

from mlops_assets.catalog import metadata

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-05")


@pytest.mark.parametrize("kept_elsewhere", [False, True])
def test_each_partition_says_what_it_was_given_and_what_was_said_before(kept_elsewhere, monkeypatch):
    asked = []
    own = metadata_logging.OutputMetadataAccumulator.with_additional_asset_metadata

    def one_by_one(self, **named):
        asked.append(named["partition_key"])
        return own(self, **named)

    monkeypatch.setattr(metadata_logging.OutputMetadataAccumulator, "with_additional_asset_metadata", one_by_one)
    if kept_elsewhere:
        monkeypatch.setattr(metadata, "_SAID", "_kept_elsewhere_in_a_later_dagster")

    @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
    def daily(context: dg.AssetExecutionContext) -> dg.Output[None]:
        context.add_asset_metadata({"first": 1}, daily.key, "2024-01-02")
        facts = {key: {"rows": number} for number, key in enumerate(context.partition_keys)}
        metadata.add_by_partition(context, facts, daily.key)
        return dg.Output(None, metadata={"whole": "run"})

    result = dg.materialize(
        [daily],
        tags={"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-01-03"},
    )
    made = [one.step_materialization_data.materialization for one in result.get_asset_materialization_events()]
    told = {one.partition: {name: value.value for name, value in one.metadata.items()} for one in made}
    assert told == {
        "2024-01-01": {"whole": "run", "rows": 0},
        "2024-01-02": {"whole": "run", "first": 1, "rows": 1},
        "2024-01-03": {"whole": "run", "rows": 2},
    }
    assert len(asked) == (4 if kept_elsewhere else 1)
