"""Stores for those who only look: what is stored is told from what was there before, and nothing can be changed."""

import numpy as np
import pandas as pd
import pytest
from sqlalchemy.exc import DBAPIError

from mlops_assets.io_managers import ObjectTables, SqlTables, Tables
from mlops_assets.resources.refusals import RefusedError
from mlops_assets.sources.object_files import ReplacedError
from mlops_assets_tests.io_managers.conftest import Places

FRAME = pd.DataFrame({"item_id": ["a", "b"], "target": [1.0, 2.0]})
LONG = "é" * 200


def test_a_version_changes_with_its_partition_alone(tables: Tables, key: list[str]):
    assert tables.versions(key) == {}
    for name in ("2024-01-01", "a:b/c", LONG):
        tables.write(key, FRAME, name)
    first = tables.versions(key)
    assert set(first) == {"2024-01-01", "a:b/c", LONG}
    assert tables.versions(key) == first
    tables.write(key, FRAME, "a:b/c")
    second = tables.versions(key)
    assert {name for name in first if first[name] != second[name]} == {"a:b/c"}
    tables.delete(key, "a:b/c")
    assert tables.versions(key) == {name: second[name] for name in ("2024-01-01", LONG)}


def test_a_table_without_partitions_has_one_version(tables: Tables, key: list[str]):
    tables.write(key, FRAME)
    first = tables.versions(key)
    tables.write(key, FRAME)
    assert set(first) == {None}
    assert tables.versions(key)[None] != first[None]


def test_tables_below_a_table_are_not_its_own(places: Places, key: list[str]):
    for place in ("files", "object_memory"):
        tables = places.tables(place)
        tables.write(key, FRAME, "2024-01-01")
        tables.write([*key, "below"], FRAME, "2024-01-02")
        tables.write([*key, "other"], FRAME)
        assert set(tables.versions(key)) == {"2024-01-01"}
        assert isinstance(tables, ObjectTables)


@pytest.mark.parametrize("name", ["sqlite", "duckdb", "postgres", "mariadb"])
def test_a_database_that_is_only_looked_at_lets_nothing_be_changed(places: Places, name: str, key: list[str]):
    tables = places.tables(name)
    tables.write(key, FRAME, "2024-01-01")
    looking = tables.to_read()
    assert looking.read(key).equals(FRAME)
    assert looking.versions(key) == tables.versions(key)
    with pytest.raises((DBAPIError, RefusedError)):
        looking.write(key, FRAME, "2024-01-02")
    tables.write(key, FRAME, "2024-01-03")
    assert looking.partitions(key) == ["2024-01-01", "2024-01-03"]


def test_whoever_only_looks_makes_no_register_and_sees_the_first_table(tmp_path, key: list[str]):
    tables = SqlTables(f"sqlite:///{tmp_path}/tables.db")
    looking = tables.to_read()
    assert not looking.exists(key)
    assert looking.partitions(key) == []
    assert looking.children([]) == []
    assert looking.versions(key) == {}
    assert tables.outdated() == {}
    tables.write(key, FRAME, "2024-01-01")
    assert looking.read(key).equals(FRAME)


@pytest.mark.parametrize("place", ["s3", "azure"])
def test_ranges_of_an_object_are_all_of_it_or_of_none(places: Places, place: str, key: list[str]):
    tables = places.tables(place)
    frame = pd.DataFrame({"n": np.random.default_rng(0).normal(size=50_000)})
    tables.write(key, frame, "x")
    path = f"{key[0]}/table/partition=x/table.parquet"
    with tables._files.open(path) as file:
        assert file.read(4) == b"PAR1"
        tables.write(key, frame + 1, "x")
        with pytest.raises(ReplacedError, match="was replaced while it was read"):
            file.read(100)
    assert tables.read(key, ["x"])["n"].equals(frame["n"] + 1)
