"""Where history begins: not with partitions.start, where very many partitions have no row."""

import pandas as pd
import pytest

from mlops_assets.catalog.partitions import complete_keys, partitions_of, whole_window
from mlops_assets.environments import open_stores
from mlops_assets.errors import UsageError
from mlops_assets.io_managers import MemoryTables
from mlops_assets.resources.clock import Clock
from mlops_assets.rounds import history
from mlops_assets.rounds.history import first_missing, spans
from mlops_assets.rounds.round import resolve_partitions
from mlops_assets.settings import Settings
from mlops_assets.sources.factory import open_source
from mlops_assets_tests.worlds import declare, sandbox


@pytest.fixture
def asked(tmp_path, empty_mlflow):
    """Ask for the first missing partition before one, with what is said."""

    def ask(start, last, stored=(), **fields):
        spec = declare(tmp_path / "forecasts", partitions={"start": start}, **fields)
        said = []
        with open_stores(sandbox(tmp_path, empty_mlflow)) as stores:
            assert last in complete_keys(spec, Clock().now())
            frames = {key: pd.DataFrame({"item_id": ["a"]}) for key in stored}
            stores.tables.write_all(["demo", "observations"], frames)
            return first_missing(stores, spec, last, said.append), [step.message for step in said]

    return ask


def test_few_partitions_without_rows_are_ingested(asked):
    assert asked("2024-02-01", "2024-05-10") == ("2024-02-01", [])


def test_very_many_partitions_without_rows_are_passed_over_and_that_is_said(asked):
    key, (said,) = asked("1900-01-01", "2024-05-10")
    assert key == "2024-03-01"
    assert said == (
        "partitions.start is 1900-01-01, and the source has no row before 2024-03-01: the 45350 partitions until then "
        "are passed over"
    )


def test_those_between_stored_ones_are_missing_nevertheless(asked):
    stored = ["2024-03-01", "2024-03-02", "2024-03-04"]
    key, (said,) = asked("1900-01-01", "2024-05-10", stored)
    assert key == "2024-03-03"
    assert "no row before 2024-03-01: the 45350 partitions" in said


def test_a_source_without_rows_so_far_has_no_history(asked):
    assert asked("1900-01-01", "2024-02-10")[0] is None


def test_a_source_that_cannot_be_read_is_left_to_the_ingestion(asked):
    columns = {"item_id": "shop", "timestamp": "day", "target": "gone"}
    assert asked("1900-01-01", "2024-05-10", columns=columns) == ("1900-01-01", [])


def test_runs_of_ingestion_are_of_about_as_many_rows_by_what_is_stored_or_what_the_source_says(tmp_path, monkeypatch):
    spec, tables = declare(tmp_path / "forecasts"), MemoryTables()
    keys = [f"2024-03-{day:02}" for day in range(1, 11)]
    assert spans(tables, spec, keys) == [(keys[0], keys[-1])]
    window = whole_window(partitions_of(spec), keys)
    rows = open_source(spec).rows_about("day", window)
    monkeypatch.setattr(history, "ROWS", rows * 0.4)
    assert spans(tables, spec, keys) == [(keys[0], keys[3]), (keys[4], keys[7]), (keys[8], keys[9])]
    tables.write(["demo", "observations"], pd.DataFrame({"item_id": ["a"] * rows}), keys[0])
    assert spans(tables, spec, keys) == [(key, key) for key in keys]
    monkeypatch.setattr(history, "ROWS", rows * 9)
    assert spans(tables, spec, keys) == [(keys[0], keys[8]), (keys[9], keys[9])]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("2024-03-09", "they run from 2024-03-01 to 2024-03-11, and 2024-03-09 holds no timestamp of frequency B"),
        ("2024-03-12", "they run from 2024-03-01 to 2024-03-11"),
        ("march", "they run from 2024-03-01 to 2024-03-11"),
    ],
)
def test_a_partition_that_cannot_be_asked_for_is_named_with_the_reason(tmp_path, key, why):
    partitions = {"start": "2024-03-01", "end": "2024-03-12"}
    spec = declare(tmp_path / "forecasts", partitions=partitions, frequency="B")
    settings = Settings.read({"MLOPS_ENV": "test", "MLOPS_DATA": str(tmp_path / "data")})
    with pytest.raises(UsageError, match=why) as caught:
        resolve_partitions(spec, key, settings)
    assert ("holds no timestamp" in str(caught.value)) == (key == "2024-03-09")
    assert resolve_partitions(spec, "2024-03-08...2024-03-11", settings) == ["2024-03-08", "2024-03-11"]
