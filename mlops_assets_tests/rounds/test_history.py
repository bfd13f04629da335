"""Where history begins: not with partitions.start, where very many partitions have no row."""

import pandas as pd
import pytest

from mlops_assets.catalog.partitions import complete_keys
from mlops_assets.environments import open_stores
from mlops_assets.resources.clock import Clock
from mlops_assets.rounds.history import first_missing
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
